/* Losses and correct of the steps that were queued, read back late and together, so that the host
 * seldom waits. */
#ifndef GF_TRAIN_RESULTS_H
#define GF_TRAIN_RESULTS_H

#include "distributed/allreduce.h"
#include "run/position.h"

typedef struct gf__results {
  gf__allreduce *allreduce;    /* that the steps are reduced by */
  gf__loss_sums *sums;         /* the caller's: of the steps that were read */
  double started;              /* seconds on the clock */
  int counts[GF__RESULT_ROWS]; /* images of the steps that are not read yet */
  int pending;
  int first_nonfinite; /* the first step whose loss is not finite, counted from 0, or -1 */
  bool skips;          /* steps whose loss is not finite: they do not count */
  /* Is called once per step as its loss is read, in order; later: steps queued since. May be NULL.
   */
  void (*step)(void *user, int later, double loss, double accuracy);
  void *user;
} gf__results;

/* Adds to sums, which may hold those of earlier steps. */
void gf__results_begin(gf__results *results, gf__allreduce *allreduce, gf__loss_sums *sums);
/* The row of the model's results for the next step, whose batch has count images in all. */
int gf__results_row(gf__results *results, int count);
/* Is called after each step: reads when no row is left. */
gf_status gf__results_poll(gf__results *results) GF_MUST_USE;
/* Reads what is not read yet. Waits. */
gf_status gf__results_read(gf__results *results) GF_MUST_USE;

#endif
