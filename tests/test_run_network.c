/* network.json: what it says of a config's network, that it is read as it was written, and that the
 * network of a run without one is built from its config. Opens no device. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <math.h>
#include <stdbool.h>

#include <gradflow/diagnosis.h>
#include <gradflow/train.h>

#include "run/network.h"
#include "run/run_records.h"
#include "support/device.h"
#include "support/test.h"

static void write_text(const char *name, const char *text) {
  assert_ok(gf__file_write(in_folder(name), text, strlen(text)));
}

/* conv_a -> norm_a -> + input of the block -> act_a; conv_b -> tanh; two heads. */
static const char config_[] =
    "data: {name: cifar10}\n"
    "optimizer: {name: adamw, eps: 1e-6}\n"
    "model:\n"
    "  auxiliaries: [first]\n"
    "  graph:\n"
    "    - {name: first, type: conv2d, filters: 4, kernel: 3, padding: 1}\n"
    "    - {name: one, type: conv2d, filters: 4, kernel: 3, padding: 1, bias: false}\n"
    "    - {name: two, type: batch_norm}\n"
    "    - {name: three, type: add, input: [two, first]}\n"
    "    - {name: four, type: relu}\n"
    "    - {name: five, type: conv2d, filters: 2, kernel: 1}\n"
    "    - {name: six, type: tanh}\n"
    "    - {name: seven, type: global_avg_pool}\n"
    "    - {name: eight, type: linear, outputs: 10}\n";

static json_t *describe(void) {
  gf_config *config = parse_config(config_);
  char *text = NULL;
  assert_ok(gf_network_json(config, &text));
  gf_config_free(&config);
  json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
  assert_non_null(json);
  free(text);
  return json;
}

static const char *text_at(const json_t *list, size_t index, const char *key) {
  const char *text = json_string_value(json_object_get(json_array_get(list, index), key));
  return text ? text : "-";
}

static void a_network_is_described(void **state) {
  (void)state;
  static const struct {
    const char *name, *type, *activation, *fused_into, *folded_into;
  } layers[] = {
      {"first", "conv2d", "-", "-", "-"}, /* read by one and by the addition */
      {"one", "conv2d", "four", "-", "-"},         {"two", "batch_norm", "four", "-", "one"},
      {"three", "add", "-", "two", "-"},           {"four", "relu", "-", "two", "-"},
      {"five", "conv2d", "six", "-", "-"},         {"six", "tanh", "-", "five", "-"},
      {"seven", "global_avg_pool", "-", "-", "-"}, {"eight", "linear", "-", "-", "-"},
  };
  enum { LAYERS = sizeof layers / sizeof *layers };
  json_t *json = describe();
  const json_t *list = json_object_get(json, "layers");
  assert_int_equal(json_array_size(list), LAYERS);
  for (size_t i = 0; i < LAYERS; i++) {
    assert_string_equal(text_at(list, i, "name"), layers[i].name);
    assert_string_equal(text_at(list, i, "type"), layers[i].type);
    assert_string_equal(text_at(list, i, "activation"), layers[i].activation);
    assert_string_equal(text_at(list, i, "fused_into"), layers[i].fused_into);
    assert_string_equal(text_at(list, i, "folded_into"), layers[i].folded_into);
  }
  json_t *expected = json_pack("{s:[s, s], s:[i, i, i], s:[], s:[{s:s, s:[i, i, i, i], s:b}]}",
                               "inputs", "two", "first", "output", 32, 32, 4, "none", "tensors",
                               "name", "one.weight", "shape", 4, 4, 3, 3, "trainable", 1);
  assert_true(json_equal(json_object_get(json_array_get(list, 3), "inputs"),
                         json_object_get(expected, "inputs")));
  assert_true(json_equal(json_object_get(json_array_get(list, 3), "output"),
                         json_object_get(expected, "output")));
  assert_true(json_equal(json_object_get(json_array_get(list, 3), "tensors"),
                         json_object_get(expected, "none")));
  assert_true(json_equal(json_object_get(json_array_get(list, 1), "tensors"),
                         json_object_get(expected, "tensors")));
  json_decref(expected);
  assert_string_equal(json_string_value(json_object_get(json, "logit_layer")), "eight");
  const json_t *auxiliaries = json_object_get(json, "auxiliary_classifiers");
  assert_int_equal(json_array_size(auxiliaries), 1);
  assert_string_equal(text_at(auxiliaries, 0, "layer"), "first");
  const json_t *heads = json_object_get(json_array_get(auxiliaries, 0), "layers");
  assert_int_equal(json_array_size(heads), 3);
  assert_string_equal(text_at(heads, 1, "name"), "auxiliary_first_linear");
  assert_true(json_is_true(json_object_get(json_array_get(heads, 1), "training_only")));
  json_decref(json);
}

static void it_is_read_as_it_was_written(void **state) {
  (void)state;
  static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
  gf_config *config = parse_config(config_);
  gf_dataset_info data;
  gf__network n;
  assert_ok(gf_dataset_shape(&data, config));
  data.class_names = names;
  assert_ok(gf__make_folder(in_folder("run")));
  assert_ok(gf__network_write(in_folder("run"), config, &data, (gf__record_images){50, 10, 50}));
  gf_config_free(&config);
  assert_ok(gf__network_read(&n, in_folder("run")));
  assert_true(n.classes == 10 && n.image.height == 32 && n.image.width == 32 &&
              n.image.channels == 3);
  assert_string_equal(n.class_names[9], "j");
  assert_string_equal(n.optimizer, "adamw");
  assert_true(n.eps == 1e-6);
  assert_int_equal(n.layer_count, 9 + 3); /* with those of the auxiliary classifier */
  assert_string_equal(gf__network_find(&n, "two")->activation, "four");
  assert_null(gf__network_find(&n, "nine"));
  gf__network_free(&n);
}

static void damaged_files_are_named(void **state) {
  (void)state;
  static const char *const texts[] = {
      "",
      "[]",
      "{}",
      "{\"format\": 1}",
      "{\"format\": 1, \"image\": [1, 1], \"classes\": 2}",
      "{\"format\": 1, \"image\": [1, 1, 1], \"classes\": 0, \"layers\": []}",
      "{\"format\": 1, \"image\": [1, 1, 1], \"classes\": 2, \"layers\": [{\"name\": \"a\"}]}",
      "{\"format\": 1, \"image\": [1, 1, 1], \"classes\": 2, \"layers\": [3]}",
      "{\"format\": 1, \"image\": [1, 1, 1], \"classes\": 2, \"class_names\": [\"a\", 1], "
      "\"layers\": []}",
      "{\"format\": 2, \"image\": [1, 1, 1], \"classes\": 2, \"layers\": []}"};
  if (!gf__path_exists(in_folder("run"))) assert_ok(gf__make_folder(in_folder("run")));
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    gf__network n;
    write_text("run/network.json", texts[i]);
    assert_int_equal(gf__network_read(&n, in_folder("run")), GF_ERROR_DATA);
    assert_non_null(strstr(gf_error_message(), "run/network.json is "));
    gf__network_free(&n);
  }
  assert_int_equal(remove(in_folder("run/network.json")), 0);
  gf__network n;
  assert_int_equal(gf__network_read(&n, in_folder("run")), GF_ERROR_FILE);
  gf__network_free(&n);
}

/* The folder is one of 97a23f8: without network.json, with keys that are called otherwise today. */
static void a_run_of_an_older_program_is_read(void **state) {
  (void)state;
  static const char old[] = SOURCE_FOLDER "/tests/old_run";
  gf__network n;
  gf__run run;
  gf_diagnosis *d = NULL;
  assert_ok(gf__network_read(&n, old));
  assert_int_equal(n.classes, 100);
  assert_string_equal(n.optimizer, "rmsprop");
  assert_true(n.eps == 1e-4);
  assert_string_equal(gf__network_find(&n, "input_conv")->activation, "input_act");
  assert_string_equal(gf__network_find(&n, "block_0_0_act_1")->kind, "relu");
  gf__network_free(&n);
  assert_ok(gf__run_load(&run, old));
  assert_int_equal(run.epoch_count, 2);
  assert_string_equal(run.vanishing.label, "rmsprop's eps, 0.0001");
  gf__run_free(&run);
  assert_ok(gf_diagnosis_open(&d, old));
  for (int i = 0; i < d->layer_count; i++) /* every convolution and norm has one but the logits' */
    assert_int_equal(isnan(d->dead[i]), !strcmp(d->layers[i], "logit_linear"));
  gf_diagnosis_free(&d);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_network_is_described),
      cmocka_unit_test(it_is_read_as_it_was_written),
      cmocka_unit_test(damaged_files_are_named),
      cmocka_unit_test(a_run_of_an_older_program_is_read),
  };
  return cmocka_run_group_tests(tests, folder_open, folder_close);
}
