/* Transposed convolutions by every algorithm, what they are initialised with, what they cost, and
 * what is said of those that do not fit. test_layers compares them with double precision. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gradflow.h>

#include "ops/conv/conv.h"
#include "support/operations.h"
#include "support/test.h"

enum { H = 6, W = 5, C = 16, CLASSES = 4, BATCH = 3, PIXELS = H * W * C };

static gf_status try_model(gf_model **out, const char *yaml) {
  gf_config *config = NULL;
  *out = NULL;
  gf_status status = gf_config_parse(&config, "net", yaml);
  if (status == GF_OK)
    status = gf_model_open(out, device_test_device(), config, (gf_image_shape){H, W, C}, CLASSES,
                           BATCH, 3);
  gf_config_free(&config);
  return status;
}

/* The logits, followed by the gradient of each parameter. */
static float *compute(const char *algorithm, const char *graph, size_t *count) {
  static const int labels[BATCH] = {2, 0, 3};
  char yaml[2048];
  gf_model *model;
  snprintf(yaml, sizeof yaml, "model: {algorithm: %s, graph: [%s]}", algorithm, graph);
  assert_ok(try_model(&model, yaml));
  float *images = floats_new(BATCH * PIXELS);
  gf__fill_uniform(images, BATCH * PIXELS, 4, -1, 1);
  assert_ok(gf_model_forward(model, images, labels, BATCH, 1, NULL));
  assert_ok(gf_model_backward(model));
  *count = BATCH * CLASSES;
  for (int i = 0; i < gf_model_parameter_count(model); i++)
    *count += gf_model_parameter(model, i).count;
  float *out = floats_new(*count), *next = out + BATCH * CLASSES;
  assert_ok(gf_model_logits(model, out));
  for (int i = 0; i < gf_model_parameter_count(model); i++) {
    assert_ok(gf_model_read_gradient(model, i, next));
    next += gf_model_parameter(model, i).count;
  }
  gf_model_free(&model);
  return out;
}

/* What winograd and direct take, what only some take, and output padding beyond the stride. */
static const char graph_[] =
    "{name: a, type: conv_transpose2d, filters: 32, padding: 1}, {type: tanh}, "
    "{name: b, type: conv_transpose2d, filters: 16, kernel: [2, 3], stride: 2, padding: [0, 1, 1, "
    "0]}, {type: relu}, "
    "{name: c, type: conv_transpose2d, filters: 16, kernel: 2, dilation: [1, 3], output_padding: "
    "[0, 2]}, {type: tanh}, "
    "{name: s, type: conv_transpose2d, filters: 16, kernel: 3, padding: same}, "
    "{type: add, input: [c, s]}, {type: leaky_relu}, "
    "{name: d, type: conv_transpose2d, filters: 16, kernel: 5, stride: 2, padding: 2, groups: 16}, "
    "{type: global_avg_pool}, {type: linear, outputs: 4}";

static void algorithms_agree(void **unused) {
  (void)unused;
  size_t count, other;
  const float *expected = compute("im2col", graph_, &count);
  for (int i = 1; gf__conv_algorithms[i]; i++) {
    const char *name = gf__conv_algorithms[i]->name;
    const float *got = compute(name, graph_, &other), *again = compute(name, graph_, &other);
    double largest = 0, off = 0;
    assert_int_equal(other, count);
    assert_memory_equal(got, again, count * sizeof *got);
    for (size_t k = 0; k < count; k++) {
      assert_true(isfinite(got[k]) && isfinite(expected[k]));
      largest = fmax(largest, fabs((double)expected[k]));
      off = fmax(off, fabs((double)got[k] - (double)expected[k]));
    }
    if (!(largest > 0.01 && off <= 1e-5 * largest)) fail_msg("%s: %g of %g", name, off, largest);
  }
  arrays_free();
}

static void same_is_size_times_stride(void **unused) {
  (void)unused;
  static const char *const kernels[] = {"kernel: 2", "kernel: 3", "kernel: 5, dilation: 2",
                                        "kernel: 1"};
  for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) {
    char yaml[512];
    gf_layer_summary *layers;
    gf_config *config;
    int count;
    snprintf(yaml, sizeof yaml,
             "model: {graph: [{type: conv_transpose2d, filters: 4, %s, stride: [2, 3], padding: "
             "same}, {type: global_avg_pool}]}",
             kernels[i]);
    assert_ok(gf_config_parse(&config, "net", yaml));
    assert_ok(gf_model_summarise(&layers, &count, config, (gf_image_shape){H, W, C}, CLASSES));
    assert_int_equal(layers[0].output.height, 2 * H);
    assert_int_equal(layers[0].output.width, 3 * W);
    free(layers);
    gf_config_free(&config);
  }
}

/* A weight of 16 x 8 / 2 x 4 x 4, which each of the input's pixels is multiplied by. An output sums
 * 2 x 2 taps of the 8 channels of its group. */
static void its_weight_is_pytorchs(void **unused) {
  (void)unused;
  static const char yaml[] =
      "model: {graph: [{name: up, type: conv_transpose2d, filters: 8, kernel: 4, stride: 2, "
      "padding: 1, groups: 2}, {type: global_avg_pool}, {type: linear, outputs: 4}]}";
  gf_model *model;
  gf_layer_summary *layers;
  gf_config *config;
  int count;
  float values[16 * 4 * 16];
  double largest = 0;
  assert_ok(try_model(&model, yaml));
  gf_parameter_info p = gf_model_parameter(model, 0);
  assert_string_equal(p.name, "up.weight");
  const int dims[] = {16, 4, 4, 4};
  assert_int_equal(p.dim_count, 4);
  for (int d = 0; d < 4; d++) assert_int_equal(p.dims[d], dims[d]);
  assert_ok(gf_model_read_parameter(model, 0, values));
  for (size_t i = 0; i < p.count; i++) largest = fmax(largest, fabs((double)values[i]));
  assert_true(largest <= 1 / sqrt(32) && largest >= 0.98 / sqrt(32));
  gf_model_free(&model);
  assert_ok(gf_config_parse(&config, "net", yaml));
  assert_ok(gf_model_summarise(&layers, &count, config, (gf_image_shape){H, W, C}, CLASSES));
  assert_int_equal(layers[0].output.height, 2 * H);
  assert_int_equal(layers[0].parameters, 1024 + 8);
  assert_true(layers[0].flops == 2.0 * H * W * 1024);
  free(layers);
  gf_config_free(&config);
}

static void misfits_are_explained(void **unused) {
  (void)unused;
  static const char *const rows[][2] = {
      {"filters: 4, stride: 2, output_padding: 2",
       "output_padding 2 is not less than the stride 2 or the dilation 1"},
      {"filters: 4, padding: [9, 0, 0, 0]",
       "a padding of 9 and 0 leaves nothing of the 8 rows or columns"},
      {"filters: 4, groups: 3", "groups: 3 does not divide its 16 input channels"},
      {"filters: 6, groups: 4", "groups: 4 does not divide its 6 filters"},
      {"filters: 65536, kernel: 1024",
       "its weight would have 1099511627776 elements; at most 268435455 are possible"}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char yaml[256], message[256];
    gf_model *model;
    snprintf(yaml, sizeof yaml, "model: {graph: [{name: up, type: conv_transpose2d, %s}]}",
             rows[i][0]);
    assert_int_equal(try_model(&model, yaml), GF_ERROR_SHAPE);
    snprintf(message, sizeof message, "conv_transpose2d 'up' with input 'input' (6x5x16): %s",
             rows[i][1]);
    if (!strstr(gf_error_message(), message)) fail_msg("%s", gf_error_message());
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(algorithms_agree),
      cmocka_unit_test(same_is_size_times_stride),
      cmocka_unit_test(its_weight_is_pytorchs),
      cmocka_unit_test(misfits_are_explained),
  };
  return cmocka_run_group_tests(tests, device_test_open, device_test_close);
}
