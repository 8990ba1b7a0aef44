#ifndef GF_MODEL_PARAMETERS_H
#define GF_MODEL_PARAMETERS_H

#include "model/model.h"
#include "model/safetensors.h"

/* Lists the nodes' parameters and gives each its place in the flat buffers. */
gf_status gf__parameters_collect(gf_model *model) GF_MUST_USE;
gf_status gf__parameters_allocate(gf_model *model) GF_MUST_USE;
void gf__parameters_free(gf_model *model);

/* A tensor of the parameter's dims with room for its values, named by the prefix and its name. */
gf_status gf__parameter_tensor(const gf__parameter *p, const char *prefix,
                               gf__named_tensor *out) GF_MUST_USE;
/* One tensor between a flat buffer that is laid out like the parameters (they themselves, their
 * gradients, an optimizer's state) and PyTorch's order of dims, p->count floats. */
gf_status gf__parameter_read(const gf__parameter *p, gf_buffer *flat, float *out) GF_MUST_USE;
gf_status gf__parameter_write(const gf__parameter *p, gf_buffer *flat,
                              const float *values) GF_MUST_USE;

/* checkpoint.c: how many classes a file of weights is for by the last layer of the config's
 * network, where only the weights say it. GF_ERROR_DATA where that layer is not in the
 * file. */
gf_status gf__weights_classes(int *out, const gf_config *config, gf_image_shape image,
                              const char *path) GF_MUST_USE;

#endif
