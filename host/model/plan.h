/* The memory plan: where each activation and gradient of a graph lies. Tensors
 * that are never needed at the same time share a buffer. */
#ifndef GF_MODEL_PLAN_H
#define GF_MODEL_PLAN_H

#include "model/graph.h"

/* A buffer of the plan: floats an image, and what allocates it later. */
typedef struct gf__slot {
  size_t floats;
  int free_after; /* while planning: the time of the last use so far */
  gf_buffer *buffer;
} gf__slot;

typedef struct gf__plan {
  gf__slot *slots;
  int count;
} gf__plan;

/* Decides which gradients are needed, fills the nodes' input_gradients but for their
 * buffers, and assigns a slot to every tensor. input_gradient: that of the
 * graph's input is wanted as well. */
gf_status gf__plan_make(gf__plan *plan, gf__graph *graph, bool input_gradient) GF_MUST_USE;
/* Floats an image in all slots. */
size_t gf__plan_floats(const gf__plan *plan);
/* Allocates the slots for batch images, and gives the tensors and input_gradients their buffers. */
gf_status gf__plan_allocate(gf__plan *plan, gf__graph *graph, gf_device *device,
                            int batch) GF_MUST_USE;
void gf__plan_free(gf__plan *plan);

#endif
