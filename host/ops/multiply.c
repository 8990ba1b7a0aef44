#include "ops/multiply.h"

#include <stdio.h>

static gf_status get_multiply_kernel(gf_device *device, const gf__product *p, const char *name,
                                     gf__kernel **out) {
  char options[80];
  snprintf(options, sizeof options, "-DVEC=%d -DCHANNELS=%d -DPIXELS=%d",
           gf__vector_width(device, p->channels), p->channels, p->pixels);
  return gf__kernel_get(out, device, "multiply.cl", name, options);
}

/* A work-item for each vector of count values. */
static gf__grid multiply_grid(const gf_device *device, const gf__product *p, size_t values,
                              int *count) {
  size_t vectors = values / (size_t)gf__vector_width(device, p->channels);
  *count = (int)vectors;
  gf__grid grid = gf__grid_flat(device, vectors);
  size_t factors = p->images * (size_t)p->channels;
  grid.bytes = 4.0 * (double)factors * (2.0 * p->pixels + 1);
  return grid;
}

gf_status gf__multiply(gf_device *device, const gf__product *product, const gf_buffer *x,
                       const gf_buffer *factor, gf_buffer *y, const gf__epilogue *epilogue) {
  gf__kernel *kernel;
  int count;
  GF_TRY(get_multiply_kernel(device, product, "multiply", &kernel));
  size_t values = product->images * (size_t)product->pixels * (size_t)product->channels;
  gf__grid grid = multiply_grid(device, product, values, &count);
  return GF_LAUNCH(kernel, grid, GF_BUFFER(x), GF_BUFFER(factor), GF_BUFFER(y), GF_INT(count),
                   GF_EPILOGUE(epilogue));
}

gf_status gf__multiply_backward_factor(gf_device *device, const gf__product *product,
                                       const gf_buffer *dy, const gf_buffer *x, gf_buffer *dfactor,
                                       const gf__epilogue *epilogue) {
  gf__kernel *kernel;
  int count;
  GF_TRY(get_multiply_kernel(device, product, "multiply_backward_factor", &kernel));
  gf__grid grid =
      multiply_grid(device, product, product->images * (size_t)product->channels, &count);
  return GF_LAUNCH(kernel, grid, GF_BUFFER(dy), GF_BUFFER(x), GF_BUFFER(dfactor), GF_INT(count),
                   GF_EPILOGUE(epilogue));
}
