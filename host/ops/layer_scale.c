#include "ops/layer_scale.h"

#include <stdio.h>

#include "ops/reduce.h"

static gf_status get_scale_kernel(gf_device *device, int channels, const char *name,
                                  gf__kernel **out) {
  char options[48];
  snprintf(options, sizeof options, "-DVEC=%d -DCHANNELS=%d", gf__vector_width(device, channels),
           channels);
  return gf__kernel_get(out, device, "layer_scale.cl", name, options);
}

gf_status gf__layer_scale_forward(gf_device *device, int rows, int channels, const gf_buffer *x,
                                  const gf_buffer *factor, gf_buffer *y,
                                  const gf__epilogue *epilogue) {
  gf__kernel *kernel;
  int count = rows * (channels / gf__vector_width(device, channels));
  GF_TRY(get_scale_kernel(device, channels, "layer_scale", &kernel));
  gf__grid grid = gf__grid_flat(device, (size_t)count);
  grid.bytes = 4.0 * (2 + !!epilogue->residual) * rows * channels;
  return GF_LAUNCH(kernel, grid, GF_BUFFER(x), GF_BUFFER(factor), GF_BUFFER(y), GF_INT(count),
                   GF_EPILOGUE(epilogue));
}

gf_status gf__layer_scale_backward_factor(gf_device *device, int rows, int channels,
                                          const gf_buffer *x, const gf_buffer *dy,
                                          gf_buffer *dfactor, gf_buffer *workspace) {
  gf__kernel *kernel;
  int partials = gf__reduce_partials(device);
  GF_TRY(get_scale_kernel(device, channels, "layer_scale_sums", &kernel));
  gf__grid grid =
      gf__grid_single((size_t)(channels / gf__vector_width(device, channels)), (size_t)partials, 1);
  grid.bytes = 8.0 * rows * channels;
  GF_TRY(GF_LAUNCH(kernel, grid, GF_BUFFER(x), GF_BUFFER(dy), GF_BUFFER(workspace), GF_INT(rows),
                   GF_INT(partials)));
  return gf__sum_partials(device, channels, channels, partials, workspace, dfactor);
}
