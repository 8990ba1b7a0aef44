#ifndef GF_MODEL_MEMORY_H
#define GF_MODEL_MEMORY_H

#include "model/model.h"

/* The workspace of the node that needs most for batch images. */
size_t gf__model_workspace_bytes(const gf_model *model, int batch);
/* The size of the largest weight (which is 0) or bias (1) among the convolutions that a norm is
 * folded into; 0 where there are none. */
size_t gf__model_folded_bytes(const gf_model *model, int which);
/* Fails, before anything is allocated, if the device cannot hold the network; the message has a
 * batch that would fit. */
gf_status gf__model_check_memory(const gf_model *model) GF_MUST_USE;

#endif
