/* ONNX models as run folders: their logits are onnxruntime's, the gradients of a batch PyTorch's,
 * and what is exported again has the same logits. tests/onnx/write.py makes the models;
 * GRADFLOW_PYTHON names the Python to run instead of python3. Where it has no onnx or onnxruntime,
 * these tests are skipped, and those of PyTorch's exporters where it has no torch.
 * GRADFLOW_NETWORKS names networks of torchvision, each with ":" and an export, to compare besides.
 */
#define _XOPEN_SOURCE 700 /* mkdtemp, popen */

#include "support/test.h"

#ifndef GRADFLOW_HAS_ONNX

#include <gradflow/convert.h>

static void without_onnx_it_is_said_what_to_install(void **state) {
  (void)state;
  const gf_import_options options = {.out = "run"};
  assert_int_equal(gf_import_onnx(NULL, "model.onnx", &options, NULL), GF_ERROR_ARGUMENT);
  assert_string_equal(gf_error_message(),
                      "model.onnx is not read: this gradflow was built without ONNX; install "
                      "libprotobuf-c-dev, protobuf-c-compiler and libonnx-dev, and build it again");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(without_onnx_it_is_said_what_to_install)};
  print_message("skipped: the build has no ONNX\n");
  return cmocka_run_group_tests_name("import_onnx", tests, NULL, NULL);
}

#else

#include <math.h>
#include <stdbool.h>

#include <gradflow/convert.h>
#include <gradflow/model.h>

#include "base/text.h"
#include "convert/onnx/importing.h"
#include "model/safetensors.h"
#include "support/device.h"

enum { IMAGES = 4, MOST_CLASSES = 16 };

/* Of logits, by their largest where that is above 1; of a gradient, by the largest of its layer: a
 * bias before a norm has none but rounding errors. */
static const double LOGIT_TOLERANCE = 1e-4, GRADIENT_TOLERANCE = 1e-3;

static const char *python(void) {
  const char *path = getenv("GRADFLOW_PYTHON");
  return path && *path ? path : "python3";
}

/* What write.py can write, a name per line; "" without onnx. */
static char names_[4096];

static bool can_write(const char *name) {
  char line[64];
  snprintf(line, sizeof line, "%s\n", name);
  return strstr(names_, line) != NULL;
}

static int open_all(void **state) {
  char command[512];
  snprintf(command, sizeof command, "'%s' -B '%s/tests/onnx/write.py' 2>/dev/null", python(),
           SOURCE_FOLDER);
  FILE *list = popen(command, "r");
  if (!list) return -1;
  names_[fread(names_, 1, sizeof names_ - 1, list)] = 0;
  pclose(list);
  if (!*names_)
    print_message(
        "skipped: %s has no numpy, onnx or onnxruntime; GRADFLOW_PYTHON=PATH names another "
        "Python\n",
        python());
  return fixture_open(state);
}

/* ---- the log ---- */

static char log_[4096];

static void keep_log(void *user, gf_log_level level, const char *message) {
  (void)user, (void)level;
  size_t used = strlen(log_);
  snprintf(log_ + used, sizeof log_ - used, "%s\n", message);
}

/* ---- a model ---- */

typedef struct example {
  const char *name;
  gf_image_shape image;
  int classes;
  size_t floats; /* of all images */
} example;

static void write_example(example *out, const char *name) {
  char command[512], line[128] = "";
  *out = (example){.name = name};
  snprintf(command, sizeof command, "'%s' -B '%s/tests/onnx/write.py' '%s' '%s'", python(),
           SOURCE_FOLDER, name, fixture_folder);
  FILE *shape = popen(command, "r");
  assert_non_null(shape);
  if (!fgets(line, sizeof line, shape)) line[0] = 0;
  if (pclose(shape) != 0) fail_msg("%s failed", command);
  assert_int_equal(sscanf(line, "%d %d %d %d", &out->image.channels, &out->image.height,
                          &out->image.width, &out->classes),
                   4);
  assert_in_range(out->classes, 1, MOST_CLASSES);
  out->floats = (size_t)IMAGES * (size_t)out->image.channels * (size_t)out->image.height *
                (size_t)out->image.width;
}

static float *read_floats(const char *name, size_t count) {
  char *bytes;
  size_t size;
  assert_ok(gf__file_read(in_folder(name), &bytes, &size));
  assert_int_equal(size, count * sizeof(float));
  float *floats = malloc(size);
  assert_non_null(floats);
  memcpy(floats, bytes, size);
  free(bytes);
  return floats;
}

/* The images of the file, (images, channels, height, width), in our order. */
static float *read_images(const example *e) {
  float *planes = read_floats("images.f32", e->floats),
        *images = malloc(e->floats * sizeof *images);
  size_t channels = (size_t)e->image.channels, pixels = e->floats / channels / IMAGES;
  assert_non_null(images);
  for (size_t n = 0; n < IMAGES; n++)
    for (size_t c = 0; c < channels; c++)
      for (size_t p = 0; p < pixels; p++)
        images[(n * pixels + p) * channels + c] = planes[(n * channels + c) * pixels + p];
  free(planes);
  return images;
}

/* Logits of different images must differ far more than the tolerance, or they would say nothing of
 * the layers before the last. */
static void compare_logits(const example *e, const char *what, const float *ours,
                           const float *theirs) {
  double off = 0, apart = INFINITY, largest = 1;
  int nonfinite = 0;
  for (int i = 0; i < IMAGES * e->classes; i++) {
    nonfinite += !isfinite(ours[i]) + !isfinite(theirs[i]);
    off = fmax(off, fabs((double)ours[i] - (double)theirs[i]));
    largest = fmax(largest, fabs((double)theirs[i]));
  }
  for (int n = 1; n < IMAGES; n++) {
    double between = 0;
    for (int k = 0; k < e->classes; k++)
      between = fmax(between, fabs((double)theirs[n * e->classes + k] - (double)theirs[k]));
    apart = fmin(apart, between);
  }
  print_message("%s: %s differ by %.2g of %.3g, images by %.3g\n", e->name, what, off / largest,
                largest, apart);
  assert_int_equal(nonfinite, 0);
  if (!(off <= LOGIT_TOLERANCE * largest)) fail_msg("%s: %s differ by %g", e->name, what, off);
  if (!(apart >= 50 * LOGIT_TOLERANCE)) fail_msg("%s: images differ by %g only", e->name, apart);
}

static double largest_of(const gf__named_tensor *t) {
  double largest = 0;
  for (size_t k = 0; k < t->count; k++) largest = fmax(largest, fabs((double)t->values[k]));
  return largest;
}

/* By the largest element of the layer, whose tensors follow each other and whose weight is first.
 */
static double gradient_difference(const gf__named_tensor *theirs, const float *ours,
                                  double *largest) {
  double off = 0;
  *largest =
      strstr(theirs->name, ".weight") ? largest_of(theirs) : fmax(*largest, largest_of(theirs));
  for (size_t k = 0; k < theirs->count; k++) {
    off = fmax(off, fabs((double)ours[k] - (double)theirs->values[k]));
    if (!isfinite(ours[k]) || !isfinite(theirs->values[k])) return INFINITY;
  }
  return off / fmax(*largest, 1e-6);
}

/* Every trainable tensor's gradient of the mean loss of the images, whose labels are their numbers
 * by the classes. */
static void compare_gradients(const example *e, gf_model *model, const float *images) {
  int labels[IMAGES], count = gf_model_parameter_count(model), wrong = 0;
  gf__named_tensor *theirs = calloc((size_t)count, sizeof *theirs);
  size_t trainable = 0;
  double worst = 0, largest = 0;
  gf_loss loss;
  assert_non_null(theirs);
  for (int i = 0; i < IMAGES; i++) labels[i] = i % e->classes;
  for (int i = 0; i < count; i++) {
    gf_parameter_info p = gf_model_parameter(model, i);
    gf__named_tensor *t = &theirs[trainable];
    if (!p.trainable) continue;
    trainable++;
    *t = (gf__named_tensor){.dim_count = p.dim_count, .count = p.count};
    snprintf(t->name, sizeof t->name, "%s", p.name);
    memcpy(t->dims, p.dims, sizeof t->dims);
    t->values = malloc(p.count * sizeof *t->values);
    assert_non_null(t->values);
  }
  assert_ok(gf__safetensors_read(in_folder("gradients.safetensors"), theirs, trainable));
  assert_ok(gf_model_forward(model, images, labels, IMAGES, 1, &loss));
  assert_ok(gf_model_backward(model));
  for (int i = 0, t = 0; i < count; i++) {
    gf_parameter_info p = gf_model_parameter(model, i);
    if (!p.trainable) continue;
    float *ours = malloc(p.count * sizeof *ours);
    assert_non_null(ours);
    assert_ok(gf_model_read_gradient(model, i, ours));
    double off = gradient_difference(&theirs[t++], ours, &largest);
    worst = fmax(worst, off);
    if (!(off <= GRADIENT_TOLERANCE)) {
      print_message("  the gradient of %s differs by %g of its layer's largest\n", p.name, off);
      wrong++;
    }
    free(ours);
  }
  gf__named_tensors_free(theirs, trainable);
  print_message("%s: gradients differ by at most %.2g of their layers' largest\n", e->name, worst);
  if (wrong) fail_msg("%s: %d gradients differ", e->name, wrong);
}

/* The run of the model, exported and run by onnxruntime. */
static void compare_export(const example *e, const float *theirs) {
  char command[1024];
  gf_export_options options = gf_export_options_default();
  options.overwrite = true;
  assert_ok(gf_export_onnx(in_folder("run"), in_folder("model.onnx"), &options, NULL));
  snprintf(command, sizeof command, "'%s' -B '%s/tests/onnx/run.py' '%s' %d %d %d %d logits %d",
           python(), SOURCE_FOLDER, fixture_folder, IMAGES, e->image.channels, e->image.height,
           e->image.width, e->classes);
  if (system(command) != 0) fail_msg("%s failed", command);
  float *again = read_floats("theirs.f32", (size_t)(IMAGES * e->classes));
  compare_logits(e, "logits of the export", again, theirs);
  free(again);
}

static gf_model *open_run(const example *e) {
  gf_config *config = NULL;
  gf_model *model = NULL;
  assert_ok(gf_config_load(&config, in_folder("run/config.yaml")));
  assert_ok(gf_model_open(&model, fixture_device, config, e->image, e->classes, IMAGES, 1));
  assert_ok(gf_model_load(model, in_folder("run/last.safetensors")));
  gf_config_free(&config);
  return model;
}

static void import_example(example *e) {
  gf_conversion result;
  gf_import_options options = gf_import_options_default();
  gf_config *config = NULL;
  char path[256];
  snprintf(path, sizeof path, "%s", in_folder("run"));
  options.out = path;
  options.overwrite = true;
  log_[0] = 0;
  gf_log_to(keep_log, NULL);
  assert_ok(gf_config_parse(&config, "none", "{}\n"));
  assert_ok(gf_import_onnx(config, in_folder("model.onnx"), &options, &result));
  gf_config_free(&config);
  gf_log_to(NULL, NULL);
  assert_int_equal(result.image.height, e->image.height);
  assert_int_equal(result.image.width, e->image.width);
  assert_int_equal(result.image.channels, e->image.channels);
  assert_int_equal(result.classes, e->classes);
}

static void check(const char *name) {
  example e;
  float logits[IMAGES * MOST_CLASSES];
  (void)remove(in_folder("gradients.safetensors"));
  write_example(&e, name);
  import_example(&e);
  float *images = read_images(&e),
        *theirs = read_floats("theirs.f32", (size_t)(IMAGES * e.classes));
  gf_model *model = open_run(&e);
  assert_ok(gf_model_forward(model, images, NULL, IMAGES, 0, NULL));
  assert_ok(gf_model_logits(model, logits));
  compare_logits(&e, "logits", logits, theirs);
  if (gf__path_exists(in_folder("gradients.safetensors"))) compare_gradients(&e, model, images);
  compare_export(&e, theirs);
  gf_model_free(&model);
  free(images);
  free(theirs);
}

/* ---- graphs and networks ---- */

static void check_graph(const char *name) {
  if (!*names_) skip();
  if (!can_write(name)) fail_msg("write.py has no %s", name);
  check(name);
}

static void check_network(const char *name, int folded_norms) {
  char expected[64];
  if (!can_write("torch")) skip();
  check(name);
  snprintf(expected, sizeof expected, "%d convolutions have a batch norm folded", folded_norms);
  if (folded_norms && !strstr(log_, expected)) fail_msg("no '%s' in: %s", expected, log_);
  if (!folded_norms) assert_null(strstr(log_, "folded"));
}

#define GRAPH(function, name)          \
  static void function(void **state) { \
    (void)state;                       \
    check_graph(name);                 \
  }
GRAPH(plain_layers_agree, "plain")
GRAPH(operator_set_21_agrees, "plain of set 21")
GRAPH(activations_agree, "activations")
GRAPH(bounds_and_sides_agree, "bounds")
GRAPH(bounds_as_attributes_agree, "bounds of set 9")
GRAPH(branches_agree, "branches")
GRAPH(shape_arithmetic_is_folded, "shapes")
GRAPH(a_shortcut_without_parameters_agrees, "shortcut")
GRAPH(linear_layers_of_pixels_agree, "per pixel")
GRAPH(groups_agree, "groups")
GRAPH(transposed_convolutions_agree, "transposed")
GRAPH(ranges_and_turns_of_channels_agree, "shuffles")
GRAPH(ranges_of_early_sets_agree, "shuffles of set 11")
GRAPH(edges_of_pools_agree, "pools")
GRAPH(norms_of_images_agree, "norms")
GRAPH(norms_of_set_17_agree, "norms of set 17")
GRAPH(weights_of_16_bits_agree, "half")
GRAPH(volumes_agree, "volume")

/* mean = (1, 1, 1) / 2, std = by / 2, of pixels from 0 to 1. */
static void a_graphs_normalisation_becomes_keys(void **state) {
  (void)state;
  char *yaml;
  size_t size;
  check_graph("normalised");
  assert_non_null(strstr(log_, "what its graph does to the pixels first is data.mean"));
  assert_ok(gf__file_read(in_folder("run/config.yaml"), &yaml, &size));
  const char *mean = strstr(yaml, "mean:"), *std = strstr(yaml, "std:");
  double numbers[6];
  assert_non_null(mean);
  assert_non_null(std);
  assert_int_equal(sscanf(mean, "mean: - %lf - %lf - %lf", &numbers[0], &numbers[1], &numbers[2]),
                   3);
  assert_int_equal(sscanf(std, "std: - %lf - %lf - %lf", &numbers[3], &numbers[4], &numbers[5]), 3);
  static const double expected[] = {0.5, 0.5, 0.5, 0.25, 0.5, 1};
  for (int i = 0; i < 6; i++) assert_true(fabs(numbers[i] - expected[i]) < 1e-6);
  free(yaml);
}

static void products_with_random_numbers_become_dropout(void **state) {
  (void)state;
  char *yaml;
  size_t size;
  check_graph("random numbers");
  assert_ok(gf__file_read(in_folder("run/config.yaml"), &yaml, &size));
  assert_non_null(strstr(yaml, "type: stochastic_depth\n      p: 0.25\n"));
  assert_non_null(strstr(yaml, "type: dropout\n      p: 0.4\n"));
  free(yaml);
}

static void gates_agree(void **state) {
  (void)state;
  check_graph("gates");
}

static void channels_last_agree(void **state) {
  (void)state;
  check_graph("tensorflow");
  assert_non_null(strstr(log_, "1 convolutions have a batch norm folded"));
  assert_non_null(strstr(log_, "1 products and sums with constants by channel have become"));
  assert_non_null(strstr(log_, "the softmax at the end is left out"));
}

static void kerass_export_agrees(void **state) {
  (void)state;
  if (!can_write("keras")) skip();
  check("keras");
  assert_non_null(strstr(log_, "1 convolutions have a batch norm folded"));
}

#define NETWORK(function, name, folded_norms) \
  static void function(void **state) {        \
    (void)state;                              \
    check_network(name, folded_norms);        \
  }
NETWORK(torchs_export_agrees, "small:default", 2)
NETWORK(torchs_unoptimised_export_agrees, "small:unoptimised", 0)
NETWORK(torchs_export_of_training_agrees, "small:training", 0)
NETWORK(torchs_older_export_agrees, "small:older", 2)
NETWORK(torchs_older_export_of_training_agrees, "small:older training", 0)

NETWORK(norms_of_torchs_export_agree, "normed:default", 0)
NETWORK(norms_of_torchs_training_agree, "normed:training", 0)
NETWORK(norms_of_torchs_older_export_agree, "normed:older training", 0)

NETWORK(bins_of_torchs_export_agree, "adaptive:default", 0)

/* ---- the documentation ---- */

static void every_operator_is_in_the_documentation(void **state) {
  (void)state;
  char *page, name[64];
  size_t size;
  assert_ok(gf__file_read(SOURCE_FOLDER "/docs/convert.md", &page, &size));
  for (const gf__operator *row = gf__operators; row->name; row++) {
    snprintf(name, sizeof name, "`%s`", row->name);
    if (!strstr(page, name)) fail_msg("docs/convert.md lacks %s", name);
  }
  free(page);
}

static void what_is_named_agrees(void **state) {
  (void)state;
  const char *at = getenv("GRADFLOW_NETWORKS");
  while (*at) {
    char name[128];
    size_t length = strcspn(at, ",");
    snprintf(name, sizeof name, "%.*s", (int)length, at);
    check(name);
    at += length + (at[length] == ',');
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(plain_layers_agree),
      cmocka_unit_test(operator_set_21_agrees),
      cmocka_unit_test(activations_agree),
      cmocka_unit_test(bounds_and_sides_agree),
      cmocka_unit_test(bounds_as_attributes_agree),
      cmocka_unit_test(branches_agree),
      cmocka_unit_test(shape_arithmetic_is_folded),
      cmocka_unit_test(a_shortcut_without_parameters_agrees),
      cmocka_unit_test(linear_layers_of_pixels_agree),
      cmocka_unit_test(groups_agree),
      cmocka_unit_test(gates_agree),
      cmocka_unit_test(products_with_random_numbers_become_dropout),
      cmocka_unit_test(transposed_convolutions_agree),
      cmocka_unit_test(ranges_and_turns_of_channels_agree),
      cmocka_unit_test(ranges_of_early_sets_agree),
      cmocka_unit_test(edges_of_pools_agree),
      cmocka_unit_test(norms_of_images_agree),
      cmocka_unit_test(norms_of_set_17_agree),
      cmocka_unit_test(weights_of_16_bits_agree),
      cmocka_unit_test(volumes_agree),
      cmocka_unit_test(a_graphs_normalisation_becomes_keys),
      cmocka_unit_test(channels_last_agree),
      cmocka_unit_test(torchs_export_agrees),
      cmocka_unit_test(torchs_unoptimised_export_agrees),
      cmocka_unit_test(torchs_export_of_training_agrees),
      cmocka_unit_test(torchs_older_export_agrees),
      cmocka_unit_test(torchs_older_export_of_training_agrees),
      cmocka_unit_test(bins_of_torchs_export_agree),
      cmocka_unit_test(norms_of_torchs_export_agree),
      cmocka_unit_test(norms_of_torchs_training_agree),
      cmocka_unit_test(norms_of_torchs_older_export_agree),
      cmocka_unit_test(kerass_export_agrees),
      cmocka_unit_test(every_operator_is_in_the_documentation),
  };
  const struct CMUnitTest named[] = {cmocka_unit_test(what_is_named_agrees)};
  if (getenv("GRADFLOW_NETWORKS"))
    return cmocka_run_group_tests_name("import_onnx", named, open_all, fixture_close);
  return cmocka_run_group_tests_name("import_onnx", tests, open_all, fixture_close);
}

#endif
