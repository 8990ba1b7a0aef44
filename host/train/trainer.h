/* One training step after another: what the run's loop and the bench use. */
#ifndef GF_TRAIN_TRAINER_H
#define GF_TRAIN_TRAINER_H

#include <gradflow/data.h>
#include <gradflow/train.h>

#include "distributed/allreduce.h"
#include "model/model.h"
#include "train/optimizers.h"

typedef struct gf__trainer_options {
  bool adds_micro_batches; /* a shard may be larger than the model's batch */
  /* A step whose gradient, or whose running statistics, are not finite leaves the weights and
   * these as they are. */
  bool skips_nonfinite;
  /* The ranks that make each step together, and the shard bounds (ranks + 1) of its batch: as
   * gf__allreduce_new has them. */
  gf_communicator *communicator;
  const double *shard_bounds;
} gf__trainer_options;

gf_status gf__trainer_open_with(gf_trainer **out, gf_model *model, const gf_config *config,
                                const gf__trainer_options *options) GF_MUST_USE;
/* Bytes of the optimizer's state and of the statistics. */
size_t gf__trainer_memory(const gf_trainer *trainer);
/* Compiles every kernel that a run needs, by a step and an inference on zeros, and then initialises
 * parameters and state for seed: what cannot run on this device is found before anything is
 * written. launches: of a step. The other ranks are not waited for. */
gf_status gf__trainer_prepare(gf_trainer *trainer, unsigned long long seed,
                              int *launches) GF_MUST_USE;
/* Statistics that a step takes. */
typedef enum gf__measure {
  GF__MEASURE_NOTHING,
  GF__MEASURE_GRADIENTS,
  GF__MEASURE_ACTIVATIONS /* and gradients */
} gf__measure;
/* Queues a training step of all ranks on the batch, of which this rank has a shard: for each
 * micro-batch upload, forward, backward and accumulate; then the all-reduce, and the optimizer's
 * update. The sums of losses and correct go to row of the model's results, which is not the last
 * one. Several micro-batches are the same step but for rounding, except that batch norm sees one at
 * a time; activations that are measured are those of the last one. Waits only for other ranks, and
 * where steps that are not finite are to be skipped. */
gf_status gf__trainer_queue_step(gf_trainer *trainer, const gf_batch *batch, double learning_rate,
                                 int row, gf__measure measure) GF_MUST_USE;
/* The update alone, by the model's gradient. */
gf_status gf__trainer_queue_update(gf_trainer *trainer, double learning_rate) GF_MUST_USE;
long gf__trainer_skipped(const gf_trainer *trainer); /* steps */
/* What reduces the steps over ranks, and what reduces nothing, for work of this rank alone. */
gf__allreduce *gf__trainer_allreduce(const gf_trainer *trainer);
gf__allreduce *gf__trainer_alone(const gf_trainer *trainer);
/* Mean seconds of a step on a batch of zeros, without other ranks and without the update. */
gf_status gf__trainer_measure(gf_trainer *trainer, double *seconds) GF_MUST_USE;
/* Seconds of the update. */
gf_status gf__trainer_measure_update(gf_trainer *trainer, double *seconds) GF_MUST_USE;
/* A batch of zeros as large as the model's; free it. */
gf_status gf__trainer_zeros(const gf_trainer *trainer, gf_batch *out) GF_MUST_USE;
void gf__trainer_zeros_free(gf_batch *zeros);
/* Reads the statistics that were queued last. Waits. */
gf_status gf__trainer_read_gradients(gf_trainer *trainer, gf_gradient_stats *out) GF_MUST_USE;
const gf__optimizer_config *gf__trainer_optimizer(const gf_trainer *trainer);
gf_model *gf__trainer_model(const gf_trainer *trainer);
/* The gradient of the last step, before it is clipped; a flat buffer like the parameters. */
gf_buffer *gf__trainer_gradient(const gf_trainer *trainer);
/* The optimizer's state 0 or 1, a flat buffer like the parameters, or NULL where it has none. */
gf_buffer *gf__trainer_state(const gf_trainer *trainer, int index);
/* As if that many steps had been made: random numbers and Adam's corrections depend on it. */
void gf__trainer_set_steps(gf_trainer *trainer, int steps);

#endif
