/* The self-check of a device: every operation and every algorithm over the case lists, against
 * the references in double precision (host/verify/reference). Of the program, not of the library:
 * the references must not have its bugs in common. */
#ifndef GF_VERIFY_VERIFY_H
#define GF_VERIFY_VERIFY_H

#include <stdbool.h>

#include <gradflow/device.h>

#include "base/text.h"

enum { GF__VERIFY_NAME = 80 };

/* What one algorithm of an operation came to. */
typedef struct gf__verify_row {
  char operation[32], algorithm[32]; /* "conv2d", "direct/forward" */
  int cases, failed;                 /* cases that ran, and those of them that were wrong */
  int skipped;                       /* cases that there was no memory for */
  double worst;      /* the largest error, in tolerances; infinite for what is not finite */
  const char *needs; /* of an algorithm that the device cannot run: what it needs; else NULL */
  char *reason;      /* of the first case that was skipped, or NULL */
} gf__verify_row;

typedef struct gf__verify_failure {
  char name[GF__VERIFY_NAME]; /* "conv2d/direct/forward/3" */
  char *text;                 /* the case as its list has it */
  char *message;
} gf__verify_failure;

typedef struct gf__verify_result {
  gf__verify_row *rows;
  int row_count;
  gf__verify_failure *failures;
  int failure_count;
  int cases;
  long compared; /* floats */
  double seconds;
} gf__verify_result;

typedef struct gf__verify_options {
  bool
      full; /* all cases; else the first that an algorithm accepts: most time goes into compiling */
  const char *only; /* the beginning of names, up to a "/" or their end; NULL: all */
  /* Called before each case; done of total cases were before it. May be NULL. */
  void (*progress)(void *user, const char *name, int done, int total);
  void *user;
} gf__verify_options;

/* What is wrong is a result and not a failure. GF_ERROR_ARGUMENT for an only that no case has,
 * which lists what there is. The caller frees *out with gf__verify_free, also after a failure. */
gf_status gf__verify(gf_device *device, const gf__verify_options *options,
                     gf__verify_result *out) GF_MUST_USE;
/* Appends what only may be, separated by spaces: "conv2d conv2d/im2col/forward …". */
void gf__verify_names(gf__text *out);
void gf__verify_free(gf__verify_result *result);

#endif
