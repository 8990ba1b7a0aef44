/* The gradient of a score with respect to the image, in inference, against differences of the
 * reference networks' logits in double precision along directions. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <math.h>
#include <stdbool.h>

#include "predict/predict.h"
#include "ref_network.h"
#include "support/device.h"
#include "support/test.h"

enum { SIDE = 8, COLOURS = 3, CLASSES = 5, BATCH = 4, PIXELS = SIDE * SIDE * COLOURS };

static float images_[BATCH * PIXELS];
static const int chosen_[BATCH] = {4, 0, 2, 2};

static int open_all(void **state) {
  uint32_t random = 77;
  for (int i = 0; i < BATCH * PIXELS; i++) images_[i] = next_float(&random);
  return fixture_open(state);
}

/* Norms with numbers of their own: nothing is 0 or 1 by chance. */
static void stir(gf_model *model) {
  uint32_t random = 99;
  for (int i = 0; i < gf_model_parameter_count(model); i++) {
    gf_parameter_info p = gf_model_parameter(model, i);
    if (p.dim_count != 1) continue;
    bool is_scale = p.is_weight || strstr(p.name, "running_var");
    float *values = malloc(p.count * sizeof *values);
    assert_non_null(values);
    for (size_t k = 0; k < p.count; k++)
      values[k] = is_scale ? 1.5f + next_float(&random) : next_float(&random);
    assert_ok(gf_model_write_parameter(model, i, values));
    free(values);
  }
}

/* Whatever a pass does not write itself is not a number. */
static void poison(gf_model *model) {
  gf_buffer *buffers[256];
  int count = 0;
  for (int s = 0; s < model->plan.count; s++) buffers[count++] = model->plan.buffers[s].memory;
  for (int i = 0; i < model->graph.count; i++)
    if (model->graph.nodes[i]->saved) buffers[count++] = model->graph.nodes[i]->saved;
  for (int i = 0; i < count; i++) {
    size_t bytes = gf__buffer_size(buffers[i]);
    void *nans = malloc(bytes);
    assert_non_null(nans);
    memset(nans, 0xff, bytes);
    assert_ok(gf__buffer_write(buffers[i], 0, bytes, nans));
    free(nans);
  }
}

/* The network that is tested, and another one with its weights that gives the gradient. */
static gf_model *open_trained(const char *section, float gradient[BATCH * PIXELS]) {
  char yaml[1024];
  gf_model *trained = NULL, *model = NULL;
  snprintf(yaml, sizeof yaml, "model: {%s}", section);
  gf_config *config = parse_config(yaml);
  assert_ok(gf_model_open(&trained, fixture_device, config, (gf_image_shape){SIDE, SIDE, COLOURS},
                          CLASSES, BATCH, 3));
  stir(trained);
  assert_ok(gf__saliency_open(&model, trained, config));
  gf_config_free(&config);
  poison(model);
  assert_ok(gf__saliency_gradient(model, images_, chosen_, BATCH, gradient));
  gf_model_free(&model);
  for (int i = 0; i < BATCH * PIXELS; i++) assert_true(isfinite(gradient[i]));
  return trained;
}

/* ---- against differences ---- */

typedef struct variant {
  const char *model; /* of the config's section */
  ref_network_options options;
} variant;

#define VGG "family: vgg_stages, stages: 2, blocks_per_stage: 1, filters: 8, "
#define RES "family: resnet_cifar, depth: 8, filters: 8, "
#define SCALE "family: multi_scale, stages: 2, filters: 8, "
#define OPTIONS                                                                        \
  .height = SIDE, .width = SIDE, .channels = COLOURS, .classes = CLASSES, .stages = 2, \
  .blocks_per_stage = 1, .filters = 8, .slope = 0.01, .batch = BATCH
#define EVERY .norm_every = true
#define IDENTITY .shortcut = REF_SHORTCUT_IDENTITY
#define RESNET .family = REF_RESNET_CIFAR, .activation = "relu"

static const variant variants_[] = {
    /* norms that their convolutions do the work of, and shortcuts around them */
    {VGG "shortcut: none, norm: every, initialisation: he", {OPTIONS, EVERY}},
    {VGG "shortcut: identity, norm: every", {OPTIONS, EVERY, IDENTITY}},
    {RES "shortcut: option_b", {OPTIONS, RESNET, .shortcut = REF_SHORTCUT_B}},
    {RES "shortcut: option_b, fuse: off", {OPTIONS, RESNET, .shortcut = REF_SHORTCUT_B}},
    {RES "shortcut: option_a, block: pre_activation",
     {OPTIONS, RESNET, .shortcut = REF_SHORTCUT_A, .pre_activation = true}},
    /* norms behind activations */
    {VGG "shortcut: identity, norm: every, norm_position: after",
     {OPTIONS, EVERY, IDENTITY, .norm_after = true}},
    /* max pools */
    {SCALE "norm: every, activation: tanh",
     {OPTIONS, EVERY, .family = REF_MULTI_SCALE, .activation = "tanh"}},
    {VGG "norm: entry, shortcut: identity, activation: silu",
     {OPTIONS, IDENTITY, .activation = "silu"}},
    /* what only training needs has weights in the file and no part in the score */
    {VGG "shortcut: none, norm: every, initialisation: he, auxiliaries: [block_0_0_act_0]",
     {OPTIONS, EVERY}},
};
enum { VARIANTS = sizeof variants_ / sizeof *variants_ };

static ref_network *open_reference(const variant *v, gf_model *model) {
  ref_network *reference = ref_network_new(&v->options);
  int found = 0;
  assert_non_null(reference);
  for (int i = 0; i < gf_model_parameter_count(model); i++) {
    gf_parameter_info p = gf_model_parameter(model, i);
    const ref_tensor *tensor = ref_network_find(reference, p.name);
    if (!tensor) continue; /* of a auxiliary */
    float *values = malloc(p.count * sizeof *values);
    assert_non_null(values);
    assert_ok(gf_model_read_parameter(model, i, values));
    ref_network_set(tensor, values);
    free(values);
    found++;
  }
  assert_int_equal(found, ref_network_tensor_count(reference));
  return reference;
}

/* Of each image: how its chosen score changes along its direction. */
static void differentiate(ref_network *reference, const double *directions, double out[BATCH]) {
  static const double step = 1e-6;
  static double moved[BATCH * PIXELS];
  static const int labels[BATCH] = {0};
  double scores[2][BATCH];
  for (int side = 0; side < 2; side++) {
    double t = side ? step : -step;
    for (int i = 0; i < BATCH * PIXELS; i++) moved[i] = images_[i] + t * directions[i];
    ref_network_forward(reference, moved, labels, BATCH, false, NULL);
    for (int n = 0; n < BATCH; n++)
      scores[side][n] = ref_network_logits(reference)[n * CLASSES + chosen_[n]];
  }
  for (int n = 0; n < BATCH; n++) out[n] = (scores[1][n] - scores[0][n]) / (2 * step);
}

static double length_of(const double *x) {
  double sum = 0;
  for (int i = 0; i < PIXELS; i++) sum += x[i] * x[i];
  return sqrt(sum);
}

static void gradient_is_that_of_the_reference(void **state) {
  const variant *v = *state;
  enum { DIRECTIONS = 5 }; /* the first one is the gradient's own: none is steeper */
  static float gradient[BATCH * PIXELS];
  static double g[BATCH * PIXELS], direction[BATCH * PIXELS];
  uint32_t random = 5;
  gf_model *trained = open_trained(v->model, gradient);
  ref_network *reference = open_reference(v, trained);
  for (int i = 0; i < BATCH * PIXELS; i++) g[i] = gradient[i];
  for (int d = 0; d < DIRECTIONS; d++) {
    double slopes[BATCH];
    for (int i = 0; i < BATCH * PIXELS; i++)
      direction[i] = d == 0 ? g[i] / length_of(g + i / PIXELS * PIXELS) : next_float(&random);
    differentiate(reference, direction, slopes);
    for (int n = 0; n < BATCH; n++) {
      double expected = 0, size = length_of(g + n * PIXELS);
      for (int i = 0; i < PIXELS; i++) expected += g[n * PIXELS + i] * direction[n * PIXELS + i];
      double allowed = 1e-5 * size * length_of(direction + n * PIXELS);
      assert_true(size > 1e-4);
      if (!(fabs(slopes[n] - expected) <= allowed))
        fail_msg("image %d, direction %d: the slope is %.9g and the gradient gives %.9g +- %.2g", n,
                 d, slopes[n], expected, allowed);
    }
  }
  ref_network_free(&reference);
  gf_model_free(&trained);
}

/* ---- dropout ---- */

/* In inference nothing is dropped, in the gradient neither. */
static void dropout_leaves_the_gradient_alone(void **state) {
  (void)state;
  static float with[BATCH * PIXELS], without[BATCH * PIXELS];
  gf_model *a = open_trained(
      "graph: [{type: conv2d, filters: 6, padding: 1}, {type: tanh}, {type: dropout, p: 0.5}, "
      "{type: global_avg_pool}, {name: last, type: linear, outputs: 5}]",
      with);
  gf_model *b = open_trained(
      "graph: [{type: conv2d, filters: 6, padding: 1}, {type: tanh}, "
      "{type: global_avg_pool}, {name: last, type: linear, outputs: 5}]",
      without);
  for (int i = 0; i < BATCH * PIXELS; i++)
    if (!(fabsf(with[i] - without[i]) <= 1e-7f))
      fail_msg("%d: %.9g and without dropout %.9g", i, (double)with[i], (double)without[i]);
  gf_model_free(&a);
  gf_model_free(&b);
}

int main(void) {
  struct CMUnitTest tests[VARIANTS + 1];
  for (int i = 0; i < VARIANTS; i++)
    tests[i] = (struct CMUnitTest){.name = variants_[i].model,
                                   .test_func = gradient_is_that_of_the_reference,
                                   .initial_state = (void *)(uintptr_t)&variants_[i]};
  tests[VARIANTS] = (struct CMUnitTest)cmocka_unit_test(dropout_leaves_the_gradient_alone);
  return cmocka_run_group_tests_name("saliency", tests, open_all, fixture_close);
}
