/* What operators do to shapes, whether of constants or of activations. */
#ifndef GF_CONVERT_ONNX_SHAPES_H
#define GF_CONVERT_ONNX_SHAPES_H

#include "convert/onnx/importing.h"

/* A slice of one axis. */
typedef struct gf__onnx_range {
  int64_t first, step, count;
} gf__onnx_range;

/* Each sets *is_known to false after it has rejected the node. from: for each axis of the result
 * that of the input, or -1. */
gf_status gf__onnx_reshaped(gf__operation *op, gf__onnx_shape *out, bool *is_known) GF_MUST_USE;
gf_status gf__onnx_squeezed(gf__operation *op, gf__onnx_shape *out, int *from,
                            bool *is_known) GF_MUST_USE;
gf_status gf__onnx_unsqueezed(gf__operation *op, gf__onnx_shape *out, int *from,
                              bool *is_known) GF_MUST_USE;
gf_status gf__onnx_slices(gf__operation *op, gf__onnx_range *out, bool *is_known) GF_MUST_USE;
/* For each axis of the result that of the input. */
gf_status gf__onnx_permutation(gf__operation *op, int *out) GF_MUST_USE;
bool gf__onnx_type_is_float(int64_t type);

#endif
