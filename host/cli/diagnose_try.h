/* gradflow diagnose --try */
#ifndef GF_CLI_DIAGNOSE_TRY_H
#define GF_CLI_DIAGNOSE_TRY_H

#include "cli/cli.h"

/* What the command line says of a trial. */
typedef struct gf__try_options {
  const char *out, *device, *time; /* or NULL */
  const gf__texts *sets;
  int steps; /* 0: the library's */
  bool json;
} gf__try_options;

/* Tries the remedies of a run folder or a config, prints what came of them, and returns the exit
 * code. */
int gf__cli_try(const char *source, const gf__try_options *options);

/* Appends a word, in quotes where a POSIX shell needs them. cmd_diagnose.c */
void gf__cli_add_word(gf__text *out, const char *word);

#endif
