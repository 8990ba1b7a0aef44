/* The program's commands, and what they share. A command sees the public API, host/base,
 * report/table.h and verify/verify.h. */
#ifndef GF_CLI_CLI_H
#define GF_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <gradflow.h>

#include "base/config.h"
#include "base/text.h"

struct json_t; /* jansson's */

/* A command line, read. */
typedef struct gf__cli {
  const void *options; /* the command's struct */
  const char *const *arguments;
  int argument_count;
} gf__cli;

/* An option is a key that is written "--NAME" and may be left out: its field then has
 * the key's initial value, -1 if it is a choice without one, else zero. */
typedef struct gf__option {
  gf__key key;
  char letter;          /* 0: none */
  const char *argument; /* its value's name in the help; NULL: a flag, of type BOOL */
} gf__option;

/* Rows of a command's table of options, which a row without a name ends. */
#define GF__OPTION(word, short_name, value, options, member, kind, ...) \
  {                                                                     \
    .key = {.name = (word),                                             \
            .type = GF__KEY_##kind,                                     \
            .offset = offsetof(options, member),                        \
            __VA_ARGS__},                                               \
    .letter = (short_name), .argument = (value)                         \
  }
#define GF__FLAG(word, short_name, options, member, text) \
  GF__OPTION(word, short_name, NULL, options, member, BOOL, .help = (text))
#define GF__OPTIONS_END \
  { .letter = 0 }

typedef struct gf__command {
  const char *name;
  const char *arguments;     /* as in "usage: gradflow NAME ARGUMENTS" */
  const char *help;          /* one line */
  const char *text;          /* the long help */
  const char *examples;      /* lines of two spaces and a command line */
  int least, most;           /* arguments */
  const char *missing;       /* what is missing where there are fewer: "a config" */
  const gf__option *options; /* ended by GF__OPTIONS_END; NULL: none */
  size_t options_size;       /* of the struct that they are read into */
  bool has_ranks;            /* several ranks run it together */
  /* Appends the words that the first argument is one of, separated by spaces; NULL where it is a
   * file or a folder. */
  void (*words)(gf__text *out);
  const char *more_title;         /* the title of more */
  gf_status (*more)(char **out);  /* a text after the long help, or NULL */
  int (*run)(const gf__cli *cli); /* returns the exit code */
} gf__command;

extern const gf__command gf__cmd_devices, gf__cmd_train, gf__cmd_test, gf__cmd_tune, gf__cmd_plot;
extern const gf__command gf__cmd_lr;
extern const gf__command gf__cmd_data, gf__cmd_summary;
extern const gf__command gf__cmd_study, gf__cmd_diagnose;
extern const gf__command gf__cmd_scale;
extern const gf__command gf__cmd_fetch, gf__cmd_predict, gf__cmd_bench, gf__cmd_verify;
extern const gf__command gf__cmd_divergence;
extern const gf__command gf__cmd_export, gf__cmd_import;

/* Options that several commands have; their structs have a member of that name. */
#define GF__OPTION_DEVICE(options)                                                      \
  GF__OPTION("device", 'd', "DEVICE", options, device, TEXT,                            \
             .help =                                                                    \
                 "0:1 (platform and device), cpu, gpu, a part of one name, or auto: a " \
                 "GPU before a CPU; default auto")
#define GF__OPTION_SET(options)                             \
  GF__OPTION("set", 's', "KEY=VALUE", options, sets, TEXTS, \
             .help = "replace a value of the config; may be repeated")
#define GF__OPTION_COMPARISON(options)                                        \
  GF__OPTION("out", 'o', "DIR", options, out, TEXT,                           \
             .help =                                                          \
                 "where pictures that compare several runs go; default: the " \
                 "folder comparison beside the first run")
#define GF__OPTION_JSON(options) \
  GF__FLAG("json", 'j', options, json, "print JSON instead of a text")

/* The config of the file with the settings of --set. */
gf_status gf__cli_load_config(gf_config **out, const gf__texts *sets, const char *file) GF_MUST_USE;
gf_status gf__cli_set_all(gf_config *config, const gf__texts *sets) GF_MUST_USE; /* options --set */
/* Appends the folder for pictures that compare the runs of the command line, nothing for one run;
 * out is the option. */
gf_status gf__cli_comparison_folder(const gf__cli *cli, const char *out, const char *command,
                                    gf__text *folder) GF_MUST_USE;
/* Appends the default run folder for a config or a file of weights: runs/NAME for x/NAME.yaml. */
void gf__cli_default_out(const char *path, gf__text *out);
/* Prints the message of the failure on stderr and returns the exit code for it. */
int gf__cli_fail(gf_status status);
void gf__cli_print_failure(const char *message);
int gf__cli_exit_code(gf_status status);
/* A note of the library on stderr; user is not used. */
void gf__cli_log(void *user, gf_log_level level, const char *message);
/* Whether escape codes may go there: a terminal that is not a dumb one. */
bool gf__cli_can_draw(FILE *file);
/* The same, and NO_COLOR is not set. */
bool gf__cli_has_colours(FILE *file);
/* Prints the document on stdout, indented, and releases it; NULL is a failed allocation. */
gf_status gf__cli_print_json(struct json_t *json) GF_MUST_USE;

#endif
