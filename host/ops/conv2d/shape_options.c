#include "ops/conv2d/shape_options.h"

#include <stdarg.h>
#include <stdio.h>

void gf__conv2d_options(char out[GF__SHAPE_OPTIONS_SIZE], const gf__conv2d_shape *shape,
                        const char *more, ...) {
  const gf__conv2d_shape *s = shape;
  int n =
      snprintf(out, GF__SHAPE_OPTIONS_SIZE,
               "-DD=1 -DKD=1 -DSD=1 -DPD=0 -DDD=1 -DOD=1 -DH=%d -DW=%d -DC=%d -DFILTERS=%d -DKH=%d "
               "-DKW=%d -DSH=%d -DSW=%d -DPH=%d "
               "-DPW=%d -DDH=%d -DDW=%d -DOH=%d -DOW=%d ",
               s->h, s->w, s->c, s->filters, s->kernel[0], s->kernel[1], s->stride[0], s->stride[1],
               s->padding[0], s->padding[1], s->dilation[0], s->dilation[1], s->out_h, s->out_w);
  va_list args;
  va_start(args, more);
  vsnprintf(out + n, (size_t)(GF__SHAPE_OPTIONS_SIZE - n), more, args);
  va_end(args);
}
