/* Statistics of activations, computed in a forward pass after each node that is measured. */
#ifndef GF_MODEL_ACTIVATIONS_H
#define GF_MODEL_ACTIVATIONS_H

#include "model/model.h"

/* Bytes of model->activation_moments; 0 if no node is measured. */
size_t gf__activations_bytes(const gf_model *model);
/* Bytes of workspace that the node's statistics need; 0 if it is not measured. */
size_t gf__activations_workspace(const gf_model *model, const gf_node *node);
/* Queues those of a node that has just run; *channel is the next free one of
 * model->activation_moments and moves on. */
gf_status gf__activations_queue(gf_model *model, const gf_node *node, int *channel) GF_MUST_USE;

#endif
