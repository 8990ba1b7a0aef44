/* One training step on two devices, a node after the other. */
#ifndef GF_TRAIN_LOCKSTEP_H
#define GF_TRAIN_LOCKSTEP_H

#include <gradflow/data.h>
#include <gradflow/divergence.h>

#include "train/trainer.h"

typedef struct gf__lockstep {
  gf_model *models[2];
  gf_trainer *trainers[2];
  float *values[2]; /* of the tensor that is being compared */
  double tolerance;
  int step; /* from 1 */
  gf_divergence *result;
} gf__lockstep;

/* The devices' networks for a batch size, with the weights that a's has for seed; result gets a
 * row per layer. Close it even after a failure. */
gf_status gf__lockstep_open(gf__lockstep *l, gf_device *const devices[2], const gf_config *config,
                            gf_dataset_info info, int batch, unsigned long long seed) GF_MUST_USE;
void gf__lockstep_close(gf__lockstep *l);
/* b takes a's weights, statistics, and the optimizer's state. */
gf_status gf__lockstep_align(gf__lockstep *l) GF_MUST_USE;
/* Adds a row to the result's steps, which have room; ends early where result->diverged. */
gf_status gf__lockstep_step(gf__lockstep *l, const gf_batch *batch,
                            double learning_rate) GF_MUST_USE;

#endif
