/* The study's claim on real images, in short: plain 37's gradients vanish, residual 37's do not.
 * With GRADFLOW_CIFAR100, the folder of that set, on its images, else on Fashion-MNIST's. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <gradflow/diagnosis.h>
#include <gradflow/train.h>

#include "support/device.h"
#include "support/test.h"

/* Trains the config's network for an epoch of a few steps; the caller frees the verdict. */
static char *verdict_of(const char *name) {
  const char *cifar = getenv("GRADFLOW_CIFAR100");
  char path[512], assignment[512], *verdict = NULL;
  gf_config *config = NULL;
  snprintf(path, sizeof path, SOURCE_FOLDER "/configs/%s%s.yaml", cifar ? "" : "quickstart/", name);
  assert_ok(gf_config_load(&config, path));
  if (cifar) {
    snprintf(assignment, sizeof assignment, "data.path=%s", cifar);
    assert_ok(gf_config_set(config, assignment));
  }
  assert_ok(gf_config_set(config, "data.validation=100"));
  assert_ok(gf_config_set(config, "data.train_limit=400"));
  assert_ok(gf_config_set(config, "train.epochs=1"));
  snprintf(path, sizeof path, "%s", in_folder(name));
  gf_train_options options = {.out = path, .keep_checkpoints = 2};
  assert_ok(gf_train(fixture_device, config, &options));
  gf_config_free(&config);
  assert_ok(gf_diagnose(path, &verdict));
  return verdict;
}

static void plain_37_vanishes(void **state) {
  (void)state;
  char *verdict = verdict_of("plain37");
  int layers = 0;
  if (sscanf(verdict, "vanishing: %d of 39 layers below 1e-8, from ", &layers) != 1 || layers < 20)
    fail_msg("%s", verdict);
  free(verdict);
}

static void residual_37_does_not(void **state) {
  (void)state;
  static const char healthy[] = "healthy: mean |gradient| of all 39 layers between ";
  char *verdict = verdict_of("residual37");
  if (strncmp(verdict, healthy, sizeof healthy - 1) != 0) fail_msg("%s", verdict);
  free(verdict);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(plain_37_vanishes),
                                     cmocka_unit_test(residual_37_does_not)};
  return cmocka_run_group_tests_name("real_runs", tests, fixture_open, fixture_close);
}
