/* Products of two tensors, x (images, pixels, channels) and a factor that is (images, channels) for
 * all pixels of an image. Where both have one shape, each pixel counts as an image. */
#ifndef GF_OPS_MULTIPLY_H
#define GF_OPS_MULTIPLY_H

#include "ops/epilogue.h"

typedef struct gf__product {
  size_t images;
  int pixels, channels;
} gf__product;

/* y = epilogue(x * factor); dx is that of dy. */
gf_status gf__multiply(gf_device *device, const gf__product *product, const gf_buffer *x,
                       const gf_buffer *factor, gf_buffer *y,
                       const gf__epilogue *epilogue) GF_MUST_USE;
/* dfactor = epilogue(the sum of dy * x over the pixels). */
gf_status gf__multiply_backward_factor(gf_device *device, const gf__product *product,
                                       const gf_buffer *dy, const gf_buffer *x, gf_buffer *dfactor,
                                       const gf__epilogue *epilogue) GF_MUST_USE;

#endif
