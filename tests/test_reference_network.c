/* The reference networks: parameters, gradients by directional differences, values by hand. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "ref_network.h"
#include "support/test.h"

static void assert_near(double actual, double expected, double tolerance) {
  if (!(fabs(actual - expected) <= tolerance))
    fail_msg("%.17g is not %.17g within %g", actual, expected, tolerance);
}

/* Numbers in (-1, 1) from a linear congruential generator (Knuth's MMIX), reset by each test. */
static uint64_t state_;

static double noise(void) {
  state_ = state_ * 6364136223846793005u + 1442695040888963407u;
  return (double)(state_ >> 11) / 4503599627370496.0 - 1; /* 2^52 */
}

static void fill(double *values, size_t count) {
  for (size_t i = 0; i < count; i++) values[i] = noise();
}

static const int labels_[] = {4, 0, 2};

static const ref_network_options small_ = {.height = 8,
                                           .width = 8,
                                           .channels = 3,
                                           .classes = 5,
                                           .stages = 2,
                                           .blocks_per_stage = 1,
                                           .filters = 4,
                                           .slope = 0.2,
                                           .batch = 3};
static double images_[3 * 8 * 8 * 3];

static ref_network *open_network(ref_network_options options) {
  ref_network *network = ref_network_new(&options);
  assert_non_null(network);
  state_ = 2;
  fill(images_, sizeof images_ / sizeof *images_);
  return network;
}

static void set(ref_network *network, const char *name, double value) {
  const ref_tensor *tensor = ref_network_find(network, name);
  assert_non_null(tensor);
  for (size_t i = 0; i < tensor->count; i++) tensor->value[i] = value;
}

static void randomise(ref_network *network) {
  for (int i = 0; i < ref_network_tensor_count(network); i++) {
    const ref_tensor *tensor = ref_network_tensor(network, i);
    if (tensor->trainable) fill(tensor->value, tensor->count);
  }
}

static void a_network_counts_its_layers_and_parameters(void **unused) {
  (void)unused;
  static const struct {
    int blocks, total, norm_every;
  } rows[] = {{0, 59716, 0}, {5, 336196, 0}, {5, 338500, 1}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    ref_network *network = open_network((ref_network_options){.height = 32,
                                                              .width = 32,
                                                              .channels = 3,
                                                              .classes = 100,
                                                              .stages = 3,
                                                              .filters = 32,
                                                              .blocks_per_stage = rows[i].blocks,
                                                              .norm_every = rows[i].norm_every,
                                                              .batch = 1});
    assert_int_equal(ref_network_parameter_total(network), rows[i].total);
    ref_network_free(&network);
    assert_null(network);
  }
  ref_network_options deep = small_;
  deep.stages = 4; /* 8, 4, 2, 1, nothing */
  assert_null(ref_network_new(&deep));
}

static void a_network_names_its_parameters(void **unused) {
  (void)unused;
  static const struct {
    const char *name;
    int dims[5], trainable;
  } rows[] = {
      {"input_conv.weight", {4, 3, 3, 3}, 1},
      {"input_norm.weight", {4}, 1},
      {"input_norm.bias", {4}, 1},
      {"block_0_0_conv_0.weight", {4, 4, 3, 3}, 1},
      {"block_0_0_norm_0.weight", {4}, 1},
      {"block_0_0_norm_0.bias", {4}, 1},
      {"block_0_0_conv_1.weight", {4, 4, 3, 3}, 1},
      {"block_0_0_norm_1.weight", {4}, 1},
      {"block_0_0_norm_1.bias", {4}, 1},
      {"reduction_0_conv_0.weight", {4, 4, 3, 3}, 1},
      {"reduction_0_conv_0.bias", {4}, 1},
      {"reduction_0_norm_0.weight", {4}, 1},
      {"reduction_0_norm_0.bias", {4}, 1},
      {"reduction_0_conv_1.weight", {4, 4, 3, 3}, 1},
      {"reduction_0_conv_1.bias", {4}, 1},
      {"reduction_0_norm_1.weight", {4}, 1},
      {"reduction_0_norm_1.bias", {4}, 1},
      {"logit_linear.weight", {5, 4}, 1},
      {"logit_linear.bias", {5}, 1},
      {"input_norm.running_mean", {4}, 0},
      {"input_norm.running_var", {4}, 0},
      {"block_0_0_norm_0.running_mean", {4}, 0},
  };
  ref_network_options options = small_;
  options.stages = 1;
  options.norm_every = true;
  ref_network *network = open_network(options);
  assert_int_equal(ref_network_tensor_count(network), 19 + 10);
  for (int i = 0; i < (int)(sizeof rows / sizeof *rows); i++) {
    const ref_tensor *tensor = ref_network_tensor(network, i);
    assert_string_equal(tensor->name, rows[i].name);
    assert_memory_equal(tensor->dims, rows[i].dims, sizeof tensor->dims);
    assert_int_equal(tensor->trainable, rows[i].trainable);
    assert_true((tensor->gradient != NULL) == tensor->trainable);
  }
  ref_network_free(&network);
}

/* With zero convolutions and an entry norm that gives beta everywhere, a plain
 * network forgets the entry; a residual one passes it through an activation a block. */
static void a_network_is_as_computed_by_hand(void **unused) {
  (void)unused;
  ref_network_options options = small_;
  ref_network *network = open_network(options);
  double loss = ref_network_forward(network, images_, labels_, 3, true, NULL);
  assert_near(loss, log(5), 1e-12);
  set(network, "input_norm.weight", 0);
  set(network, "input_norm.bias", -3);
  set(network, "logit_linear.weight", 2);
  set(network, "logit_linear.bias", 7);
  ref_network_forward(network, images_, labels_, 3, true, NULL);
  for (int i = 0; i < 15; i++) assert_near(ref_network_logits(network)[i], 7, 1e-12);
  set(network, "reduction_1_conv_1.bias", 1);
  ref_network_forward(network, images_, labels_, 3, true, NULL);
  for (int i = 0; i < 15; i++) assert_near(ref_network_logits(network)[i], 7 + 4 * 2, 1e-12);
  ref_network_free(&network);

  for (int norm_every = 0; norm_every < 2; norm_every++) {
    options.shortcut = true;
    options.norm_every = norm_every;
    network = open_network(options);
    set(network, "input_norm.weight", 0);
    set(network, "input_norm.bias", -3);
    set(network, "logit_linear.weight", 2);
    set(network, "logit_linear.bias", 7);
    ref_network_forward(network, images_, labels_, 3, true, NULL);
    double feature = -3 * pow(0.2, 5); /* entry, two blocks, two reductions */
    for (int i = 0; i < 15; i++)
      assert_near(ref_network_logits(network)[i], 7 + 4 * 2 * feature, 1e-12);
    if (norm_every) { /* a norm adds its shift before the sum and the activation */
      set(network, "block_0_0_norm_1.bias", -1);
      ref_network_forward(network, images_, labels_, 3, true, NULL);
      feature = (-3 * 0.2 - 1) * pow(0.2, 4);
      for (int i = 0; i < 15; i++)
        assert_near(ref_network_logits(network)[i], 7 + 4 * 2 * feature, 1e-12);
    }
    ref_network_free(&network);
  }
}

/* A batch norm's outputs have the mean of its shift; while all are positive, a
 * residual network of zero convolutions keeps that mean, whatever it pools. */
static void a_network_pools_its_shortcut(void **unused) {
  (void)unused;
  ref_network_options options = small_;
  options.shortcut = true;
  ref_network *network = open_network(options);
  const ref_tensor *conv = ref_network_find(network, "input_conv.weight");
  fill(conv->value, conv->count);
  set(network, "input_norm.bias", 10); /* of 64 normalised pixels none is below -8 */
  set(network, "logit_linear.weight", 2);
  ref_network_forward(network, images_, labels_, 1, true, NULL);
  for (int i = 0; i < 5; i++) assert_near(ref_network_logits(network)[i], 4 * 2 * 10, 1e-9);
  ref_network_free(&network);
}

/* One channel of 2x2 pixels through convolutions that multiply by 1. */
static void layers_come_in_their_order(void **unused) {
  (void)unused;
  ref_network *network = open_network((ref_network_options){.height = 2,
                                                            .width = 2,
                                                            .channels = 1,
                                                            .classes = 2,
                                                            .stages = 1,
                                                            .filters = 1,
                                                            .slope = 0.2,
                                                            .batch = 1});
  static const char *const convs[] = {"input_conv.weight", "reduction_0_conv_0.weight",
                                      "reduction_0_conv_1.weight"};
  for (int i = 0; i < 3; i++) ref_network_find(network, convs[i])->value[4] = 1;
  set(network, "input_norm.weight", 2);
  set(network, "reduction_0_conv_0.bias", -1);
  set(network, "reduction_0_conv_1.bias", -2);
  set(network, "logit_linear.weight", 1);
  ref_network_forward(network, (double[]){1, -1, 1, -1}, labels_ + 1, 1, true, NULL);
  double high = 2 / sqrt(1 + 1e-5), low = -0.2 * high; /* entry: conv, norm, activation */
  double pooled = ((high - 1) + 0.2 * (low - 1)) / 2;  /* conv, activation, then the pool */
  assert_near(ref_network_logits(network)[0], 0.2 * (pooled - 2), 1e-12);
  ref_network_free(&network);
}

/* What differs from small_ in the networks whose gradients are checked. */
static const ref_network_options gradients_[] = {
    {.blocks_per_stage = 1},
    {.blocks_per_stage = 1, .shortcut = REF_SHORTCUT_IDENTITY},
    {.blocks_per_stage = 1, .norm_every = true},
    {.blocks_per_stage = 1, .shortcut = REF_SHORTCUT_IDENTITY, .norm_every = true},
    {.blocks_per_stage = 1, .norm_every = true, .norm_after = true, .activation = "tanh"},
    {.blocks_per_stage = 1,
     .shortcut = REF_SHORTCUT_IDENTITY,
     .norm_every = true,
     .norm_after = true,
     .activation = "silu"},
    {.family = REF_RESNET_CIFAR, .blocks_per_stage = 1},
    {.family = REF_RESNET_CIFAR, .blocks_per_stage = 2, .shortcut = REF_SHORTCUT_A},
    {.family = REF_RESNET_CIFAR, .blocks_per_stage = 1, .shortcut = REF_SHORTCUT_B},
    {.family = REF_RESNET_CIFAR,
     .blocks_per_stage = 2,
     .shortcut = REF_SHORTCUT_A,
     .pre_activation = true},
    {.family = REF_RESNET_CIFAR,
     .blocks_per_stage = 1,
     .shortcut = REF_SHORTCUT_B,
     .pre_activation = true},
    {.family = REF_MULTI_SCALE, .blocks_per_stage = 1, .activation = "gelu"},
    {.family = REF_MULTI_SCALE, .blocks_per_stage = 1, .norm_every = true, .activation = "elu"},
};

/* A norm takes away what a bias right before it adds: that gradient is 0 by design. */
static bool is_cancelled(const ref_network_options *o, const ref_tensor *tensor) {
  return o->norm_every && !o->norm_after && strstr(tensor->name, "_conv_") &&
         strstr(tensor->name, ".bias");
}

static void check_slope(ref_network *network, const ref_tensor *tensor, bool cancelled) {
  enum { MOST = 16 * 16 * 25 };
  const double step = 1e-6;
  double direction[MOST], slope = 0, losses[2];
  assert_true(tensor->count <= MOST);
  fill(direction, tensor->count);
  for (size_t k = 0; k < tensor->count; k++) slope += direction[k] * tensor->gradient[k];
  for (int side = 0; side < 2; side++) {
    double distance = side ? -2 * step : step;
    for (size_t k = 0; k < tensor->count; k++) tensor->value[k] += distance * direction[k];
    losses[side] = ref_network_forward(network, images_, labels_, 3, true, NULL);
  }
  for (size_t k = 0; k < tensor->count; k++) tensor->value[k] += step * direction[k];
  double expected = (losses[0] - losses[1]) / (2 * step);
  if (!(fabs(slope - expected) <= 2e-7 * (1 + fabs(expected))))
    fail_msg("%s: %.12g is not %.12g", tensor->name, slope, expected);
  if (cancelled != (fabs(slope) < 1e-6)) fail_msg("%s: %.9g", tensor->name, slope);
}

static void a_network_has_its_gradient(void **unused) {
  (void)unused;
  for (size_t row = 0; row < sizeof gradients_ / sizeof *gradients_; row++) {
    ref_network_options options = gradients_[row];
    options.height = small_.height;
    options.width = small_.width;
    options.channels = small_.channels;
    options.classes = small_.classes;
    options.stages = small_.stages;
    options.filters = small_.filters;
    options.slope = small_.slope;
    options.batch = small_.batch;
    ref_network *network = open_network(options);
    randomise(network);
    ref_network_forward(network, images_, labels_, 3, true, NULL);
    for (int pass = 0; pass < 2; pass++) ref_network_backward(network); /* it never accumulates */
    for (int i = 0; i < ref_network_tensor_count(network); i++) {
      const ref_tensor *tensor = ref_network_tensor(network, i);
      if (tensor->trainable) check_slope(network, tensor, is_cancelled(&options, tensor));
    }
    ref_network_free(&network);
  }
}

static void a_step_follows_the_gradient(void **unused) {
  (void)unused;
  const double lr = 0.01, decay = 0.1;
  ref_network *network = open_network(small_);
  randomise(network);
  const ref_tensor *tensor = ref_network_find(network, "reduction_0_conv_1.weight");
  double before[4 * 4 * 9];
  memcpy(before, tensor->value, sizeof before);
  double loss = ref_network_forward(network, images_, labels_, 2, true, NULL);
  assert_near(ref_network_step(network, images_, labels_, 2, lr, decay), loss, 0);
  for (size_t i = 0; i < tensor->count; i++) {
    double g = tensor->gradient[i] + decay * before[i];
    assert_near(tensor->value[i], before[i] - lr * g / (fabs(g) + 1e-8), 1e-12);
  }
  double after = loss;
  for (int i = 0; i < 20; i++) after = ref_network_step(network, images_, labels_, 2, lr, 0);
  assert_true(after < loss / 2);
  ref_network_free(&network);
}

static void inference_uses_running_statistics(void **unused) {
  (void)unused;
  ref_network *network = open_network(small_);
  randomise(network);
  /* An image's logits depend on its auxiliaries in training and not otherwise. */
  double alone[5], together[5];
  for (int training = 0; training < 2; training++) {
    ref_network_forward(network, images_, labels_, 1, training, NULL);
    memcpy(alone, ref_network_logits(network), sizeof alone);
    ref_network_forward(network, images_, labels_, 3, training, NULL);
    memcpy(together, ref_network_logits(network), sizeof together);
    assert_true((memcmp(alone, together, sizeof alone) != 0) == training);
  }
  /* A float that the values take exactly. */
  const float values[5] = {0.5f, -0.25f, 1, 2, 3};
  const ref_tensor *bias = ref_network_find(network, "logit_linear.bias");
  ref_network_set(bias, values);
  for (int i = 0; i < 5; i++) assert_near(bias->value[i], values[i], 0);
  assert_null(ref_network_find(network, "logit_linear"));
  ref_network_free(&network);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_network_counts_its_layers_and_parameters),
      cmocka_unit_test(a_network_names_its_parameters),
      cmocka_unit_test(a_network_is_as_computed_by_hand),
      cmocka_unit_test(a_network_pools_its_shortcut),
      cmocka_unit_test(layers_come_in_their_order),
      cmocka_unit_test(a_network_has_its_gradient),
      cmocka_unit_test(a_step_follows_the_gradient),
      cmocka_unit_test(inference_uses_running_statistics),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
