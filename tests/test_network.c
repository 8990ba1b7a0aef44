/* Networks on the device against the plain double-precision network of
 * host/verify/reference: losses, every gradient, Adam, and inference after it; and
 * graphs that the reference does not have, fused against not fused. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <math.h>
#include <stdbool.h>

#include <gradflow/model.h>
#include <gradflow/train.h>

#include "ref_network.h"
#include "reference.h"
#include "support/device.h"
#include "support/test.h"

enum { SIDE = 16, CHANNELS = 3, PIXELS = SIDE * SIDE * CHANNELS, CLASSES = 10, BATCH = 10 };
enum { BATCHES = 3, STEPS = 20 };
static const double rate_ = 1e-3;

static float images_[BATCHES][BATCH * PIXELS];
static double images_double_[BATCHES][BATCH * PIXELS];
static int labels_[BATCHES][BATCH];

static void make_images(void) {
  uint32_t random = 12345;
  for (int b = 0; b < BATCHES; b++)
    for (int i = 0; i < BATCH; i++) {
      labels_[b][i] = (b * BATCH + i * 7) % CLASSES;
      for (int k = 0; k < PIXELS; k++) {
        int at = i * PIXELS + k;
        /* A little of the class in it, so that there is something to learn. */
        images_[b][at] = 2 * next_float(&random) + (k % CLASSES == labels_[b][i]);
        images_double_[b][at] = images_[b][at];
      }
    }
}

/* ---- one network twice ---- */

typedef struct variant {
  const char *model; /* of the config's section */
  ref_network_options options;
  /* Tolerances are times this where rounding grows: Adam makes steps of what crosses a
   * ReLU's kink, and norms enlarge the small differences of sigmoids. */
  double slack;
} variant;

#define VGG "family: vgg_stages, stages: 2, blocks_per_stage: 1, filters: 8, "
#define RES "family: resnet_cifar, filters: 8, "
#define SCALE "family: multi_scale, stages: 2, filters: 8, "
#define OPTIONS OPTIONS_OF(1)
#define OPTIONS_OF(blocks)                                                              \
  .height = SIDE, .width = SIDE, .channels = CHANNELS, .classes = CLASSES, .stages = 2, \
  .blocks_per_stage = (blocks), .filters = 8, .slope = 0.01, .batch = BATCH
#define IDENTITY .shortcut = REF_SHORTCUT_IDENTITY
#define EVERY .norm_every = true
#define AFTER .norm_every = true, .norm_after = true
#define RESNET .family = REF_RESNET_CIFAR, .activation = "relu"

static const variant variants_[] = {
    {VGG "shortcut: none, norm: entry", {OPTIONS}, 1},
    {VGG "shortcut: none, norm: entry, fuse: off", {OPTIONS}, 1},
    {VGG "shortcut: identity, norm: entry", {OPTIONS, IDENTITY}, 1},
    {VGG "shortcut: identity, norm: entry, fuse: off", {OPTIONS, IDENTITY}, 1},
    {VGG "shortcut: none, norm: every", {OPTIONS, EVERY}, 1},
    {VGG "shortcut: none, norm: every, fuse: off", {OPTIONS, EVERY}, 1},
    {VGG "shortcut: identity, norm: every", {OPTIONS, IDENTITY, EVERY}, 1},
    {VGG "norm: every, norm_position: after", {OPTIONS, AFTER}, 1},
    {VGG "shortcut: identity, norm: every, norm_position: after", {OPTIONS, IDENTITY, AFTER}, 1},
    {VGG "norm: every, norm_position: after, activation: sigmoid",
     {OPTIONS, AFTER, .activation = "sigmoid"},
     10},
    {VGG "shortcut: identity, activation: silu", {OPTIONS, IDENTITY, .activation = "silu"}, 1},
    {RES "depth: 8, shortcut: none", {OPTIONS, RESNET}, 10},
    {RES "depth: 14, shortcut: option_a", {OPTIONS_OF(2), RESNET, .shortcut = REF_SHORTCUT_A}, 40},
    {RES "depth: 8, shortcut: option_b", {OPTIONS, RESNET, .shortcut = REF_SHORTCUT_B}, 10},
    {RES "depth: 8, shortcut: option_b, fuse: off",
     {OPTIONS, RESNET, .shortcut = REF_SHORTCUT_B},
     10},
    {RES "depth: 14, shortcut: option_a, block: pre_activation",
     {OPTIONS_OF(2), RESNET, .shortcut = REF_SHORTCUT_A, .pre_activation = true},
     10},
    {RES "depth: 8, shortcut: option_b, block: pre_activation",
     {OPTIONS, RESNET, .shortcut = REF_SHORTCUT_B, .pre_activation = true},
     10},
    {SCALE "norm: none, activation: gelu",
     {OPTIONS, .family = REF_MULTI_SCALE, .activation = "gelu"},
     1},
    {SCALE "norm: every, activation: silu",
     {OPTIONS, .family = REF_MULTI_SCALE, EVERY, .activation = "silu"},
     1},
};
enum { VARIANTS = sizeof variants_ / sizeof *variants_ };

typedef struct twins {
  gf_model *model;
  gf_trainer *trainer;
  ref_network *reference;
  int tensors;
} twins;

static gf_config *config_of(const variant *v) {
  char yaml[512];
  snprintf(yaml, sizeof yaml, "model: {%s}", v->model);
  return parse_config(yaml);
}

static void copy_weights(const twins *t) {
  for (int i = 0; i < t->tensors; i++) {
    const ref_tensor *r = ref_network_tensor(t->reference, i);
    float *values = malloc(r->count * sizeof *values);
    assert_non_null(values);
    assert_ok(gf_model_read_parameter(t->model, i, values));
    ref_network_set(r, values);
    free(values);
  }
}

static twins open_twins(const variant *v) {
  twins t = {0};
  gf_config *config = config_of(v);
  assert_ok(gf_model_open(&t.model, fixture_device, config, (gf_image_shape){SIDE, SIDE, CHANNELS},
                          CLASSES, BATCH, 3));
  assert_ok(gf_trainer_open(&t.trainer, t.model, config));
  gf_config_free(&config);
  t.reference = ref_network_new(&v->options);
  assert_non_null(t.reference);
  t.tensors = ref_network_tensor_count(t.reference);
  assert_int_equal(gf_model_parameter_count(t.model), t.tensors);
  copy_weights(&t);
  return t;
}

static void close_twins(twins *t) {
  gf_trainer_free(&t->trainer);
  gf_model_free(&t->model);
  ref_network_free(&t->reference);
}

#define assert_near(value, expected, tolerance, name)                                  \
  do {                                                                                 \
    double near_value = (value), near_expected = (expected);                           \
    if (!(fabs(near_value - near_expected) <= (tolerance)))                            \
      fail_msg("%s: %.9g and should be %.9g +- %.2g", name, near_value, near_expected, \
               (double)(tolerance));                                                   \
  } while (0)

static double l2(size_t count, const double *x) { return ref_statistics_of(count, x).l2; }

static double distance(size_t count, const float *x, const double *y) {
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += (x[i] - y[i]) * (x[i] - y[i]);
  return sqrt(sum);
}

/* A bias that a norm follows: the norm takes it out again, so its gradient is 0 but for
 * rounding, which Adam then makes steps of. */
static bool is_idle(const variant *v, const ref_tensor *r) {
  return v->options.norm_every && !v->options.norm_after && strstr(r->name, "_conv_") &&
         strstr(r->name, ".bias");
}

/* ---- the tests ---- */

static void compare_gradients(const twins *t, const variant *v) {
  for (int i = 0; i < t->tensors; i++) {
    const ref_tensor *r = ref_network_tensor(t->reference, i);
    if (!r->trainable) continue;
    float *values = malloc(r->count * sizeof *values);
    assert_non_null(values);
    assert_ok(gf_model_read_gradient(t->model, i, values));
    double reference = l2(r->count, r->gradient), error = distance(r->count, values, r->gradient);
    if (is_idle(v, r))
      assert_near(error, 0, 1e-6, r->name);
    else {
      assert_true(reference > 1e-6);
      assert_near(error / reference, 0, 2e-5 * v->slack, r->name);
    }
    free(values);
  }
}

static void compare_running(const twins *t) {
  for (int i = 0; i < t->tensors; i++) {
    const ref_tensor *r = ref_network_tensor(t->reference, i);
    if (r->trainable) continue;
    float values[64];
    assert_in_range(r->count, 1, 64);
    assert_ok(gf_model_read_parameter(t->model, i, values));
    assert_near(distance(r->count, values, r->value), 0, 1e-5 * l2(r->count, r->value), r->name);
  }
}

/* The first pass: loss, correct, gradients, running statistics. */
static void a_pass_is_the_references(void **state) {
  const variant *v = *state;
  twins t = open_twins(v);
  gf_loss loss;
  int correct;
  assert_ok(gf_model_forward(t.model, images_[0], labels_[0], BATCH, 1, &loss));
  assert_ok(gf_model_backward(t.model));
  double expected =
      ref_network_forward(t.reference, images_double_[0], labels_[0], BATCH, true, &correct);
  ref_network_backward(t.reference);
  assert_near(loss.loss, expected, 1e-5, "loss");
  assert_int_equal(loss.correct, correct);
  compare_gradients(&t, v);
  compare_running(&t);
  close_twins(&t);
}

static void compare_logits(const twins *t, int batch, int count, double tolerance) {
  float logits[BATCH * CLASSES];
  gf_loss loss;
  int correct;
  assert_ok(gf_model_forward(t->model, images_[batch], labels_[batch], count, 0, &loss));
  assert_ok(gf_model_logits(t->model, logits));
  double expected = ref_network_forward(t->reference, images_double_[batch], labels_[batch], count,
                                        false, &correct);
  const double *rows = ref_network_logits(t->reference);
  size_t values = (size_t)count * CLASSES;
  assert_near(loss.loss, expected, tolerance, "inference loss");
  assert_int_equal(loss.correct, correct);
  assert_near(distance(values, logits, rows), 0, tolerance * l2(values, rows), "logits");
}

/* Twenty steps of Adam, the fifth of a part of a batch, and then inference. */
static void training_is_the_references(void **state) {
  const variant *v = *state;
  twins t = open_twins(v);
  double first = 0, last = 0;
  for (int step = 0; step < STEPS; step++) {
    int b = step % BATCHES, count = step == 4 ? BATCH - 3 : BATCH;
    gf_loss loss;
    assert_ok(gf_trainer_step(t.trainer, images_[b], labels_[b], count, rate_, &loss, NULL));
    double expected = ref_network_step(t.reference, images_double_[b], labels_[b], count, rate_, 0);
    assert_near(loss.loss, expected, 1e-4 * v->slack, "loss");
    if (step == 0) first = loss.loss;
    last = loss.loss;
  }
  assert_true(last < first); /* it learns */
  if (!v->options.norm_every) compare_logits(&t, 0, BATCH, 1e-3 * v->slack);
  /* The idle biases may differ by now, so inference is compared on the same numbers. */
  copy_weights(&t);
  compare_logits(&t, 1, BATCH, 1e-5);
  compare_logits(&t, 2, 1, 1e-5);
  close_twins(&t);
}

/* ---- graphs of all kinds, fused against not fused ---- */

static const char *const graphs_[] = {
    /* a tensor with an activation is read four times, twice by one node */
    "[{name: a, type: conv2d, filters: 8, padding: 1}, {name: r, type: tanh},"
    "{name: s, type: add, input: [r, r]}, {name: b, type: conv2d, filters: 8, padding: 1, "
    "input: r}, {name: t, type: add, input: [s, b]}, {type: sigmoid, name: v}, "
    "{name: u, type: add, input: [v, r]}, {type: global_avg_pool}, {type: linear, outputs: 10}]",
    /* sums of sums, an activation behind a norm and a sum */
    "[{name: a, type: conv2d, filters: 8, padding: 1}, {name: r, type: leaky_relu, slope: 0.2}, "
    "{name: b, type: conv2d, filters: 8, padding: 1}, {name: n, type: batch_norm}, "
    "{name: s, type: add, input: [n, r]}, {name: q, type: relu},"
    "{name: c, type: conv2d, filters: 8, padding: 1}, {name: t, type: add, input: [c, s]}, "
    "{name: u, type: add, input: [t, q]}, {type: max_pool}, {type: dropout}, "
    "{type: global_avg_pool}, {type: linear, outputs: 10}]",
};

/* Loss and gradients of one training step; the caller frees the gradients. */
static float *gradients_of(const char *graph, const char *fuse, size_t *count, double *loss) {
  char yaml[2048];
  snprintf(yaml, sizeof yaml, "model: {fuse: %s, graph: %s}", fuse, graph);
  gf_config *config = parse_config(yaml);
  gf_model *model = NULL;
  gf_loss result;
  assert_ok(gf_model_open(&model, fixture_device, config, (gf_image_shape){SIDE, SIDE, CHANNELS},
                          CLASSES, BATCH, 3));
  assert_ok(gf_model_forward(model, images_[0], labels_[0], BATCH, 1, &result));
  assert_ok(gf_model_backward(model));
  *count = gf_model_parameter_total(model);
  *loss = result.loss;
  float *out = malloc(*count * sizeof *out), *at = out;
  assert_non_null(out);
  for (int i = 0; i < gf_model_parameter_count(model); i++) {
    gf_parameter_info p = gf_model_parameter(model, i);
    if (!p.trainable) continue;
    assert_ok(gf_model_read_gradient(model, i, at));
    at += p.count;
  }
  gf_model_free(&model);
  gf_config_free(&config);
  return out;
}

static void fusion_changes_nothing(void **state) {
  const char *graph = *state;
  size_t count, other;
  double loss, other_loss;
  float *fused = gradients_of(graph, "on", &count, &loss);
  float *plain = gradients_of(graph, "off", &other, &other_loss);
  double *wide = malloc(count * sizeof *wide);
  assert_non_null(wide);
  assert_int_equal(count, other);
  for (size_t i = 0; i < count; i++) wide[i] = plain[i];
  assert_near(loss, other_loss, 1e-6, "loss");
  assert_true(l2(count, wide) > 1e-3);
  assert_near(distance(count, fused, wide) / l2(count, wide), 0, 1e-5, "gradients");
  free(fused), free(plain), free(wide);
}

/* ---- dropout ---- */

/* A pass of a network without weights; backward ends a step. */
static void pass_of(gf_model *model, bool training, float logits[BATCH * CHANNELS]) {
  int labels[BATCH] = {0};
  assert_ok(gf_model_forward(model, images_[0], labels, BATCH, training, NULL));
  assert_ok(gf_model_logits(model, logits));
  if (training) assert_ok(gf_model_backward(model));
}

static void masks_are_of_the_seed_and_the_step(void **state) {
  (void)state;
  gf_config *config = parse_config("model: {graph: [{type: dropout}, {type: global_avg_pool}]}");
  gf_model *models[3];
  float first[3][BATCH * CHANNELS], second[BATCH * CHANNELS], all[BATCH * CHANNELS];
  for (int i = 0; i < 3; i++) {
    assert_ok(gf_model_open(&models[i], fixture_device, config,
                            (gf_image_shape){SIDE, SIDE, CHANNELS}, CHANNELS, BATCH,
                            i < 2 ? 1 : 2));
    pass_of(models[i], true, first[i]);
  }
  pass_of(models[0], true, second);
  pass_of(models[0], false, all);
  assert_memory_equal(first[0], first[1], sizeof *first);
  assert_memory_not_equal(first[0], first[2], sizeof *first);
  assert_memory_not_equal(first[0], second, sizeof *first);
  for (int i = 0; i < BATCH * CHANNELS; i++) {
    double mean = 0;
    for (int p = 0; p < SIDE * SIDE; p++)
      mean += images_double_[0][(i / CHANNELS * SIDE * SIDE + p) * CHANNELS + i % CHANNELS];
    assert_near(all[i], mean / (SIDE * SIDE), 1e-5, "without dropout");
  }
  for (int i = 0; i < 3; i++) gf_model_free(&models[i]);
  gf_config_free(&config);
}

/* ---- the trainer ---- */

static void compare_statistics(const gf_gradient_stats *g, size_t count, const float *gradient,
                               const float *before, const float *after) {
  double *wide = malloc(count * sizeof *wide), moved = 0, weights = 0;
  assert_non_null(wide);
  for (size_t i = 0; i < count; i++) {
    wide[i] = gradient[i];
    moved += pow((double)after[i] - before[i], 2);
    weights += pow(before[i], 2);
  }
  ref_statistics expected = ref_statistics_of(count, wide);
  assert_near(g->mean_abs, expected.mean_abs, 1e-5 * expected.mean_abs, g->parameter);
  assert_near(g->l2, expected.l2, 1e-5 * expected.l2, g->parameter);
  assert_near(g->max_abs, expected.max_abs, 0, g->parameter);
  assert_near(g->zeros, expected.zero_fraction, 0, g->parameter);
  assert_int_equal(g->nonfinite, 0);
  if (weights > 0)
    assert_near(g->update_ratio, sqrt(moved / weights), 1e-5 * sqrt(moved / weights), g->parameter);
  else
    assert_true(isnan(g->update_ratio));
  free(wide);
}

/* Optimizers by their steps: the weights after one from those before it and the gradient. */
typedef struct optimizer_case {
  const char *yaml;
  bool is_adam;
  ref_adam adam;
  ref_sgd sgd;
} optimizer_case;

static const optimizer_case optimizers_[] = {
    {"{name: adam, beta1: 0.8, beta2: 0.95, eps: 1e-3, weight_decay: 0.1}", .is_adam = true,
     .adam = {0.01, 0.8, 0.95, 1e-3, 0.1}},
    {"{name: sgd, momentum: 0.7, weight_decay: 0.1}", .sgd = {0.01, 0.7, 0.1, 0}},
};

static void optimizers_are_the_references(void **state) {
  const optimizer_case *o = *state;
  char yaml[512];
  snprintf(yaml, sizeof yaml,
           "model: {graph: [{name: a, type: conv2d, filters: 8, padding: 1}, {type: batch_norm}, "
           "{type: leaky_relu}, {type: global_avg_pool}, {type: linear, outputs: 10}]}\n"
           "optimizer: %s",
           o->yaml);
  gf_config *config = parse_config(yaml);
  gf_model *model = NULL;
  gf_trainer *trainer = NULL;
  assert_ok(gf_model_open(&model, fixture_device, config, (gf_image_shape){SIDE, SIDE, CHANNELS},
                          CLASSES, BATCH, 3));
  assert_ok(gf_trainer_open(&trainer, model, config));
  enum { TENSORS = 6, MOST = 8 * 27 };
  assert_int_equal(gf_trainer_gradient_count(trainer), TENSORS);
  static double state_[TENSORS][2][MOST];
  memset(state_, 0, sizeof state_);
  for (int step = 1; step <= 3; step++) {
    float before[TENSORS][MOST], after[MOST], gradient[MOST];
    gf_gradient_stats rows[TENSORS];
    for (int i = 0; i < TENSORS; i++) assert_ok(gf_model_read_parameter(model, i, before[i]));
    assert_ok(gf_trainer_step(trainer, images_[0], labels_[0], BATCH, 0.01, NULL, rows));
    for (int i = 0; i < TENSORS; i++) {
      gf_parameter_info p = gf_model_parameter(model, i);
      double w[MOST], g[MOST];
      assert_ok(gf_model_read_parameter(model, i, after));
      assert_ok(gf_model_read_gradient(model, i, gradient));
      for (size_t k = 0; k < p.count; k++) w[k] = before[i][k], g[k] = gradient[k];
      if (o->is_adam)
        ref_adam_step(&o->adam, step, p.count, g, w, state_[i][0], state_[i][1]);
      else
        ref_sgd_step(&o->sgd, p.count, g, w, state_[i][0]);
      assert_near(distance(p.count, after, w), 0, 1e-6 * l2(p.count, w) + 1e-9, p.name);
      assert_string_equal(rows[i].parameter, p.name);
      assert_string_equal(rows[i].layer, p.layer);
      assert_int_equal(rows[i].is_weight, p.is_weight);
      compare_statistics(&rows[i], p.count, gradient, before[i], after);
    }
  }
  gf_trainer_free(&trainer);
  gf_model_free(&model);
  gf_config_free(&config);
}

static void trainers_refuse_what_cannot_be_trained(void **state) {
  (void)state;
  gf_config *config = parse_config("model: {graph: [{type: global_avg_pool}]}");
  gf_model *model = NULL;
  gf_trainer *trainer = NULL;
  assert_ok(gf_model_open(&model, fixture_device, config, (gf_image_shape){2, 2, 3}, 3, 1, 0));
  assert_fails(GF_ERROR_ARGUMENT, "the network has no parameters to train",
               gf_trainer_open(&trainer, model, config));
  gf_model_free(&model);
  gf_config_free(&config);
  config = parse_config(
      "model: {graph: [{type: flatten}, {type: linear, outputs: 3}]}\n"
      "optimizer: {name: sgd, beta1: 0.9}");
  assert_ok(gf_model_open(&model, fixture_device, config, (gf_image_shape){2, 2, 3}, 3, 1, 0));
  assert_fails(GF_ERROR_CONFIG,
               "net:2:24: optimizer.beta1 is a key of adam and adamw; optimizer.name is sgd",
               gf_trainer_open(&trainer, model, config));
  assert_null(trainer);
  assert_ok(gf_config_set(config, "optimizer={name: sgd}"));
  assert_ok(gf_trainer_open(&trainer, model, config));
  assert_fails(GF_ERROR_ARGUMENT, "a training step needs labels",
               gf_trainer_step(trainer, images_[0], NULL, 1, 0.1, NULL, NULL));
  gf_trainer_free(&trainer);
  gf_model_free(&model);
  gf_config_free(&config);
}

#define OF(test, table, i) \
  { .name = #test " " #i, .test_func = (test), .initial_state = (void *)&(table)[i] }
#define GRAPH(i)                                                               \
  {                                                                            \
    .name = "fusion_changes_nothing " #i, .test_func = fusion_changes_nothing, \
    .initial_state = (void *)graphs_[i]                                        \
  }

int main(void) {
  make_images();
  struct CMUnitTest variants[2 * VARIANTS];
  for (int i = 0; i < VARIANTS; i++)
    for (int k = 0; k < 2; k++)
      variants[2 * i + k] = (struct CMUnitTest){
          .name = variants_[i].model,
          .test_func = k ? training_is_the_references : a_pass_is_the_references,
          .initial_state = (void *)&variants_[i]};
  const struct CMUnitTest tests[] = {
      GRAPH(0),
      GRAPH(1),
      cmocka_unit_test(masks_are_of_the_seed_and_the_step),
      OF(optimizers_are_the_references, optimizers_, 0),
      OF(optimizers_are_the_references, optimizers_, 1),
      cmocka_unit_test(trainers_refuse_what_cannot_be_trained),
  };
  int failed = cmocka_run_group_tests_name("network", tests, fixture_open, fixture_close);
  return failed + cmocka_run_group_tests_name("variants", variants, fixture_open, fixture_close);
}
