/* The program's commands, and what they share. A command sees the public API,
 * host/base and report/table.h. */
#ifndef GF_CLI_CLI_H
#define GF_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <gradflow.h>

#include "base/text.h"

struct json_t; /* jansson's */

/* A command line, read. Options that a command has not are zero. */
typedef struct gf__cli {
  char *device, *out;                                                /* or NULL */
  char **sets;                                                       /* ended by NULL, or NULL */
  char *tune;                                                        /* or NULL */
  char *mirror;                                                      /* or NULL */
  char *man, *completion;                                            /* or NULL */
  char *top, *classes;                                               /* or NULL */
  char *fail_below;                                                  /* or NULL */
  char *devices, *steps, *tolerance;                                 /* or NULL */
  char *config, *weights, *only;                                     /* or NULL */
  char *resume, *checkpoint_every, *keep_checkpoints, *shard, *jobs; /* or NULL */
  char *algorithm, *batch, *rounds;                                  /* or NULL */
  char *balance, *rank_timeout, *ranks, *latency, *bandwidth;        /* or NULL */
  int overwrite, force, watch, quiet, json, dry_run, profile, help;
  int csv, saliency, softmax, quick, full, reference, resync;
  int statistics, loader, gemm_defaults;
  const char *const *arguments;
  int argument_count;
} gf__cli;

typedef struct gf__option {
  const char *name;
  char letter;          /* 0: none */
  unsigned type;        /* POPT_ARG_STRING (char *), _ARGV (char **) or _NONE (int) */
  size_t offset;        /* in gf__cli */
  const char *argument; /* its name in the help, or NULL */
  const char *help;     /* lines of at most 52 characters */
} gf__option;

enum { GF__CLI_MOST_OPTIONS = 20 };

typedef struct gf__command {
  const char *name;
  const char *arguments;                    /* as in "usage: gradflow NAME ARGUMENTS" */
  const char *help;                         /* one line */
  const char *text;                         /* the long help */
  const char *examples;                     /* lines of two spaces and a command line */
  int least, most;                          /* arguments */
  const char *missing;                      /* what is missing where there are fewer: "a config" */
  gf__option options[GF__CLI_MOST_OPTIONS]; /* ended by a row without a name */
  const char *more_title;                   /* stands over more */
  gf_status (*more)(char **out);            /* a text behind the long help, or NULL */
  int (*run)(const gf__cli *cli);           /* returns the exit code */
} gf__command;

extern const gf__command gf__cmd_devices, gf__cmd_train, gf__cmd_test, gf__cmd_tune, gf__cmd_plot;
extern const gf__command gf__cmd_summary;
extern const gf__command gf__cmd_study, gf__cmd_diagnose;
extern const gf__command gf__cmd_scale;
extern const gf__command gf__cmd_fetch, gf__cmd_predict, gf__cmd_bench, gf__cmd_verify;
extern const gf__command gf__cmd_divergence;
extern const gf__command gf__cmd_export, gf__cmd_import;

#define GF__OPTION_DEVICE                                                \
  {                                                                      \
    "device", 'd', POPT_ARG_STRING, offsetof(gf__cli, device), "DEVICE", \
        "0:1 (platform and device), cpu, gpu, a part of one\n"           \
        "name, or auto: a GPU before a CPU; default auto"                \
  }
#define GF__OPTION_SET                                               \
  {                                                                  \
    "set", 's', POPT_ARG_ARGV, offsetof(gf__cli, sets), "KEY=VALUE", \
        "replace a value of the config; may be repeated"             \
  }
#define GF__OPTION_COMPARISON                                   \
  {                                                             \
    "out", 'o', POPT_ARG_STRING, offsetof(gf__cli, out), "DIR", \
        "where pictures that compare several runs go;\n"        \
        "default: the folder comparison beside the first run"   \
  }
#define GF__OPTION_JSON \
  { "json", 'j', POPT_ARG_NONE, offsetof(gf__cli, json), NULL, "print JSON instead of a text" }
#define GF__OPTION_HELP \
  { "help", 'h', POPT_ARG_NONE, offsetof(gf__cli, help), NULL, "print this help" }

/* The config of the file with the settings of --set. */
gf_status gf__cli_load_config(gf_config **out, const gf__cli *cli, const char *file) GF_MUST_USE;
/* Appends the folder for pictures that compare the runs of the command line, nothing for one run.
 */
gf_status gf__cli_comparison_folder(const gf__cli *cli, const char *command,
                                    gf__text *out) GF_MUST_USE;
/* Appends the default run folder for a config or a file of weights: runs/NAME for x/NAME.yaml. */
void gf__cli_default_out(const char *path, gf__text *out);
/* Prints the message of the failure on stderr and returns the exit code for it. */
int gf__cli_fail(gf_status status);
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
