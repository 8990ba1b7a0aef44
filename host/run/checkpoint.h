/* Checkpoints of a run: safetensors files checkpoint_0, checkpoint_1, … of the run folder, which
 * take turns. Each holds the weights, the optimizer's state ("optimizer.first.NAME", …) and where
 * the run is, under a checksum. */
#ifndef GF_RUN_CHECKPOINT_H
#define GF_RUN_CHECKPOINT_H

#include "run/run_folder.h"
#include "train/results.h"
#include "train/trainer.h"

enum { GF__MOST_CHECKPOINTS = 16 };

/* Where a run is. Everything that comes after follows from this, the weights, the optimizer's
 * state and the config: random numbers are functions of seed, epoch, step and element. */
typedef struct gf__position {
  int epoch;           /* under way, from 1; epochs + 1 at the end */
  int batch;           /* batches of it that are trained */
  long steps;          /* of the run */
  gf__results trained; /* the sums over those batches */
  double seconds;      /* spent on this epoch */
  double best_accuracy;
  gf__record_mark marks[GF__LOGS];
} gf__position;

/* Writes into the slot of the folder: the file appears whole or not at all. */
gf_status gf__checkpoint_write(const char *folder, int slot, gf_trainer *trainer,
                               const gf__position *position) GF_MUST_USE;
/* The slot of the newest checkpoint that is whole, or -1, and where its run was; damaged counts
 * the others, and the message of the last of them stays. */
int gf__checkpoint_newest(const char *folder, gf__position *out, int *damaged);
/* Reads the newest checkpoint that is whole into trainer and position. A damaged one is told and
 * the one before it taken. *slot becomes its slot, or -1 where the folder has none at all.
 * GF_ERROR_DATA where none is whole, or where it does not fit the network. */
gf_status gf__checkpoint_read(const char *folder, gf_trainer *trainer, gf__position *position,
                              int *slot) GF_MUST_USE;

#endif
