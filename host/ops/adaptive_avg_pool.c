#include "ops/adaptive_avg_pool.h"

#include <stdio.h>

static gf_status get_adaptive_kernel(gf_device *device, const gf__adaptive_pool *p,
                                     const char *name, gf__kernel **out) {
  char options[96];
  snprintf(options, sizeof options, "-DVEC=%d -DC=%d -DH=%d -DW=%d -DOH=%d -DOW=%d",
           gf__vector_width(device, p->c), p->c, p->h, p->w, p->oh, p->ow);
  return gf__kernel_get(out, device, "adaptive_avg_pool.cl", name, options);
}

/* A work-item for each vector of so many pixels. */
static gf__grid adaptive_grid(const gf_device *device, const gf__adaptive_pool *p, int n,
                              int pixels, int *count) {
  *count = n * pixels * (p->c / gf__vector_width(device, p->c));
  gf__grid grid = gf__grid_flat(device, (size_t)*count);
  grid.bytes = 4.0 * n * p->c * ((double)p->h * p->w + (double)p->oh * p->ow);
  return grid;
}

gf_status gf__adaptive_avg_pool(gf_device *device, const gf__adaptive_pool *p, int n,
                                const gf_buffer *x, gf_buffer *y) {
  gf__kernel *kernel;
  int count;
  GF_TRY(get_adaptive_kernel(device, p, "adaptive_avg_pool", &kernel));
  gf__grid grid = adaptive_grid(device, p, n, p->oh * p->ow, &count);
  return GF_LAUNCH(kernel, grid, GF_BUFFER(x), GF_BUFFER(y), GF_INT(count));
}

gf_status gf__adaptive_avg_pool_backward(gf_device *device, const gf__adaptive_pool *p, int n,
                                         const gf_buffer *dy, gf_buffer *dx,
                                         const gf__epilogue *epilogue) {
  gf__kernel *kernel;
  int count;
  GF_TRY(get_adaptive_kernel(device, p, "adaptive_avg_pool_backward", &kernel));
  gf__grid grid = adaptive_grid(device, p, n, p->h * p->w, &count);
  return GF_LAUNCH(kernel, grid, GF_BUFFER(dy), GF_BUFFER(dx), GF_INT(count),
                   GF_EPILOGUE(epilogue));
}
