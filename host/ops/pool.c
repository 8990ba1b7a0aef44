#include "ops/pool.h"

#include <stdio.h>

gf_status gf__pool_infer(gf__pool_shape *s) {
  const int image[2] = {s->h, s->w};
  int *out[2] = {&s->out_h, &s->out_w};
  for (int d = 0; d < 2; d++) {
    int room = image[d] + 2 * s->padding[d] - s->kernel[d];
    if (room < 0)
      return gf__fail(GF_ERROR_SHAPE,
                      "a %dx%d window does not fit a %dx%d image with padding %dx%d", s->kernel[0],
                      s->kernel[1], s->h, s->w, s->padding[0], s->padding[1]);
    if (s->padding[d] > s->kernel[d] / 2)
      return gf__fail(GF_ERROR_SHAPE, "padding %dx%d is more than half of a %dx%d window",
                      s->padding[0], s->padding[1], s->kernel[0], s->kernel[1]);
    *out[d] = room / s->stride[d] + 1;
  }
  return GF_OK;
}

static gf_status get_kernel(gf_device *device, const gf__pool_shape *s, const char *name, int width,
                            gf__kernel **out) {
  char options[256];
  snprintf(options, sizeof options,
           "-DH=%d -DW=%d -DC=%d -DKH=%d -DKW=%d -DSH=%d -DSW=%d -DPH=%d -DPW=%d -DOH=%d -DOW=%d "
           "-DVEC=%d",
           s->h, s->w, s->c, s->kernel[0], s->kernel[1], s->stride[0], s->stride[1], s->padding[0],
           s->padding[1], s->out_h, s->out_w, width);
  return gf__kernel_get(out, device, "pool.cl", name, options);
}

/* A grid of a work-item for each width values of n images of per_image values. */
static gf__grid values_grid(const gf_device *device, const gf__pool_shape *s, int n, int per_image,
                            int width) {
  gf__grid grid = gf__grid_flat(device, (size_t)n * (size_t)(per_image / width));
  grid.bytes = 4.0 * n * s->c * (s->h * s->w + s->out_h * s->out_w);
  return grid;
}

gf_status gf__avg_pool(gf_device *device, const gf__pool_shape *s, int n, const gf_buffer *x,
                       gf_buffer *y) {
  gf__kernel *kernel;
  int width = gf__vector_width(device, s->c), values = s->out_h * s->out_w * s->c;
  GF_TRY(get_kernel(device, s, "avg_pool", width, &kernel));
  return GF_LAUNCH(kernel, values_grid(device, s, n, values, width), GF_BUFFER(x), GF_BUFFER(y),
                   GF_INT(n * (values / width)));
}

gf_status gf__avg_pool_backward(gf_device *device, const gf__pool_shape *s, int n,
                                const gf_buffer *dy, gf_buffer *dx, const gf__epilogue *e) {
  gf__kernel *kernel;
  int width = gf__vector_width(device, s->c), values = s->h * s->w * s->c;
  GF_TRY(get_kernel(device, s, "avg_pool_backward", width, &kernel));
  return GF_LAUNCH(kernel, values_grid(device, s, n, values, width), GF_BUFFER(dy), GF_BUFFER(dx),
                   GF_INT(n * (values / width)), GF_EPILOGUE(e));
}

gf_status gf__max_pool(gf_device *device, const gf__pool_shape *s, int n, const gf_buffer *x,
                       gf_buffer *y, gf_buffer *winner) {
  gf__kernel *kernel;
  int values = s->out_h * s->out_w * s->c;
  GF_TRY(get_kernel(device, s, "max_pool", 1, &kernel));
  return GF_LAUNCH(kernel, values_grid(device, s, n, values, 1), GF_BUFFER(x), GF_BUFFER(y),
                   GF_BUFFER(winner), GF_INT(n * values));
}

gf_status gf__max_pool_backward(gf_device *device, const gf__pool_shape *s, int n,
                                const gf_buffer *dy, const gf_buffer *winner, gf_buffer *dx,
                                const gf__epilogue *e) {
  gf__kernel *kernel;
  int values = s->h * s->w * s->c;
  GF_TRY(get_kernel(device, s, "max_pool_backward", 1, &kernel));
  return GF_LAUNCH(kernel, values_grid(device, s, n, values, 1), GF_BUFFER(dy), GF_BUFFER(winner),
                   GF_BUFFER(dx), GF_INT(n * values), GF_EPILOGUE(e));
}
