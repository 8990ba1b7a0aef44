#include "ops/pool3d.h"

#include <stdio.h>

gf_status gf__pool3d_infer(gf__pool3d_shape *s) {
  const int *k = s->kernel, *p = s->padding;
  for (int a = 0; a < 3; a++) {
    int room = s->size[a] + 2 * p[a] - k[a];
    if (room < 0)
      return gf__fail(GF_ERROR_SHAPE,
                      "a %dx%dx%d window does not fit a %dx%dx%d volume with padding %dx%dx%d",
                      k[0], k[1], k[2], s->size[0], s->size[1], s->size[2], p[0], p[1], p[2]);
    if (p[a] > k[a] / 2)
      return gf__fail(GF_ERROR_SHAPE, "padding %dx%dx%d is more than half of a %dx%dx%d window",
                      p[0], p[1], p[2], k[0], k[1], k[2]);
    s->out[a] = room / s->stride[a] + 1;
  }
  return GF_OK;
}

static int product(const int v[3]) { return v[0] * v[1] * v[2]; }

static gf_status get_kernel(gf_device *device, const gf__pool3d_shape *s, const char *name,
                            int width, gf__kernel **out) {
  char options[320];
  const int *i = s->size, *k = s->kernel, *t = s->stride, *p = s->padding, *o = s->out;
  snprintf(options, sizeof options,
           "-DD=%d -DH=%d -DW=%d -DC=%d -DKD=%d -DKH=%d -DKW=%d -DSD=%d -DSH=%d -DSW=%d -DPD=%d "
           "-DPH=%d -DPW=%d -DOD=%d -DOH=%d -DOW=%d -DVEC=%d",
           i[0], i[1], i[2], s->c, k[0], k[1], k[2], t[0], t[1], t[2], p[0], p[1], p[2], o[0], o[1],
           o[2], width);
  return gf__kernel_get(out, device, "pool3d.cl", name, options);
}

/* A work-item for each width values of n volumes of size. */
static gf__grid values_grid(const gf_device *device, const gf__pool3d_shape *s, int n,
                            const int size[3], int width, int *count) {
  *count = n * product(size) * (s->c / width);
  gf__grid grid = gf__grid_flat(device, (size_t)*count);
  grid.bytes = 4.0 * n * s->c * (product(s->size) + product(s->out));
  return grid;
}

gf_status gf__avg_pool3d(gf_device *device, const gf__pool3d_shape *s, int n, const gf_buffer *x,
                         gf_buffer *y) {
  gf__kernel *kernel;
  int count, width = gf__vector_width(device, s->c);
  GF_TRY(get_kernel(device, s, "avg_pool3d", width, &kernel));
  gf__grid grid = values_grid(device, s, n, s->out, width, &count);
  return GF_LAUNCH(kernel, grid, GF_BUFFER(x), GF_BUFFER(y), GF_INT(count));
}

gf_status gf__avg_pool3d_backward(gf_device *device, const gf__pool3d_shape *s, int n,
                                  const gf_buffer *dy, gf_buffer *dx, const gf__epilogue *e) {
  gf__kernel *kernel;
  int count, width = gf__vector_width(device, s->c);
  GF_TRY(get_kernel(device, s, "avg_pool3d_backward", width, &kernel));
  gf__grid grid = values_grid(device, s, n, s->size, width, &count);
  return GF_LAUNCH(kernel, grid, GF_BUFFER(dy), GF_BUFFER(dx), GF_INT(count), GF_EPILOGUE(e));
}

gf_status gf__max_pool3d(gf_device *device, const gf__pool3d_shape *s, int n, const gf_buffer *x,
                         gf_buffer *y, gf_buffer *winner) {
  gf__kernel *kernel;
  int count;
  GF_TRY(get_kernel(device, s, "max_pool3d", 1, &kernel));
  gf__grid grid = values_grid(device, s, n, s->out, 1, &count);
  return GF_LAUNCH(kernel, grid, GF_BUFFER(x), GF_BUFFER(y), GF_BUFFER(winner), GF_INT(count));
}

gf_status gf__max_pool3d_backward(gf_device *device, const gf__pool3d_shape *s, int n,
                                  const gf_buffer *dy, const gf_buffer *winner, gf_buffer *dx,
                                  const gf__epilogue *e) {
  gf__kernel *kernel;
  int count;
  GF_TRY(get_kernel(device, s, "max_pool3d_backward", 1, &kernel));
  gf__grid grid = values_grid(device, s, n, s->size, 1, &count);
  return GF_LAUNCH(kernel, grid, GF_BUFFER(dy), GF_BUFFER(winner), GF_BUFFER(dx), GF_INT(count),
                   GF_EPILOGUE(e));
}
