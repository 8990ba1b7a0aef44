/* ONNX files as their messages: what any file may say is checked here, so that what is read from
 * the messages later is what it seems. */
#ifndef GF_CONVERT_ONNX_FILE_H
#define GF_CONVERT_ONNX_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/file.h"
#include "onnx.pb-c.h"

enum { GF__ONNX_MOST_DIMS = 8 };

typedef struct gf__onnx_shape {
  int rank;
  int64_t dims[GF__ONNX_MOST_DIMS];
} gf__onnx_shape;

/* The elements of a tensor: numbers are floats, all kinds of integers and truth values are int64_t.
 */
typedef struct gf__onnx_elements {
  gf__onnx_shape shape;
  size_t count;
  const float *floats; /* NULL of integers */
  const int64_t *ints; /* NULL of numbers */
} gf__onnx_elements;

typedef struct gf__onnx_file {
  const char *path; /* the caller's */
  Onnx__ModelProto *model;
  size_t size;          /* bytes of the file */
  int64_t operator_set; /* of the default domain */
  size_t allocated, most_allocated;
  void **kept; /* elements, which live as long as the file */
  size_t kept_count;
} gf__onnx_file;

/* Free *out, also after a failure. GF_ERROR_DATA for what is no ONNX model or a damaged one. */
gf_status gf__onnx_file_open(gf__onnx_file *out, const char *path) GF_MUST_USE;
void gf__onnx_file_free(gf__onnx_file *file);

/* Memory that lives as long as the file; NULL after GF_ERROR_MEMORY has been recorded. */
void *gf__onnx_file_keep(gf__onnx_file *file, size_t size);

/* Whether the dims are a shape of so many elements, without an overflow. */
bool gf__onnx_shape_count(const gf__onnx_shape *shape, size_t *count);

/* The elements of a tensor of the file, or of an external file in its folder. They live as long as
 * file. GF_ERROR_DATA, with the tensor's name, where they are not what its shape says. */
gf_status gf__onnx_tensor_read(gf__onnx_file *file, const Onnx__TensorProto *tensor,
                               gf__onnx_elements *out) GF_MUST_USE;

#endif
