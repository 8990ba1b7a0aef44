#include "ops/smooth.h"

#include <stdio.h>

/* By gf__smooth_kind, as the kernels know them. */
static const char *const names[] = {"ELU", "GELU", "SILU"};

static gf_status get_kernel(gf_device *device, int channels, gf__smooth smooth, const char *name,
                            gf__kernel **out) {
  char options[80];
  snprintf(options, sizeof options, "-DVEC=%d -DCHANNELS=%d -D%s",
           gf__vector_width(device, channels), channels, names[smooth.kind]);
  return gf__kernel_get(out, device, "smooth.cl", name, options);
}

static gf__grid values_grid(const gf_device *device, size_t rows, int channels, int operands,
                            int *count) {
  size_t values = rows * (size_t)channels / (size_t)gf__vector_width(device, channels);
  *count = (int)values;
  gf__grid grid = gf__grid_flat(device, values);
  grid.bytes = 4.0 * (double)rows * channels * operands;
  return grid;
}

gf_status gf__smooth_forward(gf_device *device, size_t rows, int channels, gf__smooth smooth,
                             const gf__buffer *x, gf__buffer *y) {
  gf__kernel *kernel;
  int count;
  GF_TRY(get_kernel(device, channels, smooth, "smooth_forward", &kernel));
  gf__grid grid = values_grid(device, rows, channels, 2, &count);
  return GF_LAUNCH(kernel, grid, GF_BUFFER(x), GF_BUFFER(y), GF_INT(count), GF_FLOAT(smooth.alpha));
}

gf_status gf__smooth_backward(gf_device *device, size_t rows, int channels, gf__smooth smooth,
                              const gf__buffer *dy, const gf__buffer *x, gf__buffer *dx,
                              const gf__epilogue *epilogue) {
  gf__kernel *kernel;
  int count, operands = 3 + !!epilogue->addend + !!epilogue->mask;
  GF_TRY(get_kernel(device, channels, smooth, "smooth_backward", &kernel));
  gf__grid grid = values_grid(device, rows, channels, operands, &count);
  return GF_LAUNCH(kernel, grid, GF_BUFFER(dy), GF_BUFFER(x), GF_BUFFER(dx), GF_INT(count),
                   GF_FLOAT(smooth.alpha), GF_EPILOGUE(epilogue));
}
