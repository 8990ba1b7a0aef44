/* A device that fails in the middle of a run: one clear message, nothing leaks, and the run goes
 * on later to the bit. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include "device/device.h"
#include "support/icd.h"
#include "support/runs.h"
#include "support/test.h"

static const char network_[] =
    "model: {graph: [{name: conv, type: conv2d, filters: 4, stride: 2}, {type: batch_norm}, "
    "{type: relu}, {type: dropout, p: 0.3}, {type: global_avg_pool}, {type: linear, outputs: "
    "100}]}\n";

static gf_status run(const char *out) {
  char path[256];
  snprintf(path, sizeof path, "%s", in_folder(out));
  gf_train_options options = {
      .out = path, .resume = 1, .checkpoint_steps = 4, .keep_checkpoints = 2};
  gf_config *config = config_of(network_, "");
  gf_status status = gf_train(fixture_device, config, &options);
  gf_config_free(&config);
  return status;
}

static void check_fault(const char *entry, long at, gf_status expected, const char *error) {
  char out[64], fault[128];
  size_t before = gf__device_allocated(fixture_device);
  snprintf(out, sizeof out, "%s-%ld", entry, at);
  snprintf(fault, sizeof fault, "fail=%s:%ld+:%s", entry, at, error);
  icd->set(fault);
  gf_status status = run(out);
  icd->set("");
  if (status != expected || !strstr(gf_error_message(), error))
    fail_msg("%s: status %d, %s", fault, status, gf_error_message());
  assert_int_equal(gf__device_allocated(fixture_device), before);
  assert_ok(run(out));
  assert_true(is_same(out, "whole", "last.safetensors"));
  assert_true(is_same(out, "whole", "metrics.csv"));
  assert_true(is_same(out, "whole", "gradients.csv"));
  assert_ok(gf__remove_folder(in_folder(out)));
}

/* Some calls of a run, or all of them where GRADFLOW_SOAK is set. */
static void a_device_that_goes_away_loses_nothing(void **state) {
  (void)state;
  static const struct {
    const char *entry, *error;
    gf_status status;
    long calls; /* at least */
  } faults[] = {
      {"clEnqueueNDRangeKernel", "CL_DEVICE_NOT_AVAILABLE", GF_ERROR_DEVICE, 300},
      {"clEnqueueNDRangeKernel", "CL_OUT_OF_RESOURCES", GF_ERROR_DEVICE, 300},
      {"clEnqueueReadBuffer", "CL_DEVICE_NOT_AVAILABLE", GF_ERROR_DEVICE, 10},
      {"clEnqueueWriteBuffer", "CL_OUT_OF_HOST_MEMORY", GF_ERROR_MEMORY, 10},
      {"clCreateBuffer", "CL_OUT_OF_RESOURCES", GF_ERROR_DEVICE, 10},
  };
  enum { FAULTS = sizeof faults / sizeof *faults };
  long whole[FAULTS];
  assert_ok(run("warm"));
  icd->set("");
  assert_ok(run("whole"));
  for (size_t i = 0; i < FAULTS; i++) whole[i] = icd->calls(icd_entry(faults[i].entry));
  for (size_t i = 0; i < FAULTS; i++) {
    long stride = getenv("GRADFLOW_SOAK") ? 1 : whole[i] / 7 + 1, tried = 0;
    assert_true(whole[i] >= faults[i].calls);
    for (long at = 1; at <= whole[i]; at += stride, tried++)
      check_fault(faults[i].entry, at, faults[i].status, faults[i].error);
    print_message("%ld of %ld calls of %s: %s\n", tried, whole[i], faults[i].entry,
                  faults[i].error);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_device_that_goes_away_loses_nothing)};
  if (!icd_open()) return 1;
  return cmocka_run_group_tests_name("device_faults", tests, open_all, fixture_close);
}
