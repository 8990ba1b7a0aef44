/* Every algorithm of convolution, all three directions, with what can be fused into the store:
 * small whole numbers, whose sums are exact, and fractions. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ops/conv/conv.h"
#include "verify/problems.h"
#include "verify/subjects.h"

/* Algorithms that transform their operands round more, by this factor, and
 * spread errors over a tile. All others add the products themselves, so that
 * sums of small whole numbers are exact. */
static const struct {
  const char *name;
  double factor;
} transforms[] = {{"winograd2", 4}, {"winograd4", 20}};

static double transform_factor(const char *name) {
  for (size_t i = 0; i < sizeof transforms / sizeof *transforms; i++)
    if (strcmp(transforms[i].name, name) == 0) return transforms[i].factor;
  return 0;
}

/* What is fused into the store of a direction. In place the residual is the output itself, as where
 * a gradient accumulates. The gradient of a transposed convolution is a forward direction, and its
 * forward is a data gradient. */
typedef struct fusion {
  const char *name;
  gf__conv_direction direction;
  bool bias, residual, in_place, mask;
  gf__activation activation;
} fusion;

/* The slope is a power of 2, so that whole numbers stay exact. */
#define LEAKY \
  { GF__ACTIVATION_LEAKY_RELU, 0.25f }

static const fusion fusions[] = {
    {"", GF__CONV_FORWARD, .bias = false},
    {" with bias, leaky_relu", GF__CONV_FORWARD, .bias = true, .activation = LEAKY},
    {" with residual, leaky_relu", GF__CONV_FORWARD, .residual = true, .activation = LEAKY},
    {" with bias, residual", GF__CONV_FORWARD, .bias = true, .residual = true},
    {" with residual in place, mask", GF__CONV_FORWARD, .residual = true, .in_place = true,
     .mask = true, .activation = LEAKY},
    {"", GF__CONV_BACKWARD_DATA, .residual = false},
    {" with residual in place", GF__CONV_BACKWARD_DATA, .residual = true, .in_place = true},
    {" with bias, leaky_relu", GF__CONV_BACKWARD_DATA, .bias = true, .activation = LEAKY},
    {" with mask", GF__CONV_BACKWARD_DATA, .mask = true, .activation = LEAKY},
    {" with residual in place, mask", GF__CONV_BACKWARD_DATA, .residual = true, .in_place = true,
     .mask = true, .activation = LEAKY},
    {"", GF__CONV_BACKWARD_WEIGHT, .bias = false},
    {" with bias", GF__CONV_BACKWARD_WEIGHT, .bias = true},
};

static const char *const result_names[] = {"y", "dx", "dweight"};

/* One case of one direction with its numbers, here and on the device. */
typedef struct work {
  gf__check *check;
  const gf__problem *p;
  const gf__conv_algorithm *algorithm;
  gf__conv_direction direction;
  gf__conv_shape shape;
  bool integers;
  size_t count;                                 /* of the result */
  const double *expected, *magnitude;           /* of the result, as the device has it */
  const double *bias_expected, *bias_magnitude; /* of backward_weight */
  float *bias, *residual, *mask; /* (channels of the result), the others like the result */
  gf_buffer *x, *w, *dy, *bias_buffer, *residual_buffer, *mask_buffer;
  gf_buffer *out, *bias_out, *workspace;
  size_t workspace_count;
} work;

static gf_status conv2d_infer(const ref_conv2d *v, gf__conv_shape *out) {
  gf__window *w = &out->window;
  *out = (gf__conv_shape){gf__window_of((int[]){1, v->h, v->w}), v->c, v->filters, v->groups};
  memcpy(w->kernel + 1, v->kernel, sizeof v->kernel);
  memcpy(w->stride + 1, v->stride, sizeof v->stride);
  memcpy(w->padding + 1, v->padding, sizeof v->padding);
  memcpy(w->extra + 1, v->extra, sizeof v->extra);
  memcpy(w->dilation + 1, v->dilation, sizeof v->dilation);
  return gf__window_infer(w);
}

static float *numbers(const work *b, size_t count, uint32_t stream) {
  float *values = gf__new_floats(b->check->arena, count);
  if (b->integers)
    gf__fill_integers(values, count, stream, 3);
  else
    gf__fill_uniform(values, count, stream, -1, 1);
  return values;
}

/* Between (filters, c of a group, kernel) and (kernel, c of a group, filters). */
static size_t device_place(const ref_conv2d *v, size_t i) {
  size_t taps = (size_t)(v->kernel[0] * v->kernel[1]), c = (size_t)(v->c / v->groups);
  size_t tap = i % taps, channel = i / taps % c, filter = i / taps / c;
  return (tap * c + channel) * (size_t)v->filters + filter;
}

/* The result of the direction by the reference, in the device's layout. dbias, of backward_weight.
 */
static const double *conv2d_reference_of(const work *b, const double *x, const double *weight,
                                         const double *dy, double *dbias) {
  const ref_conv2d *conv = &b->p->conv;
  double *out = gf__new_doubles(b->check->arena, b->count), *placed;
  if (b->direction == GF__CONV_FORWARD) ref_conv2d_forward(conv, x, weight, NULL, out);
  if (b->direction == GF__CONV_BACKWARD_DATA)
    ref_conv2d_backward(conv, x, weight, dy, out, NULL, NULL);
  if (b->direction != GF__CONV_BACKWARD_WEIGHT) return out;
  ref_conv2d_backward(conv, x, weight, dy, NULL, out, dbias);
  placed = gf__new_doubles(b->check->arena, b->count);
  for (size_t i = 0; i < b->count; i++) placed[device_place(conv, i)] = out[i];
  return placed;
}

static gf_status open_outputs(work *b) {
  gf__check *check = b->check;
  b->workspace_count =
      b->algorithm->workspace(b->algorithm, check->device, &b->shape, b->direction, b->p->n) /
      sizeof(float);
  GF_TRY(gf__guarded_new(check, result_names[b->direction], b->count, &b->out));
  if (b->workspace_count > 0)
    GF_TRY(gf__guarded_new(check, "the workspace", b->workspace_count, &b->workspace));
  if (b->direction != GF__CONV_BACKWARD_WEIGHT) return GF_OK;
  return gf__guarded_new(check, "dbias", (size_t)b->shape.filters, &b->bias_out);
}

static gf_status open_work(work *b) {
  const gf__problem *p = b->p;
  gf__check *check = b->check;
  gf__arena *arena = check->arena;
  const size_t counts[] = {p->y_count, p->x_count, p->parameter_size[0]};
  size_t weights = counts[GF__CONV_BACKWARD_WEIGHT], filters = (size_t)p->conv.filters;
  size_t channels = b->direction == GF__CONV_FORWARD ? filters : (size_t)p->conv.c;
  b->count = counts[b->direction];
  float *x = numbers(b, p->x_count, 0), *w = numbers(b, weights, 1);
  float *dy = numbers(b, p->y_count, 2), *placed = gf__new_floats(arena, weights);
  b->bias = numbers(b, channels, 3);
  b->residual = numbers(b, b->count, 4);
  b->mask = numbers(b, b->count, 5);
  for (size_t i = 0; i < weights; i++) placed[device_place(&p->conv, i)] = w[i];
  double *wide[] = {gf__widen(arena, x, p->x_count), gf__widen(arena, w, weights),
                    gf__widen(arena, dy, p->y_count)};
  double *dbias = gf__new_doubles(arena, filters), *size = gf__new_doubles(arena, filters);
  b->expected = conv2d_reference_of(b, wide[0], wide[1], wide[2], dbias);
  b->magnitude = conv2d_reference_of(b, gf__absolute(arena, wide[0], p->x_count),
                                     gf__absolute(arena, wide[1], weights),
                                     gf__absolute(arena, wide[2], p->y_count), size);
  b->bias_expected = dbias;
  b->bias_magnitude = size;
  GF_TRY(gf__guarded_from(check, "x", x, p->x_count, &b->x));
  GF_TRY(gf__guarded_from(check, "the weight", placed, weights, &b->w));
  GF_TRY(gf__guarded_from(check, "dy", dy, p->y_count, &b->dy));
  GF_TRY(gf__guarded_from(check, "the bias", b->bias, channels, &b->bias_buffer));
  GF_TRY(gf__guarded_from(check, "the residual", b->residual, b->count, &b->residual_buffer));
  GF_TRY(gf__guarded_from(check, "the mask", b->mask, b->count, &b->mask_buffer));
  return open_outputs(b);
}

/* ---- the device's answer ---- */

typedef struct answer {
  float *out, *bias; /* bias: backward_weight, else NULL */
} answer;

static gf_status conv2d_compute(const work *b, const fusion *f, answer *out) {
  gf__arena *arena = b->check->arena;
  bool is_weight = b->direction == GF__CONV_BACKWARD_WEIGHT;
  size_t filters = (size_t)b->shape.filters;
  gf__conv convolution = {.shape = b->shape};
  convolution.algorithm[b->direction] = b->algorithm;
  gf__conv_operands r = {
      .n = b->p->n, .x = b->x, .w = b->w, .dy = b->dy, .out = b->out, .workspace = b->workspace};
  GF_TRY(gf__poison(arena, b->out, b->count));
  if (b->workspace) GF_TRY(gf__poison(arena, b->workspace, b->workspace_count));
  if (b->bias_out) GF_TRY(gf__poison(arena, b->bias_out, filters));
  if (is_weight && f->bias) r.bias_out = b->bias_out;
  if (!is_weight && f->bias) r.epilogue.bias = b->bias_buffer;
  if (f->residual) r.epilogue.residual = f->in_place ? r.out : b->residual_buffer;
  if (r.epilogue.residual == r.out) GF_TRY(gf__write(r.out, b->residual, b->count));
  if (f->mask) r.epilogue.mask = b->mask_buffer;
  r.epilogue.activation = f->activation;
  GF_TRY(gf__conv_run(&convolution, b->check->device, b->direction, &r));
  *out = (answer){0};
  GF_TRY(gf__read(arena, b->out, b->count, &out->out));
  return r.bias_out ? gf__read(arena, r.bias_out, filters, &out->bias) : GF_OK;
}

/* ---- the expected answer ---- */

static double leaky(double x, double slope) { return x > 0 ? x : slope * x; }

static double conv2d_fuse(const work *b, const fusion *f, size_t i, double value) {
  size_t channels = (size_t)(f->direction == GF__CONV_FORWARD ? b->shape.filters : b->shape.c);
  if (f->bias) value += (double)b->bias[i % channels];
  if (f->residual) value += (double)b->residual[i];
  if (f->activation.kind == GF__ACTIVATION_NONE) return value;
  if (f->mask) return b->mask[i] > 0 ? value : value * (double)f->activation.slope;
  return leaky(value, (double)f->activation.slope);
}

/* What rounding may be off by: that of each element, or, of a transform, that of the largest. */
static gf__tolerance tolerance_of(const work *b, const fusion *f) {
  const double terms[] = {b->p->y_terms, b->p->dx_terms, b->p->d_terms};
  double factor = transform_factor(b->algorithm->name), largest = 0;
  double *magnitude = gf__new_doubles(b->check->arena, b->count);
  for (size_t i = 0; i < b->count; i++) {
    magnitude[i] = b->magnitude[i];
    if (f->residual) magnitude[i] += fabs((double)b->residual[i]);
    if (f->bias) magnitude[i] += 1;
    largest = fmax(largest, magnitude[i]);
  }
  for (size_t i = 0; factor > 0 && i < b->count; i++) magnitude[i] = largest;
  gf__tolerance out = {magnitude, terms[b->direction], factor > 0 ? factor : 1};
  if (factor == 0 && b->integers) out.factor = 0;
  return out;
}

static gf_status conv2d_compare(const work *b, const fusion *f) {
  gf__check *check = b->check;
  char name[128];
  snprintf(name, sizeof name, "%s of %s%s", result_names[b->direction],
           b->integers ? "whole numbers" : "fractions", f->name);
  size_t filters = (size_t)b->shape.filters;
  double *expected = gf__new_doubles(check->arena, b->count);
  for (size_t i = 0; i < b->count; i++)
    expected[i] = b->direction == GF__CONV_BACKWARD_WEIGHT ? b->expected[i]
                                                           : conv2d_fuse(b, f, i, b->expected[i]);
  gf__tolerance allowed = tolerance_of(b, f);
  answer got, again;
  GF_TRY(conv2d_compute(b, f, &got));
  gf__check_values(check, name, b->count, got.out, expected, &allowed);
  allowed.magnitude = b->bias_magnitude;
  if (got.bias) gf__check_values(check, "dbias", filters, got.bias, b->bias_expected, &allowed);
  if (b->integers) return GF_OK;
  GF_TRY(conv2d_compute(b, f, &again));
  gf__check_same(check, name, b->count, again.out, got.out);
  if (got.bias) gf__check_same(check, "dbias", filters, again.bias, got.bias);
  return GF_OK;
}

static bool conv2d_accepts(const gf__subject *subject, gf__check *check, gf__cases *list) {
  const gf__conv_algorithm *algorithm = subject->what;
  gf__problem p;
  gf__conv_shape shape;
  return gf__problem_read(&p, check->arena, &gf__problem_conv2d, list) == GF_OK &&
         conv2d_infer(&p.conv, &shape) == GF_OK &&
         algorithm->accepts(algorithm, check->device, &shape, (gf__conv_direction)subject->index);
}

static gf_status verify_conv2d(const gf__subject *subject, gf__check *check, gf__cases *list) {
  gf__problem p;
  GF_TRY(gf__problem_read(&p, check->arena, &gf__problem_conv2d, list));
  for (int integers = 1; integers >= 0; integers--) {
    work b = {.check = check,
              .p = &p,
              .algorithm = subject->what,
              .direction = (gf__conv_direction)subject->index,
              .integers = integers};
    GF_TRY(conv2d_infer(&p.conv, &b.shape));
    GF_TRY(open_work(&b));
    for (size_t i = 0; i < sizeof fusions / sizeof *fusions; i++)
      if (fusions[i].direction == b.direction) GF_TRY(conv2d_compare(&b, &fusions[i]));
    GF_TRY(gf__guarded_close(check));
  }
  return GF_OK;
}

void gf__conv2d_subjects(gf__subject_add *add, void *user) {
  for (int i = 0; gf__conv_algorithms[i]; i++)
    for (int pass = 0; pass < GF__CONV_DIRECTIONS; pass++) {
      const gf__conv_algorithm *algorithm = gf__conv_algorithms[i];
      gf__subject subject = {.operation = "conv2d",
                             .list = "conv2d",
                             .needs = algorithm->needs,
                             .what = algorithm,
                             .index = pass,
                             .accepts = conv2d_accepts,
                             .run = verify_conv2d};
      snprintf(subject.algorithm, sizeof subject.algorithm, "%s/%s", algorithm->name,
               gf__conv_direction_names[pass]);
      add(user, &subject);
    }
}
