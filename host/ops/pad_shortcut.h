/* The shortcut without parameters of He et al., 2015 (option A). */
#ifndef GF_OPS_PAD_SHORTCUT_H
#define GF_OPS_PAD_SHORTCUT_H

#include "ops/epilogue.h"

typedef struct gf__pad_shape {
  int h, w, c, stride;
  int out_h, out_w, out_c; /* ceil(h / stride), ceil(w / stride), at least c */
} gf__pad_shape;

/* y[n, p, q, k] = x[n, p stride, q stride, k], and 0 for k >= c. */
gf_status gf__pad_shortcut(gf_device *device, const gf__pad_shape *shape, int n, const gf_buffer *x,
                           gf_buffer *y) GF_MUST_USE;
gf_status gf__pad_shortcut_backward(gf_device *device, const gf__pad_shape *shape, int n,
                                    const gf_buffer *dy, gf_buffer *dx,
                                    const gf__epilogue *epilogue) GF_MUST_USE;

#endif
