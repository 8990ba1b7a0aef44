/* The fusion pass changes where work is done and not what is computed: networks
 * of the study, fused and not, give the same loss and gradients. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <gradflow/model.h>

#include "model/model.h"
#include "support/operations.h"
#include "support/test.h"

enum { SIDE = 8, COLOURS = 3, CLASSES = 5, BATCH = 3, PIXELS = SIDE * SIDE * COLOURS, SEED = 3 };

static const char *const activations[] = {"leaky_relu", "relu", "tanh", "sigmoid"};
static const char *const norms[] = {"none", "entry", "every", "every\n  norm_position: after"};
static const char *const shortcuts[] = {"none", "identity"};
static const int filters[] = {5, 16};

static float images_[BATCH * PIXELS];
static const int labels_[BATCH] = {4, 0, 2};

typedef struct result {
  gf_loss loss;
  int nodes, parameters;
  float *gradient[64];
} result;

static void open_model(gf_model **out, const char *network, const char *fuse) {
  char text[512];
  gf_config *config;
  snprintf(text, sizeof text, "model:\n  family: vgg_stages\n  algorithm: direct\n%s  fuse: %s\n",
           network, fuse);
  assert_ok(gf_config_parse(&config, "test", text));
  assert_ok(gf_model_open(out, device_test_device(), config, (gf_image_shape){SIDE, SIDE, COLOURS},
                          CLASSES, BATCH, SEED));
  gf_config_free(&config);
}

static result run(const char *network, const char *fuse) {
  gf_model *model;
  open_model(&model, network, fuse);
  result r = {.nodes = model->graph.count, .parameters = model->trainable_count};
  assert_true(r.parameters <= 64);
  for (int s = 0; s < model->plan.count; s++) poison(model->plan.buffers[s].memory);
  assert_ok(gf_model_forward(model, images_, labels_, BATCH, 1, &r.loss));
  assert_ok(gf_model_backward(model));
  for (int i = 0; i < r.parameters; i++) {
    r.gradient[i] = floats_new(gf_model_parameter(model, i).count);
    assert_ok(gf_model_read_gradient(model, i, r.gradient[i]));
  }
  gf_model_free(&model);
  return r;
}

/* The largest gradient of the node that parameter i is of, count times: a bias before a norm has a
 * gradient of 0 but for rounding, which is that of its weight. */
static const double *magnitude_of(const gf_model *model, const result *r, int i, size_t count) {
  double *out = doubles_new(count), largest = 0;
  const char *name = gf_model_parameter(model, i).name;
  size_t node = (size_t)(strrchr(name, '.') - name) + 1;
  for (int k = 0; k < r->parameters; k++) {
    gf_parameter_info p = gf_model_parameter(model, k);
    for (size_t j = 0; j < p.count && strncmp(p.name, name, node) == 0; j++)
      largest = fmax(largest, fabs((double)r->gradient[k][j]));
  }
  for (size_t j = 0; j < count; j++) out[j] = largest;
  return out;
}

/* The same sums in another order: a residual block adds three numbers, and what that rounds
 * differently passes through the layers below it. rounded: terms of a sum that differ. */
static void compare(const char *network, const char *text, double rounded) {
  gf__tolerance rounding = {NULL, rounded, 4};
  const subject s = {"vgg_stages fused", text};
  gf_model *model;
  result fused = run(network, "on"), plain = run(network, "off");
  assert_true(fused.nodes < plain.nodes);
  assert_int_equal(fused.parameters, plain.parameters);
  assert_int_equal(fused.loss.correct, plain.loss.correct);
  const float loss = (float)fused.loss.loss;
  assert_close(&s, "loss", 1, &loss, &plain.loss.loss, &rounding);
  open_model(&model, network, "on"); /* for the names */
  for (int i = 0; i < plain.parameters; i++) {
    gf_parameter_info p = gf_model_parameter(model, i);
    if (rounded > 1) rounding.magnitude = magnitude_of(model, &plain, i, p.count);
    assert_close(&s, p.name, p.count, fused.gradient[i], doubles_from(plain.gradient[i], p.count),
                 &rounding);
  }
  gf_model_free(&model);
  arrays_free();
}

/* tanh and sigmoid of a vector may be rounded otherwise than those of single values, which the
 * convolutions for GPUs store; then all terms of a gradient differ, one a pixel. */
static void test_networks(const char *activation) {
  bool is_cpu = gf_device_describe(device_test_device())->type == GF_DEVICE_CPU;
  bool is_exact = is_cpu || strstr(activation, "relu");
  char network[256], text[128];
  gf__fill_uniform(images_, BATCH * PIXELS, 0, -1, 1);
  for (int n = 0; n < 4; n++)
    for (int s = 0; s < 2; s++)
      for (int f = 0; f < 2; f++) {
        snprintf(text, sizeof text, "norm %s, shortcut %s, activation %s, filters %d", norms[n],
                 shortcuts[s], activation, filters[f]);
        snprintf(network, sizeof network,
                 "  stages: 2\n  blocks_per_stage: 1\n  norm: %s\n  shortcut: %s\n"
                 "  activation: %s\n  filters: %d\n",
                 norms[n], shortcuts[s], activation, filters[f]);
        compare(network, text, is_exact ? 1 : BATCH * SIDE * SIDE);
      }
}

static void an_activation_is_fused(void **state) { test_networks(*state); }

/* Convolution, sum and activation of a residual block become one node. */
static void fused_networks_equal_plain_ones(void **unused) {
  (void)unused;
  static const char *const gone[] = {"input_act", "block_0_0_act_0", "block_0_0_add",
                                     "block_0_0_act_1", "reduction_0_act_0"};
  gf_model *model;
  open_model(&model, "  stages: 1\n  blocks_per_stage: 1\n  shortcut: identity\n  filters: 5\n",
             "on");
  const gf_node *block = NULL;
  for (int i = 0; i < model->graph.count; i++) {
    const gf_node *node = model->graph.nodes[i];
    for (size_t k = 0; k < sizeof gone / sizeof *gone; k++)
      if (strcmp(node->name, gone[k]) == 0) fail_msg("'%s' is still a node", gone[k]);
    if (strcmp(node->name, "block_0_0_conv_1") == 0) block = node;
  }
  assert_non_null(block);
  assert_true(block->has_residual);
  assert_int_equal(block->activation.kind, GF__ACTIVATION_LEAKY_RELU);
  gf_model_free(&model);
}

int main(void) {
#define OF(k) \
  { activations[k], an_activation_is_fused, NULL, NULL, (void *)(uintptr_t)activations[k] }
  const struct CMUnitTest tests[] = {OF(0), OF(1), OF(2), OF(3),
                                     cmocka_unit_test(fused_networks_equal_plain_ones)};
  return cmocka_run_group_tests(tests, device_test_open, device_test_close);
}
