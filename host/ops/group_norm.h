/* Normalization of each image by itself: by groups of channels (Wu and He, 2018), or as layer
 * normalization (Ba et al., 2016), which is that of one group. */
#ifndef GF_OPS_GROUP_NORM_H
#define GF_OPS_GROUP_NORM_H

#include "ops/epilogue.h"

typedef struct gf__group_norm {
  int images; /* x is (images, height, width, channels) */
  int height, width, channels, groups;
  bool by_pixel; /* each value of an image has a weight of its own, else each channel */
  float eps;
  const gf_buffer *gamma, *beta; /* the weights */
  gf_buffer *saved;              /* (images, groups, 2): from forward to backward */
} gf__group_norm;

/* Bytes of workspace, and of saved. */
size_t gf__group_norm_workspace(const gf_device *device, const gf__group_norm *norm);
size_t gf__group_norm_saved(const gf__group_norm *norm);

/* y = epilogue(gamma * normalized x + beta). */
gf_status gf__group_norm_forward(gf_device *device, const gf__group_norm *norm, const gf_buffer *x,
                                 gf_buffer *y, const gf__epilogue *epilogue,
                                 gf_buffer *workspace) GF_MUST_USE;
/* dx = epilogue(that of x). */
gf_status gf__group_norm_backward(gf_device *device, const gf__group_norm *norm, const gf_buffer *x,
                                  const gf_buffer *dy, gf_buffer *dx, const gf__epilogue *epilogue,
                                  gf_buffer *workspace) GF_MUST_USE;
gf_status gf__group_norm_backward_weights(gf_device *device, const gf__group_norm *norm,
                                          const gf_buffer *x, const gf_buffer *dy,
                                          gf_buffer *dgamma, gf_buffer *dbeta,
                                          gf_buffer *workspace) GF_MUST_USE;

#endif
