#include "ops/pool.h"

#include <stdio.h>

/* The kernels of each kind. */
static const struct {
  const char *file, *forward, *backward;
  bool has_winner;
} kinds_[] = {
    [GF__POOL_AVG] = {"pool.cl", "avg_pool", "avg_pool_backward", false},
    [GF__POOL_MAX] = {"pool.cl", "max_pool", "max_pool_backward", true},
    [GF__POOL_AVG_3D] = {"pool3d.cl", "avg_pool3d", "avg_pool3d_backward", false},
    [GF__POOL_MAX_3D] = {"pool3d.cl", "max_pool3d", "max_pool3d_backward", true},
};

gf_status gf__pool_infer(gf__pool *pool) {
  const gf__window *w = &pool->window;
  GF_TRY(gf__window_infer(&pool->window));
  for (int a = 0; a < 3; a++)
    if (w->padding[a] > w->kernel[a] / 2)
      return gf__fail(GF_ERROR_SHAPE, "padding %s is more than half of a %s kernel",
                      gf__window_text(w, w->padding).text, gf__window_text(w, w->kernel).text);
  return GF_OK;
}

/* Values per work-item: the winner of each is looked up alone. */
static int pool_width(const gf_device *device, const gf__pool *pool) {
  return kinds_[pool->kind].has_winner ? 1 : gf__vector_width(device, pool->c);
}

static gf_status get_pool_kernel(gf_device *device, const gf__pool *pool, const char *name,
                                 gf__kernel **out) {
  char options[400];
  int n = gf__window_options(options, sizeof options, &pool->window);
  snprintf(options + n, sizeof options - (size_t)n, "-DC=%d -DVEC=%d", pool->c,
           pool_width(device, pool));
  return gf__kernel_get(out, device, kinds_[pool->kind].file, name, options);
}

/* One work-item per vector of values of n tensors of so many pixels. */
static gf__grid pool_grid(const gf_device *device, const gf__pool *pool, int n, size_t pixels,
                          int *count) {
  const gf__window *w = &pool->window;
  *count = n * (int)pixels * (pool->c / pool_width(device, pool));
  gf__grid grid = gf__grid_flat(device, (size_t)*count);
  grid.bytes = 4.0 * n * pool->c * (double)(gf__window_inputs(w) + gf__window_outputs(w));
  return grid;
}

gf_status gf__pool_forward(gf_device *device, const gf__pool *pool, const gf__pool_operands *o) {
  gf__kernel *kernel;
  int count;
  GF_TRY(get_pool_kernel(device, pool, kinds_[pool->kind].forward, &kernel));
  gf__grid grid = pool_grid(device, pool, o->n, gf__window_outputs(&pool->window), &count);
  if (kinds_[pool->kind].has_winner)
    return GF_LAUNCH(kernel, grid, GF_BUFFER(o->in), GF_BUFFER(o->out), GF_BUFFER(o->winner),
                     GF_INT(count));
  return GF_LAUNCH(kernel, grid, GF_BUFFER(o->in), GF_BUFFER(o->out), GF_INT(count));
}

gf_status gf__pool_backward(gf_device *device, const gf__pool *pool, const gf__pool_operands *o) {
  gf__kernel *kernel;
  int count;
  GF_TRY(get_pool_kernel(device, pool, kinds_[pool->kind].backward, &kernel));
  gf__grid grid = pool_grid(device, pool, o->n, gf__window_inputs(&pool->window), &count);
  if (kinds_[pool->kind].has_winner)
    return GF_LAUNCH(kernel, grid, GF_BUFFER(o->in), GF_BUFFER(o->winner), GF_BUFFER(o->out),
                     GF_INT(count), GF_EPILOGUE(&o->epilogue));
  return GF_LAUNCH(kernel, grid, GF_BUFFER(o->in), GF_BUFFER(o->out), GF_INT(count),
                   GF_EPILOGUE(&o->epilogue));
}
