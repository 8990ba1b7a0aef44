#ifndef GF_OPS_ELEMENTWISE_H
#define GF_OPS_ELEMENTWISE_H

#include "ops/epilogue.h"

/* y = epilogue(x) for rows * channels floats; y may be x. */
gf_status gf__apply(gf_device *device, size_t rows, int channels, const gf_buffer *x, gf_buffer *y,
                    const gf__epilogue *epilogue) GF_MUST_USE;
/* dx = epilogue(dy * the derivative of own at its output y). */
gf_status gf__activation_backward(gf_device *device, size_t rows, int channels, gf__activation own,
                                  const gf_buffer *dy, const gf_buffer *y, gf_buffer *dx,
                                  const gf__epilogue *epilogue) GF_MUST_USE;

#endif
