#include "ops/elementwise.h"

#include <stdio.h>

int gf__vector_width(const gf_device *device, int count) {
  int width = gf_device_describe(device)->vector_width_float;
  if (width < 4) width = 4; /* GPUs report 1 and still load four floats best */
  if (width > 16) width = 16;
  while (count % width) width /= 2;
  return width;
}

/* Without a bias all channels are alike: a vector is a row, in a program for all widths. */
static gf_status get_elementwise_kernel(gf_device *device, int channels,
                                        const gf__epilogue *epilogue, const char *name,
                                        gf__kernel **out) {
  char options[64];
  int width = gf__vector_width(device, channels);
  snprintf(options, sizeof options, "-DVEC=%d -DCHANNELS=%d", width,
           epilogue->bias ? channels : width);
  return gf__kernel_get(out, device, "elementwise.cl", name, options);
}

static gf__grid elementwise_grid(const gf_device *device, size_t rows, int channels,
                                 const gf__epilogue *epilogue, int operands, int *count) {
  size_t values = rows * (size_t)channels / (size_t)gf__vector_width(device, channels);
  *count = (int)values;
  gf__grid grid = gf__grid_flat(device, values);
  operands += !!epilogue->residual + !!epilogue->mask;
  grid.bytes = 4.0 * (double)rows * channels * operands;
  return grid;
}

gf_status gf__apply(gf_device *device, size_t rows, int channels, const gf_buffer *x, gf_buffer *y,
                    const gf__epilogue *epilogue) {
  gf__kernel *kernel;
  int count;
  GF_TRY(get_elementwise_kernel(device, channels, epilogue, "apply", &kernel));
  gf__grid grid = elementwise_grid(device, rows, channels, epilogue, 2, &count);
  return GF_LAUNCH(kernel, grid, GF_BUFFER(x), GF_BUFFER(y), GF_INT(count), GF_EPILOGUE(epilogue));
}

gf_status gf__activation_backward(gf_device *device, size_t rows, int channels, gf__activation own,
                                  const gf_buffer *dy, const gf_buffer *y, gf_buffer *dx,
                                  const gf__epilogue *epilogue) {
  gf__kernel *kernel;
  int count;
  GF_TRY(get_elementwise_kernel(device, channels, epilogue, "activation_backward", &kernel));
  gf__grid grid = elementwise_grid(device, rows, channels, epilogue, 3, &count);
  return GF_LAUNCH(kernel, grid, GF_BUFFER(dy), GF_BUFFER(y), GF_INT(own.kind), GF_FLOAT(own.slope),
                   GF_BUFFER(dx), GF_INT(count), GF_EPILOGUE(epilogue));
}
