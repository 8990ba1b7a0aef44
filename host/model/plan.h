/* The memory plan: in which buffer each activation and gradient of a graph is. Tensors
 * that are never needed at the same time use the same buffer. */
#ifndef GF_MODEL_PLAN_H
#define GF_MODEL_PLAN_H

#include "model/graph.h"

/* A buffer of the plan. */
typedef struct gf__plan_buffer {
  size_t floats;     /* per image */
  int free_after;    /* while planning: the time of the last use so far */
  gf_buffer *memory; /* NULL before gf__plan_allocate */
} gf__plan_buffer;

typedef struct gf__plan {
  gf__plan_buffer *buffers;
  int count;
} gf__plan;

/* Decides which gradients are needed, fills the nodes' input_gradients but for their
 * buffers, and assigns a buffer to every tensor. input_gradient: that of the
 * graph's input is wanted as well. */
gf_status gf__plan_make(gf__plan *plan, gf__graph *graph, bool input_gradient) GF_MUST_USE;
/* Floats per image in all buffers. */
size_t gf__plan_floats(const gf__plan *plan);
/* Allocates the buffers for batch images, and points the tensors and input_gradients to them. */
gf_status gf__plan_allocate(gf__plan *plan, gf__graph *graph, gf_device *device,
                            int batch) GF_MUST_USE;
void gf__plan_free(gf__plan *plan);

#endif
