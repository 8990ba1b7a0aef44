/* The all-reduce of a training step: every rank's gradient becomes the mean over the whole batch.
 * It is sent in buckets while backward still computes. With one rank there is nothing to reduce,
 * and each of these calls only computes. */
#ifndef GF_DISTRIBUTED_ALLREDUCE_H
#define GF_DISTRIBUTED_ALLREDUCE_H

#include "distributed/communicator.h"
#include "model/model.h"

typedef struct gf__allreduce gf__allreduce;

/* bounds (ranks + 1): the shard bounds; NULL: equal ones. Communicator and model must outlive it.
 */
gf_status gf__allreduce_new(gf__allreduce **out, gf_communicator *communicator, gf_model *model,
                            const double *bounds) GF_MUST_USE;
void gf__allreduce_free(gf__allreduce **allreduce);

/* Before the forward pass on this rank's shard of a batch of whole images. */
void gf__allreduce_start(gf__allreduce *x, int whole);
/* Does what gf__model_queue_backward does, and sends each bucket as soon as its nodes have computed
 * it. */
gf_status gf__allreduce_backward(gf__allreduce *x) GF_MUST_USE;
/* Sends gradient, a flat buffer like the model's, which is complete, in place of that. */
gf_status gf__allreduce_send(gf__allreduce *x, gf_buffer *gradient) GF_MUST_USE;
/* Waits until what was sent is reduced: gradient and the running statistics become those of the
 * whole batch. The sums of this rank's losses and correct are in row of the model's results. */
gf_status gf__allreduce_finish(gf__allreduce *x, gf_buffer *gradient, int row) GF_MUST_USE;

/* The steps whose results may be unread at a time. Several ranks read those of each step, as a loss
 * that is not finite has to stop them after the same one. */
int gf__allreduce_result_rows(const gf__allreduce *x);
/* sums (count, 2): of the losses and correct of whole batches, from row first on. Waits. */
gf_status gf__allreduce_read_results(gf__allreduce *x, int first, int count,
                                     double *sums) GF_MUST_USE;

/* values (count <= GF__MOST_SUMS) becomes the sum over all ranks. */
enum { GF__MOST_SUMS = 4 };
gf_status gf__allreduce_sum(gf__allreduce *x, double *values, int count) GF_MUST_USE;
/* Whether to stop here, where wanted is this rank's wish. Several ranks agree on it in
 * gf__allreduce_finish and gf__allreduce_sum, so that all of them stop after the same step. */
bool gf__allreduce_stops(gf__allreduce *x, bool wanted);
/* What computes statistics over the whole of the last batch; NULL with one rank, whose own they
 * are. */
const gf__whole_batch *gf__allreduce_whole_batch(const gf__allreduce *x);

/* Gives the tensors of rank 0's flat, a buffer like the weights (or, not trainable, like the
 * running statistics), to all ranks. */
gf_status gf__allreduce_broadcast(gf_communicator *communicator, const gf_model *model,
                                  gf_buffer *flat, bool trainable) GF_MUST_USE;

#endif
