#include "ops/pool.h"

#include <stdio.h>

/* The kernels of each kind. */
static const struct {
  const char *forward, *backward;
  bool has_winner;
} kinds_[] = {
    [GF__POOL_AVG] = {"avg_pool", "avg_pool_backward", false},
    [GF__POOL_MAX] = {"max_pool", "max_pool_backward", true},
};

/* As many zeros after the image as one window more needs. It has to begin before them. */
static void reach_further(gf__window *w, int axis) {
  int before = w->size[axis] + w->padding[axis];
  int unread = before + w->padding[axis] + w->extra[axis] - w->kernel[axis] -
               (w->out[axis] - 1) * w->stride[axis];
  if (unread > 0 && w->out[axis] * w->stride[axis] < before)
    w->extra[axis] += w->stride[axis] - unread;
}

gf_status gf__pool_infer(gf__pool *pool) {
  gf__window *w = &pool->window;
  GF_TRY(gf__window_infer(w));
  for (int a = 0; a < 3; a++) {
    pool->after[a] = w->padding[a] + w->extra[a];
    if (w->padding[a] > w->kernel[a] / 2 || pool->after[a] > w->kernel[a] / 2)
      return gf__fail(GF_ERROR_SHAPE, "padding %s is more than half of a %s kernel",
                      gf__window_padding_text(w).text, gf__window_text(w, w->kernel).text);
  }
  if (!pool->ceil_mode) return GF_OK;
  for (int a = 0; a < 3; a++) reach_further(w, a);
  return gf__window_infer(w);
}

/* Whether each average is over all taps of its window. */
static bool is_even(const gf__pool *pool) {
  const gf__window *w = &pool->window;
  for (int a = 0; a < 3; a++) {
    int end = (w->out[a] - 1) * w->stride[a] + w->kernel[a] - w->padding[a];
    if (end > w->size[a] + (pool->pixels_only ? 0 : pool->after[a])) return false;
    if (pool->pixels_only && w->padding[a]) return false;
  }
  return true;
}

/* The winner of a window is one of its taps: a byte, where that is enough. */
size_t gf__pool_winner_bytes(const gf__pool *pool) {
  return gf__window_taps(&pool->window) > 256 ? sizeof(int) : 1;
}

/* A launch over the rows of what is written: width vectors each. */
typedef struct pool_launch {
  gf__kernel *kernel;
  gf__grid grid;
  int rows;
} pool_launch;

/* A CPU's work-item computes a row, and any other's a vector. */
static gf_status prepare_pool(gf_device *device, const gf__pool *pool, int n, const int size[3],
                              const char *name, pool_launch *out) {
  enum { CPU_GROUP = 4 };
  const gf__window *w = &pool->window;
  int vector = gf__vector_width(device, pool->c);
  bool is_cpu = gf_device_describe(device)->type == GF_DEVICE_CPU;
  int split = is_cpu ? 1 : size[2] * (pool->c / vector);
  char options[400];
  int used = gf__window_options(options, sizeof options, w);
  used += snprintf(options + used, sizeof options - (size_t)used, "-DC=%d -DVEC=%d -DSPLIT=%d",
                   pool->c, vector, split);
  if (pool->kind == GF__POOL_AVG && !is_even(pool))
    snprintf(options + used, sizeof options - (size_t)used,
             " -DUNEVEN -DPIXELS_ONLY=%d -DAD=%d -DAH=%d -DAW=%d", pool->pixels_only,
             pool->after[0], pool->after[1], pool->after[2]);
  out->rows = n * size[0] * size[1];
  size_t items = (size_t)out->rows * (size_t)split;
  out->grid = is_cpu ? gf__grid_groups(device, items, CPU_GROUP) : gf__grid_flat(device, items);
  double values = (double)n * pool->c * (double)gf__window_outputs(w);
  out->grid.bytes = 4.0 * (values + (double)n * pool->c * (double)gf__window_inputs(w));
  if (kinds_[pool->kind].has_winner)
    out->grid.bytes += values * (double)gf__pool_winner_bytes(pool);
  return gf__kernel_get(&out->kernel, device, "pool.cl", name, options);
}

gf_status gf__pool_forward(gf_device *device, const gf__pool *pool, const gf__pool_operands *o) {
  pool_launch l;
  GF_TRY(prepare_pool(device, pool, o->n, pool->window.out, kinds_[pool->kind].forward, &l));
  if (kinds_[pool->kind].has_winner)
    return GF_LAUNCH(l.kernel, l.grid, GF_BUFFER(o->in), GF_BUFFER(o->out), GF_BUFFER(o->winner),
                     GF_INT(l.rows));
  return GF_LAUNCH(l.kernel, l.grid, GF_BUFFER(o->in), GF_BUFFER(o->out), GF_INT(l.rows));
}

gf_status gf__pool_backward(gf_device *device, const gf__pool *pool, const gf__pool_operands *o) {
  pool_launch l;
  GF_TRY(prepare_pool(device, pool, o->n, pool->window.size, kinds_[pool->kind].backward, &l));
  if (kinds_[pool->kind].has_winner)
    return GF_LAUNCH(l.kernel, l.grid, GF_BUFFER(o->in), GF_BUFFER(o->winner), GF_BUFFER(o->out),
                     GF_INT(l.rows), GF_EPILOGUE(&o->epilogue));
  return GF_LAUNCH(l.kernel, l.grid, GF_BUFFER(o->in), GF_BUFFER(o->out), GF_INT(l.rows),
                   GF_EPILOGUE(&o->epilogue));
}
