#ifndef GF_OPS_ADAPTIVE_AVG_POOL_H
#define GF_OPS_ADAPTIVE_AVG_POOL_H

#include "ops/epilogue.h"

/* x (n, h, w, c), y (n, oh, ow, c). */
typedef struct gf__adaptive_pool {
  int h, w, c, oh, ow;
} gf__adaptive_pool;

/* The pixels [first, end) of bin o, where an axis of size pixels has out bins. */
static inline int gf__bin_first(int o, int size, int out) { return o * size / out; }
static inline int gf__bin_end(int o, int size, int out) { return ((o + 1) * size + out - 1) / out; }

/* y = means of bins. */
gf_status gf__adaptive_avg_pool(gf_device *device, const gf__adaptive_pool *pool, int n,
                                const gf_buffer *x, gf_buffer *y) GF_MUST_USE;
/* dx = epilogue(that of x). */
gf_status gf__adaptive_avg_pool_backward(gf_device *device, const gf__adaptive_pool *pool, int n,
                                         const gf_buffer *dy, gf_buffer *dx,
                                         const gf__epilogue *epilogue) GF_MUST_USE;

#endif
