/* Where a run is: what a checkpoint has to say besides tensors. */
#ifndef GF_RUN_POSITION_H
#define GF_RUN_POSITION_H

#include "run/run_folder.h"

/* Sums over steps of training, or over batches of validation. */
typedef struct gf__loss_sums {
  int steps;
  long images;
  double losses, correct; /* of each image */
} gf__loss_sums;

/* Everything that comes after a position follows from it, the weights, the optimizer's state and
 * the config: random numbers are functions of seed, epoch, step and element. */
typedef struct gf__position {
  int epoch;             /* under way, from 1; epochs + 1 at the end */
  int batch;             /* batches of it that are trained */
  long steps;            /* of the run */
  gf__loss_sums trained; /* over those batches */
  double seconds;        /* spent on this epoch */
  double best_accuracy;  /* of validation so far; -1 before the first epoch's end */
  gf__record_mark marks[GF__LOGS];
} gf__position;

#endif
