/* Parameters of networks: how many, their names, how they begin, their layout;
 * and what is wrong with a config of a network, word by word. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <limits.h>
#include <math.h>
#include <stdbool.h>

#include <gradflow/model.h>

#include "model/model.h"
#include "ref_network.h"
#include "support/device.h"
#include "support/test.h"

enum { CLASSES = 100 };
static const gf_image_shape cifar_ = {32, 32, 3};

static gf_model *open_model(const char *yaml, gf_image_shape image, int classes,
                            unsigned long long seed) {
  gf_config *config = parse_config(yaml);
  gf_model *model = NULL;
  assert_ok(gf_model_open(&model, fixture_device, config, image, classes, 1, seed));
  gf_config_free(&config);
  return model;
}

static float *read_parameter(gf_model *model, int index) {
  float *values = malloc(gf_model_parameter(model, index).count * sizeof *values);
  assert_non_null(values);
  assert_ok(gf_model_read_parameter(model, index, values));
  return values;
}

static int find_parameter(const gf_model *model, const char *name) {
  for (int i = 0; i < gf_model_parameter_count(model); i++)
    if (strcmp(gf_model_parameter(model, i).name, name) == 0) return i;
  fail_msg("there is no parameter %s", name);
  return -1;
}

/* ---- the study's networks ---- */

/* Totals of the study's page; the others follow from them: a norm has 64 numbers. */
static const struct {
  const char *shortcut, *norm;
  int blocks;
  size_t total;
} networks[] = {
    {"none", "entry", 0, 59716},          {"none", "entry", 5, 336196},
    {"identity", "entry", 0, 59716},      {"identity", "entry", 5, 336196},
    {"none", "every", 5, 338500},         {"identity", "every", 5, 338500},
    {"none", "every", 0, 59716 + 6 * 64}, {"none", "none", 5, 336196 - 64},
};

static void parameter_totals_are_the_studys(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) {
    char yaml[256];
    snprintf(yaml, sizeof yaml,
             "model: {family: vgg_stages, blocks_per_stage: %d, shortcut: %s, norm: %s}",
             networks[i].blocks, networks[i].shortcut, networks[i].norm);
    gf_model *model = open_model(yaml, cifar_, CLASSES, 0);
    assert_int_equal(gf_model_parameter_total(model), networks[i].total);
    gf_model_free(&model);
  }
}

static void compare_tensors(const gf_model *model, const ref_network *reference) {
  assert_int_equal(gf_model_parameter_count(model), ref_network_tensor_count(reference));
  for (int i = 0; i < gf_model_parameter_count(model); i++) {
    gf_parameter_info p = gf_model_parameter(model, i);
    const ref_tensor *r = ref_network_tensor(reference, i);
    assert_string_equal(p.name, r->name);
    assert_int_equal(p.dim_count, r->dim_count);
    for (int d = 0; d < r->dim_count; d++) assert_int_equal(p.dims[d], r->dims[d]);
    assert_int_equal(p.count, r->count);
    assert_int_equal(p.trainable, r->trainable);
    size_t layer = (size_t)(strchr(r->name, '.') - r->name);
    assert_int_equal(strlen(p.layer), layer);
    assert_memory_equal(p.layer, r->name, layer);
    assert_int_equal(p.is_weight, strcmp(r->name + layer, ".weight") == 0);
  }
}

static void parameters_are_those_of_the_reference(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) {
    if (strcmp(networks[i].norm, "none") == 0) continue; /* the reference has an entry norm */
    for (int fuse = 0; fuse < 2; fuse++) {
      char yaml[256];
      snprintf(yaml, sizeof yaml,
               "model: {family: vgg_stages, blocks_per_stage: %d, shortcut: %s, norm: %s, fuse: "
               "%s}",
               networks[i].blocks, networks[i].shortcut, networks[i].norm, fuse ? "on" : "off");
      ref_network_options options = {.height = 32,
                                     .width = 32,
                                     .channels = 3,
                                     .classes = CLASSES,
                                     .stages = 3,
                                     .blocks_per_stage = networks[i].blocks,
                                     .filters = 32,
                                     .shortcut = strcmp(networks[i].shortcut, "identity") == 0,
                                     .norm_every = strcmp(networks[i].norm, "every") == 0,
                                     .batch = 1};
      ref_network *reference = ref_network_new(&options);
      assert_non_null(reference);
      gf_model *model = open_model(yaml, cifar_, CLASSES, 0);
      compare_tensors(model, reference);
      gf_model_free(&model);
      ref_network_free(&reference);
    }
  }
}

/* ---- how they begin ---- */

typedef struct moments {
  double mean, variance, fourth, largest; /* fourth: of the standardised values */
} moments;

static moments moments_of(const float *x, size_t count) {
  moments m = {0};
  double n = (double)count;
  for (size_t i = 0; i < count; i++) {
    m.mean += x[i] / n;
    m.largest = fmax(m.largest, fabs(x[i]));
  }
  for (size_t i = 0; i < count; i++) m.variance += pow(x[i] - m.mean, 2) / n;
  for (size_t i = 0; i < count; i++)
    m.fourth += pow(x[i] - m.mean, 4) / n / (m.variance * m.variance);
  return m;
}

#define assert_near(value, expected, tolerance)                                            \
  do {                                                                                     \
    double near_value = (value), near_expected = (expected), near_tolerance = (tolerance); \
    if (!(fabs(near_value - near_expected) <= near_tolerance))                             \
      fail_msg("%s is %.9g and should be %.9g +- %.2g", #value, near_value, near_expected, \
               near_tolerance);                                                            \
  } while (0)

static const char one_of_each_[] =
    "model: {initialisation: %s, graph: ["
    "{name: conv, type: conv2d, filters: 64, kernel: 3},"
    "{name: norm, type: batch_norm},"
    "{name: flat, type: flatten},"
    "{name: last, type: linear, outputs: 32}]}";
/* Images of 4x4x32: conv has a fan-in of 9 * 32 and a fan-out of 9 * 64, last one of
 * 2 * 2 * 64 and of 32. */
static const gf_image_shape small_ = {4, 4, 32};

static gf_model *open_one_of_each(const char *initialisation, unsigned long long seed) {
  char yaml[512];
  snprintf(yaml, sizeof yaml, one_of_each_, initialisation);
  return open_model(yaml, small_, 32, seed);
}

/* Within five standard errors of a sample of that size. */
static void check_weight(gf_model *model, const char *name, double variance, double bound) {
  int index = find_parameter(model, name);
  size_t count = gf_model_parameter(model, index).count;
  float *values = read_parameter(model, index);
  moments m = moments_of(values, count);
  double n = (double)count;
  double fourth = bound > 0 ? 1.8 : 3; /* of a uniform and of a normal distribution */
  assert_near(m.mean, 0, 5 * sqrt(variance / n));
  assert_near(m.variance, variance, 5 * variance * sqrt((fourth - 1) / n));
  assert_near(m.fourth, fourth, 5 * sqrt(96 / n)); /* the normal's error is the larger one */
  if (bound > 0) {
    assert_true(m.largest <= bound * (1 + 1e-6));
    assert_true(m.largest > 0.99 * bound);
  }
  free(values);
}

static void check_constant(gf_model *model, const char *name, float expected) {
  int index = find_parameter(model, name);
  float *values = read_parameter(model, index);
  for (size_t i = 0; i < gf_model_parameter(model, index).count; i++)
    assert_true(values[i] == expected);
  free(values);
}

static void check_bias_is_spread(gf_model *model, const char *name, double bound) {
  int index = find_parameter(model, name);
  float *values = read_parameter(model, index);
  size_t count = gf_model_parameter(model, index).count;
  moments m = moments_of(values, count);
  assert_true(m.largest <= bound * (1 + 1e-6));
  assert_true(m.largest > 0.7 * bound); /* all of 32 below: one in 90,000 */
  assert_near(m.mean, 0, 5 * bound / sqrt(3.0 * (double)count));
  free(values);
}

static void norms_begin_as_identities(gf_model *model) {
  check_constant(model, "norm.weight", 1);
  check_constant(model, "norm.bias", 0);
  check_constant(model, "norm.running_mean", 0);
  check_constant(model, "norm.running_var", 1);
}

static void uniform_fan_in_is_pytorchs(void **state) {
  (void)state;
  gf_model *model = open_one_of_each("uniform_fan_in", 7);
  check_weight(model, "conv.weight", 1 / (3.0 * 288), 1 / sqrt(288));
  check_weight(model, "last.weight", 1 / (3.0 * 256), 1 / sqrt(256));
  check_bias_is_spread(model, "conv.bias", 1 / sqrt(288));
  check_bias_is_spread(model, "last.bias", 1 / sqrt(256));
  norms_begin_as_identities(model);
  gf_model_free(&model);
}

static void he_is_normal_of_twice_the_fan_in(void **state) {
  (void)state;
  gf_model *model = open_one_of_each("he", 7);
  check_weight(model, "conv.weight", 2 / 288.0, 0);
  check_weight(model, "last.weight", 2 / 256.0, 0);
  check_constant(model, "conv.bias", 0);
  check_constant(model, "last.bias", 0);
  norms_begin_as_identities(model);
  gf_model_free(&model);
}

static void xavier_is_uniform_of_both_fans(void **state) {
  (void)state;
  gf_model *model = open_one_of_each("xavier", 7);
  check_weight(model, "conv.weight", 2 / (288.0 + 576), sqrt(6 / (288.0 + 576)));
  check_weight(model, "last.weight", 2 / (256.0 + 32), sqrt(6 / (256.0 + 32)));
  check_constant(model, "conv.bias", 0);
  check_constant(model, "last.bias", 0);
  norms_begin_as_identities(model);
  gf_model_free(&model);
}

static void the_seed_decides(void **state) {
  (void)state;
  static const char *const names[] = {"conv.weight", "conv.bias", "last.weight", "last.bias"};
  gf_model *a = open_one_of_each("uniform_fan_in", 1), *b = open_one_of_each("uniform_fan_in", 1),
           *c = open_one_of_each("uniform_fan_in", 2);
  for (int k = 0; k < 4; k++) {
    int index = find_parameter(a, names[k]);
    size_t count = gf_model_parameter(a, index).count, equal = 0;
    float *x = read_parameter(a, index), *y = read_parameter(b, index),
          *z = read_parameter(c, index);
    assert_memory_equal(x, y, count * sizeof *x);
    for (size_t i = 0; i < count; i++) equal += x[i] == z[i];
    assert_true(equal <= count / 100);
    free(x), free(y), free(z);
  }
  gf_model_free(&a), gf_model_free(&b), gf_model_free(&c);
}

/* Two layers of one shape must not begin alike. */
static void tensors_have_streams_of_their_own(void **state) {
  (void)state;
  gf_model *model = open_model(
      "model: {graph: [{name: a, type: conv2d, filters: 3},"
      "{name: b, type: conv2d, filters: 3},"
      "{type: global_avg_pool}]}",
      (gf_image_shape){5, 5, 3}, 3, 0);
  float *a = read_parameter(model, find_parameter(model, "a.weight")),
        *b = read_parameter(model, find_parameter(model, "b.weight"));
  for (int i = 0; i < 81; i++) assert_true(a[i] != b[i]);
  free(a), free(b);
  gf_model_free(&model);
}

/* ---- layout ---- */

/* Whole numbers, each element its own, so that sums are exact and an exchange shows. */
static void fill_parameter(gf_model *model, int index, float first, float *values) {
  size_t count = gf_model_parameter(model, index).count;
  for (size_t i = 0; i < count; i++) values[i] = first + (float)i;
  assert_ok(gf_model_write_parameter(model, index, values));
}

static void what_is_written_is_read(void **state) {
  (void)state;
  gf_model *model = open_one_of_each("he", 0);
  int count = gf_model_parameter_count(model);
  float *written[16], *read;
  assert_true(count == 8);
  for (int i = 0; i < count; i++) {
    written[i] = malloc(gf_model_parameter(model, i).count * sizeof(float));
    assert_non_null(written[i]);
    fill_parameter(model, i, (float)(100000 * i), written[i]);
  }
  /* All of them after the last write, so that one that ran into its neighbour shows. */
  for (int i = 0; i < count; i++) {
    read = read_parameter(model, i);
    assert_memory_equal(read, written[i], gf_model_parameter(model, i).count * sizeof *read);
    free(read);
    free(written[i]);
  }
  gf_model_free(&model);
}

/* One window over the whole 2x3 image: logit k is the sum over r, s, c of
 * weight[k][c][r][s] x[r][s][c], with PyTorch's order of the weight's indices. */
static void conv2d_weights_have_pytorchs_layout(void **state) {
  (void)state;
  enum { H = 2, W = 3, C = 2, K = 4 };
  gf_model *model = open_model(
      "model: {graph: [{name: conv, type: conv2d, filters: 4, "
      "kernel: [2, 3], bias: false}]}",
      (gf_image_shape){H, W, C}, K, 0);
  float w[K * C * H * W], x[H * W * C], logits[K];
  fill_parameter(model, 0, 1, w);
  for (int i = 0; i < H * W * C; i++) x[i] = (float)(i * i + 1);
  assert_ok(gf_model_forward(model, x, NULL, 1, 0, NULL));
  assert_ok(gf_model_logits(model, logits));
  for (int k = 0; k < K; k++) {
    double sum = 0;
    for (int c = 0; c < C; c++)
      for (int r = 0; r < H; r++)
        for (int s = 0; s < W; s++)
          sum += w[((k * C + c) * H + r) * W + s] * x[(r * W + s) * C + c];
    assert_true(logits[k] == sum);
  }
  gf_model_free(&model);
}

/* TensorFlow's rule: 7 rows with a stride of 2 give 4 from 3 * 2 + 3 = 9, one zero on each side; 8
 * columns give 4 from 9, the one zero on the right; the second has a dilation of 2, so 5 of 4. */
static void same_is_as_many_zeros_as_the_stride_wants(void **state) {
  (void)state;
  enum { H = 7, W = 8, K = 3 };
  static const char *const padding[][2] = {{"same", "same"}, {"[1, 1, 0, 1]", "[2, 2, 2, 2]"}};
  float x[H * W], logits[2][K];
  for (int i = 0; i < H * W; i++) x[i] = (float)(i * i % 17) - 8;
  for (int k = 0; k < 2; k++) {
    char yaml[512];
    snprintf(yaml, sizeof yaml,
             "model: {graph: [{type: conv2d, filters: 4, stride: 2, padding: %s}, {type: tanh}, "
             "{type: conv2d, filters: 3, dilation: 2, padding: %s}, {type: max_pool, kernel: 4}]}",
             padding[k][0], padding[k][1]);
    gf_model *model = open_model(yaml, (gf_image_shape){H, W, 1}, K, 5);
    assert_ok(gf_model_forward(model, x, NULL, 1, 0, NULL));
    assert_ok(gf_model_logits(model, logits[k]));
    gf_model_free(&model);
  }
  assert_memory_equal(logits[0], logits[1], sizeof logits[0]);
}

/* logit o is bias[o] plus the sum of weight[o][i] v[i], where v is the image in the order
 * channel, row, column. */
static void linear_weights_have_pytorchs_layout(void **state) {
  (void)state;
  enum { H = 2, W = 3, C = 2, K = 4, N = H * W * C };
  gf_model *model = open_model(
      "model: {graph: [{type: flatten}, "
      "{name: last, type: linear, outputs: 4}]}",
      (gf_image_shape){H, W, C}, K, 0);
  float w[K * N], bias[K], x[N], logits[K];
  fill_parameter(model, 0, 1, w);
  fill_parameter(model, 1, 1000, bias);
  for (int i = 0; i < N; i++) x[i] = (float)(i * i + 1);
  assert_ok(gf_model_forward(model, x, NULL, 1, 0, NULL));
  assert_ok(gf_model_logits(model, logits));
  for (int k = 0; k < K; k++) {
    double sum = bias[k];
    for (int c = 0; c < C; c++)
      for (int p = 0; p < H * W; p++) sum += w[k * N + c * H * W + p] * x[p * C + c];
    assert_true(logits[k] == sum);
  }
  gf_model_free(&model);
}

/* ---- calls that make no sense ---- */

static void wrong_calls_say_so(void **state) {
  (void)state;
  gf_config *config = parse_config("model: {graph: [{type: batch_norm}, {type: flatten}]}");
  gf_model *model = NULL;
  gf_image_shape image = {1, 2, 2};
  assert_fails(GF_ERROR_ARGUMENT, "a network needs at least one image, pixel and class",
               gf_model_open(&model, fixture_device, config, image, 4, 0, 0));
  assert_null(model);
  assert_ok(gf_model_open(&model, fixture_device, config, image, 4, 2, 0));
  float values[16] = {0};
  int label = 0;
  gf_loss loss;
  assert_fails(GF_ERROR_ARGUMENT, "there is no parameter 4; the network has 4",
               gf_model_read_parameter(model, 4, values));
  assert_fails(GF_ERROR_ARGUMENT, "there is no parameter -1; the network has 4",
               gf_model_write_parameter(model, -1, values));
  assert_fails(GF_ERROR_ARGUMENT, "batch_norm_0.running_mean has no gradient",
               gf_model_read_gradient(model, 2, values));
  assert_fails(GF_ERROR_ARGUMENT, "logits need a forward pass before them",
               gf_model_logits(model, values));
  assert_fails(GF_ERROR_ARGUMENT, "backward needs a forward pass in training before it",
               gf_model_backward(model));
  assert_fails(GF_ERROR_ARGUMENT, "3 images for a network made for batches of 2",
               gf_model_forward(model, values, NULL, 3, 0, NULL));
  assert_fails(GF_ERROR_ARGUMENT, "0 images for a network made for batches of 2",
               gf_model_forward(model, values, NULL, 0, 0, NULL));
  assert_fails(GF_ERROR_ARGUMENT, "a loss needs labels",
               gf_model_forward(model, values, NULL, 1, 0, &loss));
  assert_ok(gf_model_forward(model, values, &label, 1, 0, &loss));
  assert_fails(GF_ERROR_ARGUMENT, "backward needs a forward pass in training before it",
               gf_model_backward(model));
  gf_model_free(&model);
  assert_null(model);
  gf_model_free(&model);
  gf_config_free(&config);
}

/* ---- configs ---- */

/* Such a name would end its cell in the middle. */
#define BAD_NAME                                                                            \
  "a node's name has no comma, quote, line break or other control character: it is a cell " \
  "of the run's CSV files"

static const struct {
  const char *yaml;
  gf_status status;
  const char *message;
} wrong[] = {
    {"train: {epochs: 1}", GF_ERROR_CONFIG,
     "net:1:1: the config has no section 'model'; give it a family or a graph"},
    {"model:\n  family: vgg_stages\n  graph: [{type: flatten}]", GF_ERROR_CONFIG,
     "net:1:1: model needs either a family or a graph"},
    {"model: {fuse: on}", GF_ERROR_CONFIG, "net:1:1: model needs either a family or a graph"},
    {"model:\n  family: vgg_stage", GF_ERROR_CONFIG,
     "net:2:3: model.family must be one of vgg_stages, resnet_cifar, resnet_imagenet, multi_scale, "
     "spectral_spatial, none, not 'vgg_stage'; did you mean 'vgg_stages'?"},
    {"model:\n  family: vgg_stages\n  blocks: 3", GF_ERROR_CONFIG,
     "net:3:3: unknown key 'blocks' in model; known keys: family, graph, initialisation, "
     "orthogonal_gain, zero_residual, label_smoothing, auxiliaries, auxiliary_loss, "
     "auxiliary_weight, "
     "batch_norm, algorithm, tune, fuse, stages, blocks_per_stage, filters, "
     "shortcut, norm, norm_position, activation, slope, dropout"},
    {"model: {family: resnet_cifar, depth: 8, auxiliaries: [input_act, stage_1_block_0_act]}",
     GF_ERROR_CONFIG,
     "net:1:66: there is no node 'stage_1_block_0_act' before this one; did you mean "
     "'stage_1_block_0_act_0'?"},
    {"model: {family: resnet_cifar, auxiliaries: input_act}", GF_ERROR_CONFIG,
     "net:1:31: model.auxiliaries is a list of names of layers"},
    {"model: {family: resnet_cifar, auxiliaries: [[input_act]]}", GF_ERROR_CONFIG,
     "net:1:31: model.auxiliaries is a list of names of layers"},
    {"model: {family: resnet_cifar, depth: 21}", GF_ERROR_CONFIG,
     "net:1:31: model.depth must be 6 n + 2 (20, 32, 44, 56, 110), not 21"},
    {"model: {family: resnet_imagenet, depth: 51}", GF_ERROR_CONFIG,
     "net:1:34: model.depth must be one of 18, 34, 50, 101, 152, not '51'; did you mean '50'?"},
    {"model: {family: resnet_imagenet, depth: 34, groups: 32}", GF_ERROR_CONFIG,
     "net:1:45: model.groups is for bottlenecks: of a model.depth of 50 and more, not 34"},
    {"model: {family: resnet_imagenet, width_per_group: 128}", GF_ERROR_CONFIG,
     "net:1:34: model.width_per_group is for bottlenecks: of a model.depth of 50 and more, not 18"},
    {"model:\n  graph: 3", GF_ERROR_CONFIG, "net:2:3: a graph is a list of nodes"},
    {"model:\n  graph: []", GF_ERROR_CONFIG, "net:2:3: a graph is a list of nodes"},
    {"model:\n  graph:\n    - relu", GF_ERROR_CONFIG,
     "net:3:7: a node is a mapping such as {name: a, type: relu, input: b}"},
    {"model:\n  graph:\n    - {name: a}", GF_ERROR_CONFIG,
     "net:3:7: a node needs a type, the name of a layer"},
    {"model:\n  graph:\n    - {type: conv2}", GF_ERROR_CONFIG,
     "net:3:8: there is no layer 'conv2'; did you mean 'conv2d'? known layers: conv2d, "
     "conv_transpose2d, linear, "
     "batch_norm, layer_norm, group_norm, layer_scale, leaky_relu, relu, tanh, sigmoid, elu, gelu, "
     "silu, clamp, hard_sigmoid, "
     "hard_swish, avg_pool, max_pool, "
     "adaptive_avg_pool, global_avg_pool, conv3d, avg_pool3d, max_pool3d, to_volume, to_image, "
     "add, multiply, concat, "
     "slice, "
     "channel_shuffle, pad_shortcut, flatten, dropout, stochastic_depth, softmax_cross_entropy, "
     "auxiliary_loss"},
    {"model:\n  graph:\n    - {type: lstm}", GF_ERROR_CONFIG,
     "net:3:8: there is no layer 'lstm'; known layers: conv2d, conv_transpose2d, linear, "
     "batch_norm, layer_norm, group_norm, layer_scale, leaky_relu, relu, tanh, sigmoid, elu, gelu, "
     "silu, clamp, hard_sigmoid, "
     "hard_swish, avg_pool, max_pool, "
     "adaptive_avg_pool, global_avg_pool, conv3d, avg_pool3d, max_pool3d, to_volume, to_image, "
     "add, multiply, concat, "
     "slice, "
     "channel_shuffle, pad_shortcut, flatten, dropout, stochastic_depth, softmax_cross_entropy, "
     "auxiliary_loss"},
    {"model:\n  graph:\n    - {name: first, type: relu}\n    - {type: relu, input: frist}",
     GF_ERROR_CONFIG, "net:4:20: there is no node 'frist' before this one; did you mean 'first'?"},
    {"model:\n  graph:\n    - {type: add, input: [input, later]}\n    - {name: later, type: relu}",
     GF_ERROR_CONFIG, "net:3:34: there is no node 'later' before this one"},
    {"model:\n  graph:\n    - {name: a, type: relu}\n    - {name: a, type: relu}", GF_ERROR_CONFIG,
     "net:4:7: there are two nodes 'a'"},
    {"model:\n  graph:\n    - {name: 'a,b', type: relu}", GF_ERROR_CONFIG, "net:3:8: " BAD_NAME},
    {"model:\n  graph:\n    - {name: \"a\\nb\", type: relu}", GF_ERROR_CONFIG,
     "net:3:8: " BAD_NAME},
    {"model:\n  graph:\n    - {name: \"a\\rb\", type: relu}", GF_ERROR_CONFIG,
     "net:3:8: " BAD_NAME},
    {"model:\n  graph:\n    - {name: 'a\"b', type: relu}", GF_ERROR_CONFIG, "net:3:8: " BAD_NAME},
    {"model:\n  graph:\n    - {name: input, type: relu}", GF_ERROR_CONFIG,
     "net:3:7: there are two nodes 'input'"},
    {"model:\n  graph:\n    - {name: a, type: relu}\n    - {name: b, type: tanh, input: input}",
     GF_ERROR_CONFIG, "net:3:7: nothing reads the output of 'a'"},
    {"model:\n  graph:\n    - {name: a, type: add}", GF_ERROR_CONFIG,
     "net:3:7: add 'a' takes 2 inputs, not 1"},
    {"model:\n  graph:\n    - {name: a, type: relu, input: [input, input]}", GF_ERROR_CONFIG,
     "net:3:7: relu 'a' takes 1 input, not 2"},
    {"model:\n  graph:\n    - {name: a, type: concat}", GF_ERROR_CONFIG,
     "net:3:7: concat 'a' takes 2 to 8 inputs, not 1"},
    {"model:\n  graph:\n    - {name: a, type: concat, input: [input, input, input, input, input, "
     "input, input, input, input]}",
     GF_ERROR_CONFIG, "net:3:31: input must be a node's name or a list of at most 8 names"},
    {"model:\n  graph:\n    - {name: half, type: avg_pool}\n"
     "    - {name: wide, type: concat, input: [half, input]}",
     GF_ERROR_SHAPE,
     "net:4:7: concat 'wide' with input 'half' (4x4x3) and 'input' (8x8x3): the heights or widths "
     "differ"},
    {"model:\n  graph:\n    - {name: few, type: pad_shortcut, channels: 2}", GF_ERROR_SHAPE,
     "net:3:7: pad_shortcut 'few' with input 'input' (8x8x3): 2 channels are fewer than the "
     "input's"},
    {"model:\n  graph:\n    - {name: a, type: relu, input: {b: c}}", GF_ERROR_CONFIG,
     "net:3:7: relu 'a' takes 1 input, not 0"},
    {"model:\n  graph:\n    - {name: a, type: conv2d, filter: 8}", GF_ERROR_CONFIG,
     "net:3:31: unknown key 'filter' in a; did you mean 'filters'? known keys: name, type, input, "
     "filters, kernel, stride, padding, dilation, groups, bias"},
    {"model:\n  graph:\n    - {name: a, type: relu, slope: 1}", GF_ERROR_CONFIG,
     "net:3:29: unknown key 'slope' in a; known keys: name, type, input"},
    {"model:\n  graph:\n    - {name: a, type: conv2d}", GF_ERROR_CONFIG,
     "net:3:7: a.filters is missing and has no default (number of filters, which are the output's "
     "channels)"},
    {"model:\n  graph:\n    - {name: half, type: avg_pool}\n"
     "    - {name: sum, type: add, input: [half, input]}",
     GF_ERROR_SHAPE,
     "net:4:7: add 'sum' with input 'half' (4x4x3) and 'input' (8x8x3): the shapes differ"},
    {"model:\n  graph:\n    - {name: half, type: avg_pool}\n"
     "    - {name: gated, type: multiply, input: [input, half]}",
     GF_ERROR_SHAPE,
     "net:4:7: multiply 'gated' with input 'input' (8x8x3) and 'half' (4x4x3): the shapes differ, "
     "and the second is not one pixel with as many channels"},
    {"model:\n  graph:\n    - {name: two, type: slice, first: 2, channels: 2}", GF_ERROR_SHAPE,
     "net:3:7: slice 'two' with input 'input' (8x8x3): 2 channels from channel 2 on are more than "
     "there are"},
    {"model:\n  graph:\n    - {name: norm, type: group_norm, groups: 2}", GF_ERROR_SHAPE,
     "net:3:7: group_norm 'norm' with input 'input' (8x8x3): 3 channels are not divided by 2 "
     "groups"},
    {"model:\n  graph:\n    - {name: turns, type: channel_shuffle}", GF_ERROR_SHAPE,
     "net:3:7: channel_shuffle 'turns' with input 'input' (8x8x3): 3 channels are not divided by 2 "
     "groups"},
    {"model:\n  graph:\n    - {name: last, type: linear, outputs: 10}", GF_ERROR_SHAPE,
     "net:3:7: linear 'last' with input 'input' (8x8x3): it takes vectors; put a flatten or a "
     "global_avg_pool before it"},
    {"model:\n  graph:\n    - {name: big, type: conv2d, filters: 2, kernel: [11, 3], padding: 1}",
     GF_ERROR_SHAPE,
     "net:3:7: conv2d 'big' with input 'input' (8x8x3): a 11x3 kernel does not "
     "fit a 8x8 image with padding 1x1"},
    {"model:\n  graph:\n    - {name: split, type: conv2d, filters: 4, groups: 2}", GF_ERROR_SHAPE,
     "net:3:7: conv2d 'split' with input 'input' (8x8x3): groups: 2 does not divide its 3 input "
     "channels"},
    {"model:\n  graph:\n    - {name: split, type: conv2d, filters: 4, groups: 3}", GF_ERROR_SHAPE,
     "net:3:7: conv2d 'split' with input 'input' (8x8x3): groups: 3 does not divide its 4 filters"},
    {"model:\n  graph:\n    - {type: flatten}\n    - {name: last, type: linear, outputs: 7}",
     GF_ERROR_SHAPE, "the network's last layer 'last' gives 7 values and the data has 10 classes"},
    {"model:\n  graph:\n    - {name: flat, type: clamp, min: 2, max: 2}", GF_ERROR_SHAPE,
     "net:3:7: clamp 'flat' with input 'input' (8x8x3): min 2 is not below max 2"},
    {"model:\n  graph:\n    - {type: relu6}", GF_ERROR_CONFIG,
     "net:3:8: there is no layer 'relu6'; did you mean 'clamp'? known layers: conv2d, "
     "conv_transpose2d, linear, "
     "batch_norm, layer_norm, group_norm, layer_scale, leaky_relu, relu, tanh, sigmoid, elu, gelu, "
     "silu, clamp, hard_sigmoid, "
     "hard_swish, avg_pool, max_pool, "
     "adaptive_avg_pool, global_avg_pool, conv3d, avg_pool3d, max_pool3d, to_volume, to_image, "
     "add, multiply, concat, "
     "slice, "
     "channel_shuffle, pad_shortcut, flatten, dropout, stochastic_depth, softmax_cross_entropy, "
     "auxiliary_loss"},
    {"model:\n  graph:\n    - {name: c, type: conv2d, filters: 10}", GF_ERROR_SHAPE,
     "softmax_cross_entropy 'loss' with input 'c' (6x6x10): it takes vectors; put a flatten or a "
     "global_avg_pool before it"},
    /* Its graph: the line "graph:", three of the entry, five a reduction. */
    {"model: {family: vgg_stages, blocks_per_stage: 0, stages: 4}", GF_ERROR_SHAPE,
     "the network of model.family does not fit images of 8x8: vgg_stages:22:3: avg_pool "
     "'reduction_3_pool' with input 'reduction_3_act_0' (1x1x32): a 2x2 "
     "kernel does not fit a 1x1 image with padding 0x0"},
};

static void wrong_configs_are_explained(void **state) {
  (void)state;
  gf_image_shape image = {8, 8, 3};
  size_t before = gf__device_allocated(fixture_device);
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    gf_config *config = parse_config(wrong[i].yaml);
    gf_model *model = NULL;
    gf_status status = gf_model_open(&model, fixture_device, config, image, 10, 1, 0);
    assert_null(model);
    assert_string_equal(gf_error_message(), wrong[i].message);
    assert_int_equal(status, wrong[i].status);
    gf_config_free(&config);
  }
  assert_int_equal(gf__device_allocated(fixture_device), before);
}

/* ---- memory ---- */

static const char plain37_[] = "model: {family: vgg_stages}";

/* Kernels count floats in int. */
static size_t largest_piece(const gf_device_info *info) {
  size_t counted = (size_t)INT_MAX * sizeof(float);
  return info->max_allocation < counted ? info->max_allocation : counted;
}

/* In all, and each piece by itself. */
static bool fits_device(const gf_model *model, const gf_device_info *info, int batch) {
  gf_memory memory = gf__model_memory(model, batch);
  if (gf__memory_total(&memory) > info->memory) return false;
  for (int s = 0; s < model->plan.count; s++)
    if (model->plan.buffers[s].floats * sizeof(float) > largest_piece(info) / (size_t)batch)
      return false;
  return true;
}

static void too_large_a_batch_names_one_that_fits(void **state) {
  (void)state;
  enum { BATCH = 100000 };
  gf_model *one = open_model(plain37_, cifar_, CLASSES, 0), *model = NULL;
  const gf_device_info *info = gf_device_describe(fixture_device);
  size_t before = gf__device_allocated(fixture_device);
  gf_memory memory = gf__model_memory(one, BATCH);
  size_t need = gf__memory_total(&memory);
  if (need <= info->memory) skip(); /* a device of more than 200 GiB */
  int fits = BATCH;
  while (!fits_device(one, info, fits)) fits--;
  assert_true(fits > 0);
  char message[512];
  snprintf(message, sizeof message,
           "a batch of 100000 images needs %.1f MiB on %s, which has %.1f MiB, at most %.1f MiB in "
           "one piece; a batch of %d would fit",
           (double)need / 0x1p20, info->name, (double)info->memory / 0x1p20,
           (double)largest_piece(info) / 0x1p20, fits);
  gf_config *config = parse_config(plain37_);
  assert_fails(GF_ERROR_DEVICE_MEMORY, message,
               gf_model_open(&model, fixture_device, config, cifar_, CLASSES, BATCH, 0));
  assert_null(model);
  assert_int_equal(gf__device_allocated(fixture_device), before);
  gf_config_free(&config);
  gf_model_free(&one);
}

/* The account of gf__model_memory is what the device has handed out, to the byte. */
static void memory_is_what_was_counted(void **state) {
  (void)state;
  static const char *const networks_[] = {
      "model: {family: vgg_stages, blocks_per_stage: 1}",
      "model: {family: vgg_stages, blocks_per_stage: 1, shortcut: identity, norm: every}",
      "model: {family: vgg_stages, blocks_per_stage: 1, shortcut: identity, fuse: off}",
      "model: {family: vgg_stages, stages: 1, norm: none}",
      ("model: {graph: [{type: conv2d, filters: 5}, {type: max_pool}, {type: dropout}, "
       "{type: flatten}, {type: linear, outputs: 100}]}")};
  for (size_t i = 0; i < sizeof networks_ / sizeof *networks_; i++)
    for (int batch = 1; batch < 20; batch += 12) {
      size_t before = gf__device_allocated(fixture_device);
      gf_config *config = parse_config(networks_[i]);
      gf_model *model = NULL;
      assert_ok(gf_model_open(&model, fixture_device, config, cifar_, CLASSES, batch, 0));
      gf_memory memory = gf__model_memory(model, batch);
      assert_int_equal(gf__device_allocated(fixture_device) - before, gf__memory_total(&memory));
      gf_model_free(&model);
      gf_config_free(&config);
      assert_int_equal(gf__device_allocated(fixture_device), before);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(parameter_totals_are_the_studys),
      cmocka_unit_test(parameters_are_those_of_the_reference),
      cmocka_unit_test(uniform_fan_in_is_pytorchs),
      cmocka_unit_test(he_is_normal_of_twice_the_fan_in),
      cmocka_unit_test(xavier_is_uniform_of_both_fans),
      cmocka_unit_test(the_seed_decides),
      cmocka_unit_test(tensors_have_streams_of_their_own),
      cmocka_unit_test(what_is_written_is_read),
      cmocka_unit_test(conv2d_weights_have_pytorchs_layout),
      cmocka_unit_test(same_is_as_many_zeros_as_the_stride_wants),
      cmocka_unit_test(linear_weights_have_pytorchs_layout),
      cmocka_unit_test(wrong_calls_say_so),
      cmocka_unit_test(wrong_configs_are_explained),
      cmocka_unit_test(too_large_a_batch_names_one_that_fits),
      cmocka_unit_test(memory_is_what_was_counted),
  };
  return cmocka_run_group_tests_name("model", tests, fixture_open, fixture_close);
}
