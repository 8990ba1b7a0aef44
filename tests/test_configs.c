/* The configs that come with the program: each is read whole, and its network is built. */
#define _XOPEN_SOURCE 700 /* glob */

#include <glob.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gradflow.h>

#include "base/config.h"
#include "base/file.h"
#include "data/dataset.h"
#include "support/test.h"
#include "train/train_config.h"

enum { BATCH = 2, LONGEST_PATH = 1024 };

static gf_device *device_;
static glob_t configs_;

static int set_up(void **state) {
  (void)state;
  if (gf_device_open(&device_, NULL) != GF_OK) {
    fprintf(stderr, "%s\n", gf_error_message());
    return -1;
  }
  if (glob(SOURCE_FOLDER "/configs/*.yaml", 0, NULL, &configs_) != 0) return -1;
  if (glob(SOURCE_FOLDER "/configs/resnet/*.yaml", GLOB_APPEND, NULL, &configs_) != 0) return -1;
  if (glob(SOURCE_FOLDER "/configs/zoo/*.yaml", GLOB_APPEND, NULL, &configs_) != 0) return -1;
  if (glob(SOURCE_FOLDER "/configs/remedies/*.yaml", GLOB_APPEND, NULL, &configs_) != 0) return -1;
  return glob(SOURCE_FOLDER "/configs/quickstart/*.yaml", GLOB_APPEND, NULL, &configs_);
}

static int tear_down(void **state) {
  (void)state;
  globfree(&configs_);
  gf_device_free(&device_);
  return 0;
}

static void assert_ok(gf_status status, const char *path) {
  if (status != GF_OK) fail_msg("%s: %s", path, gf_error_message());
}

/* ---- each config ---- */

/* Of the images, without their files; a folder that is not there may have any classes. */
static gf_dataset_info read_data(const gf_config *config, const char *path) {
  gf_dataset_info info;
  assert_ok(gf__data_expect(&info, config), path);
  assert_true(info.height == info.width &&
              (info.height == 32 || info.height == 224 || info.height == 7));
  if (!info.classes) info.classes = 1000;
  return info;
}

/* Trainable elements of the network, with everything that a run opens but its images. */
static size_t open_config(const char *path) {
  gf_config *config;
  gf_model *model;
  gf_trainer *trainer;
  gf__train_config run;
  assert_ok(gf_config_load(&config, path), path);
  assert_ok(gf__train_config_read(&run, config), path);
  gf_dataset_info data = read_data(config, path);
  gf_image_shape image = {data.height, data.width, data.channels};
  assert_ok(gf_model_open(&model, device_, config, image, data.classes, BATCH, run.seed), path);
  assert_ok(gf_trainer_open(&trainer, model, config), path);
  size_t parameters = gf_model_parameter_total(model);
  gf_trainer_free(&trainer);
  gf_model_free(&model);
  gf_config_free(&config);
  return parameters;
}

static size_t count_parameters(const gf_config *config, const char *name) {
  gf_layer_summary *layers;
  int count;
  size_t parameters = 0;
  assert_ok(gf_model_summarise(&layers, &count, config, (gf_image_shape){224, 224, 3}, 1000), name);
  for (int i = 0; i < count; i++) parameters += layers[i].parameters;
  free(layers);
  return parameters;
}

/* Random weights of AlexNet and VGG alone take longer than all of the rest. */
static bool is_large(const char *path) {
  gf_config *config;
  if (!strstr(path, "/zoo/")) return false;
  assert_ok(gf_config_load(&config, path), path);
  bool is_large = count_parameters(config, path) > 50000000;
  gf_config_free(&config);
  return is_large;
}

static void every_config_opens(void **state) {
  (void)state;
  assert_true(configs_.gl_pathc > 1);
  for (size_t i = 0; i < configs_.gl_pathc; i++)
    if (!is_large(configs_.gl_pathv[i]) && open_config(configs_.gl_pathv[i]) == 0)
      fail_msg("%s: the network has no parameters", configs_.gl_pathv[i]);
}

/* Numbers of the study that the configs reproduce. */
static void networks_of_the_study_have_their_sizes(void **state) {
  (void)state;
  static const struct {
    const char *path;
    size_t parameters;
  } networks[] = {
      {SOURCE_FOLDER "/configs/plain7.yaml", 59716},
      {SOURCE_FOLDER "/configs/plain37.yaml", 336196},
      {SOURCE_FOLDER "/configs/residual7.yaml", 59716},
      {SOURCE_FOLDER "/configs/residual37.yaml", 336196},
      {SOURCE_FOLDER "/configs/plain37_batch_norm.yaml", 338500},
  };
  for (size_t i = 0; i < sizeof networks / sizeof *networks; i++)
    if (open_config(networks[i].path) != networks[i].parameters)
      fail_msg("%s: not %zu parameters", networks[i].path, networks[i].parameters);
}

/* torchvision's numbers. */
static void networks_of_imagenet_have_their_sizes(void **state) {
  (void)state;
  static const struct {
    const char *path, *yaml; /* one of them */
    size_t parameters;
  } networks[] = {
      {SOURCE_FOLDER "/configs/zoo/alexnet.yaml", NULL, 61100840},
      {SOURCE_FOLDER "/configs/zoo/convnext_tiny.yaml", NULL, 28589128},
      {SOURCE_FOLDER "/configs/zoo/densenet121.yaml", NULL, 7978856},
      {SOURCE_FOLDER "/configs/zoo/efficientnet_b0.yaml", NULL, 5288548},
      {SOURCE_FOLDER "/configs/zoo/googlenet.yaml", NULL, 6624904},
      {SOURCE_FOLDER "/configs/zoo/mnasnet1_0.yaml", NULL, 4383312},
      {SOURCE_FOLDER "/configs/zoo/mobilenet_v2.yaml", NULL, 3504872},
      {SOURCE_FOLDER "/configs/zoo/mobilenet_v3_large.yaml", NULL, 5483032},
      {SOURCE_FOLDER "/configs/zoo/regnet_y_400mf.yaml", NULL, 4344144},
      {SOURCE_FOLDER "/configs/zoo/resnext50_32x4d.yaml", NULL, 25028904},
      {SOURCE_FOLDER "/configs/zoo/shufflenet_v2_x1_0.yaml", NULL, 2278604},
      {SOURCE_FOLDER "/configs/zoo/squeezenet1_1.yaml", NULL, 1235496},
      {SOURCE_FOLDER "/configs/zoo/vgg16_bn.yaml", NULL, 138365992},
      {SOURCE_FOLDER "/configs/resnet/imagenet_resnet50.yaml", NULL, 25557032},
      {NULL, "model: {family: resnet_imagenet, depth: 101}", 44549160},
      {NULL, "model: {family: resnet_imagenet, depth: 152}", 60192808},
      {NULL, "model: {family: resnet_imagenet, depth: 50, width_per_group: 128}", 68883240},
      {NULL, "model: {family: resnet_imagenet, depth: 101, groups: 32, width_per_group: 8}",
       88791336},
  };
  for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) {
    const char *name = networks[i].path ? networks[i].path : networks[i].yaml;
    gf_config *config;
    assert_ok(
        networks[i].path ? gf_config_load(&config, name) : gf_config_parse(&config, "net", name),
        name);
    assert_int_equal(count_parameters(config, name), networks[i].parameters);
    gf_config_free(&config);
  }
}

static void every_config_is_in_the_table(void **state) {
  (void)state;
  const char *folder = SOURCE_FOLDER "/configs/";
  char *table, row[LONGEST_PATH];
  size_t size;
  assert_ok(gf__file_read(SOURCE_FOLDER "/configs/README.md", &table, &size), "the table");
  for (size_t i = 0; i < configs_.gl_pathc; i++) {
    snprintf(row, sizeof row, "\n| `%s` |", configs_.gl_pathv[i] + strlen(folder));
    if (!strstr(table, row)) fail_msg("configs/README.md has no row%s", row);
  }
  free(table);
}

/* ---- pairs of configs ---- */

/* The config without comments and without lines that begin so; the caller frees it. */
static char *read_without(const char *path, const char *line_start) {
  char *text, *out;
  size_t size;
  assert_ok(gf__file_read(path, &text, &size), path);
  out = calloc(1, size + 1);
  assert_non_null(out);
  for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
    if (!strncmp(line, line_start, strlen(line_start))) continue;
    size_t kept = strcspn(line, "#");
    while (kept > 0 && line[kept - 1] == ' ') kept--;
    snprintf(out + strlen(out), size + 1 - strlen(out), "%.*s%s", (int)kept, line,
             kept ? "\n" : "");
  }
  free(text);
  return out;
}

/* What two networks show beside each other is the doing of that line alone. */
static void networks_differ_in_one_line(void **state) {
  (void)state;
  static const struct {
    const char *a, *b, *line;
  } pairs[] = {
      {"plain7.yaml", "plain37.yaml", "  blocks_per_stage:"},
      {"plain7.yaml", "residual7.yaml", "  shortcut:"},
      {"plain37.yaml", "residual37.yaml", "  shortcut:"},
      {"plain37.yaml", "plain37_batch_norm.yaml", "  norm:"},
      {"plain37_batch_norm.yaml", "remedies/batch_norm_after.yaml", "  norm_position:"},
      {"plain37_batch_norm.yaml", "remedies/residual37_batch_norm.yaml", "  shortcut:"},
      {"plain37.yaml", "remedies/dropout.yaml", "  dropout:"},
      {"plain37.yaml", "remedies/elu.yaml", "  activation:"},
      {"plain37.yaml", "remedies/gelu.yaml", "  activation:"},
      {"plain37.yaml", "remedies/silu.yaml", "  activation:"},
      {"plain37.yaml", "remedies/sigmoid.yaml", "  activation:"},
      {"plain37.yaml", "remedies/tanh.yaml", "  activation:"},
      {"remedies/sigmoid.yaml", "remedies/sigmoid_batch_norm.yaml", "  norm:"},
      {"remedies/tanh.yaml", "remedies/tanh_batch_norm.yaml", "  norm:"},
      {"plain37.yaml", "remedies/deep_supervision.yaml", "  auxiliar"},
      {"resnet/plain20.yaml", "resnet/resnet20.yaml", "  shortcut:"},
      {"resnet/plain56.yaml", "resnet/resnet56.yaml", "  shortcut:"},
      {"resnet/resnet20.yaml", "resnet/resnet32.yaml", "  depth:"},
      {"resnet/resnet20.yaml", "resnet/resnet56.yaml", "  depth:"},
      {"resnet/resnet56.yaml", "resnet/resnet56_option_b.yaml", "  shortcut:"},
      {"resnet/resnet56.yaml", "resnet/resnet56_pre_activation.yaml", "  block:"},
      {"resnet/imagenet_plain34.yaml", "resnet/imagenet_resnet34.yaml", "  shortcut:"},
      {"quickstart/plain7.yaml", "quickstart/plain37.yaml", "  blocks_per_stage:"},
      {"quickstart/plain37.yaml", "quickstart/residual37.yaml", "  shortcut:"},
  };
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    char path[LONGEST_PATH];
    snprintf(path, sizeof path, "%s/configs/%s", SOURCE_FOLDER, pairs[i].a);
    char *a = read_without(path, pairs[i].line);
    snprintf(path, sizeof path, "%s/configs/%s", SOURCE_FOLDER, pairs[i].b);
    char *b = read_without(path, pairs[i].line);
    assert_string_equal(a, b);
    free(a);
    free(b);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_config_opens),
      cmocka_unit_test(networks_of_the_study_have_their_sizes),
      cmocka_unit_test(networks_of_imagenet_have_their_sizes),
      cmocka_unit_test(every_config_is_in_the_table),
      cmocka_unit_test(networks_differ_in_one_line),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
