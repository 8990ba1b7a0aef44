#ifndef GF_OPS_CONCAT_H
#define GF_OPS_CONCAT_H

#include "ops/epilogue.h"

/* The place of a tensor (rows, channels) in a wider one (rows, width). */
typedef struct gf__concat_part {
  int channels, width, first; /* first: its first channel there */
} gf__concat_part;

/* That part of y (rows, width) = x (rows, channels). */
gf_status gf__concat(gf_device *device, size_t rows, gf__concat_part part, const gf_buffer *x,
                     gf_buffer *y) GF_MUST_USE;
/* dx (rows, channels) = epilogue(that part of dy (rows, width)). */
gf_status gf__concat_backward(gf_device *device, size_t rows, gf__concat_part part,
                              const gf_buffer *dy, gf_buffer *dx,
                              const gf__epilogue *epilogue) GF_MUST_USE;

#endif
