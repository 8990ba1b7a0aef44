/* Where a run is: what a checkpoint has to say besides tensors. */
#ifndef GF_RUN_POSITION_H
#define GF_RUN_POSITION_H

#include "data/dataset.h"
#include "run/run_folder.h"

/* Sums over steps of training, or over batches of validation. */
typedef struct gf__loss_sums {
  int steps;
  long images;
  double losses, correct; /* of each image */
} gf__loss_sums;

/* What the rules of train.stop have counted. */
typedef struct gf__stop_state {
  double best;            /* of the metric; NaN before the first epoch's end */
  int best_epoch, waited; /* epochs since the best */
  int ill;                /* epochs in a row with one of the verdicts */
  double seconds;         /* that the run has taken */
} gf__stop_state;

/* Everything that comes after a position follows from it, the weights, the optimizer's state, the
 * config and the images: random numbers are functions of seed, epoch, step and element. */
typedef struct gf__position {
  int epoch;             /* under way, from 1; epochs + 1 at the end */
  int images;            /* of it that are trained, in the epoch's order */
  int batch;             /* batches of it that are trained */
  long steps;            /* of the run */
  long number;           /* of the checkpoint, from 1 over the run; 0 of earlier versions */
  gf__loss_sums trained; /* over those batches */
  double seconds;        /* spent on this epoch */
  double best_accuracy;  /* of validation so far; -1 before the first epoch's end */
  gf__stop_state stop;
  gf__record_mark marks[GF__LOGS];
} gf__position;

/* What a run is computed from: a checkpoint keeps it, so that a change is seen. */
enum { GF__ORIGIN_SPLITS = 2 }; /* training and validation */
typedef struct gf__origin {
  const char *config; /* resolved, as config.yaml has it; NULL in earlier versions' checkpoints */
  gf__split_digest splits[GF__ORIGIN_SPLITS]; /* without a digest in earlier versions' */
} gf__origin;

#endif
