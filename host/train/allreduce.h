/* What ranks exchange in a step of training: the mean of their gradients, which travels in buckets
 * while backward still computes, and the sums of their losses. */
#ifndef GF_TRAIN_ALLREDUCE_H
#define GF_TRAIN_ALLREDUCE_H

#include "cluster/cluster.h"
#include "model/model.h"

typedef struct gf__allreduce gf__allreduce;

/* Of a step of all ranks. */
typedef struct gf__global_step {
  double losses, correct; /* sums over the images of the whole batch */
  bool stops;             /* some rank wants to */
} gf__global_step;

/* edges (ranks + 1), from 0 to 1: rank r takes the part of each batch between edges[r] and
 * edges[r + 1]. Cluster, model and edges must outlive it. */
gf_status gf__allreduce_new(gf__allreduce **out, gf_cluster *cluster, gf_model *model,
                            const double *edges) GF_MUST_USE;
void gf__allreduce_free(gf__allreduce **exchange);
size_t gf__allreduce_memory(const gf__allreduce *x); /* bytes of the host */

int gf__allreduce_bucket_count(const gf__allreduce *x);
/* Bytes of a bucket, in the order in which they travel; begin: the first node of those that have to
 * be done before. */
double gf__allreduce_bucket(const gf__allreduce *x, int index, int *begin);
/* For what is computed over all parts of the last batch. */
const gf__peers *gf__allreduce_peers(const gf__allreduce *x);
/* Before the forward pass of a batch of so many images in all. */
void gf__allreduce_begin(gf__allreduce *x, int whole);
/* Instead of gf__model_queue_backward: sends each bucket as soon as its nodes have computed it. */
gf_status gf__allreduce_backward(gf__allreduce *x) GF_MUST_USE;
/* Or sends gradient (flat), which is complete, at once. */
gf_status gf__allreduce_send(gf__allreduce *x, gf_buffer *gradient) GF_MUST_USE;
/* Then waits for all ranks: gradient (flat) and the running statistics become those of all. The
 * losses of this rank are in slot. */
gf_status gf__allreduce_finish(gf__allreduce *x, gf_buffer *gradient, int slot, bool wants_stop,
                               gf__global_step *out) GF_MUST_USE;

/* Gives the tensors of flat, which is like the weights or like the running statistics, of rank 0
 * to all ranks. */
gf_status gf__allreduce_broadcast(gf_cluster *cluster, const gf_model *model, gf_buffer *flat,
                                  bool trainable) GF_MUST_USE;

#endif
