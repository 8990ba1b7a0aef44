#include "ops/reduce.h"

#include <stdio.h>

#include "ops/epilogue.h"

int gf__reduce_partials(const gf_device *device) { return 4 * gf__device_parallelism(device); }

size_t gf__column_sums_workspace(const gf_device *device, int channels) {
  return (size_t)gf__reduce_partials(device) * (size_t)channels * sizeof(float);
}

gf_status gf__column_sums(gf_device *device, int rows, int channels, const gf_buffer *x,
                          gf_buffer *out, gf_buffer *workspace) {
  gf__kernel *kernel;
  char options[64];
  int width = gf__vector_width(device, channels);
  snprintf(options, sizeof options, "-DVEC=%d -DCHANNELS=%d", width, channels);
  GF_TRY(gf__kernel_get(&kernel, device, "reduce.cl", "column_sums", options));
  gf__grid grid =
      gf__grid_single((size_t)(channels / width), (size_t)gf__reduce_partials(device), 1);
  grid.bytes = 4.0 * rows * channels;
  GF_TRY(GF_LAUNCH(kernel, grid, GF_BUFFER(x), GF_BUFFER(workspace), GF_INT(rows),
                   GF_INT(gf__reduce_partials(device))));
  return gf__sum_partials(device, channels, channels, gf__reduce_partials(device), workspace, out);
}

gf_status gf__sum_partials(gf_device *device, int count, int stride, int partials,
                           const gf_buffer *partial, gf_buffer *out) {
  gf__kernel *kernel;
  GF_TRY(gf__kernel_get(&kernel, device, "reduce.cl", "sum_partials", "-DVEC=1 -DCHANNELS=1"));
  gf__grid grid = gf__grid_flat(device, (size_t)count);
  grid.bytes = 4.0 * count * (partials + 1);
  return GF_LAUNCH(kernel, grid, GF_BUFFER(partial), GF_BUFFER(out), GF_INT(count), GF_INT(stride),
                   GF_INT(partials));
}
