/* Networks as ONNX models: onnx's checker accepts them, onnxruntime gives our logits, and the file
 * says what its input is. GRADFLOW_PYTHON names the Python to run instead of python3; where it has
 * no onnx or onnxruntime, what needs them is skipped. Without ONNX in the build, the refusal is
 * tested alone. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <math.h>
#include <stdbool.h>

#include <gradflow/convert.h>

#include "base/text.h"
#include "run/network.h"
#include "support/device.h"
#include "support/test.h"

#ifndef GRADFLOW_HAS_ONNX

static void without_onnx_it_is_said_what_to_install(void **state) {
  (void)state;
  assert_int_equal(gf_export_onnx("run", "model.onnx", NULL, NULL), GF_ERROR_ARGUMENT);
  assert_string_equal(gf_error_message(),
                      "model.onnx is not written: this gradflow was built without ONNX; install "
                      "libprotobuf-c-dev, protobuf-c-compiler and libonnx-dev, and build it again");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(without_onnx_it_is_said_what_to_install)};
  print_message("skipped: the build has no ONNX\n");
  return cmocka_run_group_tests_name("onnx", tests, NULL, NULL);
}

#else

#include "layers/layer.h"
#include "onnx.pb-c.h"

enum { IMAGES = 4, MOST_CLASSES = 100 };

/* Of the difference of two logits. */
static const double TOLERANCE = 1e-4;

static const char *python(void) {
  const char *path = getenv("GRADFLOW_PYTHON");
  return path && *path ? path : "python3";
}

static bool has_runtime;

/* A level-5 MATLAB file of one array of bytes, the first index fastest. */
static void write_mat(const char *name, const int *dims, int rank, const uint8_t *bytes) {
  uint32_t size = 1, padded;
  gf__text file = {0};
  for (int d = 0; d < rank; d++) size *= (uint32_t)dims[d];
  padded = (size + 7) / 8 * 8;
  uint32_t dim_bytes = (uint32_t)rank * 4, dim_padded = (dim_bytes + 7) / 8 * 8;
  gf__text_add(&file, "%-124s", "MATLAB 5.0 MAT-file");
  gf__text_add_bytes(&file, "\0\1IM", 4);
  uint32_t head[] = {14, 16 + 8 + dim_padded + 16 + 8 + padded, 6, 8, 9, 0, 5, dim_bytes};
  gf__text_add_bytes(&file, head, sizeof head);
  for (int d = 0; d < 2 * ((rank + 1) / 2); d++)
    gf__text_add_bytes(&file, &(int32_t){d < rank ? dims[d] : 0}, 4);
  gf__text_add_bytes(&file, (uint32_t[]){1, 1}, 8);
  gf__text_add_bytes(&file, "a\0\0\0\0\0\0\0", 8);
  gf__text_add_bytes(&file, (uint32_t[]){2, size}, 8);
  gf__text_add_bytes(&file, bytes, size);
  gf__text_add_bytes(&file, (uint8_t[8]){0}, padded - size);
  assert_ok(gf__text_status(&file));
  assert_ok(gf__file_write(in_folder(name), file.data, file.size));
  gf__text_free(&file);
}

enum { SIDE = 9, BANDS = 20, KINDS = 3 };

static void write_cube(void) {
  static uint8_t cube[SIDE * SIDE * BANDS], truth[SIDE * SIDE];
  uint32_t random = 3;
  for (int i = 0; i < SIDE * SIDE * BANDS; i++)
    cube[i] = (uint8_t)(128 + 100 * next_float(&random));
  for (int i = 0; i < SIDE * SIDE; i++) truth[i] = (uint8_t)(1 + i % KINDS);
  write_mat("scene.mat", (int[]){SIDE, SIDE, BANDS}, 3, cube);
  write_mat("truth.mat", (int[]){SIDE, SIDE}, 2, truth);
}

static int open_all(void **state) {
  char command[512];
  snprintf(command, sizeof command, "'%s' -c 'import numpy, onnx, onnxruntime' 2>/dev/null",
           python());
  has_runtime = system(command) == 0;
  if (!has_runtime)
    print_message(
        "skipped: %s has no numpy, onnx or onnxruntime; GRADFLOW_PYTHON=PATH names another "
        "Python\n",
        python());
  if (fixture_open(state) != 0) return -1;
  write_cube();
  return 0;
}

/* ---- runs ---- */

typedef struct network {
  const char *data, *model; /* sections of the config; %s in data is the folder */
  gf_image_shape image;
  int classes;
} network;

static size_t floats_of(const network *net) {
  return (size_t)IMAGES * (size_t)net->image.height * (size_t)net->image.width *
         (size_t)net->image.channels;
}

/* A few passes, so that norms are not the identity. */
static gf_model *open_network(const network *net, const gf_config *config, const float *images) {
  gf_model *model = NULL;
  int labels[IMAGES];
  gf_loss loss;
  assert_ok(gf_model_open(&model, fixture_device, config, net->image, net->classes, IMAGES, 1));
  for (int i = 0; i < IMAGES; i++) labels[i] = i % net->classes;
  uint32_t random = 5;
  for (int i = 0; i < gf_model_parameter_count(model); i++) {
    gf_parameter_info p = gf_model_parameter(model, i);
    if (p.dim_count > 1 || !p.trainable) continue;
    float *values = malloc(p.count * sizeof *values);
    assert_non_null(values);
    assert_ok(gf_model_read_parameter(model, i, values));
    for (size_t k = 0; k < p.count; k++) values[k] += 0.2f * next_float(&random);
    assert_ok(gf_model_write_parameter(model, i, values));
    free(values);
  }
  for (int pass = 0; pass < 20; pass++)
    assert_ok(gf_model_forward(model, images, labels, IMAGES, 1, &loss));
  return model;
}

/* Images in ONNX's order: (images, channels, height, width). */
static void write_images(const network *net, const float *images) {
  size_t channels = (size_t)net->image.channels, count = floats_of(net);
  size_t pixels = count / channels / IMAGES;
  float *planes = malloc(count * sizeof *planes);
  assert_non_null(planes);
  for (size_t n = 0; n < IMAGES; n++)
    for (size_t p = 0; p < pixels; p++)
      for (size_t c = 0; c < channels; c++)
        planes[(n * channels + c) * pixels + p] = images[(n * pixels + p) * channels + c];
  assert_ok(gf__file_write(in_folder("images.f32"), planes, count * sizeof *planes));
  free(planes);
}

/* The folder "run" and images.f32; logits: (IMAGES, classes). */
static void make_run(const network *net, float *logits) {
  gf__text yaml = {0};
  uint32_t random = 11;
  float *images = malloc(floats_of(net) * sizeof *images);
  assert_non_null(images);
  for (size_t i = 0; i < floats_of(net); i++) /* of four contrasts, which depth does not wash out */
    images[i] = (float)(i / (floats_of(net) / IMAGES) + 1) * next_float(&random);
  write_images(net, images);
  gf__text_add(&yaml, "data: {%s, path: %s}\nmodel: {%s}\n", net->data, fixture_folder, net->model);
  assert_ok(gf__make_folder(in_folder("run")));
  assert_ok(gf__file_write(in_folder("run/config.yaml"), yaml.data, yaml.size));
  gf_config *config = parse_config(yaml.data);
  gf_model *model = open_network(net, config, images);
  assert_ok(gf_model_forward(model, images, NULL, IMAGES, 0, NULL));
  assert_ok(gf_model_logits(model, logits));
  assert_ok(gf_model_save(model, in_folder("run/last.safetensors")));
  gf_dataset_info data = {.name = "images",
                          .height = net->image.height,
                          .width = net->image.width,
                          .channels = net->image.channels,
                          .classes = net->classes};
  assert_ok(gf__network_write(in_folder("run"), config, &data, (gf__record_images){0}));
  gf_model_free(&model);
  gf_config_free(&config);
  gf__text_free(&yaml);
  free(images);
}

static gf_conversion export_run(int softmax) {
  gf_conversion result;
  gf_export_options options = {.softmax = softmax, .overwrite = 1};
  assert_ok(gf_export_onnx(in_folder("run"), in_folder("model.onnx"), &options, &result));
  return result;
}

/* ---- onnxruntime ---- */

static void run_python(const network *net, const char *output, float *out) {
  char command[1024], *bytes;
  size_t size;
  snprintf(command, sizeof command, "'%s' -B '%s/tests/onnx/run.py' '%s' %d %d %d %d %s %d",
           python(), SOURCE_FOLDER, fixture_folder, IMAGES, net->image.channels, net->image.height,
           net->image.width, output, net->classes);
  if (system(command) != 0) fail_msg("%s failed", command);
  assert_ok(gf__file_read(in_folder("theirs.f32"), &bytes, &size));
  assert_int_equal(size, (size_t)IMAGES * (size_t)net->classes * sizeof *out);
  memcpy(out, bytes, size);
  free(bytes);
}

/* Images' logits must differ from each other far more, or they would say nothing of the layers
 * before the last. */
static void compare(const char *name, int classes, const float *ours, const float *theirs) {
  double off = 0, apart = INFINITY;
  int nonfinite = 0;
  for (int i = 0; i < IMAGES * classes; i++) {
    nonfinite += !isfinite(ours[i]) + !isfinite(theirs[i]);
    off = fmax(off, fabs((double)ours[i] - (double)theirs[i]));
  }
  for (int n = 1; n < IMAGES; n++) {
    double between = 0;
    for (int k = 0; k < classes; k++)
      between = fmax(between, fabs((double)theirs[n * classes + k] - (double)theirs[k]));
    apart = fmin(apart, between);
  }
  print_message("%s: logits differ by %.2g, images by %.3g\n", name, off, apart);
  assert_int_equal(nonfinite, 0);
  if (!(off <= TOLERANCE)) fail_msg("%s: logits differ by %g", name, off);
  if (!(apart >= 100 * TOLERANCE)) fail_msg("%s: images differ by %g only", name, apart);
}

static void check(const char *name, const network *net) {
  float ours[IMAGES * MOST_CLASSES], theirs[IMAGES * MOST_CLASSES];
  make_run(net, ours);
  gf_conversion result = export_run(0);
  assert_int_equal(result.classes, net->classes);
  if (!has_runtime) skip();
  run_python(net, "logits", theirs);
  compare(name, net->classes, ours, theirs);
}

#define CIFAR "name: cifar100"

static void plain37_agrees(void **state) {
  (void)state;
  check("plain 37", &(network){CIFAR, "family: vgg_stages, initialisation: he", {32, 32, 3}, 100});
}

static void residual37_batch_norm_agrees(void **state) {
  (void)state;
  check("residual 37",
        &(network){CIFAR, "family: vgg_stages, shortcut: identity, norm: every", {32, 32, 3}, 100});
}

static void resnet20_agrees(void **state) {
  (void)state;
  check("ResNet-20", &(network){CIFAR, "family: resnet_cifar", {32, 32, 3}, 100});
}

/* 60 pixels become an odd number on the way; the number of classes is known by the weights. */
static void resnet18_agrees(void **state) {
  (void)state;
  check("ResNet-18", &(network){"name: image_folder, image_size: 60, resize: 60",
                                "family: resnet_imagenet, depth: 18",
                                {60, 60, 3},
                                7});
}

static void multi_scale_agrees(void **state) {
  (void)state;
  check("multi-scale", &(network){CIFAR, "family: multi_scale, filters: 8", {32, 32, 3}, 100});
}

#define SCENE "name: hyperspectral, cube: scene.mat, ground_truth: truth.mat, patch: 5"

static void spectral_spatial_agrees(void **state) {
  (void)state;
  check(
      "spectral-spatial",
      &(network){
          SCENE, "family: spectral_spatial, filters: 6, bridge_filters: 8", {5, 5, BANDS}, KINDS});
}

static void auxiliarys_are_left_out(void **state) {
  (void)state;
  check("auxiliaries", &(network){CIFAR,
                                  "family: vgg_stages, filters: 8, blocks_per_stage: 0, "
                                  "initialisation: he, auxiliaries: [reduction_0_act_1]",
                                  {32, 32, 3},
                                  100});
}

/* Each layer, with options that are not the initial ones, and each way from one form of a value to
 * another. */
static const char every_layer_[] =
    "graph: ["
    "{name: a, type: conv2d, filters: 6, kernel: [3, 2], stride: [2, 1], padding: [1, 0], "
    "dilation: [1, 3]},"
    "{type: batch_norm, eps: 1e-2},"
    "{name: b, type: leaky_relu, slope: 0.3},"
    "{type: avg_pool, kernel: 3, stride: 2, padding: 1},"
    "{name: c, type: gelu},"
    "{type: conv2d, filters: 12, kernel: 3, padding: 1, groups: 3, bias: false},"
    "{type: conv2d, filters: 12, kernel: [2, 3], padding: [0, 1, 2, 0], groups: 12},"
    "{type: conv2d, filters: 6, kernel: 1, bias: false},"
    "{type: conv_transpose2d, filters: 8, kernel: [3, 2], stride: [1, 2], padding: [1, 1, 0, 0], "
    "groups: 2},"
    "{type: conv_transpose2d, filters: 6, kernel: 3, stride: 2, padding: [0, 1, 1, 0], "
    "output_padding: [0, 1], dilation: [1, 2], bias: false},"
    "{type: max_pool, kernel: [2, 4], stride: [2, 4]},"
    "{name: d, type: silu},"
    "{name: e, type: max_pool, input: b, kernel: [3, 2], stride: [2, 2], padding: [1, 1]},"
    "{name: f, type: elu, alpha: 0.7, input: d},"
    "{name: g, type: concat, input: [c, f]},"
    "{name: h, type: pad_shortcut, channels: 16, stride: 2},"
    "{name: same, type: pad_shortcut, channels: 16, stride: 1, input: h},"
    "{type: adaptive_avg_pool, size: [5, 7], input: e},"
    "{name: thin, type: pad_shortcut, channels: 6, stride: 2},"
    "{name: v, type: to_volume, channels: 2, input: same},"
    "{type: conv3d, filters: 4, kernel: [3, 2, 1], stride: [2, 1, 1], padding: [1, 1, 0]},"
    "{name: w, type: tanh},"
    "{type: max_pool3d, kernel: 2, stride: 1, padding: 1, input: w},"
    "{type: avg_pool3d, kernel: [3, 2, 2], stride: [1, 1, 1], padding: [1, 1, 1]},"
    "{type: layer_norm},"
    "{type: group_norm, groups: 2},"
    "{type: layer_scale, initial: 2},"
    "{name: deep, type: relu},"
    "{name: flat, type: conv3d, filters: 5, kernel: [0, 1, 1]}," /* one plane: a volume as an image
                                                                  */
    "{name: i, type: conv2d, filters: 5, kernel: 1, input: flat},"
    "{name: j, type: add, input: [flat, i]}," /* a volume of one plane and an image */
    "{name: wide, type: to_image, input: deep},"
    "{name: k, type: global_avg_pool, input: deep}," /* of a volume */
    "{name: l, type: global_avg_pool, input: wide},"
    "{name: m, type: concat, input: [k, l]},"
    "{name: n, type: flatten, input: j},"
    "{name: o, type: flatten, input: thin},"
    "{name: p, type: concat, input: [n, o, m]},"
    "{type: linear, outputs: 12},"
    "{type: batch_norm},"
    "{type: layer_norm, over: image},"
    "{type: layer_scale, initial: 3},"
    "{name: q, type: sigmoid},"
    "{type: conv2d, filters: 12, kernel: 1, padding: 1}," /* of a vector */
    "{type: clamp, min: -0.5, max: 2},"
    "{type: hard_swish},"
    "{name: gate, type: hard_sigmoid},"
    "{name: squeezed, type: global_avg_pool},"
    "{name: excited, type: multiply, input: [gate, squeezed]},"
    "{type: multiply, input: [excited, gate]},"
    "{type: layer_norm, eps: 1e-3},"
    "{type: layer_norm, over: image},"
    "{type: group_norm, groups: 4},"
    "{type: layer_scale, initial: 0.5},"
    "{type: channel_shuffle, groups: 3},"
    "{type: slice, first: 2, channels: 9},"
    "{name: r, type: global_avg_pool},"
    "{type: linear, outputs: 10, input: q},"
    "{type: auxiliary_loss},"
    "{type: global_avg_pool, input: q}," /* of a vector, too */
    "{name: s, type: linear, outputs: 9},"
    "{type: add, input: [r, s]},"
    "{type: dropout, p: 0.2},"
    "{type: linear, outputs: 10},"
    "{type: stochastic_depth},"
    "{type: dropout}]";

static void every_layer_agrees(void **state) {
  (void)state;
  for (const gf__layer *const *layer = gf__layers; *layer; layer++) {
    char type[80];
    snprintf(type, sizeof type, "type: %s", (*layer)->name);
    if (*layer != &gf__layer_softmax_cross_entropy && !strstr(every_layer_, type))
      fail_msg("the graph has no %s", (*layer)->name);
  }
  check("every layer", &(network){"name: cifar10", every_layer_, {32, 32, 3}, 10});
}

/* Right before the last layer, where nothing washes out how exact they are. */
static void each_activation_agrees(void **state) {
  (void)state;
  static const char *const types[] = {"leaky_relu, slope: 0.2",
                                      "relu",
                                      "tanh",
                                      "sigmoid",
                                      "elu, alpha: 0.6",
                                      "gelu",
                                      "silu",
                                      "clamp",
                                      "clamp, min: -0.2, max: 0.3",
                                      "hard_sigmoid",
                                      "hard_swish"};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    char model[256];
    snprintf(
        model, sizeof model,
        "graph: [{type: conv2d, filters: 8, kernel: 3, stride: 8}, {type: %s}, {type: flatten}, "
        "{type: linear, outputs: 10}]",
        types[i]);
    check(types[i], &(network){"name: cifar10", model, {32, 32, 3}, 10});
  }
}

/* Windows that reach past the image, or past its padding. */
static void edges_of_pools_agree(void **state) {
  (void)state;
  static const char *const types[] = {
      "max_pool, kernel: 3, stride: 2, ceil_mode: true",
      "max_pool, kernel: 3, stride: 2, padding: [0, 1, 1, 0]",
      "max_pool, kernel: 2, stride: 2, padding: same",
      "avg_pool, kernel: 3, stride: 2, ceil_mode: true",
      "avg_pool, kernel: 3, stride: 2, padding: 1, ceil_mode: true",
      "avg_pool, kernel: 3, stride: 2, padding: [0, 1, 1, 0]",
      "avg_pool, kernel: 3, stride: 2, padding: [0, 1, 1, 0], count_include_pad: false",
      "avg_pool, kernel: 3, stride: 2, padding: 1, ceil_mode: true, count_include_pad: false"};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    char model[256];
    snprintf(
        model, sizeof model,
        "graph: [{type: conv2d, filters: 8, kernel: 3, stride: 2}, {type: %s}, {type: flatten}, "
        "{type: linear, outputs: 10}]",
        types[i]);
    check(types[i], &(network){"name: cifar10", model, {16, 18, 3}, 10});
  }
}

static void a_softmax_gives_probabilities(void **state) {
  (void)state;
  network net = {CIFAR, "family: vgg_stages, blocks_per_stage: 0, filters: 8", {32, 32, 3}, 100};
  float logits[IMAGES * MOST_CLASSES], theirs[IMAGES * MOST_CLASSES];
  make_run(&net, logits);
  export_run(1);
  if (!has_runtime) skip();
  run_python(&net, "probabilities", theirs);
  for (int n = 0; n < IMAGES; n++) {
    double sum = 0, off = 0;
    for (int k = 0; k < 100; k++) sum += exp((double)logits[n * 100 + k]);
    for (int k = 0; k < 100; k++)
      off = fmax(off, fabs(exp((double)logits[n * 100 + k]) / sum - (double)theirs[n * 100 + k]));
    if (!(off <= 1e-6)) fail_msg("probabilities of image %d differ by %g", n, off);
  }
}

/* ---- what is in the file ---- */

static Onnx__ModelProto *read_model(void) {
  char *bytes;
  size_t size;
  assert_ok(gf__file_read(in_folder("model.onnx"), &bytes, &size));
  Onnx__ModelProto *model = onnx__model_proto__unpack(NULL, size, (const uint8_t *)bytes);
  free(bytes);
  assert_non_null(model);
  return model;
}

static const char *note_of(const Onnx__ModelProto *model, const char *key) {
  for (size_t i = 0; i < model->n_metadata_props; i++)
    if (!strcmp(model->metadata_props[i]->key, key)) return model->metadata_props[i]->value;
  return NULL;
}

static void weights_and_metadata_are_in_the_file(void **state) {
  (void)state;
  network net = {"name: fashion_mnist, mean: 0.25",
                 "graph: ["
                 "{name: conv, type: conv2d, filters: 2, kernel: 5, stride: 4},"
                 "{name: vector, type: flatten}, {name: drop, type: dropout},"
                 "{name: last, type: linear, outputs: 10}]",
                 {32, 32, 1},
                 10};
  float logits[IMAGES * MOST_CLASSES];
  make_run(&net, logits);
  gf_conversion result = export_run(0);
  assert_int_equal(result.parameters, 2 * 25 + 2 + 2 * 49 * 10 + 10);
  Onnx__ModelProto *model = read_model();
  const Onnx__GraphProto *graph = model->graph;
  assert_int_equal(model->ir_version, 7);
  assert_int_equal(model->n_opset_import, 1);
  assert_int_equal(model->opset_import[0]->version, 13);
  assert_string_equal(model->producer_name, "gradflow");
  static const char *const ops[] = {"Conv", "Flatten", "Gemm", "Flatten"};
  assert_int_equal(graph->n_node, 4);
  for (size_t i = 0; i < 4; i++) assert_string_equal(graph->node[i]->op_type, ops[i]);
  assert_int_equal(graph->n_initializer, 4);
  gf_config *config = NULL;
  gf_model *loaded = NULL;
  assert_ok(gf_config_load(&config, in_folder("run/config.yaml")));
  assert_ok(gf_model_open(&loaded, fixture_device, config, net.image, 10, 1, 9));
  assert_ok(gf_model_load(loaded, in_folder("run/last.safetensors")));
  for (int i = 0; i < 4; i++) {
    const Onnx__TensorProto *tensor = graph->initializer[i];
    gf_parameter_info p = gf_model_parameter(loaded, i);
    float *values = malloc(p.count * sizeof *values);
    assert_non_null(values);
    assert_ok(gf_model_read_parameter(loaded, i, values));
    assert_string_equal(tensor->name, p.name);
    assert_int_equal(tensor->n_dims, p.dim_count);
    for (int d = 0; d < p.dim_count; d++) assert_int_equal(tensor->dims[d], p.dims[d]);
    assert_int_equal(tensor->n_float_data, p.count);
    assert_memory_equal(tensor->float_data, values, p.count * sizeof *values);
    free(values);
  }
  gf_model_free(&loaded);
  gf_config_free(&config);
  assert_string_equal(note_of(model, "data"), "fashion_mnist");
  assert_string_equal(note_of(model, "input"),
                      "grey images, channels first: (pixel / 255 - mean) / std");
  /* All that happens to an image file before: 28 x 28 pixels in a border of 2. */
  assert_string_equal(note_of(model, "resize"), "28, 28");
  assert_string_equal(note_of(model, "crop"), "28, 28");
  assert_string_equal(note_of(model, "border"), "2, 2, 2, 2");
  assert_string_equal(note_of(model, "mean"), "0.25");
  assert_string_equal(note_of(model, "std"), "0.353");
  assert_memory_equal(note_of(model, "class_names"), "[\"t-shirt/top\", \"", 17);
  onnx__model_proto__free_unpacked(model, NULL);
}

/* What of an image of any size gets into the network, by the notes. */
static void notes_tell_how_images_are_cut(void **state) {
  (void)state;
  static const struct {
    const char *data;
    gf_image_shape image;
    const char *resize, *crop, *border;
  } rows[] = {
      {"name: image_folder, resize: 12, image_size: 10",
       {10, 10, 3},
       "12, 12",
       "10, 10",
       "0, 0, 0, 0"},
      {"name: image_folder, resize: 12, image_size: 10, pad_to: 13",
       {13, 13, 3},
       "12, 12",
       "10, 10",
       "1, 1, 2, 2"},
      {"name: mnist, image_shape: [24, 40]", {32, 40, 1}, "24, 40", "24, 40", "4, 0, 4, 0"},
      {"name: svhn", {32, 32, 3}, "32, 32", "32, 32", "0, 0, 0, 0"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    float logits[IMAGES * MOST_CLASSES];
    network net = {rows[i].data, "graph: [{type: flatten}, {type: linear, outputs: 10}]",
                   rows[i].image, 10};
    make_run(&net, logits);
    export_run(0);
    Onnx__ModelProto *model = read_model();
    assert_string_equal(note_of(model, "resize"), rows[i].resize);
    assert_string_equal(note_of(model, "crop"), rows[i].crop);
    assert_string_equal(note_of(model, "border"), rows[i].border);
    onnx__model_proto__free_unpacked(model, NULL);
  }
}

static void cubes_say_what_they_are(void **state) {
  (void)state;
  network net = {
      SCENE, "family: spectral_spatial, filters: 2, bridge_filters: 2", {5, 5, BANDS}, KINDS};
  float logits[IMAGES * MOST_CLASSES];
  make_run(&net, logits);
  export_run(0);
  Onnx__ModelProto *model = read_model();
  assert_string_equal(note_of(model, "input"),
                      "squares of a cube, bands first: each band less its mean over the scene and "
                      "divided by its standard deviation; zeros outside the scene");
  assert_null(note_of(model, "resize"));
  assert_null(note_of(model, "mean"));
  assert_null(note_of(model, "class_names"));
  onnx__model_proto__free_unpacked(model, NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(plain37_agrees),
      cmocka_unit_test(residual37_batch_norm_agrees),
      cmocka_unit_test(resnet20_agrees),
      cmocka_unit_test(resnet18_agrees),
      cmocka_unit_test(multi_scale_agrees),
      cmocka_unit_test(spectral_spatial_agrees),
      cmocka_unit_test(auxiliarys_are_left_out),
      cmocka_unit_test(every_layer_agrees),
      cmocka_unit_test(each_activation_agrees),
      cmocka_unit_test(edges_of_pools_agree),
      cmocka_unit_test(a_softmax_gives_probabilities),
      cmocka_unit_test(weights_and_metadata_are_in_the_file),
      cmocka_unit_test(notes_tell_how_images_are_cut),
      cmocka_unit_test(cubes_say_what_they_are),
  };
  return cmocka_run_group_tests_name("onnx", tests, open_all, fixture_close);
}

#endif
