/* Every optimizer of the table against its reference in double precision, against steps worked out
 * by hand, and with clipping. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "support/operations.h"
#include "support/test.h"
#include "train/optimizers.h"

enum { COUNT = 1037, STEPS = 20, STATES = 2 }; /* a count that fills no work-group */

/* What the config says, for the reference. */
typedef struct settings {
  const char *name, *options; /* options: further lines of the section */
  double weight_decay, beta1, beta2, eps, momentum, alpha;
  int nesterov;
} settings;

static const settings cases_[] = {
    {"adam", "", 0, 0.9, 0.999, 1e-8, 0, 0, 0},
    {"adam", "  weight_decay: 0.01\n", 0.01, 0.9, 0.999, 1e-8, 0, 0, 0},
    {"adam", "  beta1: 0.5\n  beta2: 0.75\n  eps: 1e-3\n", 0, 0.5, 0.75, 1e-3, 0, 0, 0},
    {"adam", "  beta1: 0\n", 0, 0, 0.999, 1e-8, 0, 0, 0},
    {"adamw", "", 0, 0.9, 0.999, 1e-8, 0, 0, 0},
    {"adamw", "  weight_decay: 0.5\n", 0.5, 0.9, 0.999, 1e-8, 0, 0, 0},
    {"adamw", "  weight_decay: 2\n  beta1: 0.5\n  eps: 1e-3\n", 2, 0.5, 0.999, 1e-3, 0, 0, 0},
    {"sgd", "", 0, 0, 0, 0, 0.9, 0, 0},
    {"sgd", "  momentum: 0\n", 0, 0, 0, 0, 0, 0, 0},
    {"sgd", "  weight_decay: 0.1\n  momentum: 0.5\n", 0.1, 0, 0, 0, 0.5, 0, 0},
    {"sgd", "  nesterov: true\n", 0, 0, 0, 0, 0.9, 0, 1},
    {"sgd", "  nesterov: true\n  weight_decay: 0.1\n  momentum: 0.5\n", 0.1, 0, 0, 0, 0.5, 0, 1},
    {"rmsprop", "", 0, 0, 0, 1e-8, 0, 0.99, 0},
    {"rmsprop", "  weight_decay: 0.1\n  momentum: 0.9\n", 0.1, 0, 0, 1e-8, 0.9, 0.99, 0},
    {"rmsprop", "  alpha: 0.5\n  eps: 1e-3\n", 0, 0, 0, 1e-3, 0, 0.5, 0},
};

/* An optimizer on the device, with its count weights and state. */
typedef struct runner {
  gf__optimizer_config config;
  const gf__optimizer *optimizer;
  size_t count;
  gf_buffer *w, *gradient, *state[STATES];
  const gf_buffer *scale; /* of clipping, or NULL */
  double limit;
} runner;

static void runner_open(runner *r, const settings *o, size_t count, const float *w) {
  char text[256];
  gf_config *config;
  snprintf(text, sizeof text, "optimizer:\n  name: %s\n%s", o->name, o->options);
  assert_ok(gf_config_parse(&config, "test", text));
  *r = (runner){
      .count = count, .w = guarded_new(count, "w"), .gradient = guarded_new(count, "the gradient")};
  assert_ok(gf__optimizer_config_read(&r->config, config));
  gf_config_free(&config);
  r->optimizer = gf__optimizers[r->config.kind];
  assert_string_equal(r->optimizer->name, o->name);
  assert_true(r->config.weight_decay == o->weight_decay);
  for (int i = 0; i < r->optimizer->states; i++) {
    r->state[i] = guarded_new(count, "the state");
    buffer_set(r->state[i], memset(floats_new(count), 0, count * sizeof(float)), count);
  }
  buffer_set(r->w, w, count);
}

static void runner_step(runner *r, int t, double rate, const float *gradient) {
  const gf__optimizer_step step = {.t = t,
                                   .count = (int)r->count,
                                   .w = r->w,
                                   .gradient = r->gradient,
                                   .first = r->state[0],
                                   .second = r->state[1],
                                   .learning_rate = rate,
                                   .weight_decay = r->config.weight_decay,
                                   .clip_scale = r->scale,
                                   .clip_value = r->limit};
  buffer_set(r->gradient, gradient, r->count);
  assert_ok(r->optimizer->step(device_test_device(), &step, r->config.options));
}

static void runner_close(runner *r) {
  gf__optimizer_config_free(&r->config);
  guarded_free();
}

static void optimizers_equal_their_references(void **unused) {
  (void)unused;
  for (int i = 0; gf__optimizers[i]; i++) {
    char only[96];
    snprintf(only, sizeof only, "%s/step", gf__optimizers[i]->name);
    assert_verified(only);
  }
}

/* ---- by hand ---- */

static void expect_steps(const settings *o, double rate, float w, const float *gradients,
                         const double *expected, int steps) {
  runner r;
  runner_open(&r, o, 1, &w);
  for (int t = 1; t <= steps; t++) {
    runner_step(&r, t, rate, &gradients[t - 1]);
    float got = *buffer_get(r.w, 1);
    if (!(fabs((double)got - expected[t - 1]) <= 1e-6))
      fail_msg("%s, step %d: w is %.9g and not %.9g", o->name, t, (double)got, expected[t - 1]);
  }
  runner_close(&r);
  arrays_free();
}

/* A constant gradient: both means are it and its square at every step, whatever
 * its size is, and so each step is the learning rate. */
static void adam_is_as_computed_by_hand(void **unused) {
  (void)unused;
  const settings defaults = {"adam", "  eps: 0\n", 0, 0.9, 0.999, 0, 0, 0, 0};
  expect_steps(&defaults, 0.125, 1, (float[]){-1e-6f, -1e-6f, -1e-6f},
               (double[]){1.125, 1.25, 1.375}, 3);
  /* m = 1/2, then 1/4 - 3/2; v = 1/4, then 3/16 + 9/4; divided by 3/4 and by 7/16. */
  const settings halves = {"adam", "  beta1: 0.5\n  beta2: 0.75\n  eps: 0\n", 0, 0.5, 0.75, 0, 0, 0,
                           0};
  expect_steps(&halves, 1, 2, (float[]){1, -3}, (double[]){1, 1 + 5.0 / 3 / sqrt(39.0 / 7)}, 2);
  /* Decay alone: g = 1 and then 1/2; m = 1/2, v = 1/4 at both. */
  const settings decay = {"adam", "  beta1: 0.5\n  beta2: 0.75\n  eps: 0\n  weight_decay: 0.5\n",
                          0.5,    0.5,
                          0.75,   0,
                          0,      0,
                          0};
  expect_steps(&decay, 1, 2, (float[]){0, 0}, (double[]){1, 1 - 2.0 / 3 / sqrt(4.0 / 7)}, 2);
  /* eps as large as the gradient halves the step; so does PyTorch's, which adds it after the
   * correction of the second mean. */
  const settings eps = {"adam", "  eps: 0.25\n", 0, 0.9, 0.999, 0.25, 0, 0, 0};
  expect_steps(&eps, 1, 1, (float[]){0.25f, 0.25f}, (double[]){0.5, 0}, 2);
}

static void sgd_is_as_computed_by_hand(void **unused) {
  (void)unused;
  const settings momentum = {"sgd", "  momentum: 0.5\n", 0, 0, 0, 0, 0.5, 0, 0};
  expect_steps(&momentum, 0.25, 1, (float[]){1, 2, 0}, (double[]){0.75, 0.125, -0.1875}, 3);
  const settings decay = {"sgd", "  momentum: 0\n  weight_decay: 0.5\n", 0.5, 0, 0, 0, 0, 0, 0};
  expect_steps(&decay, 0.5, 4, (float[]){1, 0}, (double[]){2.5, 1.875}, 2);
  /* v = 1, 5/2, 5/4; the steps are g + v / 2 = 3/2, 13/4, 5/8. */
  const settings nesterov = {"sgd", "  momentum: 0.5\n  nesterov: true\n", 0, 0, 0, 0, 0.5, 0, 1};
  expect_steps(&nesterov, 0.25, 1, (float[]){1, 2, 0}, (double[]){0.625, -0.1875, -0.34375}, 3);
}

/* The decay takes rate * decay of the weights, whatever the gradient's means are: a quarter of 4
 * with no gradient, and of 3 beside a step of the whole rate. */
static void adamw_is_as_computed_by_hand(void **unused) {
  (void)unused;
  const settings decay = {
      "adamw", "  beta1: 0\n  eps: 0.5\n  weight_decay: 0.5\n", 0.5, 0, 0.999, 0.5, 0, 0, 0};
  expect_steps(&decay, 0.5, 4, (float[]){0}, (double[]){3}, 1);
  const settings moved = {
      "adamw", "  beta2: 0.75\n  eps: 0\n  weight_decay: 0.5\n", 0.5, 0.9, 0.75, 0, 0, 0, 0};
  expect_steps(&moved, 0.5, 4, (float[]){-8, -8}, (double[]){3.5, 3.125}, 2);
}

/* s = 4 / 4, then 3 / 4 + 1 / 4; v = 2 / (1 + 1), then half of that and 1 / (1 + 1). */
static void rmsprop_is_as_computed_by_hand(void **unused) {
  (void)unused;
  const settings o = {
      "rmsprop", "  alpha: 0.75\n  eps: 1\n  momentum: 0.5\n", 0, 0, 0, 1, 0.5, 0.75, 0};
  expect_steps(&o, 1, 1, (float[]){2, 1}, (double[]){0, -1}, 2);
}

/* ---- clipping ---- */

static void step_clipped(const settings *o, const float *w, const float *gradient, float scale,
                         double limit, float *out) {
  runner r;
  gf_buffer *buffer = guarded_new(1, "the scale");
  runner_open(&r, o, COUNT, w);
  buffer_set(buffer, &scale, 1);
  r.scale = scale < 1 ? buffer : NULL;
  r.limit = limit;
  for (int t = 1; t <= 2; t++) runner_step(&r, t, 1e-2, gradient);
  memcpy(out, buffer_get(r.w, COUNT), COUNT * sizeof *out);
  assert_same(&(subject){o->name, "clipped"}, "gradient", COUNT, buffer_get(r.gradient, COUNT),
              gradient);
  runner_close(&r);
}

/* Clipping inside the step is the step with a clipped gradient, to the bit. */
static void every_optimizer_clips(void **unused) {
  (void)unused;
  const float scale = 0.3f, limit = 0.05f;
  for (size_t k = 0; k < sizeof cases_ / sizeof *cases_; k++) {
    float *w = floats_new(COUNT), *gradient = floats_new(COUNT), *clipped = floats_new(COUNT);
    float *got = floats_new(COUNT), *expected = floats_new(COUNT);
    int limited = 0;
    gf__fill_uniform(w, COUNT, 0, -1, 1);
    gf__fill_uniform(gradient, COUNT, 1, -1, 1);
    for (size_t i = 0; i < COUNT; i++) {
      float g = gradient[i] * scale;
      limited += fabsf(g) > limit;
      clipped[i] = fminf(fmaxf(g, -limit), limit);
    }
    assert_in_range(limited, COUNT / 2, COUNT - 100);
    step_clipped(&cases_[k], w, gradient, scale, (double)limit, got);
    step_clipped(&cases_[k], w, clipped, 1, 0, expected);
    assert_same(&(subject){cases_[k].name, cases_[k].options}, "w", COUNT, got, expected);
    arrays_free();
  }
}

/* What is not a number must not look like one. */
static void clipping_keeps_nan(void **unused) {
  (void)unused;
  const settings o = {"sgd", "  momentum: 0\n", 0, 0, 0, 0, 0, 0, 0};
  float *w = floats_new(COUNT), *gradient = floats_new(COUNT), *got = floats_new(COUNT);
  for (size_t i = 0; i < COUNT; i++) gradient[i] = i == 5 ? NAN : 1;
  step_clipped(&o, w, gradient, 1, 0.5, got);
  for (size_t i = 0; i < COUNT; i++) assert_int_equal(isnan(got[i]), i == 5);
  arrays_free();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(optimizers_equal_their_references),
      cmocka_unit_test(adam_is_as_computed_by_hand),
      cmocka_unit_test(sgd_is_as_computed_by_hand),
      cmocka_unit_test(adamw_is_as_computed_by_hand),
      cmocka_unit_test(rmsprop_is_as_computed_by_hand),
      cmocka_unit_test(every_optimizer_clips),
      cmocka_unit_test(clipping_keeps_nan),
  };
  return cmocka_run_group_tests(tests, device_test_open, device_test_close);
}
