/* Runs that went out as ONNX models and came back: they are tested, trained on and diagnosed like
 * any other, and their config has what the metadata say. */
#include <gradflow/convert.h>
#include <gradflow/diagnosis.h>
#include <gradflow/predict.h>

#include "base/config.h"
#include "support/program.h"
#include "support/runs.h"
#include "support/test.h"

#ifndef GRADFLOW_HAS_ONNX

int main(void) {
  print_message("skipped: the build has no ONNX\n");
  return 0;
}

#else

#define MODEL                                                                               \
  "model: {family: vgg_stages, filters: 4, blocks_per_stage: 1, shortcut: identity, norm: " \
  "every}\n"

/* A run, its model, and that as a run. */
static int open_run(void **state) {
  if (open_all(state) != 0 || train(config_of(MODEL, ""), "run", NULL) != GF_OK) return -1;
  gf_import_options options = gf_import_options_default();
  gf_config *config = NULL;
  char set[300], out[256];
  snprintf(out, sizeof out, "%s", in_folder("back"));
  options.out = out;
  assert_ok(gf_export_onnx(in_folder("run"), in_folder("net.onnx"), NULL, NULL));
  assert_ok(gf_config_parse(&config, "none", "train: {epochs: 1, batch_size: 50, seed: 5}\n"));
  snprintf(set, sizeof set, "data.path=%s", fixture_folder);
  assert_ok(gf_config_set(config, set));
  assert_ok(gf_import_onnx(config, in_folder("net.onnx"), &options, NULL));
  gf_config_free(&config);
  return 0;
}

static void it_is_tested_like_the_run_that_went_out(void **state) {
  (void)state;
  gf_test_result ours, theirs;
  assert_ok(gf_test(fixture_device, in_folder("run"), &ours));
  assert_ok(gf_test(fixture_device, in_folder("back"), &theirs));
  assert_int_equal(theirs.images, TESTED);
  print_message("losses %.9g and %.9g\n", ours.loss, theirs.loss);
  assert_true(ours.accuracy == theirs.accuracy);
  assert_true(fabs(ours.loss - theirs.loss) <= 1e-6 * ours.loss);
  gf_test_result_free(&ours);
  gf_test_result_free(&theirs);
}

static void its_data_are_those_of_the_metadata(void **state) {
  (void)state;
  static const char *const keys[][2] = {{"name", "cifar100"}, {"pad_to", "0"}};
  gf_config *config = NULL;
  assert_ok(gf_config_load(&config, in_folder("back/config.yaml")));
  const gf__value *data = gf__value_get(gf__config_root(config), "data");
  for (size_t i = 0; i < 2; i++)
    assert_string_equal(gf__scalar_words(gf__value_get(data, keys[i][0])), keys[i][1]);
  const gf__value *mean = gf__value_get(data, "mean");
  assert_non_null(mean);
  assert_int_equal(mean->count, 3);
  assert_true(fabs(strtod(mean->items[0]->text, NULL) - 0.4914) < 1e-9);
  const gf__value *path = gf__value_get(data, "path");
  assert_string_equal(gf__scalar_words(path), fixture_folder);
  gf_config_free(&config);
}

/* As the command says what is next. */
static void it_is_trained_on_and_diagnosed(void **state) {
  (void)state;
  gf_config *config = NULL;
  char set[300];
  assert_ok(gf_config_load(&config, in_folder("back/config.yaml")));
  snprintf(set, sizeof set, "train.weights=%s", in_folder("back"));
  assert_ok(gf_config_set(config, set));
  gf_signal *signal = NULL;
  assert_ok(gf_signal_open(&signal, fixture_device, config));
  assert_true(signal->layer_count > 0 && isfinite(signal->loss));
  gf_signal_free(&signal);
  assert_ok(train(config, "more", NULL));
  char *text = NULL;
  assert_ok(gf_diagnose(in_folder("more"), &text));
  assert_non_null(text);
  free(text);
}

/* Out again, once more and back: nothing gets lost on the way. */
static void a_second_way_gives_the_same_model(void **state) {
  (void)state;
  char *first, *second;
  size_t sizes[2];
  assert_ok(gf_export_pytorch(in_folder("run"), in_folder("a.safetensors"), NULL, NULL));
  assert_ok(gf_export_pytorch(in_folder("back"), in_folder("b.safetensors"), NULL, NULL));
  assert_ok(gf__file_read(in_folder("a.safetensors"), &first, &sizes[0]));
  assert_ok(gf__file_read(in_folder("b.safetensors"), &second, &sizes[1]));
  assert_int_equal(sizes[0], sizes[1]);
  assert_memory_equal(first, second, sizes[0]); /* names, shapes and values */
  free(first);
  free(second);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(it_is_tested_like_the_run_that_went_out),
      cmocka_unit_test(its_data_are_those_of_the_metadata),
      cmocka_unit_test(it_is_trained_on_and_diagnosed),
      cmocka_unit_test(a_second_way_gives_the_same_model),
  };
  return cmocka_run_group_tests_name("import_onnx_runs", tests, open_run, fixture_close);
}

#endif
