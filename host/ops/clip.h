/* Clipping of a gradient by its norm (Pascanu et al., 2013). */
#ifndef GF_OPS_CLIP_H
#define GF_OPS_CLIP_H

#include "device/device.h"

size_t gf__clip_workspace(void); /* bytes */

/* scale (1 float) = min(1, most / (norm + 1e-6)), norm being the L2 norm of all
 * count floats of gradient, as PyTorch's clip_grad_norm_. The gradient is left
 * as it is. A norm that leaves the range of floats (elements above 1.8e19) gives
 * 0, one that is NaN gives 1. Two launches, and no wait. */
gf_status gf__clip_scale(gf_device *device, int count, const gf_buffer *gradient, double most,
                         gf_buffer *workspace, gf_buffer *scale) GF_MUST_USE;

#endif
