/* Weights that are saved here give the same logits in PyTorch, and those that PyTorch has
 * initialised and saved give PyTorch's here. The networks there (tests/pytorch) are written from
 * their papers. GRADFLOW_PYTHON names the Python to run instead of python3; where it has no torch
 * or safetensors, the tests are skipped, and so is torchvision's network where that is absent. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <math.h>
#include <stdbool.h>

#include <gradflow/convert.h>
#include <gradflow/model.h>

#include "base/text.h"
#include "model/model.h"
#include "support/device.h"
#include "support/test.h"

enum { IMAGES = 4, CLASSES = 10, CHANNELS = 3, LOGITS = IMAGES * CLASSES };

/* Of the difference of two logits: that much, or that share of the largest where it is above 1. */
static const double TOLERANCE = 1e-4;

static const char *python(void) {
  const char *path = getenv("GRADFLOW_PYTHON");
  return path && *path ? path : "python3";
}

static bool python_has(const char *modules) {
  char command[512];
  snprintf(command, sizeof command, "'%s' -c 'import %s' 2>/dev/null", python(), modules);
  return system(command) == 0;
}

static bool has_torch;

static int open_all(void **state) {
  has_torch = python_has("numpy, torch, safetensors.torch");
  if (!has_torch)
    print_message(
        "skipped: %s has no numpy, torch or safetensors; GRADFLOW_PYTHON=PATH names "
        "another Python\n",
        python());
  return fixture_open(state);
}

typedef struct network {
  const char *name;  /* in networks.py */
  const char *model; /* section of the config */
  gf_image_shape image;
} network;

/* ---- files ---- */

static void write_floats(const char *name, const float *values, size_t count) {
  assert_ok(gf__file_write(in_folder(name), values, count * sizeof *values));
}

static void read_logits(const char *name, float out[LOGITS]) {
  char *bytes;
  size_t size;
  assert_ok(gf__file_read(in_folder(name), &bytes, &size));
  assert_int_equal(size, LOGITS * sizeof *out);
  memcpy(out, bytes, size);
  free(bytes);
}

/* Images in PyTorch's order: (images, channels, height, width). */
static void write_images(const float *images, gf_image_shape shape) {
  size_t pixels = (size_t)shape.height * (size_t)shape.width, count = IMAGES * CHANNELS * pixels;
  float *planes = malloc(count * sizeof *planes);
  assert_non_null(planes);
  for (size_t n = 0; n < IMAGES; n++)
    for (size_t p = 0; p < pixels; p++)
      for (size_t c = 0; c < CHANNELS; c++)
        planes[(n * CHANNELS + c) * pixels + p] = images[(n * pixels + p) * CHANNELS + c];
  write_floats("images.f32", planes, count);
  free(planes);
}

/* ---- here ---- */

static gf_model *open_network(const network *net, unsigned long long seed) {
  gf__text yaml = {0};
  gf_model *model = NULL;
  gf__text_add(&yaml, "model: {%s, initialisation: he}", net->model);
  assert_ok(gf__text_status(&yaml));
  gf_config *config = parse_config(yaml.data);
  gf__text_free(&yaml);
  assert_ok(gf_model_open(&model, fixture_device, config, net->image, CLASSES, IMAGES, seed));
  gf_config_free(&config);
  return model;
}

/* Moves the parameter against its gradient. */
static void descend(gf_model *model, int index, float rate) {
  size_t count = gf_model_parameter(model, index).count;
  float *values = malloc(2 * count * sizeof *values), *gradient = values + count;
  assert_non_null(values);
  assert_ok(gf_model_read_parameter(model, index, values));
  assert_ok(gf_model_read_gradient(model, index, gradient));
  for (size_t i = 0; i < count; i++) values[i] -= rate * gradient[i];
  assert_ok(gf_model_write_parameter(model, index, values));
  free(values);
}

/* Two steps, so that norms' parameters are not the initial ones, and further passes, which bring
 * running statistics near those of the images. */
static void train(gf_model *model, const float *images) {
  enum { STEPS = 2, PASSES = 20 };
  static const int labels[IMAGES] = {1, 7, 3, 8};
  for (int pass = 0; pass < PASSES; pass++) {
    gf_loss loss;
    assert_ok(gf_model_forward(model, images, labels, IMAGES, 1, &loss));
    if (pass >= STEPS) continue;
    assert_ok(gf_model_backward(model));
    for (int i = 0; i < gf_model_parameter_count(model); i++)
      if (gf_model_parameter(model, i).trainable) descend(model, i, 1e-2f);
  }
}

static void infer(gf_model *model, const float *images, float out[LOGITS]) {
  assert_ok(gf_model_forward(model, images, NULL, IMAGES, 0, NULL));
  assert_ok(gf_model_logits(model, out));
}

/* ---- there ---- */

static void run_python(const network *net) {
  char command[1024];
  snprintf(command, sizeof command, "'%s' -B '%s/tests/pytorch/logits.py' %s %d %d %d %d %d '%s'",
           python(), SOURCE_FOLDER, net->name, CLASSES, IMAGES, CHANNELS, net->image.height,
           net->image.width, fixture_folder);
  if (system(command) != 0) fail_msg("%s failed", command);
}

/* Of ours and PyTorch's, as shares of the largest of theirs if that is above 1. The images' logits
 * must differ from each other far more, or they would say nothing of the layers before the last.
 */
static void compare(const char *name, const float *ours, const float *theirs) {
  double scale = 1, off = 0, apart = INFINITY;
  int nonfinite = 0;
  for (int i = 0; i < LOGITS; i++) {
    nonfinite += !isfinite(ours[i]) + !isfinite(theirs[i]);
    scale = fmax(scale, fabs((double)theirs[i]));
    off = fmax(off, fabs((double)ours[i] - (double)theirs[i]));
  }
  for (int n = 1; n < IMAGES; n++) {
    double between = 0;
    for (int k = 0; k < CLASSES; k++)
      between = fmax(between, fabs((double)theirs[n * CLASSES + k] - (double)theirs[k]));
    apart = fmin(apart, between);
  }
  print_message("%s: logits differ by %.2g, images by %.3g, of %.3g\n", name, off, apart, scale);
  assert_int_equal(nonfinite, 0);
  if (!(off <= TOLERANCE * scale)) fail_msg("%s: logits differ by %g, of %g", name, off, scale);
  if (!(apart >= 100 * TOLERANCE * scale))
    fail_msg("%s: images' logits differ by %g only, of %g", name, apart, scale);
}

static void check(const network *net) {
  float ours[LOGITS], theirs[LOGITS];
  gf_image_shape shape = net->image;
  size_t count = (size_t)IMAGES * (size_t)shape.height * (size_t)shape.width * CHANNELS;
  float *images = malloc(count * sizeof *images);
  uint32_t random = 11;
  assert_non_null(images);
  for (size_t i = 0; i < count; i++) /* of four contrasts, which depth does not wash out */
    images[i] = (float)(i / (count / IMAGES) + 1) * next_float(&random);
  write_images(images, shape);

  gf_model *model = open_network(net, 1);
  train(model, images);
  assert_ok(gf_model_save(model, in_folder("ours.safetensors")));
  infer(model, images, ours);
  gf_model_free(&model);
  run_python(net);
  read_logits("ours.f32", theirs);
  compare("saved here", ours, theirs);

  model = open_network(net, 2);
  assert_ok(gf_model_load(model, in_folder("theirs.safetensors")));
  infer(model, images, ours);
  gf_model_free(&model);
  read_logits("theirs.f32", theirs);
  compare("saved by PyTorch", ours, theirs);
  free(images);
}

/* ---- contrast in double precision ---- */

/* What is written for the images by the network's weights, (layers). */
static double *read_contrast(const char *name, int layers) {
  char command[1024], *bytes;
  size_t size;
  snprintf(command, sizeof command,
           "'%s' -B '%s/tests/pytorch/contrast.py' --folder '%s' --network %s", python(),
           SOURCE_FOLDER, fixture_folder, name);
  if (system(command) != 0) fail_msg("%s failed", command);
  assert_ok(gf__file_read(in_folder("contrast.f64"), &bytes, &size));
  assert_int_equal(size, (size_t)layers * sizeof(double));
  return (double *)bytes;
}

/* The contrast of each activation of a fresh network. Rounding leaves 1e-14 of the energy or so,
 * and as much more as activations shrink after a layer. */
static void check_contrast(const network *net, double least) {
  enum { MOST = 128 };
  gf_activation_stats got[MOST];
  size_t count = (size_t)IMAGES * 32 * 32 * CHANNELS;
  float *images = malloc(count * sizeof *images);
  uint32_t random = 5;
  int activations = 0;
  assert_non_null(images);
  for (size_t i = 0; i < count; i++) images[i] = 2 * next_float(&random) - 1;
  write_images(images, net->image);
  gf_config *config = parse_config(net->model);
  gf_model *model = NULL;
  assert_ok(gf_model_open(&model, fixture_device, config, net->image, CLASSES, IMAGES, 3));
  gf_config_free(&config);
  assert_ok(gf_model_save(model, in_folder("ours.safetensors")));
  model->takes_activation_statistics = true;
  assert_ok(gf_model_forward(model, images, NULL, IMAGES, 1, NULL));
  assert_in_range(gf__model_activation_count(model), 1, MOST);
  assert_ok(gf__model_read_activations(model, NULL, got));
  for (int i = 0; i < gf__model_activation_count(model); i++) activations += !isnan(got[i].dead);
  double *expected = read_contrast(net->name, activations), *next = expected;
  for (int i = 0; i < gf__model_activation_count(model); i++) {
    if (isnan(got[i].dead)) continue;
    double e = *next++;
    bool is_right = e >= least ? fabs(got[i].contrast - e) <= 1e-3 * e : got[i].contrast < least;
    if (!is_right) fail_msg("%s: contrast %g and not %g", got[i].layer, got[i].contrast, e);
  }
  print_message("%s: contrast %.3g to %.3g in double precision\n", net->name, expected[0],
                next[-1]);
  free(expected);
  free(images);
  gf_model_free(&model);
}

static void contrast_is_that_of_double_precision(void **state) {
  (void)state;
  if (!has_torch) skip();
  gf_image_shape image = {32, 32, CHANNELS};
  check_contrast(&(network){"plain37", "model: {family: vgg_stages}", image}, 1e-9);
  check_contrast(&(network){"plain37", "model: {family: vgg_stages, initialisation: he}", image},
                 1e-9);
  check_contrast(&(network){"residual37", "model: {family: vgg_stages, shortcut: identity}", image},
                 1e-9);
  check_contrast(&(network){"plain37_norm", "model: {family: vgg_stages, norm: every}", image},
                 1e-9);
}

static void plain37_agrees(void **state) {
  (void)state;
  if (!has_torch) skip();
  check(&(network){"plain37", "family: vgg_stages", {32, 32, CHANNELS}});
}

static void residual37_batch_norm_agrees(void **state) {
  (void)state;
  if (!has_torch) skip();
  check(&(network){"residual37_batch_norm",
                   "family: vgg_stages, shortcut: identity, norm: every",
                   {32, 32, CHANNELS}});
}

static void resnet20_agrees(void **state) {
  (void)state;
  if (!has_torch) skip();
  check(&(network){"resnet20", "family: resnet_cifar, depth: 20", {32, 32, CHANNELS}});
}

/* The names of its nodes are the modules' in networks.py. */
#define SEPARABLE(i, keys)                                     \
  "{name: conv_" i ", type: conv2d, " keys "}, {name: norm_" i \
  ", type: batch_norm}, "                                      \
  "{type: leaky_relu, slope: 0.1}, "
static const char separable_[] =
    "graph: [" SEPARABLE("0", "filters: 8, padding: 1, bias: false")
    SEPARABLE("1", "filters: 8, stride: 2, padding: 1, groups: 8")
    SEPARABLE("2", "filters: 18, kernel: 1, groups: 2, bias: false")
    SEPARABLE("3", "filters: 36, kernel: [5, 3], padding: 2, dilation: [1, 2], groups: 18")
    SEPARABLE("4", "filters: 12, stride: 2, padding: [0, 1, 2, 0], groups: 3, bias: false")
    SEPARABLE("5", "filters: 12, kernel: 7, padding: 3, groups: 12")
    "{name: up, type: conv_transpose2d, filters: 9, kernel: [3, 4], stride: 2, padding: [1, 0], "
    "output_padding: [1, 0], groups: 3, dilation: [1, 2]}, {type: leaky_relu, slope: 0.1}, "
    "{type: global_avg_pool}, {name: last, type: linear, outputs: 10}]";

static void a_separable_network_agrees(void **state) {
  (void)state;
  if (!has_torch) skip();
  check(&(network){"separable", separable_, {19, 14, CHANNELS}});
}

/* The gradients of all parameters, one after the other, of a fresh network. */
static void compare_gradients(gf_model *model, const double *expected, size_t expected_count) {
  size_t done = 0;
  double worst = 0;
  for (int i = 0; i < gf_model_parameter_count(model); i++) {
    gf_parameter_info p = gf_model_parameter(model, i);
    if (!p.trainable) continue;
    float *got = malloc(p.count * sizeof *got);
    double largest = 0, off = 0;
    assert_non_null(got);
    assert_true(done + p.count <= expected_count);
    assert_ok(gf_model_read_gradient(model, i, got));
    for (size_t k = 0; k < p.count; k++) {
      assert_true(isfinite(got[k]));
      largest = fmax(largest, fabs(expected[done + k]));
      off = fmax(off, fabs((double)got[k] - expected[done + k]));
    }
    /* Of a bias before a norm, and of a scale that another norm undoes, only rounding is left. */
    if (!(off <= 1e-5 * largest + 1e-6)) fail_msg("%s: off by %g of %g", p.name, off, largest);
    worst = fmax(worst, off);
    done += p.count;
    free(got);
  }
  print_message("gradients differ by up to %.2g\n", worst);
  assert_int_equal(done, expected_count);
}

static void a_separable_networks_gradients_agree(void **state) {
  (void)state;
  enum { COUNT = IMAGES * 19 * 14 * CHANNELS };
  static const int labels[IMAGES] = {1, 7, 3, 8};
  static float images[COUNT];
  const network net = {"separable", separable_, {19, 14, CHANNELS}};
  char command[1024], *bytes;
  size_t size;
  uint32_t random = 21;
  if (!has_torch) skip();
  for (int i = 0; i < COUNT; i++) images[i] = 2 * next_float(&random) - 1;
  write_images(images, net.image);
  gf_model *model = open_network(&net, 6);
  assert_ok(gf_model_save(model, in_folder("ours.safetensors")));
  assert_ok(gf_model_forward(model, images, labels, IMAGES, 1, NULL));
  assert_ok(gf_model_backward(model));
  snprintf(command, sizeof command,
           "'%s' -B '%s/tests/pytorch/gradients.py' %s %d %d %d 19 14 '%s' 1 7 3 8", python(),
           SOURCE_FOLDER, net.name, CLASSES, IMAGES, CHANNELS, fixture_folder);
  if (system(command) != 0) fail_msg("%s failed", command);
  assert_ok(gf__file_read(in_folder("gradients.f64"), &bytes, &size));
  compare_gradients(model, (const double *)bytes, size / sizeof(double));
  free(bytes);
  gf_model_free(&model);
}

/* Smaller images than ImageNet's; 48 pixels become an odd number on the way. */
static void resnet18_agrees(void **state) {
  (void)state;
  if (!has_torch) skip();
  check(&(network){"resnet18", "family: resnet_imagenet, depth: 18", {64, 48, CHANNELS}});
}

/* What is exported is the whole state dict, counts of batches included. */
static void exports_are_whole_state_dicts(void **state) {
  (void)state;
  static const char yaml[] = "data: {name: cifar10}\nmodel: {family: resnet_cifar, depth: 20}\n";
  char command[1024];
  gf_model *model = NULL;
  if (!has_torch) skip();
  assert_ok(gf__make_folder(in_folder("run")));
  assert_ok(gf__file_write(in_folder("run/config.yaml"), yaml, strlen(yaml)));
  gf_config *config = parse_config(yaml);
  assert_ok(gf_model_open(&model, fixture_device, config, (gf_image_shape){32, 32, CHANNELS},
                          CLASSES, 1, 3));
  assert_ok(gf_model_save(model, in_folder("run/last.safetensors")));
  gf_model_free(&model);
  gf_config_free(&config);
  assert_ok(gf_export_pytorch(in_folder("run"), in_folder("state.safetensors"), NULL, NULL));
  snprintf(command, sizeof command, "'%s' -B '%s/tests/pytorch/state_dict.py' resnet20 %d '%s'",
           python(), SOURCE_FOLDER, CLASSES, in_folder("state.safetensors"));
  if (system(command) != 0) fail_msg("%s failed", command);
}

static void skip_without_torchvision(void) {
  if (has_torch && python_has("torchvision")) return;
  print_message("skipped: %s has no torchvision\n", python());
  skip();
}

static void torchvisions_resnet18_agrees(void **state) {
  (void)state;
  skip_without_torchvision();
  check(
      &(network){"torchvision_resnet18", "family: resnet_imagenet, depth: 18", {64, 48, CHANNELS}});
}

static void torchvisions_resnext_agrees(void **state) {
  (void)state;
  skip_without_torchvision();
  check(&(network){"torchvision_resnext50_32x4d",
                   "family: resnet_imagenet, depth: 50, groups: 32, width_per_group: 4",
                   {64, 48, CHANNELS}});
}

/* The nodes of a config of one line a node, with CLASSES outputs; the caller frees it. */
static char *read_graph(const char *path) {
  char *text;
  size_t size;
  gf__text graph = {0};
  assert_ok(gf__file_read(path, &text, &size));
  gf__text_add(&graph, "graph: [");
  for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
    char *outputs = strstr(line, "outputs: 1000");
    if (strncmp(line, "  - {", 5) != 0) continue;
    if (outputs) snprintf(outputs, strlen(outputs), "outputs: %d}", CLASSES);
    gf__text_add(&graph, "%s, ", line + 4);
  }
  gf__text_add(&graph, "]");
  assert_ok(gf__text_status(&graph));
  free(text);
  return graph.data;
}

static void torchvisions_mobilenet_agrees(void **state) {
  (void)state;
  skip_without_torchvision();
  char *graph = read_graph(SOURCE_FOLDER "/configs/zoo/mobilenet_v2.yaml");
  check(&(network){"torchvision_mobilenet_v2", graph, {64, 48, CHANNELS}});
  free(graph);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(contrast_is_that_of_double_precision),
      cmocka_unit_test(plain37_agrees),
      cmocka_unit_test(residual37_batch_norm_agrees),
      cmocka_unit_test(resnet20_agrees),
      cmocka_unit_test(a_separable_network_agrees),
      cmocka_unit_test(a_separable_networks_gradients_agree),
      cmocka_unit_test(resnet18_agrees),
      cmocka_unit_test(torchvisions_resnet18_agrees),
      cmocka_unit_test(torchvisions_resnext_agrees),
      cmocka_unit_test(torchvisions_mobilenet_agrees),
      cmocka_unit_test(exports_are_whole_state_dicts),
  };
  return cmocka_run_group_tests_name("pytorch", tests, open_all, fixture_close);
}
