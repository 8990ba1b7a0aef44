#ifndef GF_OPS_CONCAT_H
#define GF_OPS_CONCAT_H

#include "ops/epilogue.h"

/* The channels of a wider tensor (rows, width) that one (rows, channels) fills. */
typedef struct gf__concat_range {
  int channels, width, first; /* first: the first of these channels */
} gf__concat_range;

/* That range of y (rows, width) = x (rows, channels). */
gf_status gf__concat(gf_device *device, size_t rows, gf__concat_range range, const gf_buffer *x,
                     gf_buffer *y) GF_MUST_USE;
/* dx (rows, channels) = epilogue(that range of dy (rows, width)). */
gf_status gf__concat_backward(gf_device *device, size_t rows, gf__concat_range range,
                              const gf_buffer *dy, gf_buffer *dx,
                              const gf__epilogue *epilogue) GF_MUST_USE;
/* y (rows, width) = epilogue(x (rows, channels) in that range, and 0 elsewhere). */
gf_status gf__concat_zeros(gf_device *device, size_t rows, gf__concat_range range,
                           const gf_buffer *x, gf_buffer *y,
                           const gf__epilogue *epilogue) GF_MUST_USE;

#endif
