/* Average and maximum pooling of tensors (n, depth, height, width, channels). */
#ifndef GF_OPS_POOL3D_H
#define GF_OPS_POOL3D_H

#include "ops/epilogue.h"

/* Triples are depth, height, width; padding <= kernel / 2. */
typedef struct gf__pool3d_shape {
  int size[3], c;
  int kernel[3], stride[3], padding[3];
  int out[3]; /* by gf__pool3d_infer */
} gf__pool3d_shape;

/* GF_ERROR_SHAPE when the window does not fit the padded volume. */
gf_status gf__pool3d_infer(gf__pool3d_shape *shape) GF_MUST_USE;

/* y (n, out, c) from x (n, size, c); padding counts as zeros. */
gf_status gf__avg_pool3d(gf_device *device, const gf__pool3d_shape *shape, int n,
                         const gf_buffer *x, gf_buffer *y) GF_MUST_USE;
gf_status gf__avg_pool3d_backward(gf_device *device, const gf__pool3d_shape *shape, int n,
                                  const gf_buffer *dy, gf_buffer *dx,
                                  const gf__epilogue *epilogue) GF_MUST_USE;

/* winner: one int an output value, kept from forward to backward. */
gf_status gf__max_pool3d(gf_device *device, const gf__pool3d_shape *shape, int n,
                         const gf_buffer *x, gf_buffer *y, gf_buffer *winner) GF_MUST_USE;
gf_status gf__max_pool3d_backward(gf_device *device, const gf__pool3d_shape *shape, int n,
                                  const gf_buffer *dy, const gf_buffer *winner, gf_buffer *dx,
                                  const gf__epilogue *epilogue) GF_MUST_USE;

#endif
