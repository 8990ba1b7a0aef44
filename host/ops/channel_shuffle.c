#include "ops/channel_shuffle.h"

#include <stdio.h>

gf_status gf__channel_shuffle(gf_device *device, size_t rows, int channels, int groups,
                              const gf_buffer *x, gf_buffer *y, const gf__epilogue *epilogue) {
  gf__kernel *kernel;
  char options[64];
  size_t count = rows * (size_t)channels;
  snprintf(options, sizeof options, "-DVEC=1 -DCHANNELS=%d -DGROUPS=%d", channels, groups);
  GF_TRY(gf__kernel_get(&kernel, device, "channel_shuffle.cl", "channel_shuffle", options));
  gf__grid grid = gf__grid_flat(device, count);
  grid.bytes = 8.0 * (double)count;
  return GF_LAUNCH(kernel, grid, GF_BUFFER(x), GF_BUFFER(y), GF_INT((int)count),
                   GF_EPILOGUE(epilogue));
}
