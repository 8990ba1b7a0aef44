/* One training step after another: what the run's loop and the bench use. */
#ifndef GF_TRAIN_TRAINER_H
#define GF_TRAIN_TRAINER_H

#include <gradflow/train.h>

#include "model/model.h"
#include "train/optimizers.h"

/* Bytes of the optimizer's state and of the statistics. */
size_t gf__trainer_memory(const gf_trainer *trainer);
/* Compiles every kernel that a run needs, by a step and an inference on zeros,
 * and then sets parameters and state to their beginning for seed: what cannot
 * run on this device is found before anything is written. launches: of a step. */
gf_status gf__trainer_prepare(gf_trainer *trainer, unsigned long long seed,
                              int *launches) GF_MUST_USE;
/* Queues forward, backward and the optimizer's step for the batch that was
 * uploaded; the loss goes to slot of model->results. With statistics, those of
 * the gradients are queued, too. Does not wait. */
gf_status gf__trainer_queue_step(gf_trainer *trainer, double learning_rate, int slot,
                                 bool statistics) GF_MUST_USE;
/* Reads the statistics that were queued last. Waits. */
gf_status gf__trainer_read_gradients(gf_trainer *trainer, gf_gradient *out) GF_MUST_USE;
const gf__optimizer_config *gf__trainer_optimizer(const gf_trainer *trainer);

#endif
