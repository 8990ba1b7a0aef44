#include "ops/volume.h"

#include <stdio.h>

static gf_status permute(gf_device *device, gf__volume_shape s, const char *name, int n,
                         const gf_buffer *from, gf_buffer *to, const gf__epilogue *e) {
  gf__kernel *kernel;
  char options[64];
  int count = n * s.d * s.pixels * s.c;
  snprintf(options, sizeof options, "-DD=%d -DPIXELS=%d -DC=%d", s.d, s.pixels, s.c);
  GF_TRY(gf__kernel_get(&kernel, device, "volume.cl", name, options));
  gf__grid grid = gf__grid_flat(device, (size_t)count);
  grid.bytes = 8.0 * count;
  return GF_LAUNCH(kernel, grid, GF_BUFFER(from), GF_BUFFER(to), GF_INT(count), GF_EPILOGUE(e));
}

gf_status gf__to_volume(gf_device *device, gf__volume_shape shape, int n, const gf_buffer *image,
                        gf_buffer *volume, const gf__epilogue *e) {
  return permute(device, shape, "to_volume", n, image, volume, e);
}

gf_status gf__to_image(gf_device *device, gf__volume_shape shape, int n, const gf_buffer *volume,
                       gf_buffer *image, const gf__epilogue *e) {
  return permute(device, shape, "to_image", n, volume, image, e);
}
