/* Problems of pools of images. */
#include <math.h>

#include "verify/problems.h"

static void pool_read(gf__problem *p, gf__cases *list) {
  ref_pool *v = &p->pool;
  *v = (ref_pool){.n = p->n, .h = p->image.height, .w = p->image.width, .c = p->image.channels};
  gf__cases_ints(list, "kernel", 2, 2, v->kernel);
  gf__cases_ints(list, "stride", 2, 2, v->stride);
  int sides[4];
  gf__cases_sides(list, "padding", sides);
  v->ceil_mode = gf__cases_bool(list, "ceil_mode", false);
  v->pixels_only = !gf__cases_bool(list, "count_include_pad", true);
  p->y_count = (size_t)(p->n * v->c);
  for (int d = 0; d < 2; d++) {
    v->padding[d] = sides[2 * d];
    v->extra[d] = sides[2 * d + 1] - sides[2 * d];
    p->y_count *= (size_t)ref_pool_outputs(v, d);
  }
  p->y_terms = p->dx_terms = v->kernel[0] * v->kernel[1];
}

static void avg_pool_reference(const gf__problem *p, const gf__problem_values *in,
                               gf__problem_values *out) {
  ref_avg_pool_forward(&p->pool, in->x, out->y);
  ref_avg_pool_backward(&p->pool, in->dy, out->dx);
}

static void max_pool_read(gf__problem *p, gf__cases *list) {
  pool_read(p, list);
  p->integers = true;
}

static void max_pool_reference(const gf__problem *p, const gf__problem_values *in,
                               gf__problem_values *out) {
  ref_max_pool_forward(&p->pool, in->x, out->y);
  ref_max_pool_backward(&p->pool, in->x, in->dy, out->dx);
}

static void max_pool_magnitudes(const gf__problem *p, const gf__problem_values *in,
                                gf__problem_values *out) {
  ref_max_pool_forward(&p->pool, in->x, out->y);
  for (size_t i = 0; i < p->y_count; i++) out->y[i] = fabs(out->y[i]);
  ref_max_pool_backward(&p->pool, in->x, gf__absolute(p->arena, in->dy, p->y_count), out->dx);
}

/* The size of the output is the kernel's of the pool. */
static void adaptive_avg_pool_read(gf__problem *p, gf__cases *list) {
  int *out = p->pool.kernel;
  gf__cases_ints(list, "size", 1, 2, out);
  p->y_count = (size_t)(p->n * p->image.channels) * (size_t)out[0] * (size_t)out[1];
  p->y_terms = p->dx_terms = p->image.height * p->image.width;
}

static void adaptive_avg_pool_reference(const gf__problem *p, const gf__problem_values *in,
                                        gf__problem_values *out) {
  const gf_image_shape *i = &p->image;
  const int *size = p->pool.kernel;
  ref_adaptive_avg_pool_forward(p->n, i->height, i->width, i->channels, size[0], size[1], in->x,
                                out->y);
  ref_adaptive_avg_pool_backward(p->n, i->height, i->width, i->channels, size[0], size[1], in->dy,
                                 out->dx);
}

static void global_avg_pool_read(gf__problem *p, gf__cases *list) {
  (void)list;
  p->y_count = (size_t)(p->n * p->image.channels);
  p->y_terms = p->image.height * p->image.width;
}

static void global_avg_pool_reference(const gf__problem *p, const gf__problem_values *in,
                                      gf__problem_values *out) {
  const gf_image_shape *i = &p->image;
  ref_global_avg_pool_forward(p->n, i->height, i->width, i->channels, in->x, out->y);
  ref_global_avg_pool_backward(p->n, i->height, i->width, i->channels, in->dy, out->dx);
}

const gf__problem_type gf__problem_avg_pool = {
    .layer = "avg_pool", .read = pool_read, .reference = avg_pool_reference};
const gf__problem_type gf__problem_max_pool = {.layer = "max_pool",
                                               .read = max_pool_read,
                                               .reference = max_pool_reference,
                                               .magnitudes = max_pool_magnitudes};
const gf__problem_type gf__problem_adaptive_avg_pool = {.layer = "adaptive_avg_pool",
                                                        .read = adaptive_avg_pool_read,
                                                        .reference = adaptive_avg_pool_reference};
const gf__problem_type gf__problem_global_avg_pool = {.layer = "global_avg_pool",
                                                      .read = global_avg_pool_read,
                                                      .reference = global_avg_pool_reference};
