/* The program's tables as man pages and as completions for shells. */
#ifndef GF_CLI_MANUAL_H
#define GF_CLI_MANUAL_H

#include "cli/options.h"

/* What `gradflow --help` says. */
typedef struct gf__cli_program {
  const char *help; /* one line */
  const char *text; /* the long help */
  const char *arguments;
  const gf__option *options; /* ended by GF__OPTIONS_END */
  const char *examples;
  const char *exit_codes;
  const gf__command *const *commands; /* ended by NULL */
} gf__cli_program;

/* Writes gradflow.1, and gradflow-NAME.1 for each command, into a folder, which is created: pages
 * of man(7). */
gf_status gf__manual_write(const gf__cli_program *program, const char *folder) GF_MUST_USE;
/* The shells that there is completion for, ended by NULL. */
extern const char *const gf__completion_shells[];
/* Appends the script that completes commands, options, their values and files in a shell.
 * GF_ERROR_ARGUMENT for a shell that is neither bash nor zsh. */
gf_status gf__completion_write(const gf__cli_program *program, const char *shell,
                               gf__text *out) GF_MUST_USE;

#endif
