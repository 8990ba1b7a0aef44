/* Buckets: the gradients of some layers, which are reduced together while backward still computes
 * those of the layers before them. */
#ifndef GF_DISTRIBUTED_BUCKETS_H
#define GF_DISTRIBUTED_BUCKETS_H

#include "model/model.h"

typedef struct gf__bucket {
  int first, end;            /* its parameters, indices in the model */
  int first_node;            /* backward down to this node computes all of it */
  bool is_running;           /* running statistics, which forward computes */
  size_t offset, raw_floats; /* its range of the flat buffer */
  size_t floats;             /* of its tensors alone, without the gaps between them */
} gf__bucket;

/* The buckets in the order in which they become complete; that of the running statistics, if the
 * model has any, comes last. The caller frees *out. */
gf_status gf__buckets_plan(gf__bucket **out, int *count, const gf_model *model) GF_MUST_USE;

#endif
