/* Losses and correct of the steps that were queued, read back late and together,
 * so that the host seldom waits. */
#ifndef GF_TRAIN_RESULTS_H
#define GF_TRAIN_RESULTS_H

#include "model/model.h"
#include "run/position.h"

typedef struct gf__results {
  gf_model *model;
  double started;               /* seconds */
  int counts[GF__RESULT_SLOTS]; /* images of the steps not read yet */
  int pending;
  gf__loss_sums *sums; /* the caller's: of the steps that were read */
  int first_nonfinite; /* the step, counted from 0, or -1 */
  bool skips;          /* steps whose loss is not finite: they do not count */
  /* Told of each step as it is read, in order, with the number of those queued after it; or NULL.
   */
  void (*step)(void *user, int later, double loss, double accuracy);
  void *user;
} gf__results;

/* Adds to sums, which may hold those of earlier steps. */
void gf__results_begin(gf__results *results, gf_model *model, gf__loss_sums *sums);
/* The slot for the next step of count images; reads those that are full first. */
gf_status gf__results_slot(gf__results *results, int count, int *slot) GF_MUST_USE;
/* Counts a step of so many images whose sums are known already; later: steps that were made since.
 */
void gf__results_add(gf__results *results, double losses, double correct, int count, int later);
/* Reads what is not read yet. Waits. */
gf_status gf__results_read(gf__results *results) GF_MUST_USE;

#endif
