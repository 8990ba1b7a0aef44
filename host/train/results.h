/* Losses and correct of the steps that were queued, read back late and together,
 * so that the host seldom waits. */
#ifndef GF_TRAIN_RESULTS_H
#define GF_TRAIN_RESULTS_H

#include "model/model.h"

typedef struct gf__results {
  gf_model *model;
  double started;               /* seconds */
  int counts[GF__RESULT_SLOTS]; /* images of the steps not read yet */
  int pending;
  int steps;                             /* read */
  long images;                           /* of those */
  double batch_losses, batch_accuracies; /* sums over steps of the batch's means */
  double losses, correct;                /* sums over images */
  int first_nonfinite;                   /* the step, counted from 0, or -1 */
  bool skips;                            /* steps whose loss is not finite: they do not count */
  /* Told of each step as it is read, in order, with the number of those queued after it; or NULL.
   */
  void (*step)(void *user, int later, double loss, double accuracy);
  void *user;
} gf__results;

void gf__results_begin(gf__results *results, gf_model *model);
/* The slot for the next step of count images; reads those that are full first. */
gf_status gf__results_slot(gf__results *results, int count, int *slot) GF_MUST_USE;
/* Counts a step of so many images whose sums are known already; later: steps that were made since.
 */
void gf__results_add(gf__results *results, double losses, double correct, int count, int later);
/* Reads what is not read yet. Waits. */
gf_status gf__results_read(gf__results *results) GF_MUST_USE;

#endif
