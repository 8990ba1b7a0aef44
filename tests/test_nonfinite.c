/* Steps, statistics and scores that are not finite: what is skipped leaves no trace, what is not
 * skipped ends the run, and a score that is no number makes no class. */
#define _XOPEN_SOURCE 700

#include <math.h>

#include <gradflow/data.h>
#include <gradflow/train.h>

#include "model/model.h"
#include "support/runs.h"
#include "support/test.h"
#include "train/trainer.h"

/* ---- a step that is skipped ---- */

enum { IMAGES = 6, SIDE = 8, FLOATS = SIDE * SIDE * 3, MOST_VALUES = 64 };

static const char norm_network_[] =
    "model: {graph: [{name: conv, type: conv2d, filters: 4}, {name: norm, type: batch_norm}, "
    "{type: relu}, {type: global_avg_pool}, {type: linear, outputs: 5}]}\n";

typedef struct weights {
  float values[8][MOST_VALUES * 4];
} weights;

static void read_weights(gf_model *model, weights *out) {
  memset(out, 0, sizeof *out);
  for (int i = 0; i < gf_model_parameter_count(model); i++)
    assert_ok(gf_model_read_parameter(model, i, out->values[i]));
}

static gf_batch batch_of(const float *images, const int *labels) {
  return (gf_batch){.images = images, .labels = labels, .count = IMAGES, .whole = IMAGES, .mix = 1};
}

/* A step on images of which one value is replaced. */
static void step_with(gf_trainer *trainer, float value) {
  float images[IMAGES * FLOATS];
  int labels[IMAGES] = {0, 1, 2, 3, 4, 0};
  uint32_t random = 3;
  for (int i = 0; i < IMAGES * FLOATS; i++) images[i] = next_float(&random);
  if (value != 0) images[5] = value;
  gf_batch batch = batch_of(images, labels);
  assert_ok(gf__trainer_queue_step(trainer, &batch, 0.01, 0, GF__MEASURE_NOTHING));
}

/* The running statistics took what the batch had, and kept it for good. The square of 1e30 is
 * beyond single precision, and the loss is finite all the same. */
static void a_skipped_step_leaves_no_trace(void **state) {
  (void)state;
  static const float bad[] = {NAN, INFINITY, 1e30f};
  gf_config *config = parse_config(norm_network_);
  gf_model *model;
  gf_trainer *trainer;
  weights before, after;
  assert_ok(
      gf_model_open(&model, fixture_device, config, (gf_image_shape){SIDE, SIDE, 3}, 5, IMAGES, 1));
  assert_ok(gf__trainer_open_with(&trainer, model, config,
                                  &(gf__trainer_options){.skips_nonfinite = true}));
  read_weights(model, &before);
  step_with(trainer, 0);
  read_weights(model, &after);
  assert_int_not_equal(memcmp(&before, &after, sizeof after), 0);
  assert_int_equal(gf__trainer_skipped(trainer), 0);
  before = after;
  for (int i = 0; i < 3; i++) {
    step_with(trainer, bad[i]);
    read_weights(model, &after);
    assert_memory_equal(&before, &after, sizeof after);
    assert_int_equal(gf__trainer_skipped(trainer), i + 1);
  }
  step_with(trainer, 0);
  read_weights(model, &after);
  assert_int_not_equal(memcmp(&before, &after, sizeof after), 0);
  gf_trainer_free(&trainer);
  gf_model_free(&model);
  gf_config_free(&config);
}

/* ---- runs ---- */

/* Values of some 1e18 come into the norm: their squares are finite, and the sum of these is not.
 * The norm's output is 0, and the loss that of guessing. */
static const char overflow_[] =
    "model: {initialisation: orthogonal, orthogonal_gain: 1000, graph: ["
    "{name: a, type: conv2d, filters: 3, stride: 2}, {name: b, type: conv2d, filters: 3}, "
    "{name: c, type: conv2d, filters: 3}, {name: d, type: conv2d, filters: 4, kernel: 1}, "
    "{name: e, type: conv2d, filters: 4, kernel: 1}, {name: norm, type: batch_norm}, "
    "{type: global_avg_pool}, {type: linear, outputs: 100}]}\n";

static gf_config *overflowing(const char *setting) {
  gf_config *config = config_of(overflow_, "");
  assert_ok(gf_config_set(config, "data.std=[3e-5]"));
  assert_ok(gf_config_set(config, setting));
  return config;
}

/* It ended with a validation loss of nan and with success. */
static void running_statistics_that_are_not_finite_end_a_run(void **state) {
  (void)state;
  assert_fails(GF_ERROR_NONFINITE,
               "the running statistics of a batch norm are not finite after epoch 1 (learning rate "
               "0.001); the first from the input: norm.running_var. No epoch was finished. Try a "
               "lower optimizer.learning_rate",
               train(overflowing("train.on_nonfinite=stop"), "overflow", NULL));
  gf_run_state run;
  assert_ok(gf_run_read_state(in_folder("overflow"), &run));
  assert_int_equal(run.status, GF_RUN_DIVERGED);
}

static void an_epoch_of_skipped_steps_ends_a_run(void **state) {
  (void)state;
  assert_fails(GF_ERROR_NONFINITE,
               "all 6 steps of epoch 1 were not finite and have been skipped (learning rate "
               "0.001). No epoch was finished. Try a lower optimizer.learning_rate",
               train(overflowing("train.on_nonfinite=skip"), "all_skipped", NULL));
}

/* ---- scores ---- */

static char warning_[512];

static void keep_warning(void *user, gf_log_level level, const char *message) {
  (void)user;
  if (level == GF_LOG_WARNING) snprintf(warning_, sizeof warning_, "%s", message);
}

/* All scores of class 0 are NaN, and each image was counted as of class 0. */
static void a_score_that_is_no_number_makes_no_class(void **state) {
  (void)state;
  gf_model *model;
  gf_test_result result;
  char expected[512], path[256];
  gf_config *config = config_of(norm_network_, "");
  assert_ok(gf_config_set(config,
                          "model.graph=[{type: global_avg_pool}, {name: last, type: "
                          "linear, outputs: 100}]"));
  assert_ok(gf_config_set(config, "train.epochs=1"));
  assert_ok(train_with(config, "scores", NULL));
  assert_ok(
      gf_model_open(&model, fixture_device, config, (gf_image_shape){32, 32, 3}, CLASSES, 1, 0));
  float bias[CLASSES] = {NAN};
  assert_ok(gf_model_write_parameter(model, 1, bias));
  assert_ok(gf_model_save(model, in_folder("scores/best.safetensors")));
  gf_model_free(&model);
  gf_config_free(&config);
  snprintf(path, sizeof path, "%s", in_folder("scores"));
  gf_log_to(keep_warning, NULL);
  assert_ok(gf_test(fixture_device, path, &result));
  gf_log_to(NULL, NULL);
  assert_int_equal(result.images, TESTED);
  assert_true(isnan(result.loss));
  assert_true(result.accuracy == 0);
  assert_true(result.class_images[0] > 0 && result.class_accuracy[0] == 0);
  assert_true(result.top5_accuracy == 0);
  for (int c = 0; c < CLASSES; c++)
    assert_int_equal(result.confusion[c * (CLASSES + 1) + CLASSES], result.class_images[c]);
  gf_test_result_free(&result);
  snprintf(expected, sizeof expected,
           "%s: the scores of 70 of 70 images are not numbers and count for no class: its weights "
           "are of a run that diverged",
           path);
  assert_string_equal(warning_, expected);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_skipped_step_leaves_no_trace),
      cmocka_unit_test(running_statistics_that_are_not_finite_end_a_run),
      cmocka_unit_test(an_epoch_of_skipped_steps_ends_a_run),
      cmocka_unit_test(a_score_that_is_no_number_makes_no_class),
  };
  return cmocka_run_group_tests_name("nonfinite", tests, open_all, fixture_close);
}
