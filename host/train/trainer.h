/* One training step after another: what the run's loop and the bench use. */
#ifndef GF_TRAIN_TRAINER_H
#define GF_TRAIN_TRAINER_H

#include <gradflow/data.h>
#include <gradflow/train.h>

#include "model/model.h"
#include "train/allreduce.h"
#include "train/optimizers.h"

/* Bytes of the optimizer's state and of the statistics. */
size_t gf__trainer_memory(const gf_trainer *trainer);
/* Compiles every kernel that a run needs, by a step and an inference on zeros,
 * and then sets parameters and state to their beginning for seed: what cannot
 * run on this device is found before anything is written. launches: of a step. */
gf_status gf__trainer_prepare(gf_trainer *trainer, unsigned long long seed,
                              int *launches) GF_MUST_USE;
/* Statistics that a step takes. */
typedef enum gf__measure {
  GF__MEASURE_NOTHING,
  GF__MEASURE_GRADIENTS,
  GF__MEASURE_ACTIVATIONS /* and gradients */
} gf__measure;
/* Queues a training step on the batch: uploads, forward, backward, and the optimizer's step; the
 * sums of losses and correct go to slot of model->results, which is not the last one. A batch
 * larger than the model's goes through it in parts, whose gradients are added: the same step but
 * for rounding, except that batch norm sees a part. Activations that are measured are those of
 * the last part. Waits only where steps that are not finite are to be skipped. */
gf_status gf__trainer_queue_step(gf_trainer *trainer, const gf_batch *batch, double learning_rate,
                                 int slot, gf__measure measure) GF_MUST_USE;
/* The optimizer's part of a step, from the model's gradient. */
gf_status gf__trainer_queue_update(gf_trainer *trainer, double learning_rate) GF_MUST_USE;
/* Lets batches be larger than the model's; call it before the first step. */
gf_status gf__trainer_split_batches(gf_trainer *trainer) GF_MUST_USE;
/* From now on a step whose gradient is not finite leaves the weights as they are. */
void gf__trainer_skip_nonfinite(gf_trainer *trainer);
long gf__trainer_skipped(const gf_trainer *trainer); /* steps */
/* From now on steps are those of all ranks: each takes its part of the batch, and the gradient, its
 * statistics and the new weights are those of the whole. Waits for the other ranks in each step.
 * The exchange must outlive the trainer. */
void gf__trainer_share(gf_trainer *trainer, gf__allreduce *exchange);
/* Of the last step of all ranks. */
gf__global_step gf__trainer_step_of_all(const gf_trainer *trainer);
/* Tells the others in the next steps. */
void gf__trainer_want_stop(gf_trainer *trainer);
/* Seconds that a step on a batch of zeros takes without the optimizer, on the average of some. */
gf_status gf__trainer_measure(gf_trainer *trainer, double *seconds) GF_MUST_USE;
/* Seconds of the optimizer's part of a step. */
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
/* As if so many steps had been made: random numbers and Adam's corrections depend on it. */
void gf__trainer_set_steps(gf_trainer *trainer, int steps);

#endif
