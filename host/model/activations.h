/* Statistics of activations, computed in a forward pass after each node that is measured. */
#ifndef GF_MODEL_ACTIVATIONS_H
#define GF_MODEL_ACTIVATIONS_H

#include "model/model.h"

/* Whether the node is measured: convolutions, linear layers, norms, and activations that were not
 * fused into one of those; not what only moves values or chooses among them. */
bool gf__activations_has(const gf_node *node);
/* Bytes of model->activation_moments; 0 if no node is measured. */
size_t gf__activations_bytes(const gf_model *model);
/* Bytes of workspace that the node's statistics need; 0 if it is not measured. */
size_t gf__activations_workspace(const gf_model *model, const gf_node *node);
/* What is free next: a channel of model->activation_moments, and a unit of model->unit_means. */
typedef struct gf__activations_place {
  int channel;
  size_t unit;
} gf__activations_place;
/* Queues those of a node that has just run; *place moves on. Waits where unit means are kept. */
gf_status gf__activations_queue(gf_model *model, const gf_node *node,
                                gf__activations_place *place) GF_MUST_USE;

#endif
