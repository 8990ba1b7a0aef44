/* Every algorithm of convolution over the case list, all three passes, against
 * the reference: with what can be fused into the store, with guard zones behind
 * every output and the workspace, and with NaN where nothing is to be read. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "device_test.h"
#include "layer_problems.h"
#include "ops/conv2d/conv2d.h"

/* Algorithms that transform their operands round more, by this factor, and
 * spread errors over a tile. All others add the products themselves, so that
 * sums of small whole numbers are exact, and equal bit for bit between them. */
static const struct {
  const char *name;
  double factor;
} transforms[] = {{"winograd2", 4}, {"winograd4", 20}};

static double transform_factor(const char *name) {
  for (size_t i = 0; i < sizeof transforms / sizeof *transforms; i++)
    if (strcmp(transforms[i].name, name) == 0) return transforms[i].factor;
  return 0;
}

/* What is fused into the store of a pass. In backward the addend is the output
 * itself, as in the shares of a gradient. */
typedef struct fusion {
  const char *name;
  gf__conv2d_pass pass;
  bool bias, addend, mask;
  gf__activation activation;
} fusion;

/* The slope is a power of 2, so that whole numbers stay exact. */
#define LEAKY \
  { GF__ACTIVATION_LEAKY_RELU, 0.25f }

static const fusion fusions[] = {
    {"forward", GF__CONV2D_FORWARD, .bias = false},
    {"forward, bias, leaky_relu", GF__CONV2D_FORWARD, .bias = true, .activation = LEAKY},
    {"forward, addend, leaky_relu", GF__CONV2D_FORWARD, .addend = true, .activation = LEAKY},
    {"forward, bias, addend", GF__CONV2D_FORWARD, .bias = true, .addend = true},
    {"backward_data", GF__CONV2D_BACKWARD_DATA, .addend = false},
    {"backward_data, addend in place", GF__CONV2D_BACKWARD_DATA, .addend = true},
    {"backward_data, mask", GF__CONV2D_BACKWARD_DATA, .mask = true, .activation = LEAKY},
    {"backward_data, addend in place, mask", GF__CONV2D_BACKWARD_DATA, .addend = true, .mask = true,
     .activation = LEAKY},
    {"backward_weight", GF__CONV2D_BACKWARD_WEIGHT, .bias = false},
    {"backward_weight, bias", GF__CONV2D_BACKWARD_WEIGHT, .bias = true},
};

/* One case with its numbers, here and on the device. */
typedef struct fixture {
  const problem *p;
  gf__conv2d_shape shape;
  bool integers;
  problem_values v, magnitude;
  float *bias, *addend, *mask; /* (channels of the result), like the larger of y and x, likewise */
  gf__buffer *x, *w, *dy, *bias_buffer, *addend_buffer, *mask_buffer;
} fixture;

static gf__conv2d_shape shape_of(const problem *p) {
  const ref_conv2d *v = &p->conv;
  gf__conv2d_shape s = {.h = v->h, .w = v->w, .c = v->c, .filters = v->filters};
  for (int d = 0; d < 2; d++) {
    s.kernel[d] = v->kernel[d];
    s.stride[d] = v->stride[d];
    s.padding[d] = v->padding[d];
    s.dilation[d] = v->dilation[d];
  }
  assert_ok(gf__conv2d_infer(&s));
  return s;
}

static float *numbers(const fixture *b, size_t count, uint32_t stream) {
  float *values = floats_new(count);
  if (b->integers)
    fill_integers(values, count, stream, 3);
  else
    fill_uniform(values, count, stream, -1, 1);
  return values;
}

static gf__buffer *upload(const float *values, size_t count) {
  gf__buffer *buffer = guarded_new(count);
  buffer_set(buffer, values, count);
  return buffer;
}

/* Between (filters, c, kernel) and (kernel, c, filters). */
static size_t device_place(const ref_conv2d *v, size_t i) {
  size_t taps = (size_t)(v->kernel[0] * v->kernel[1]), c = (size_t)v->c;
  size_t tap = i % taps, channel = i / taps % c, filter = i / taps / c;
  return (tap * c + channel) * (size_t)v->filters + filter;
}

static void fixture_open(fixture *b, const problem *p, bool integers) {
  size_t larger = p->x_count > p->y_count ? p->x_count : p->y_count;
  size_t weights = p->parameter_size[0];
  size_t channels = (size_t)(p->conv.filters > p->conv.c ? p->conv.filters : p->conv.c);
  *b = (fixture){.p = p, .shape = shape_of(p), .integers = integers, .v = problem_values_new(p, 0)};
  float *x = numbers(b, p->x_count, 0), *w = numbers(b, weights, 1);
  float *dy = numbers(b, p->y_count, 2);
  float *w_on_device = floats_new(weights);
  b->bias = numbers(b, channels, 3);
  b->addend = numbers(b, larger, 4);
  b->mask = numbers(b, larger, 5);
  for (size_t i = 0; i < weights; i++) w_on_device[device_place(&p->conv, i)] = w[i];
  b->v.x = doubles_from(x, p->x_count);
  b->v.parameter[0] = doubles_from(w, weights);
  b->v.parameter[1] = NULL;
  b->v.dy = doubles_from(dy, p->y_count);
  b->v.d[1] = doubles_new(channels);
  problem without_bias = *p;
  without_bias.parameter_count = 1;
  b->magnitude = problem_magnitudes(&without_bias, &b->v);
  b->magnitude.d[1] = doubles_new(channels);
  for (size_t i = 0; i < p->y_count; i++)
    b->magnitude.d[1][i % (size_t)p->conv.filters] += fabs(b->v.dy[i]);
  p->type->run(p, &b->v, &b->v);
  b->x = upload(x, p->x_count);
  b->w = upload(w_on_device, weights);
  b->dy = upload(dy, p->y_count);
  b->bias_buffer = upload(b->bias, channels);
  b->addend_buffer = upload(b->addend, larger);
  b->mask_buffer = upload(b->mask, larger);
}

static void fixture_close(fixture *b) {
  gf__buffer **const buffers[] = {&b->x,          &b->w, &b->dy, &b->bias_buffer, &b->addend_buffer,
                                  &b->mask_buffer};
  for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) gf__buffer_free(buffers[i]);
}

/* ---- the device's answer ---- */

typedef struct answer {
  float *out, *bias; /* bias: backward_weight, else NULL */
} answer;

static size_t out_count(const fixture *b, gf__conv2d_pass pass) {
  const size_t counts[] = {b->p->y_count, b->p->x_count, b->p->parameter_size[0]};
  return counts[pass];
}

static answer run(const fixture *b, const gf__conv2d_algorithm *algorithm, const fusion *f) {
  gf_device *device = device_test_device();
  gf__conv2d_pass pass = f->pass;
  size_t count = out_count(b, pass), filters = (size_t)b->shape.filters;
  size_t workspace = algorithm->workspace(device, &b->shape, pass, b->p->n) / sizeof(float);
  bool is_weight = pass == GF__CONV2D_BACKWARD_WEIGHT;
  gf__conv2d convolution = {.shape = b->shape};
  convolution.algorithm[pass] = algorithm;
  gf__conv2d_run r = {.n = b->p->n, .x = b->x, .w = b->w, .dy = b->dy, .out = guarded_new(count)};
  r.workspace = guarded_new(workspace);
  if (is_weight && f->bias) r.bias_out = guarded_new(filters);
  if (!is_weight && f->bias) r.epilogue.bias = b->bias_buffer;
  if (f->addend) r.epilogue.addend = pass == GF__CONV2D_FORWARD ? b->addend_buffer : r.out;
  if (r.epilogue.addend == r.out) buffer_set(r.out, b->addend, count);
  if (f->mask) r.epilogue.mask = b->mask_buffer;
  r.epilogue.activation = f->activation;
  assert_ok(gf__conv2d_run_pass(&convolution, device, pass, &r));
  answer a = {guarded_read(r.out, count, f->name), NULL};
  guarded_read(r.workspace, workspace, "the workspace");
  if (r.bias_out) a.bias = guarded_read(r.bias_out, filters, "dbias");
  gf__buffer_free(&r.out);
  gf__buffer_free(&r.workspace);
  gf__buffer_free(&r.bias_out);
  return a;
}

/* ---- the expected answer ---- */

static double leaky(double x, double slope) { return x > 0 ? x : slope * x; }

static double fuse(const fixture *b, const fusion *f, size_t i, double value) {
  size_t channels = (size_t)(f->pass == GF__CONV2D_FORWARD ? b->shape.filters : b->shape.c);
  if (f->bias) value += (double)b->bias[i % channels];
  if (f->addend) value += (double)b->addend[i];
  if (f->activation.kind == GF__ACTIVATION_NONE) return value;
  if (f->mask) return b->mask[i] > 0 ? value : value * (double)f->activation.slope;
  return leaky(value, (double)f->activation.slope);
}

/* The result of the pass in the device's layout, from one in the reference's. */
static double *arrange(const fixture *b, const fusion *f, const double *values) {
  size_t count = out_count(b, f->pass);
  double *out = doubles_new(count);
  for (size_t i = 0; i < count; i++) {
    if (f->pass == GF__CONV2D_BACKWARD_WEIGHT)
      out[device_place(&b->p->conv, i)] = values[i];
    else
      out[i] = values[i];
  }
  return out;
}

static const double *result_of(const problem_values *v, gf__conv2d_pass pass) {
  const double *const results[] = {v->y, v->dx, v->d[0]};
  return results[pass];
}

/* What rounding may be off by: that of each element, or, of a transform, that of the largest. */
static tolerance tolerance_of(const fixture *b, const gf__conv2d_algorithm *algorithm,
                              const fusion *f) {
  const double terms[] = {b->p->y_terms, b->p->dx_terms, b->p->d_terms};
  double factor = transform_factor(algorithm->name), largest = 0;
  size_t count = out_count(b, f->pass);
  double *magnitude = arrange(b, f, result_of(&b->magnitude, f->pass));
  for (size_t i = 0; i < count; i++) {
    if (f->addend) magnitude[i] += fabs((double)b->addend[i]);
    if (f->bias) magnitude[i] += 1;
    largest = fmax(largest, magnitude[i]);
  }
  for (size_t i = 0; factor > 0 && i < count; i++) magnitude[i] = largest;
  tolerance out = {magnitude, terms[f->pass], factor > 0 ? factor : 1};
  if (factor == 0 && b->integers) out.factor = 0;
  return out;
}

static void check(const fixture *b, const gf__conv2d_algorithm *algorithm, const fusion *f,
                  const char *text) {
  char name[128];
  size_t count = out_count(b, f->pass);
  snprintf(name, sizeof name, "conv2d by %s, %s, %s", algorithm->name, f->name,
           b->integers ? "whole numbers" : "fractions");
  const subject s = {name, text};
  double *expected = arrange(b, f, result_of(&b->v, f->pass));
  if (f->pass != GF__CONV2D_BACKWARD_WEIGHT)
    for (size_t i = 0; i < count; i++) expected[i] = fuse(b, f, i, expected[i]);
  tolerance allowed = tolerance_of(b, algorithm, f);
  answer got = run(b, algorithm, f);
  assert_close(&s, "the result", count, got.out, expected, &allowed);
  if (got.bias) {
    allowed.magnitude = b->magnitude.d[1];
    assert_close(&s, "dbias", (size_t)b->shape.filters, got.bias, b->v.d[1], &allowed);
  }
  if (b->integers) return;
  answer again = run(b, algorithm, f);
  assert_same(&s, "the result", count, again.out, got.out);
  if (got.bias) assert_same(&s, "dbias", (size_t)b->shape.filters, again.bias, got.bias);
}

/* ---- the tests ---- */

/* Compiling is what takes time here: algorithms that this device ranks behind
 * im2col, and so never takes by itself, are checked on every fourth case only. */
enum { RARELY = 4 };

static void check_case(const fixture *b, const gf__conv2d_algorithm *algorithm, const cases *list,
                       long *checked) {
  gf_device *device = device_test_device();
  bool is_behind = algorithm->rank(device, &b->shape) < gf__conv2d_im2col.rank(device, &b->shape);
  if (is_behind && list->count % RARELY != 1) return;
  for (size_t i = 0; i < sizeof fusions / sizeof *fusions; i++) {
    if (!algorithm->accepts(device, &b->shape, fusions[i].pass)) continue;
    check(b, algorithm, &fusions[i], list->text);
    ++*checked;
  }
}

static void test_algorithms(void **unused) {
  (void)unused;
  long checked[16] = {0}; /* passes, of each algorithm */
  cases list = {0};
  cases_open(&list, SOURCE_FOLDER "/tests/cases", "conv2d");
  while (cases_next(&list)) {
    problem p;
    problem_read(&p, problem_type_find("conv2d"), &list);
    if (list.error[0]) break;
    for (int integers = 0; integers < 2; integers++) {
      fixture b;
      fixture_open(&b, &p, integers);
      for (int k = 0; gf__conv2d_algorithms[k]; k++)
        check_case(&b, gf__conv2d_algorithms[k], &list, &checked[k]);
      fixture_close(&b);
      arrays_free();
    }
  }
  cases_close(&list);
  if (list.error[0]) fail_msg("%s", list.error);
  for (int k = 0; gf__conv2d_algorithms[k]; k++)
    if (checked[k] == 0)
      print_message("%s takes no case on this device\n", gf__conv2d_algorithms[k]->name);
  assert_true(checked[0] > 0);
}

/* im2col is what stands in where nothing else does. */
static void test_im2col_takes_everything(void **unused) {
  (void)unused;
  const gf__conv2d_shape odd = {.h = 99,
                                .w = 1,
                                .c = 1,
                                .filters = 1,
                                .kernel = {97, 1},
                                .stride = {5, 7},
                                .padding = {3, 0},
                                .dilation = {1, 9}};
  assert_string_equal(gf__conv2d_algorithms[0]->name, "im2col");
  for (gf__conv2d_pass pass = 0; pass < GF__CONV2D_PASSES; pass++)
    assert_true(gf__conv2d_algorithms[0]->accepts(device_test_device(), &odd, pass));
}

static void test_misfits(void **unused) {
  (void)unused;
  gf__conv2d_shape s = {.h = 4,
                        .w = 9,
                        .c = 1,
                        .filters = 1,
                        .kernel = {3, 2},
                        .stride = {1, 1},
                        .padding = {0, 1},
                        .dilation = {2, 1}};
  assert_int_equal(gf__conv2d_infer(&s), GF_ERROR_SHAPE);
  assert_string_equal(gf_error_message(),
                      "a 3x2 kernel with dilation 2x1 does not fit a 4x9 image "
                      "with padding 0x1");
  s.h = 5;
  assert_ok(gf__conv2d_infer(&s));
  assert_int_equal(s.out_h, 1);
  assert_int_equal(s.out_w, 10);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_algorithms),
      cmocka_unit_test(test_im2col_takes_everything),
      cmocka_unit_test(test_misfits),
  };
  return cmocka_run_group_tests(tests, device_test_open, device_test_close);
}
