/* Orthogonal weights, and networks whose signal keeps its size by their initialisation. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <gradflow.h>

#include "support/operations.h"
#include "support/test.h"

static gf_model *open_model(const char *section, gf_image_shape image, int classes,
                            unsigned long long seed) {
  gf_config *config;
  gf_model *model;
  assert_ok(gf_config_parse(&config, "net", section));
  assert_ok(gf_model_open(&model, device_test_device(), config, image, classes, 2, seed));
  gf_config_free(&config);
  return model;
}

static float *read_named(gf_model *model, const char *name, size_t *count) {
  for (int i = 0; i < gf_model_parameter_count(model); i++) {
    gf_parameter_info p = gf_model_parameter(model, i);
    if (strcmp(p.name, name) != 0) continue;
    float *values = floats_new(p.count);
    assert_ok(gf_model_read_parameter(model, i, values));
    *count = p.count;
    return values;
  }
  fail_msg("there is no %s", name);
  return NULL;
}

/* W W^T = gain^2 I where there are at most as many rows as columns, else W^T W. */
static void check_orthogonal(gf_model *model, const char *name, size_t rows, double gain) {
  size_t count, bad = 0;
  const float *w = read_named(model, name, &count);
  size_t columns = count / rows;
  int wide = rows <= columns;
  size_t vectors = wide ? rows : columns, length = wide ? columns : rows;
  for (size_t i = 0; i < vectors; i++)
    for (size_t j = 0; j <= i; j++) {
      double sum = 0;
      for (size_t k = 0; k < length; k++)
        sum += wide ? (double)w[i * columns + k] * (double)w[j * columns + k]
                    : (double)w[k * columns + i] * (double)w[k * columns + j];
      bad += !(fabs(sum - (i == j) * gain * gain) <= 1e-5 * gain * gain);
    }
  if (bad) fail_msg("%s: %zu products of its vectors are wrong", name, bad);
}

static void check_zero(gf_model *model, const char *name) {
  size_t count;
  const float *values = read_named(model, name, &count);
  for (size_t i = 0; i < count; i++) assert_true(values[i] == 0);
}

static const char shapes_[] =
    "model: {initialisation: orthogonal, orthogonal_gain: %s, graph: ["
    "{name: wide, type: conv2d, filters: 24, kernel: 3},"   /* 24 x 63 */
    "{name: square, type: conv2d, filters: 24, kernel: 1}," /* 24 x 24 */
    "{name: tall, type: conv2d, filters: 40, kernel: 1},"   /* 40 x 24 */
    "{name: flat, type: flatten},"
    "{name: last, type: linear, outputs: 11}]}"; /* 11 x 160 */

static void orthogonal_weights_are_orthogonal(void **unused) {
  (void)unused;
  static const struct {
    const char *text;
    double gain;
  } gains[] = {{"1", 1}, {"1.5", 1.5}, {"0.125", 0.125}};
  for (size_t i = 0; i < sizeof gains / sizeof *gains; i++) {
    char yaml[640];
    snprintf(yaml, sizeof yaml, shapes_, gains[i].text);
    gf_model *model = open_model(yaml, (gf_image_shape){4, 4, 7}, 11, i);
    check_orthogonal(model, "wide.weight", 24, gains[i].gain);
    check_orthogonal(model, "square.weight", 24, gains[i].gain);
    check_orthogonal(model, "tall.weight", 40, gains[i].gain);
    check_orthogonal(model, "last.weight", 11, gains[i].gain);
    check_zero(model, "wide.bias");
    check_zero(model, "last.bias");
    gf_model_free(&model);
    arrays_free();
  }
}

/* Groups share nothing, so that each is a matrix of its own: 2 of 12 x 10, and 10 filters of 9. */
static void groups_are_initialised_alone(void **unused) {
  (void)unused;
  static const char graph[] =
      "model: {initialisation: %s, graph: ["
      "{name: pair, type: conv2d, filters: 24, kernel: 1, groups: 2},"
      "{name: depthwise, type: conv2d, filters: 24, kernel: 3, groups: 24},"
      "{type: flatten}, {type: linear, outputs: 3}]}";
  char yaml[512];
  size_t count;
  snprintf(yaml, sizeof yaml, graph, "orthogonal");
  gf_model *model = open_model(yaml, (gf_image_shape){4, 4, 20}, 3, 1);
  const float *pair = read_named(model, "pair.weight", &count);
  assert_int_equal(count, 24 * 10);
  for (int g = 0; g < 2; g++)
    for (int i = 0; i < 10; i++)
      for (int j = 0; j <= i; j++) {
        double sum = 0;
        for (int k = 0; k < 12; k++)
          sum += (double)pair[(g * 12 + k) * 10 + i] * (double)pair[(g * 12 + k) * 10 + j];
        assert_true(fabs(sum - (i == j)) <= 1e-5);
      }
  const float *filters = read_named(model, "depthwise.weight", &count);
  assert_int_equal(count, 24 * 9);
  for (int f = 0; f < 24; f++) {
    double squares = 0;
    for (int k = 0; k < 9; k++) squares += (double)filters[f * 9 + k] * (double)filters[f * 9 + k];
    assert_true(fabs(squares - 1) <= 1e-5);
  }
  gf_model_free(&model);
  arrays_free();

  /* PyTorch's default, within 1 / sqrt(fan_in): of 240 numbers one comes near. */
  snprintf(yaml, sizeof yaml, graph, "uniform_fan_in");
  model = open_model(yaml, (gf_image_shape){4, 4, 20}, 3, 1);
  static const struct {
    const char *name;
    double fan_in;
  } rows[] = {{"pair.weight", 10}, {"depthwise.weight", 9}, {"depthwise.bias", 9}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    double largest = 0, bound = 1 / sqrt(rows[i].fan_in);
    const float *w = read_named(model, rows[i].name, &count);
    for (size_t k = 0; k < count; k++) largest = fmax(largest, fabs((double)w[k]));
    if (!(largest <= bound && largest >= 0.9 * bound))
      fail_msg("%s is up to %g, not %g", rows[i].name, largest, bound);
  }
  gf_model_free(&model);
  arrays_free();
}

/* Of random orthogonal matrices (Haar measure), an element has mean 0, variance 1/n and a
 * symmetric distribution, on the diagonal as elsewhere: without the signs of R's diagonal it would
 * not be. */
static void orthogonal_weights_are_uniform(void **unused) {
  (void)unused;
  enum { SIDE = 8, DRAWS = 400 };
  double sum[3] = {0}, squares[3] = {0};
  for (int seed = 0; seed < DRAWS; seed++) {
    gf_model *model = open_model(
        "model: {initialisation: orthogonal, graph: ["
        "{name: w, type: linear, outputs: 8}]}",
        (gf_image_shape){1, 1, SIDE}, SIDE, (unsigned long long)seed);
    size_t count;
    const float *w = read_named(model, "w.weight", &count);
    const float picked[] = {w[0], w[SIDE * SIDE - 1], w[SIDE]};
    for (int k = 0; k < 3; k++) {
      sum[k] += (double)picked[k];
      squares[k] += (double)picked[k] * (double)picked[k];
    }
    gf_model_free(&model);
    arrays_free();
  }
  /* Five standard errors; the fourth moment is 3 / (n (n + 2)). */
  double n = SIDE, variance = 3 / (n * (n + 2)) - 1 / (n * n);
  for (int k = 0; k < 3; k++) {
    assert_true(fabs(sum[k] / DRAWS) <= 5 * sqrt(1 / n / DRAWS));
    assert_true(fabs(squares[k] / DRAWS - 1 / n) <= 5 * sqrt(variance / DRAWS));
  }
}

static void the_seed_decides(void **unused) {
  (void)unused;
  char yaml[640];
  float *first = NULL;
  size_t count;
  snprintf(yaml, sizeof yaml, shapes_, "1");
  static const unsigned long long seeds[] = {5, 5, 6};
  for (int i = 0; i < 3; i++) {
    gf_model *model = open_model(yaml, (gf_image_shape){4, 4, 7}, 11, seeds[i]);
    float *w = read_named(model, "square.weight", &count);
    if (i == 0) first = w;
    assert_int_equal(memcmp(w, first, count * sizeof *w) == 0, i < 2);
    gf_model_free(&model);
  }
  arrays_free();
}

/* ---- what they are for ---- */

/* The root of the mean square of the logits of 12 layers without shortcuts or norms. */
static double size_through(const char *initialisation, const char *activation) {
  enum { WIDTH = 128, LAYERS = 12 };
  char yaml[2048];
  int used = snprintf(yaml, sizeof yaml, "model: {%s, graph: [", initialisation);
  for (int i = 0; i < LAYERS; i++)
    used += snprintf(yaml + used, sizeof yaml - (size_t)used,
                     "{type: linear, outputs: %d}, {type: %s}, ", WIDTH, activation);
  snprintf(yaml + used, sizeof yaml - (size_t)used, "{type: linear, outputs: %d}]}", WIDTH);
  gf_model *model = open_model(yaml, (gf_image_shape){1, 1, WIDTH}, WIDTH, 3);
  float *images = floats_new(2 * WIDTH), *logits = floats_new(2 * WIDTH);
  gf__fill_uniform(images, 2 * WIDTH, 1, -sqrt(3), sqrt(3)); /* of variance 1 */
  assert_ok(gf_model_forward(model, images, NULL, 2, 0, NULL));
  assert_ok(gf_model_logits(model, logits));
  double squares = 0;
  for (int i = 0; i < 2 * WIDTH; i++) squares += (double)logits[i] * (double)logits[i];
  gf_model_free(&model);
  arrays_free();
  return sqrt(squares / (2 * WIDTH));
}

/* He's keeps the size through ReLU, Xavier's and orthogonal weights that of a linear network
 * (leaky_relu with slope 1); the default's variance of 1/3 a layer does not. */
static void signals_keep_their_size(void **unused) {
  (void)unused;
  static const char linear[] = "leaky_relu, slope: 1";
  double he = size_through("initialisation: he", "relu");
  double xavier = size_through("initialisation: xavier", linear);
  double orthogonal = size_through("initialisation: orthogonal", linear);
  double rooted = size_through("initialisation: orthogonal, orthogonal_gain: 1.41421356", "relu");
  double plain = size_through("initialisation: uniform_fan_in", "relu");
  assert_true(he > 0.4 && he < 2.5);
  assert_true(xavier > 0.4 && xavier < 2.5);
  assert_true(rooted > 0.4 && rooted < 2.5);
  assert_true(plain < 0.1);
  assert_true(fabs(orthogonal - 1) <= 0.1); /* exactly the images' own size */
}

/* ---- residual branches that begin as zero ---- */

/* Every convolution of a branch but the last one, and what is on the shortcut, begins as usual. */
static void a_residual_branch_begins_as_zero(void **unused) {
  (void)unused;
  static const struct {
    const char *yaml, *zero[3], *others[3];
  } cases[] = {
      {"model: {zero_residual: true, family: vgg_stages, stages: 1, blocks_per_stage: 1, filters: "
       "4, shortcut: identity, norm: none}",
       {"block_0_0_conv_1.weight", "reduction_0_conv_1.weight", "reduction_0_conv_1.bias"},
       {"block_0_0_conv_0.weight", "reduction_0_conv_0.weight", "input_conv.weight"}},
      {"model: {zero_residual: true, family: vgg_stages, stages: 1, blocks_per_stage: 1, filters: "
       "4, shortcut: identity, norm: every}",
       {"block_0_0_norm_1.weight", "reduction_0_norm_1.weight", "block_0_0_norm_1.bias"},
       {"block_0_0_norm_0.weight", "block_0_0_conv_1.weight", "input_norm.weight"}},
      {"model: {zero_residual: true, family: resnet_cifar, depth: 8, shortcut: option_b}",
       {"stage_0_block_0_norm_1.weight", "stage_1_block_0_norm_1.weight",
        "stage_2_block_0_norm_1.weight"},
       {"stage_0_block_0_norm_0.weight", "stage_1_block_0_shortcut_norm.weight",
        "stage_1_block_0_shortcut_conv.weight"}},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    gf_model *model = open_model(cases[i].yaml, (gf_image_shape){16, 16, 3}, 10, 1);
    for (int k = 0; k < 3; k++) {
      size_t count, zeros = 0;
      check_zero(model, cases[i].zero[k]);
      const float *values = read_named(model, cases[i].others[k], &count);
      for (size_t v = 0; v < count; v++) zeros += values[v] == 0;
      if (zeros) fail_msg("%s has %zu zeros", cases[i].others[k], zeros);
    }
    gf_model_free(&model);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_residual_branch_begins_as_zero),
      cmocka_unit_test(orthogonal_weights_are_orthogonal),
      cmocka_unit_test(groups_are_initialised_alone),
      cmocka_unit_test(orthogonal_weights_are_uniform),
      cmocka_unit_test(the_seed_decides),
      cmocka_unit_test(signals_keep_their_size),
  };
  return cmocka_run_group_tests(tests, device_test_open, device_test_close);
}
