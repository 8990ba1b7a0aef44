/* gradflow summary and what it prints: layers, shapes, parameters, operations, bytes. */
#define _XOPEN_SOURCE 700 /* popen, mkdtemp */

#include <stdbool.h>

#include <jansson.h>

#include <gradflow/data.h>
#include <gradflow/model.h>

#include "base/text.h"
#include "support/device.h"
#include "support/test.h"

/* Opens no device: none of this needs one. */
/* What the program prints, stderr and stdout, without a device in sight. The caller frees it. */
static char *run(int expected_code, const char *arguments) {
  gf__text command = {0}, out = {0};
  char part[4096];
  gf__text_add(&command, "OCL_ICD_VENDORS=/nowhere " PROGRAM " summary %s 2>&1", arguments);
  FILE *pipe = popen(command.data, "r");
  assert_non_null(pipe);
  for (size_t n; (n = fread(part, 1, sizeof part, pipe)) > 0;) gf__text_add_bytes(&out, part, n);
  int code = pclose(pipe);
  gf__text_free(&command);
  assert_ok(gf__text_status(&out));
  if (code != expected_code * 256) fail_msg("exit code %d: %s", code, out.data);
  return out.data;
}

static const char *config(const char *name, const char *text) {
  const char *path = in_folder(name);
  assert_ok(gf__file_write(path, text, strlen(text)));
  return path;
}

static const char small_[] =
    "data: {name: mnist, pad_to: 0}\n"
    "model:\n"
    "  graph:\n"
    "    - {name: conv_in, type: conv2d, filters: 4, kernel: 3, stride: 2, padding: 1}\n"
    "    - {name: norm_in, type: batch_norm}\n"
    "    - {name: act_in, type: relu}\n"
    "    - {name: a_name_that_is_much_too_long_for_its_column, type: global_avg_pool}\n"
    "    - {name: logits, type: linear, outputs: 10, bias: false}\n";

/* Of the convolution: 14 * 14 * 4 outputs of 9 products and sums, 4 * (9 + 1) parameters. */
static void the_table_is_whole(void **state) {
  (void)state;
  char *out = run(0, config("small.yaml", small_));
  assert_string_equal(
      out,
      "mnist: images of 28x28x1, 10 classes; MFLOP and KiB of a forward pass of one\n"
      "\n"
      "layer                           type              output  parameters  MFLOP  KiB\n"
      "------------------------------  ---------------  -------  ----------  -----  ---\n"
      "conv_in                         conv2d           14x14x4          40  0.014  3.1\n"
      "norm_in                         batch_norm       14x14x4           8  0.000  3.1\n"
      "act_in                          relu             14x14x4           0  0.000  3.1\n"
      "a_name_that_is_much_too_long_…  global_avg_pool    1x1x4           0  0.000  0.0\n"
      "logits                          linear            1x1x10          40  0.000  0.0\n"
      "total                                                             88  0.014  9.2\n");
  free(out);
}

static void check_layer(const json_t *layer, const char *name, const char *type, int side,
                        int channels, int parameters, int flops) {
  assert_string_equal(json_string_value(json_object_get(layer, "name")), name);
  assert_string_equal(json_string_value(json_object_get(layer, "type")), type);
  const json_t *shape = json_object_get(layer, "output");
  const int expected[] = {side, side, channels};
  assert_int_equal(json_array_size(shape), 3);
  for (size_t i = 0; i < 3; i++)
    assert_int_equal(json_integer_value(json_array_get(shape, i)), expected[i]);
  assert_int_equal(json_integer_value(json_object_get(layer, "parameters")), parameters);
  assert_int_equal(json_integer_value(json_object_get(layer, "flops")), flops);
  assert_int_equal(json_integer_value(json_object_get(layer, "bytes")), 4 * side * side * channels);
}

static void json_has_the_numbers(void **state) {
  (void)state;
  char arguments[512];
  snprintf(arguments, sizeof arguments, "%s --json", config("small.yaml", small_));
  char *out = run(0, arguments);
  json_t *json = json_loads(out, JSON_REJECT_DUPLICATES, NULL);
  assert_non_null(json);
  const json_t *layers = json_object_get(json, "layers");
  assert_int_equal(json_array_size(layers), 5);
  check_layer(json_array_get(layers, 0), "conv_in", "conv2d", 14, 4, 40, 14112);
  check_layer(json_array_get(layers, 1), "norm_in", "batch_norm", 14, 4, 8, 0);
  check_layer(json_array_get(layers, 4), "logits", "linear", 1, 10, 40, 80);
  assert_string_equal(json_string_value(json_object_get(json, "data")), "mnist");
  assert_int_equal(json_integer_value(json_object_get(json, "classes")), 10);
  assert_int_equal(json_integer_value(json_object_get(json, "parameters")), 88);
  assert_int_equal(json_integer_value(json_object_get(json, "flops")), 14192);
  assert_int_equal(json_integer_value(json_object_get(json, "bytes")), 3 * 3136 + 16 + 40);
  json_decref(json);
  free(out);
}

/* --set changes the network; data.pad_to has its default of 32. */
static void settings_are_heeded(void **state) {
  (void)state;
  char arguments[512];
  snprintf(arguments, sizeof arguments,
           "%s --set model.shortcut=identity --set data.name=cifar10 --json",
           config("vgg.yaml",
                  "data: {name: cifar100}\n"
                  "model: {family: vgg_stages, blocks_per_stage: 0, stages: 1}\n"));
  char *out = run(0, arguments);
  json_t *json = json_loads(out, 0, NULL);
  assert_non_null(json);
  /* the entry's three, a reduction's five and its shortcut and sum, the end's two */
  const json_t *layers = json_object_get(json, "layers");
  assert_int_equal(json_array_size(layers), 3 + 5 + 2 + 2);
  check_layer(json_array_get(layers, 6), "reduction_0_shortcut", "avg_pool", 16, 32, 0, 0);
  check_layer(json_array_get(layers, 11), "logit_linear", "linear", 1, 10, 330, 640);
  json_decref(json);
  free(out);
}

static void failures_are_explained(void **state) {
  (void)state;
  static const struct {
    const char *yaml, *message;
    int code;
  } rows[] = {
      {"model: {family: vgg_stages}",
       "gradflow: data.name is missing and has no default (the data set)\n", 2},
      {"data: {name: mnist}",
       "gradflow: wrong.yaml:1:1: the config has no section 'model'; give it a family or a graph\n",
       2},
      {"data: {name: mnist}\nmodel: {family: vgg_stages}\noptimiser: {name: sgd}",
       "gradflow: wrong.yaml:3:1: unknown key 'optimiser'; did you mean 'optimizer'? known keys: "
       "data, model, train, optimizer, schedule, logging\n",
       2},
      {"data: {name: mnist}\nmodel: {depth: 18, family: resnet}",
       "gradflow: wrong.yaml:2:20: model.family must be one of vgg_stages, resnet_cifar, "
       "resnet_imagenet, multi_scale, spectral_spatial, none, not 'resnet'; did you mean "
       "'resnet_cifar'?\n",
       2},
      {"data: {name: mnist}\nmodel: {graph: [{name: flat, type: flatten}]}",
       "gradflow: the network's last layer 'flat' gives 1024 values and the data has 10 classes\n",
       1},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    const char *path = config("wrong.yaml", rows[i].yaml);
    char *out = run(rows[i].code, path), expected[1024];
    /* Places begin with the path as it was given. */
    const char *place = strstr(rows[i].message, "wrong.yaml");
    if (place)
      snprintf(expected, sizeof expected, "gradflow: %s%s", path, place + strlen("wrong.yaml"));
    else
      snprintf(expected, sizeof expected, "%s", rows[i].message);
    assert_string_equal(out, expected);
    free(out);
  }
}

/* ---- the shapes of data sets ---- */

static gf_dataset_info shape_of(const char *yaml) {
  gf_dataset_info info;
  gf_config *parsed = parse_config(yaml);
  assert_ok(gf_dataset_shape(&info, parsed));
  gf_config_free(&parsed);
  return info;
}

static void data_sets_have_their_shapes(void **state) {
  (void)state;
  static const struct {
    const char *yaml;
    int side, channels, classes;
  } rows[] = {
      {"data: {name: cifar100}", 32, 3, 100},
      {"data: {name: cifar10, pad_to: 40}", 40, 3, 10},
      {"data: {name: mnist}", 32, 1, 10},
      {"data: {name: fashion_mnist, pad_to: 0}", 28, 1, 10},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    gf_dataset_info info = shape_of(rows[i].yaml);
    assert_int_equal(info.height, rows[i].side);
    assert_int_equal(info.width, rows[i].side);
    assert_int_equal(info.channels, rows[i].channels);
    assert_int_equal(info.classes, rows[i].classes);
    assert_int_equal(info.count, 0);
    assert_null(info.class_names);
  }
}

/* Only the folders say how many classes there are. */
static void folders_are_counted(void **state) {
  (void)state;
  static const char *const folders[] = {"train", "train/cats", "train/dogs", "train/owls"};
  char yaml[512];
  gf_config *parsed = parse_config("data: {name: image_folder}");
  gf_dataset_info info;
  assert_fails(GF_ERROR_CONFIG,
               "data.path is missing: image_folder is read from train/CLASS/*.jpg and "
               "val/CLASS/*.jpg (or .jpeg, .png)",
               gf_dataset_shape(&info, parsed));
  gf_config_free(&parsed);
  for (int i = 0; i < 4; i++) assert_ok(gf__make_folder(in_folder(folders[i])));
  snprintf(yaml, sizeof yaml, "data: {name: image_folder, path: '%s', image_size: 64}",
           fixture_folder);
  info = shape_of(yaml);
  assert_int_equal(info.classes, 3);
  assert_int_equal(info.height, 64);
}

/* Without the folders, the config says it; with them, they do. */
static void classes_of_absent_folders_are_those_of_the_config(void **state) {
  (void)state;
  char yaml[512];
  gf_dataset_info info = shape_of("data: {name: image_folder, classes: 1000}");
  assert_int_equal(info.classes, 1000);
  assert_int_equal(info.height, 224);
  info = shape_of("data: {name: image_folder, classes: 1000, path: /nonexistent}");
  assert_int_equal(info.classes, 1000);
  assert_ok(gf__make_folder(in_folder("few/train/a")));
  assert_ok(gf__make_folder(in_folder("few/train/b")));
  snprintf(yaml, sizeof yaml, "data: {name: image_folder, classes: 1000, path: %s/few}",
           fixture_folder);
  assert_int_equal(shape_of(yaml).classes, 2);
}

/* The rows are those of the config, not of what fusion makes of them. */
static void layers_are_those_of_the_config(void **state) {
  (void)state;
  gf_layer_summary *layers;
  int count;
  size_t parameters = 0;
  gf_config *parsed = parse_config("model: {family: vgg_stages}");
  assert_ok(gf_model_summarise(&layers, &count, parsed, (gf_image_shape){32, 32, 3}, 100));
  for (int i = 0; i < count; i++) parameters += layers[i].parameters;
  assert_int_equal(parameters, 336196); /* the study's */
  assert_string_equal(layers[2].name, "input_act");
  assert_string_equal(layers[count - 1].name, "logit_linear");
  free(layers);
  gf_config_free(&parsed);
}

/* Depthwise: a filter of 3 x 3 for each of 12 channels, and a multiplier of 2; both counts are
 * those of its taps, nine for an output. */
static void groups_are_counted(void **state) {
  (void)state;
  gf_layer_summary *layers;
  int count;
  gf_config *parsed = parse_config(
      "model: {graph: [{name: a, type: conv2d, filters: 12, kernel: 1, groups: 3}, "
      "{name: b, type: conv2d, filters: 24, padding: 1, stride: 2, groups: 12, bias: false}, "
      "{type: global_avg_pool}, {type: linear, outputs: 10}]}");
  assert_ok(gf_model_summarise(&layers, &count, parsed, (gf_image_shape){9, 8, 3}, 10));
  assert_int_equal(layers[0].parameters, 12 * 1 + 12);
  assert_true(layers[0].flops == 2.0 * 9 * 8 * 12);
  assert_int_equal(layers[1].parameters, 24 * 9);
  assert_true(layers[1].flops == 2.0 * 5 * 4 * 24 * 9);
  free(layers);
  gf_config_free(&parsed);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_table_is_whole),
      cmocka_unit_test(json_has_the_numbers),
      cmocka_unit_test(settings_are_heeded),
      cmocka_unit_test(failures_are_explained),
      cmocka_unit_test(data_sets_have_their_shapes),
      cmocka_unit_test(folders_are_counted),
      cmocka_unit_test(classes_of_absent_folders_are_those_of_the_config),
      cmocka_unit_test(layers_are_those_of_the_config),
      cmocka_unit_test(groups_are_counted),
  };
  return cmocka_run_group_tests_name("summary", tests, folder_open, folder_close);
}
