/* The statistics of gradients: of tensors of every size of number, and of a step of training. */
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include <gradflow/train.h>

#include "ops/statistics.h"
#include "reference.h"
#include "support/operations.h"
#include "support/test.h"

/* ---- the kernels ---- */

enum { GAP = 5 /* floats between tensors, which belong to none */, MOST_TENSORS = 8 };

/* One tensor: size values, the first of them different. */
typedef struct tensor {
  const char *what;
  int size;
  float value, first;
} tensor;

static int place_tensors(const tensor *tensors, int count, int ranges[2 * MOST_TENSORS]) {
  int total = 0;
  for (int t = 0; t < count; t++) {
    ranges[2 * t] = total + GAP;
    ranges[2 * t + 1] = tensors[t].size;
    total += GAP + tensors[t].size;
  }
  return total + GAP;
}

static void make_tensor(const tensor *t, float *out) {
  for (int i = 0; i < t->size; i++) out[i] = i % 2 ? -t->value : t->value;
  out[0] = t->first;
}

/* The statistics of tensors that lie with gaps in flat buffers; w is 2 and was
 * 1.5, and the gaps are NaN. */
static void run(const tensor *tensors, int count, gf__statistics_sums *out) {
  int ranges[2 * MOST_TENSORS];
  int total = place_tensors(tensors, count, ranges);
  size_t floats = (size_t)total, sums = (size_t)count * sizeof *out / sizeof(float);
  float *gradient = floats_new(floats), *w = floats_new(floats), *old = floats_new(floats);
  for (int i = 0; i < total; i++) gradient[i] = w[i] = old[i] = NAN;
  for (int t = 0; t < count; t++) {
    make_tensor(&tensors[t], gradient + ranges[2 * t]);
    for (int i = 0; i < ranges[2 * t + 1]; i++) {
      w[ranges[2 * t] + i] = 2;
      old[ranges[2 * t] + i] = 1.5f;
    }
  }
  gf_buffer *on_device[3], *places, *result = guarded_new(sums, "the sums");
  gf_buffer *workspace =
      guarded_new(gf__statistics_workspace(count) / sizeof(float), "the workspace");
  const float *const host[] = {gradient, w, old};
  for (int i = 0; i < 3; i++) {
    on_device[i] = guarded_new(floats, "an operand");
    buffer_set(on_device[i], host[i], floats);
  }
  size_t bytes = 2 * (size_t)count * sizeof *ranges;
  assert_ok(gf__buffer_new(&places, device_test_device(), bytes, "a test"));
  assert_ok(gf__buffer_write(places, 0, bytes, ranges));
  assert_ok(gf__statistics(device_test_device(), count, on_device[0], on_device[1], on_device[2],
                           places, workspace, result));
  memcpy(out, buffer_get(result, sums), sums * sizeof(float));
  guarded_free();
  gf__buffer_free(&places);
  arrays_free();
}

static double l2_of(const gf__statistics_sums *s) {
  return sqrt((double)s->squares + (double)s->small_squares * 0x1p-120);
}

/* size values are summed one after the other. */
static void expect(const tensor *t, const char *what, double got, double expected) {
  double bound = FLT_EPSILON * (4 + 2 * sqrt(t->size)) * fabs(expected);
  if (!(fabs(got - expected) <= bound))
    fail_msg("%s: %s is %.9g and not %.9g", t->what, what, got, expected);
}

static void sums_of_known_tensors_are_right(void **unused) {
  (void)unused;
  static const tensor tensors[] = {
      {"ones", 1000, 1, 0},
      {"zeros", 37, 0, 0},
      {"one zero", 1, 0, 0},
      {"one number", 1, 0, -3},
      {"vanishing", 1001, 1e-30f, 2e-30f},
      {"vanishing beside ordinary", 17, 1e-30f, 0.5f},
      {"on both sides of what squares can hold", 16, 8e-13f, 1e-12f},
      {"exploding", 999, 1e15f, -3e15f},
  };
  const int count = sizeof tensors / sizeof *tensors;
  gf__statistics_sums sums[sizeof tensors / sizeof *tensors];
  run(tensors, count, sums);
  for (int k = 0; k < count; k++) {
    const tensor *t = &tensors[k];
    const gf__statistics_sums *s = &sums[k];
    double value = (double)t->value, first = fabs((double)t->first), others = t->size - 1;
    expect(t, "the sum of |g|", (double)s->absolute, first + others * value);
    expect(t, "the norm", l2_of(s), sqrt(first * first + others * value * value));
    expect(t, "the largest |g|", (double)s->maximum, others > 0 ? fmax(first, value) : first);
    expect(t, "the number of zeros", (double)s->zeros, (first == 0) + (value == 0 ? others : 0));
    expect(t, "the number of non-finite ones", (double)s->nonfinite, 0);
    expect(t, "the sum of w^2", (double)s->weight_squares, 2.25 * t->size);
    expect(t, "the sum of (w - old)^2", (double)s->update_squares, 0.25 * t->size);
  }
}

static void statistics_equal_the_reference(void **unused) {
  (void)unused;
  assert_verified("statistics/gradients");
}

/* Gradients whose squares leave the range of floats still have a mean and a largest one. */
static void huge_values_do_not_overflow(void **unused) {
  (void)unused;
  const tensor t = {"huge", 100, 1e30f, 5e30f};
  gf__statistics_sums s;
  run(&t, 1, &s);
  expect(&t, "the sum of |g|", (double)s.absolute, 5e30 + 99 * 1e30);
  expect(&t, "the largest |g|", (double)s.maximum, 5e30);
  assert_true(s.nonfinite == 0 && s.zeros == 0);
}

static void values_that_are_not_finite_are_counted(void **unused) {
  (void)unused;
  const tensor tensors[] = {{"NaN", 100, 1, NAN},
                            {"infinity", 100, 1, -INFINITY},
                            {"infinities", 50, INFINITY, 0},
                            {"a neighbour of those", 100, 1, 1}};
  gf__statistics_sums s[4];
  run(tensors, 4, s);
  assert_true(s[0].nonfinite == 1 && s[1].nonfinite == 1 && s[2].nonfinite == 49);
  assert_true(s[2].zeros == 1);
  assert_true(s[1].maximum == INFINITY && s[2].maximum == INFINITY);
  assert_false(isfinite(s[0].absolute));
  assert_false(isfinite(s[1].absolute));
  assert_true(s[3].nonfinite == 0);
  expect(&tensors[3], "the sum of |g|", (double)s[3].absolute, 100);
  expect(&tensors[3], "the norm", l2_of(&s[3]), 10);
}

/* ---- a step of training ---- */

enum { SIDE = 8, COLOURS = 3, CLASSES = 5, BATCH = 4, PIXELS = SIDE * SIDE * COLOURS };

static const char *const config_text =
    "model:\n  family: vgg_stages\n  algorithm: direct\n  stages: 2\n  blocks_per_stage: 1\n"
    "  filters: 5\n  activation: relu\n"
    "optimizer:\n  name: adam\n";

static float *read(gf_model *model, int index, bool gradient) {
  float *out = floats_new(gf_model_parameter(model, index).count);
  if (gradient)
    assert_ok(gf_model_read_gradient(model, index, out));
  else
    assert_ok(gf_model_read_parameter(model, index, out));
  return out;
}

static double norm_of_difference(const float *a, const float *b, size_t count) {
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += pow((double)a[i] - (b ? (double)b[i] : 0), 2);
  return sqrt(sum);
}

static void expect_row(const gf_gradient_stats *row, const gf_parameter_info *p,
                       const float *gradient, const float *old, const float *new) {
  const tensor t = {p->name, (int)p->count, 0, 0};
  ref_statistics s = ref_statistics_of(p->count, doubles_from(gradient, p->count));
  assert_string_equal(row->parameter, p->name);
  assert_string_equal(row->layer, p->layer);
  assert_int_equal(row->is_weight, p->is_weight);
  expect(&t, "mean |g|", row->mean_abs, s.mean_abs);
  expect(&t, "the norm", row->l2, s.l2);
  expect(&t, "the largest |g|", row->max_abs, s.max_abs);
  expect(&t, "the share of zeros", row->zeros, s.zero_fraction);
  assert_int_equal(row->nonfinite, 0);
  double before = norm_of_difference(old, NULL, p->count);
  if (before > 0)
    expect(&t, "the update's ratio", row->update_ratio,
           norm_of_difference(new, old, p->count) / before);
  else
    assert_true(isnan(row->update_ratio)); /* the shift of a norm begins as 0 */
}

static void the_step_has_statistics(void **unused) {
  (void)unused;
  gf_config *config;
  gf_model *model;
  gf_trainer *trainer;
  gf_gradient_stats rows[64];
  gf_loss loss, before;
  float images[BATCH * PIXELS], *old[64];
  const int labels[BATCH] = {1, 4, 0, 1};
  gf__fill_uniform(images, BATCH * PIXELS, 0, -1, 1);
  assert_ok(gf_config_parse(&config, "test", config_text));
  assert_ok(gf_model_open(&model, device_test_device(), config,
                          (gf_image_shape){SIDE, SIDE, COLOURS}, CLASSES, BATCH, 1));
  assert_ok(gf_trainer_open(&trainer, model, config));
  const int count = gf_trainer_gradient_count(trainer);
  assert_in_range(count, 10, 64);
  assert_ok(gf_model_forward(model, images, labels, BATCH, 1, &before));
  for (int i = 0; i < count; i++) old[i] = read(model, i, false);
  assert_ok(gf_trainer_step(trainer, images, labels, BATCH, 1e-2, &loss, rows));
  assert_true(loss.loss == before.loss && loss.correct == before.correct);
  bool some_zeros = false;
  for (int i = 0; i < count; i++) {
    gf_parameter_info p = gf_model_parameter(model, i);
    assert_true(p.trainable);
    expect_row(&rows[i], &p, read(model, i, true), old[i], read(model, i, false));
    some_zeros |= rows[i].zeros > 0;
    assert_true(rows[i].l2 > 0);
  }
  assert_true(some_zeros); /* of ReLU; without them their share would be untested */
  /* A step without statistics is the same step. */
  assert_ok(gf_trainer_step(trainer, images, labels, BATCH, 1e-2, &loss, NULL));
  assert_true(loss.loss < before.loss);
  gf_trainer_free(&trainer);
  gf_model_free(&model);
  gf_config_free(&config);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sums_of_known_tensors_are_right),
      cmocka_unit_test(statistics_equal_the_reference),
      cmocka_unit_test(huge_values_do_not_overflow),
      cmocka_unit_test(values_that_are_not_finite_are_counted),
      cmocka_unit_test(the_step_has_statistics),
  };
  return cmocka_run_group_tests(tests, device_test_open, device_test_close);
}
