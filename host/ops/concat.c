#include "ops/concat.h"

#include <stdio.h>

/* The kernel for vectors that the ends of the range do not cut, and the number of vectors in
 * (rows, channels): those of the range, or all. */
static gf_status get_concat_kernel(gf_device *device, size_t rows, gf__concat_range range,
                                   int channels, const char *name, gf__kernel **out, int *count) {
  char options[16];
  int width = gf__vector_width(device, range.channels);
  while (range.first % width || range.width % width) width /= 2;
  *count = (int)(rows * (size_t)(channels / width));
  snprintf(options, sizeof options, "-DVEC=%d", width);
  return gf__kernel_get(out, device, "concat.cl", name, options);
}

static gf__grid concat_grid(const gf_device *device, size_t rows, gf__concat_range range,
                            int count) {
  gf__grid grid = gf__grid_flat(device, (size_t)count);
  grid.bytes = 8.0 * (double)rows * range.channels;
  return grid;
}

gf_status gf__concat(gf_device *device, size_t rows, gf__concat_range range, const gf_buffer *x,
                     gf_buffer *y) {
  gf__kernel *kernel;
  int count;
  GF_TRY(get_concat_kernel(device, rows, range, range.channels, "concat", &kernel, &count));
  return GF_LAUNCH(kernel, concat_grid(device, rows, range, count), GF_BUFFER(x), GF_BUFFER(y),
                   GF_INT(range.channels), GF_INT(range.width), GF_INT(range.first), GF_INT(count));
}

gf_status gf__concat_backward(gf_device *device, size_t rows, gf__concat_range range,
                              const gf_buffer *dy, gf_buffer *dx, const gf__epilogue *epilogue) {
  gf__kernel *kernel;
  int count;
  GF_TRY(
      get_concat_kernel(device, rows, range, range.channels, "concat_backward", &kernel, &count));
  return GF_LAUNCH(kernel, concat_grid(device, rows, range, count), GF_BUFFER(dy), GF_BUFFER(dx),
                   GF_INT(range.channels), GF_INT(range.width), GF_INT(range.first), GF_INT(count),
                   GF_EPILOGUE(epilogue));
}

gf_status gf__concat_zeros(gf_device *device, size_t rows, gf__concat_range range,
                           const gf_buffer *x, gf_buffer *y, const gf__epilogue *epilogue) {
  gf__kernel *kernel;
  int count;
  GF_TRY(get_concat_kernel(device, rows, range, range.width, "concat_zeros", &kernel, &count));
  gf__grid grid = gf__grid_flat(device, (size_t)count);
  grid.bytes = 4.0 * (double)rows * (range.channels + range.width);
  return GF_LAUNCH(kernel, grid, GF_BUFFER(x), GF_BUFFER(y), GF_INT(range.channels),
                   GF_INT(range.width), GF_INT(range.first), GF_INT(count), GF_EPILOGUE(epilogue));
}
