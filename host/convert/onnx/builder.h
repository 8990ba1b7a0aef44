/* An ONNX model that grows. A failed allocation is remembered and reported by gf__onnx_write. */
#ifndef GF_CONVERT_ONNX_BUILDER_H
#define GF_CONVERT_ONNX_BUILDER_H

#include <stdint.h>

#include "model/safetensors.h"

typedef struct gf__onnx gf__onnx;

gf_status gf__onnx_new(gf__onnx **out) GF_MUST_USE;
void gf__onnx_free(gf__onnx **onnx);

/* A node with one output; texts are copied. */
void gf__onnx_node(gf__onnx *onnx, const char *op, const char *name, const char *const *inputs,
                   int input_count, const char *output);
/* Attributes of the last node, five at most. */
void gf__onnx_ints(gf__onnx *onnx, const char *name, const int64_t *values, int count);
void gf__onnx_int(gf__onnx *onnx, const char *name, int64_t value);
void gf__onnx_float(gf__onnx *onnx, const char *name, float value);

/* Initialisers: a tensor, whose values must stay until the model is written; whole numbers (count);
 * one number. */
void gf__onnx_weight(gf__onnx *onnx, const gf__named_tensor *tensor);
void gf__onnx_numbers(gf__onnx *onnx, const char *name, const int64_t *values, int count);
void gf__onnx_number(gf__onnx *onnx, const char *name, float value);
/* A matrix of zeros, which the caller sets; NULL after a failed allocation. */
float *gf__onnx_matrix(gf__onnx *onnx, const char *name, int rows, int columns);

/* The graph's input and output: (batch, dims). */
void gf__onnx_input(gf__onnx *onnx, const char *name, const int64_t *dims, int count);
void gf__onnx_output(gf__onnx *onnx, const char *name, const int64_t *dims, int count);
/* An entry of the metadata. */
void gf__onnx_note(gf__onnx *onnx, const char *key, const char *text);

/* Writes the model as a file; the graph is called name. */
gf_status gf__onnx_write(gf__onnx *onnx, const char *name, const char *path) GF_MUST_USE;

#endif
