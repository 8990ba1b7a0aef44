/* Command lines: words into a command's options, by the table of them. */
#ifndef GF_CLI_OPTIONS_H
#define GF_CLI_OPTIONS_H

#include "cli/cli.h"

/* The option that every command has besides those of its table. */
extern const gf__option gf__option_help;

/* A command line that was read; begin with zeros and free it. */
typedef struct gf__command_line {
  gf__cli cli;
  void *options;
  void *words; /* popt's, to which the arguments belong */
  bool help;   /* --help was given */
} gf__command_line;

/* Reads the words, of which the first is the command's name. GF_ERROR_ARGUMENT. */
gf_status gf__command_line_read(gf__command_line *out, const gf__command *command, int count,
                                const char **words) GF_MUST_USE;
void gf__command_line_free(gf__command_line *line, const gf__command *command);

/* Appends the option's line or lines for a terminal: name, help, values and initial value. */
void gf__option_write(gf__text *out, const gf__option *option, int column);
/* Appends what the option does, what it takes and what it is by default, in one line. */
void gf__option_describe(gf__text *out, const gf__option *option);

#endif
