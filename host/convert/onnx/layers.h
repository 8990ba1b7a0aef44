/* Layers as nodes of ONNX. A value there has one of three forms: a vector (batch, channels), an
 * image (batch, channels, height, width), or a volume (batch, channels, depth, height, width). */
#ifndef GF_CONVERT_ONNX_LAYERS_H
#define GF_CONVERT_ONNX_LAYERS_H

#include "convert/onnx/builder.h"
#include "layers/layer.h"

enum { GF__ONNX_VECTOR = 2, GF__ONNX_IMAGE = 4, GF__ONNX_VOLUME = 5 }; /* by their rank */

/* What a tensor is there; names of nodes with a word behind them are unique. */
typedef struct gf__onnx_value {
  char name[GF__NAME_SIZE + 32];
  int rank;
} gf__onnx_value;

/* Adds the nodes of node, whose inputs are in; *out becomes what its output is, which may be an
 * input. GF_ERROR_CONFIG for a layer without a form in ONNX. */
gf_status gf__onnx_layer(gf__onnx *onnx, const gf_node *node, const gf__onnx_value *in,
                         gf__onnx_value *out) GF_MUST_USE;

#endif
