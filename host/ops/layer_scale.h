#ifndef GF_OPS_LAYER_SCALE_H
#define GF_OPS_LAYER_SCALE_H

#include "ops/epilogue.h"

/* y = epilogue(x * factor) of x (rows, channels) and factor (channels); dx is that of dy. */
gf_status gf__layer_scale_forward(gf_device *device, int rows, int channels, const gf_buffer *x,
                                  const gf_buffer *factor, gf_buffer *y,
                                  const gf__epilogue *epilogue) GF_MUST_USE;
/* dfactor = the sum of dy * x over the rows; gf__column_sums_workspace bytes of workspace. */
gf_status gf__layer_scale_backward_factor(gf_device *device, int rows, int channels,
                                          const gf_buffer *x, const gf_buffer *dy,
                                          gf_buffer *dfactor, gf_buffer *workspace) GF_MUST_USE;

#endif
