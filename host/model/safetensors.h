/* The safetensors format: a length (8 bytes, little-endian), that much JSON,
 * and the tensors' bytes one after the other. Here all tensors are F32. */
#ifndef GF_MODEL_SAFETENSORS_H
#define GF_MODEL_SAFETENSORS_H

#include "base/text.h"

typedef struct gf__named_tensor {
  const char *name;
  int dims[4], dim_count;
  size_t count; /* floats */
  float *values;
} gf__named_tensor;

gf_status gf__safetensors_write(const char *path, const gf__named_tensor *tensors,
                                size_t count) GF_MUST_USE;
/* Fills the values of the tensors, which have names, dims and room, from a
 * file. Every tensor that is missing, extra or misshapen is named in the one
 * message; then no values are to be used. */
gf_status gf__safetensors_read(const char *path, gf__named_tensor *tensors,
                               size_t count) GF_MUST_USE;

#endif
