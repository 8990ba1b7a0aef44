/* Images to volumes, and back: PyTorch's view of (n, channels * depth, h, w) as (n, channels,
 * depth, h, w), in the device's layouts. */
#ifndef GF_OPS_VOLUME_H
#define GF_OPS_VOLUME_H

#include "ops/epilogue.h"

typedef struct gf__volume_shape {
  int d, pixels, c; /* of a volume; pixels of a plane */
} gf__volume_shape;

/* volume (n, d, pixels, c) = epilogue of image (n, pixels, c * d), channel c * depth + d. */
gf_status gf__to_volume(gf_device *device, gf__volume_shape shape, int n, const gf_buffer *image,
                        gf_buffer *volume, const gf__epilogue *epilogue) GF_MUST_USE;
gf_status gf__to_image(gf_device *device, gf__volume_shape shape, int n, const gf_buffer *volume,
                       gf_buffer *image, const gf__epilogue *epilogue) GF_MUST_USE;

#endif
