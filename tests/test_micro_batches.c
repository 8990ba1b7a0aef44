/* Batches that the device has no memory for go through in micro-batches; steps that are not finite
 * are skipped where that is wanted. */
#include "device/device.h"
#include "support/runs.h"
#include "support/test.h"
#include "support/warnings.h"

static const char network_[] =
    "model: {graph: [{name: conv, type: conv2d, filters: 8, padding: 1}, {type: leaky_relu}, "
    "{type: dropout, p: 0.3}, {type: avg_pool, kernel: 2}, {name: deep, type: conv2d, filters: "
    "8, groups: 8}, {name: conv2, type: conv2d, filters: 4, groups: 2}, "
    "{type: tanh}, {type: global_avg_pool}, {type: linear, outputs: 100}]}\n";

static gf_status train_noting(gf_config *config, const char *out) {
  keep_warnings(FEW_IMAGES);
  gf_status status = train(config, out, NULL);
  gf_log_to(NULL, NULL);
  return status;
}

/* The device as if it had less memory. */
static gf_device_info *info(void) { return (gf_device_info *)gf_device_describe(fixture_device); }

static size_t planned(const char *more) {
  gf_dry_run dry;
  gf_config *config = config_of(network_, more);
  assert_ok(gf_train_dry_run(fixture_device, config, &dry));
  gf_config_free(&config);
  assert_int_equal(dry.batch_size, BATCH);
  assert_int_equal(dry.planned, dry.allocated);
  return dry.planned;
}

static void micro_batches_of_a_batch_are_the_batch(void **state) {
  (void)state;
  static const char *const settings[] = {"", "optimizer: {name: sgd, clip_norm: 0.01}\n",
                                         "optimizer: {name: rmsprop}\n"};
  size_t memory = info()->memory;
  for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
    char whole[32], micro[32];
    snprintf(whole, sizeof whole, "whole-%zu", i);
    snprintf(micro, sizeof micro, "micro-%zu", i);
    gf_config *config = config_of(network_, settings[i]), *again = config_of(network_, settings[i]);
    if (i == 0) {
      assert_ok(gf_config_set(config, "data.mixup=0.4"));
      assert_ok(gf_config_set(again, "data.mixup=0.4"));
    }
    assert_ok(train_noting(config, whole));
    assert_string_equal(kept_warnings, "");
    size_t all = planned(settings[i]);
    info()->memory = all / 3;
    gf_status status = train_noting(again, micro);
    size_t less = status == GF_OK ? planned(settings[i]) : 0;
    info()->memory = memory;
    assert_int_equal(status, GF_OK);
    assert_true(less <= all / 3);
    assert_string_equal(kept_warnings,
                        "the device has no memory for a batch of 50: its gradient is added up "
                        "over micro-batches of 16 images; batch norm sees one of them at a time\n");
    compare_run_csv(micro, whole, "metrics.csv", 1e-5);
    compare_run_csv(micro, whole, "gradients.csv", 2e-3);
    assert_false(is_same(micro, whole, "last.safetensors"));
  }
}

/* ---- host memory ---- */

/* The build lets the library's allocations come here. */
void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t size);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t size);

static long until_failure_; /* allocations; 0: none fails */

static bool allocation_fails(void) { return until_failure_ > 0 && --until_failure_ == 0; }

void *__wrap_malloc(size_t bytes) { return allocation_fails() ? NULL : __real_malloc(bytes); }

void *__wrap_calloc(size_t count, size_t size) {
  return allocation_fails() ? NULL : __real_calloc(count, size);
}

/* One allocation of the host fails at a time, from the first on until none is left to fail. A
 * smaller batch would not help, and would be another computation without anyone having asked. */
static void missing_host_memory_shrinks_no_batch(void **state) {
  (void)state;
  long failed = 0, most = 5000;
  size_t before = gf__device_allocated(fixture_device);
  gf_dry_run dry;
  gf_config *config = config_of(network_, "");
  assert_ok(gf_train_dry_run(fixture_device, config, &dry));
  for (long at = 1; at <= most; at++) {
    until_failure_ = at;
    gf_status status = gf_train_dry_run(fixture_device, config, &dry);
    bool is_past_the_last = until_failure_ > 0;
    until_failure_ = 0;
    if (status == GF_OK) assert_int_equal(dry.micro_batch, BATCH);
    if (status != GF_OK && status != GF_ERROR_MEMORY)
      fail_msg("allocation %ld: %s: %s", at, gf_status_name(status), gf_error_message());
    assert_int_equal(gf__device_allocated(fixture_device), before);
    failed += status == GF_ERROR_MEMORY;
    if (is_past_the_last) break;
  }
  gf_config_free(&config);
  assert_true(failed > 50 && failed < most);
}

static void a_network_that_never_fits_is_an_error(void **state) {
  (void)state;
  size_t memory = info()->memory;
  info()->memory = 10000;
  gf_status status = train_noting(config_of(network_, ""), "never");
  info()->memory = memory;
  assert_int_equal(status, GF_ERROR_DEVICE_MEMORY);
  assert_non_null(strstr(gf_error_message(), "a batch of 4 images needs "));
  assert_false(gf__path_exists(in_folder("never")));
}

static void steps_that_are_not_finite_are_skipped(void **state) {
  (void)state;
  /* Without a tanh, and at a rate at which weights grow by a million a step: the logits of the
   * fourth step at the latest are not finite, in whatever order a device sums. */
  static const char network[] =
      "model: {graph: [{name: conv, type: conv2d, filters: 8, padding: 1}, {type: leaky_relu}, "
      "{name: conv2, type: conv2d, filters: 4}, {type: global_avg_pool}, {type: linear, outputs: "
      "100}]}\n";
  static const char wild[] =
      "optimizer: {name: sgd, learning_rate: 1000, weight_decay: 1000, momentum: 0}\n"
      "schedule: {name: constant}\n";
  /* One epoch, as of the second no step is finite. */
  gf_config *stopped = config_of(network, wild), *config = config_of(network, wild);
  assert_ok(gf_config_set(stopped, "train.epochs=1"));
  assert_ok(gf_config_set(config, "train.epochs=1"));
  assert_int_equal(train_noting(stopped, "stopped"), GF_ERROR_NONFINITE);
  assert_ok(gf_config_set(config, "train.on_nonfinite=skip"));
  assert_ok(train_noting(config, "skipped"));
  assert_non_null(strstr(kept_warnings, " steps were not finite and have been skipped\n"));
  gf_run_state run;
  assert_ok(gf_run_read_state(in_folder("skipped"), &run));
  assert_int_equal(run.status, GF_RUN_FINISHED);
  assert_true(isfinite(run.last.train_loss));
  /* The weights are those of the last step that was finite. */
  gf_model *model = NULL;
  config = config_of(network, "");
  assert_ok(
      gf_model_open(&model, fixture_device, config, (gf_image_shape){32, 32, 3}, CLASSES, 1, 0));
  assert_ok(gf_model_load(model, in_folder("skipped/last.safetensors")));
  float weights[8 * 27];
  assert_ok(gf_model_read_parameter(model, 0, weights));
  int nonfinite = 0;
  for (int i = 0; i < 8 * 27; i++) nonfinite += !isfinite(weights[i]);
  assert_int_equal(nonfinite, 0);
  gf_model_free(&model);
  gf_config_free(&config);
}

static void skipping_changes_no_finite_run(void **state) {
  (void)state;
  gf_config *config = config_of(network_, "");
  assert_ok(gf_config_set(config, "train.on_nonfinite=skip"));
  assert_ok(train_noting(config, "careful"));
  assert_ok(train_noting(config_of(network_, ""), "careless"));
  assert_true(is_same("careful", "careless", "last.safetensors"));
  assert_true(is_same("careful", "careless", "gradients.csv"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(micro_batches_of_a_batch_are_the_batch),
      cmocka_unit_test(missing_host_memory_shrinks_no_batch),
      cmocka_unit_test(a_network_that_never_fits_is_an_error),
      cmocka_unit_test(steps_that_are_not_finite_are_skipped),
      cmocka_unit_test(skipping_changes_no_finite_run),
  };
  return cmocka_run_group_tests_name("micro_batches", tests, open_all, fixture_close);
}
