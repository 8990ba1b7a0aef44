/* Clipping by the norm: its scale, and steps of a trainer
 * with it. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <gradflow.h>

#include "ops/clip.h"
#include "support/operations.h"
#include "support/test.h"

static float scale_of(size_t count, const float *values, double most) {
  gf_buffer *gradient = guarded_new(count, "the gradient"), *out = guarded_new(1, "the scale");
  gf_buffer *parts = guarded_new(gf__clip_workspace() / sizeof(float), "the workspace");
  buffer_set(gradient, values, count);
  assert_ok(gf__clip_scale(device_test_device(), (int)count, gradient, most, parts, out));
  float scale = *buffer_get(out, 1);
  assert_same(&(subject){"clip", "by norm"}, "gradient", count, buffer_get(gradient, count),
              values);
  guarded_free();
  return scale;
}

static void the_scale_is_that_of_the_reference(void **unused) {
  (void)unused;
  assert_verified("clip");
}

static void the_scale_is_that_computed_by_hand(void **unused) {
  (void)unused;
  assert_true(fabs((double)scale_of(2, (float[]){3, -4}, 1) - 1 / 5.000001) <= 1e-7);
  assert_true(scale_of(2, (float[]){3, -4}, 5.1) == 1);
  assert_true(scale_of(2, (float[]){0, 0}, 1) == 1);
  /* 1e-6 is added to the norm. */
  assert_true(fabs((double)scale_of(1, (float[]){1e-6f}, 1e-6) - 0.5) <= 1e-6);
}

/* A gradient that is not finite is left to be found. */
static void what_is_not_finite_is_not_scaled_up(void **unused) {
  (void)unused;
  assert_true(scale_of(3, (float[]){1, NAN, 3}, 1) == 1);
  assert_true(scale_of(3, (float[]){1, -INFINITY, 3}, 1) == 0);
  assert_true(scale_of(3, (float[]){1, 1e30f, 3}, 1) == 0); /* the norm is infinite */
}

/* ---- in training ---- */

enum { IMAGES = 3, CLASSES = 4, FLOATS = 6 * 6 * 3, MOST_ROWS = 8 };

typedef struct stepped {
  double moved, largest; /* L2 and largest of all weights' moves in the step */
  gf_gradient_stats rows[MOST_ROWS];
  int count;
} stepped;

/* One step of plain descent with rate 1 and the options, on what the images look like. */
static void step(const char *options, stepped *out) {
  char yaml[512];
  float images[IMAGES * FLOATS], before[1024], after[1024];
  static const int labels[IMAGES] = {0, 3, 1};
  gf_config *config;
  gf_model *model;
  gf_trainer *trainer;
  snprintf(yaml, sizeof yaml,
           "model: {graph: [{type: conv2d, filters: 5, kernel: 3}, {type: tanh}, "
           "{type: global_avg_pool}, {type: linear, outputs: %d}]}\n"
           "optimizer: {name: sgd, momentum: 0%s}\n",
           CLASSES, options);
  gf__fill_uniform(images, IMAGES * FLOATS, 3, -5, 5);
  assert_ok(gf_config_parse(&config, "net", yaml));
  assert_ok(gf_model_open(&model, device_test_device(), config, (gf_image_shape){6, 6, 3}, CLASSES,
                          IMAGES, 1));
  assert_ok(gf_trainer_open(&trainer, model, config));
  *out = (stepped){.count = gf_trainer_gradient_count(trainer)};
  assert_true(out->count <= MOST_ROWS);
  float *start[MOST_ROWS];
  for (int i = 0; i < out->count; i++) {
    start[i] = floats_new(1024);
    assert_ok(gf_model_read_parameter(model, i, start[i]));
  }
  assert_ok(gf_trainer_step(trainer, images, labels, IMAGES, 1, NULL, out->rows));
  for (int i = 0; i < out->count; i++) {
    size_t count = gf_model_parameter(model, i).count;
    memcpy(before, start[i], count * sizeof *before);
    assert_ok(gf_model_read_parameter(model, i, after));
    for (size_t k = 0; k < count; k++) {
      double move = (double)after[k] - (double)before[k];
      out->moved += move * move;
      out->largest = fmax(out->largest, fabs(move));
    }
  }
  out->moved = sqrt(out->moved);
  gf_trainer_free(&trainer);
  gf_model_free(&model);
  gf_config_free(&config);
  arrays_free();
}

static void a_step_is_as_long_as_allowed(void **unused) {
  (void)unused;
  stepped free_, clipped, loose, limited, both;
  char options[64];
  step("", &free_);
  assert_true(free_.moved > 0.02 && free_.largest > 0.002);
  snprintf(options, sizeof options, ", clip_norm: %.9g", free_.moved / 10);
  step(options, &clipped);
  assert_true(fabs(clipped.moved - free_.moved / 10) <= 1e-3 * clipped.moved);
  snprintf(options, sizeof options, ", clip_norm: %.9g", free_.moved * 2);
  step(options, &loose);
  assert_true(loose.moved == free_.moved && loose.largest == free_.largest);
  snprintf(options, sizeof options, ", clip_value: %.9g", free_.largest / 10);
  step(options, &limited);
  assert_true(fabs(limited.largest - free_.largest / 10) <= 1e-3 * limited.largest);
  assert_true(limited.moved > free_.moved / 10 && limited.moved < free_.moved);
  /* The norm first: a hundredth of each gradient is below the limit. */
  snprintf(options, sizeof options, ", clip_norm: %.9g, clip_value: %.9g", free_.moved / 100,
           free_.largest / 10);
  step(options, &both);
  assert_true(fabs(both.moved - free_.moved / 100) <= 1e-3 * both.moved);
  /* What is recorded is the gradient as it was. */
  for (int i = 0; i < free_.count; i++) {
    assert_true(clipped.rows[i].l2 == free_.rows[i].l2 && free_.rows[i].l2 > 0);
    assert_true(limited.rows[i].max_abs == free_.rows[i].max_abs);
    assert_true(clipped.rows[i].update_ratio < free_.rows[i].update_ratio / 5);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_scale_is_that_of_the_reference),
      cmocka_unit_test(the_scale_is_that_computed_by_hand),
      cmocka_unit_test(what_is_not_finite_is_not_scaled_up),
      cmocka_unit_test(a_step_is_as_long_as_allowed),
  };
  return cmocka_run_group_tests(tests, device_test_open, device_test_close);
}
