/* Average and maximum pooling of NHWC tensors. */
#ifndef GF_OPS_POOL_H
#define GF_OPS_POOL_H

#include "ops/epilogue.h"

typedef struct gf__pool_shape {
  int h, w, c;
  int kernel[2], stride[2], padding[2]; /* vertical, horizontal; padding <= kernel / 2 */
  int out_h, out_w;                     /* by gf__pool_infer */
} gf__pool_shape;

/* GF_ERROR_SHAPE when the window does not fit the padded image. */
gf_status gf__pool_infer(gf__pool_shape *shape) GF_MUST_USE;

/* y (n, out_h, out_w, c) from x (n, h, w, c). */
gf_status gf__avg_pool(gf_device *device, const gf__pool_shape *shape, int n, const gf_buffer *x,
                       gf_buffer *y) GF_MUST_USE;
gf_status gf__avg_pool_backward(gf_device *device, const gf__pool_shape *shape, int n,
                                const gf_buffer *dy, gf_buffer *dx,
                                const gf__epilogue *epilogue) GF_MUST_USE;

/* winner: one int an output value, kept from forward to backward. */
gf_status gf__max_pool(gf_device *device, const gf__pool_shape *shape, int n, const gf_buffer *x,
                       gf_buffer *y, gf_buffer *winner) GF_MUST_USE;
gf_status gf__max_pool_backward(gf_device *device, const gf__pool_shape *shape, int n,
                                const gf_buffer *dy, const gf_buffer *winner, gf_buffer *dx,
                                const gf__epilogue *epilogue) GF_MUST_USE;

#endif
