/* Networks of volumes: the spectral-spatial one against the reference in double precision, whose
 * gradient is checked by differences; what layers make of volumes; and what is refused. */
#define _XOPEN_SOURCE 700
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gradflow/model.h>

#include "ref_network.h"
#include "support/device.h"
#include "support/test.h"

enum { SIDE = 5, BANDS = 13, CLASSES = 4, BATCH = 6, VALUES = BATCH * SIDE * SIDE * BANDS };

static const ref_network_options options_ = {.family = REF_SPECTRAL_SPATIAL,
                                             .height = SIDE,
                                             .width = SIDE,
                                             .channels = BANDS,
                                             .classes = CLASSES,
                                             .blocks_per_stage = 1,
                                             .filters = 6,
                                             .bridge_filters = 10,
                                             .activation = "relu",
                                             .batch = BATCH};
static const char model_[] =
    "family: spectral_spatial, filters: 6, bridge_filters: 10, spectral_blocks: 1, "
    "spatial_blocks: 1, dropout: 0";
static const int labels_[BATCH] = {0, 3, 1, 2, 2, 0};
static float images_[VALUES];
static double images_double_[VALUES];

static int open_all(void **state) {
  uint32_t random = 88172645;
  for (int i = 0; i < VALUES; i++) images_double_[i] = images_[i] = next_float(&random);
  return fixture_open(state);
}

static gf_config *config_of(const char *model, const char *more) {
  char yaml[1024];
  snprintf(yaml, sizeof yaml, "model: {%s%s}", model, more);
  return parse_config(yaml);
}

static double norm_of(size_t count, const double *x) {
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += x[i] * x[i];
  return sqrt(sum);
}

static double distance(size_t count, const float *x, const double *y) {
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += (x[i] - y[i]) * (x[i] - y[i]);
  return sqrt(sum);
}

static void assert_near(double got, double expected, double most, const char *what) {
  if (!(fabs(got - expected) <= most)) fail_msg("%s: %.9g is not %.9g", what, got, expected);
}

/* Every convolution's bias, which the norm behind it takes away. */
static bool is_cancelled(const ref_tensor *r) {
  return strstr(r->name, "_conv") && strstr(r->name, ".bias");
}

/* ---- the network against the reference ---- */

static void copy_weights(gf_model *model, ref_network *reference) {
  int count = ref_network_tensor_count(reference);
  assert_int_equal(gf_model_parameter_count(model), count);
  for (int i = 0; i < count; i++) {
    const ref_tensor *r = ref_network_tensor(reference, i);
    gf_parameter_info p = gf_model_parameter(model, i);
    assert_string_equal(p.name, r->name);
    assert_int_equal(p.dim_count, r->dim_count);
    for (int d = 0; d < p.dim_count; d++) assert_int_equal(p.dims[d], r->dims[d]);
    float *values = malloc(r->count * sizeof *values);
    assert_non_null(values);
    assert_ok(gf_model_read_parameter(model, i, values));
    ref_network_set(r, values);
    free(values);
  }
}

static void compare_gradients(gf_model *model, const ref_network *reference) {
  for (int i = 0; i < ref_network_tensor_count(reference); i++) {
    const ref_tensor *r = ref_network_tensor(reference, i);
    if (!r->trainable) continue;
    float *values = malloc(r->count * sizeof *values);
    assert_non_null(values);
    assert_ok(gf_model_read_gradient(model, i, values));
    double error = distance(r->count, values, r->gradient), size = norm_of(r->count, r->gradient);
    if (is_cancelled(r)) {
      assert_near(error, 0, 1e-6, r->name);
    } else {
      assert_true(size > 1e-6);
      assert_near(error / size, 0, 1e-4, r->name);
    }
    free(values);
  }
}

static void compare_network(const char *more) {
  gf_config *config = config_of(model_, more);
  gf_model *model;
  gf_loss loss;
  float logits[BATCH * CLASSES];
  int correct;
  assert_ok(gf_model_open(&model, fixture_device, config, (gf_image_shape){SIDE, SIDE, BANDS},
                          CLASSES, BATCH, 3));
  gf_config_free(&config);
  ref_network *reference = ref_network_new(&options_);
  assert_non_null(reference);
  copy_weights(model, reference);
  for (int training = 1; training >= 0; training--) {
    double expected =
        ref_network_forward(reference, images_double_, labels_, BATCH, training, &correct);
    assert_ok(gf_model_forward(model, images_, labels_, BATCH, training, &loss));
    assert_near(loss.loss, expected, 2e-5, "loss");
    assert_int_equal(loss.correct, correct);
    assert_ok(gf_model_logits(model, logits));
    const double *rows = ref_network_logits(reference);
    assert_near(distance(BATCH * CLASSES, logits, rows), 0, 2e-5 * norm_of(BATCH * CLASSES, rows),
                "logits");
    if (!training) continue;
    ref_network_backward(reference);
    assert_ok(gf_model_backward(model));
    compare_gradients(model, reference);
  }
  ref_network_free(&reference);
  gf_model_free(&model);
}

static void a_network_is_the_references(void **state) {
  (void)state;
  compare_network("");
  compare_network(", fuse: off");
}

static void check_slope(ref_network *network, const ref_tensor *tensor, uint32_t *random) {
  enum { MOST = 1024 };
  const double step = 1e-6;
  double direction[MOST], slope = 0, losses[2];
  assert_in_range(tensor->count, 1, MOST);
  for (size_t k = 0; k < tensor->count; k++) direction[k] = next_float(random);
  for (size_t k = 0; k < tensor->count; k++) slope += direction[k] * tensor->gradient[k];
  for (int side = 0; side < 2; side++) {
    double by = side ? -2 * step : step;
    for (size_t k = 0; k < tensor->count; k++) tensor->value[k] += by * direction[k];
    losses[side] = ref_network_forward(network, images_double_, labels_, BATCH, true, NULL);
  }
  for (size_t k = 0; k < tensor->count; k++) tensor->value[k] += step * direction[k];
  assert_near(slope, (losses[0] - losses[1]) / (2 * step), 1e-6, tensor->name);
  if (is_cancelled(tensor) != (fabs(slope) < 1e-7)) fail_msg("%s: %.9g", tensor->name, slope);
}

static void the_references_gradient_is_its_losses(void **state) {
  (void)state;
  uint32_t random = 2463534242;
  ref_network *network = ref_network_new(&options_);
  assert_non_null(network);
  for (int i = 0; i < ref_network_tensor_count(network); i++) {
    const ref_tensor *tensor = ref_network_tensor(network, i);
    for (size_t k = 0; tensor->trainable && k < tensor->count; k++)
      tensor->value[k] += 0.5 * next_float(&random);
  }
  ref_network_forward(network, images_double_, labels_, BATCH, true, NULL);
  for (int pass = 0; pass < 2; pass++) ref_network_backward(network);
  for (int i = 0; i < ref_network_tensor_count(network); i++)
    if (ref_network_tensor(network, i)->trainable)
      check_slope(network, ref_network_tensor(network, i), &random);
  ref_network_free(&network);
}

/* ---- shapes ---- */

/* Weights and biases of the layers in Zhong et al., 2018, figure 3, with the norms' two. */
static size_t expected_parameters(size_t bands, size_t classes) {
  size_t left = (bands - 7) / 2 + 1, norm = 2 * 24;
  size_t spectral = 24 * 7 + 24 + norm, spectral_conv = 24 * 24 * 7 + 24 + norm;
  size_t bridge = 128 * 24 * left + 128 + 2 * 128, spatial = 24 * 128 * 9 + 24 + norm;
  size_t spatial_conv = 24 * 24 * 9 + 24 + norm;
  return spectral + 4 * spectral_conv + bridge + spatial + 4 * spatial_conv + 24 * classes +
         classes;
}

static void parameters_are_counted(void **state) {
  (void)state;
  static const struct { int bands, classes, left; } cubes[] = {{200, 16, 97}, {103, 9, 49}};
  for (size_t i = 0; i < sizeof cubes / sizeof *cubes; i++) {
    gf_config *config = parse_config("model: {family: spectral_spatial}");
    gf_layer_summary *layers;
    int count;
    size_t total = 0;
    assert_ok(gf_model_summarise(&layers, &count, config, (gf_image_shape){7, 7, cubes[i].bands},
                                 cubes[i].classes));
    for (int k = 0; k < count; k++) total += layers[k].parameters;
    assert_int_equal(total, expected_parameters((size_t)cubes[i].bands, (size_t)cubes[i].classes));
    assert_string_equal(layers[1].name, "spectral_conv");
    assert_int_equal(layers[1].depth, cubes[i].left);
    assert_int_equal(layers[1].output.channels, 24);
    assert_int_equal(layers[1].bytes, 4 * cubes[i].left * 49 * 24);
    assert_true(layers[1].flops == 2.0 * cubes[i].left * 49 * 24 * 7);
    free(layers);
    gf_config_free(&config);
  }
}

static const struct {
  const char *graph, *message;
} wrong_[] = {
    {"[{name: v, type: to_volume}, {name: c, type: conv2d, filters: 2}]",
     "net:1:45: conv2d 'c' with input 'v' (6x4x4x1): it takes images, not volumes; put a to_image "
     "before it, or use conv3d"},
    {"[{name: v, type: to_volume}, {name: p, type: avg_pool}]",
     "net:1:45: avg_pool 'p' with input 'v' (6x4x4x1): it takes images, not volumes; put a "
     "to_image before it, or use avg_pool3d"},
    {"[{name: v, type: to_volume}, {name: p, type: pad_shortcut, channels: 2}]",
     "net:1:45: pad_shortcut 'p' with input 'v' (6x4x4x1): it takes images, not volumes; put a "
     "to_image before it"},
    {"[{name: v, type: to_volume}, {name: w, type: to_volume}]",
     "net:1:45: to_volume 'w' with input 'v' (6x4x4x1): it is a volume already"},
    {"[{name: v, type: to_volume, channels: 4}]",
     "net:1:17: to_volume 'v' with input 'input' (4x4x6): its 6 channels cannot be divided by 4"},
    {"[{name: v, type: to_volume}, {name: c, type: conv3d, filters: 2, kernel: [7, 1, 1]}]",
     "net:1:45: conv3d 'c' with input 'v' (6x4x4x1): a 7x1x1 kernel does not fit a 6x4x4 volume "
     "with padding 0x0x0"},
    {"[{name: v, type: to_volume}, {name: p, type: max_pool3d, kernel: 2, padding: [2, 0, 0]}]",
     "net:1:45: max_pool3d 'p' with input 'v' (6x4x4x1): padding 2x0x0 is more than half of a "
     "2x2x2 kernel"},
    {"[{name: v, type: to_volume}, {name: p, type: avg_pool3d, kernel: [1, 5, 1]}]",
     "net:1:45: avg_pool3d 'p' with input 'v' (6x4x4x1): a 1x5x1 kernel does not fit a 6x4x4 "
     "volume with padding 0x0x0"},
    {"[{name: v, type: to_volume}, {name: g, type: add, input: [v, input]}]",
     "net:1:45: add 'g' with input 'v' (6x4x4x1) and 'input' (4x4x6): the shapes differ"},
    {"[{name: v, type: to_volume}, {name: g, type: concat, input: [v, input]}]",
     "net:1:45: concat 'g' with input 'v' (6x4x4x1) and 'input' (4x4x6): the depths differ"},
};

static void what_does_not_fit_is_refused(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof wrong_ / sizeof *wrong_; i++) {
    char yaml[512];
    gf_layer_summary *layers;
    int count;
    snprintf(yaml, sizeof yaml, "model: {graph: %s}", wrong_[i].graph);
    gf_config *config = parse_config(yaml);
    assert_fails(GF_ERROR_SHAPE, wrong_[i].message,
                 gf_model_summarise(&layers, &count, config, (gf_image_shape){4, 4, 6}, 2));
    gf_config_free(&config);
  }
  gf_config *config = parse_config("model: {graph: [{type: conv3d, filters: 1, kernel: [1, 2]}]}");
  gf_layer_summary *layers;
  int count;
  assert_fails(GF_ERROR_CONFIG,
               "net:1:44: conv3d_0.kernel must be a whole number or a list of three from 0 to "
               "1024, not a list",
               gf_model_summarise(&layers, &count, config, (gf_image_shape){4, 4, 6}, 2));
  gf_config_free(&config);
}

/* ---- layers that take both ---- */

/* What a graph makes of an image of 1x2 pixels and 4 channels, 0 to 7. */
static void run_graph(const char *graph, int classes, float *out) {
  char yaml[512];
  gf_model *model;
  snprintf(yaml, sizeof yaml, "model: {graph: %s}", graph);
  gf_config *config = parse_config(yaml);
  const float image[] = {0, 1, 2, 3, 4, 5, 6, 7};
  assert_ok(
      gf_model_open(&model, fixture_device, config, (gf_image_shape){1, 2, 4}, classes, 1, 0));
  assert_ok(gf_model_forward(model, image, NULL, 1, 0, NULL));
  assert_ok(gf_model_logits(model, out));
  gf_model_free(&model);
  gf_config_free(&config);
}

static void volumes_are_flattened_in_pytorchs_order(void **state) {
  (void)state;
  float out[16];
  /* Channel k of the volume at depth z and pixel p is 4 p + 2 k + z; in order of k, z, p. */
  const float flat[] = {0, 4, 1, 5, 2, 6, 3, 7};
  run_graph("[{name: v, type: to_volume, channels: 2}, {type: flatten}]", 8, out);
  for (int i = 0; i < 8; i++) assert_true(out[i] == flat[i]);
  run_graph(
      "[{name: v, type: to_volume, channels: 2}, {type: concat, input: [v, v]}, {type: flatten}]",
      16, out);
  for (int i = 0; i < 16; i++) assert_true(out[i] == flat[i % 8]);
  run_graph("[{name: v, type: to_volume, channels: 2}, {type: global_avg_pool}]", 2, out);
  assert_true(out[0] == 2.5f && out[1] == 4.5f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_network_is_the_references),
      cmocka_unit_test(the_references_gradient_is_its_losses),
      cmocka_unit_test(parameters_are_counted),
      cmocka_unit_test(what_does_not_fit_is_refused),
      cmocka_unit_test(volumes_are_flattened_in_pytorchs_order),
  };
  return cmocka_run_group_tests(tests, open_all, fixture_close);
}
