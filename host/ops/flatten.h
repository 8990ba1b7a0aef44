#ifndef GF_OPS_FLATTEN_H
#define GF_OPS_FLATTEN_H

#include "ops/epilogue.h"

/* y (n, c * h * w) in the order c, h, w from x (n, h, w, c). */
gf_status gf__flatten(gf_device *device, int n, int h, int w, int c, const gf_buffer *x,
                      gf_buffer *y) GF_MUST_USE;
gf_status gf__flatten_backward(gf_device *device, int n, int h, int w, int c, const gf_buffer *dy,
                               gf_buffer *dx, const gf__epilogue *epilogue) GF_MUST_USE;

#endif
