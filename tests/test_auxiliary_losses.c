/* Auxiliary classifiers: their gradients reach the layers below them and no others, inference
 * does without them, their weight falls over a run, and the run folder knows of them. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <math.h>
#include <stdbool.h>

#include <gradflow/model.h>
#include <gradflow/train.h>

#include "model/model.h"
#include "ops/auxiliary_loss.h"
#include "support/runs.h"
#include "support/test.h"

enum { SIDE = 8, COLOURS = 3, KINDS = 5, IMAGES = 4, PIXELS = SIDE * SIDE * COLOURS };

static float images_[IMAGES * PIXELS];
static const int labels_[IMAGES] = {4, 0, 2, 2};

#define STEM                                                                     \
  "{name: conv_a, type: conv2d, filters: 6, padding: 1}, {name: a, type: tanh}," \
  "{name: conv_b, type: conv2d, filters: 4, padding: 1}, {name: b, type: relu}"
#define WHOLE                                                                        \
  "graph: [" STEM                                                                    \
  ", {name: conv_c, type: conv2d, filters: 4, padding: 1, input: b},"                \
  "{name: add, type: add, input: [conv_c, b]}, {name: pool, type: global_avg_pool}," \
  "{name: last, type: linear, outputs: 5}]"

static gf_model *open_model(const char *section) {
  char yaml[1024];
  gf_model *model = NULL;
  uint32_t random = 77;
  for (int i = 0; i < IMAGES * PIXELS; i++) images_[i] = 2 * next_float(&random);
  snprintf(yaml, sizeof yaml, "model: {%s}", section);
  gf_config *config = parse_config(yaml);
  assert_ok(gf_model_open(&model, fixture_device, config, (gf_image_shape){SIDE, SIDE, COLOURS},
                          KINDS, IMAGES, 1));
  gf_config_free(&config);
  return model;
}

static int find(const gf_model *model, const char *name) {
  for (int i = 0; i < gf_model_parameter_count(model); i++)
    if (strcmp(gf_model_parameter(model, i).name, name) == 0) return i;
  fail_msg("there is no parameter %s", name);
  return -1;
}

/* Every tensor of model from the one of that name in the other network. */
static void copy_parameters(gf_model *model, gf_model *from, const char *name,
                            const char *name_there) {
  float values[512];
  assert_in_range(gf_model_parameter(model, find(model, name)).count, 1, 512);
  assert_ok(gf_model_read_parameter(from, find(from, name_there), values));
  assert_ok(gf_model_write_parameter(model, find(model, name), values));
}

/* The gradient of a parameter of the last pass; arrays of 512 floats. */
static void read_gradient(gf_model *model, const char *name, float values[512]) {
  memset(values, 0, 512 * sizeof *values);
  assert_in_range(gf_model_parameter(model, find(model, name)).count, 1, 512);
  assert_ok(gf_model_read_gradient(model, find(model, name), values));
}

static gf_loss pass(gf_model *model, double share) {
  gf_loss loss;
  gf__model_weigh_auxiliaries(model, share);
  assert_ok(gf_model_forward(model, images_, labels_, IMAGES, 1, &loss));
  assert_ok(gf_model_backward(model));
  return loss;
}

/* ---- gradients ---- */

static const char *const below_[] = {"conv_a.weight", "conv_a.bias", "conv_b.weight",
                                     "conv_b.bias"};
static const char *const above_[] = {"conv_c.weight", "conv_c.bias", "last.weight", "last.bias"};

/* What a auxiliary adds is the gradient of the network that ends in its classifier. */
static void gradients_are_those_of_the_auxiliarys_network(void **state) {
  const char *fuse = *state;
  char section[1024];
  static float main_[8][512], both[512], alone[512];
  const double weight = 0.5, share = 0.25;
  snprintf(section, sizeof section, "fuse: %s, auxiliaries: [b], auxiliary_weight: %g, " WHOLE,
           fuse, weight);
  gf_model *model = open_model(section);
  gf_model *ended = open_model("graph: [" STEM
                               ", {name: pool, type: global_avg_pool}, "
                               "{name: end, type: linear, outputs: 5}]");
  for (int i = 0; i < 4; i++) copy_parameters(ended, model, below_[i], below_[i]);
  copy_parameters(ended, model, "end.weight", "auxiliary_b_linear.weight");
  copy_parameters(ended, model, "end.bias", "auxiliary_b_linear.bias");
  gf_loss without = pass(model, 0), ends;
  for (int i = 0; i < 4; i++) read_gradient(model, below_[i], main_[i]);
  for (int i = 0; i < 4; i++) read_gradient(model, above_[i], main_[4 + i]);
  read_gradient(model, "auxiliary_b_linear.weight", both);
  for (int k = 0; k < 512; k++) assert_true(both[k] == 0);
  gf_loss with = pass(model, share);
  ends = pass(ended, 1);
  assert_true(with.loss == without.loss && with.correct == without.correct);
  assert_true(ends.loss != with.loss);
  for (int i = 0; i < 4; i++) {
    double largest = 0;
    read_gradient(model, below_[i], both);
    read_gradient(ended, below_[i], alone);
    for (int k = 0; k < 512; k++) largest = fmax(largest, fabs(weight * share * alone[k]));
    assert_true(largest > 1e-5);
    for (int k = 0; k < 512; k++) {
      double expected = main_[i][k] + weight * share * alone[k];
      if (!(fabs(both[k] - expected) <= 1e-4 * largest))
        fail_msg("%s: %.9g is not %.9g", below_[i], both[k], expected);
    }
  }
  for (int i = 0; i < 4; i++) {
    read_gradient(model, above_[i], both);
    assert_memory_equal(both, main_[4 + i], sizeof both);
  }
  gf_model_free(&model);
  gf_model_free(&ended);
}

/* Two auxiliaries add up, on a layer whose activation is fused and on one that is not. */
static void auxiliarys_add_up(void **state) {
  (void)state;
  static const char *const lists[] = {"a", "conv_b", "a, conv_b"};
  static float gradient[3][2][512];
  for (int i = 0; i < 3; i++) {
    char section[1024];
    snprintf(section, sizeof section,
             "auxiliaries: [%s], auxiliary_loss: squared_hinge, auxiliary_weight: 1, " WHOLE,
             lists[i]);
    gf_model *model = open_model(section);
    /* The same classifiers in each network, whatever stands before them in the list. */
    for (int k = 0; k < 2; k++) {
      static const char *const linears[] = {"auxiliary_a_linear.weight",
                                            "auxiliary_conv_b_linear.weight"};
      static const char *const biases[] = {"auxiliary_a_linear.bias",
                                           "auxiliary_conv_b_linear.bias"};
      float values[512];
      for (int v = 0; v < 512; v++) values[v] = (float)((v * 7 + k) % 11) / 11 - 0.4f;
      if (i != 2 && i != k) continue;
      assert_ok(gf_model_write_parameter(model, find(model, linears[k]), values));
      assert_ok(gf_model_write_parameter(model, find(model, biases[k]), values));
    }
    for (int with = 0; with < 2; with++) {
      pass(model, with);
      read_gradient(model, "conv_a.weight", gradient[i][with]);
    }
    gf_model_free(&model);
  }
  double largest = 0;
  for (int k = 0; k < 512; k++)
    for (int i = 0; i < 2; i++)
      largest = fmax(largest, fabs((double)gradient[i][1][k] - gradient[i][0][k]));
  assert_true(largest > 1e-3);
  for (int k = 0; k < 512; k++) {
    double sum = (double)gradient[0][1][k] + gradient[1][1][k] - gradient[0][0][k];
    if (!(fabs(gradient[2][1][k] - sum) <= 1e-4 * largest))
      fail_msg("%.9g is not %.9g", gradient[2][1][k], sum);
  }
}

/* With mixup a second label has its share. */
static void labels_are_mixed(void **state) {
  (void)state;
  enum { N = 2 };
  const float logits[N * KINDS] = {1, -1, 0.5f, 0, 2, 0, 0.25f, -0.5f, 1, 0};
  const int labels[2 * N] = {0, 3, 2, 1};
  float out[3][N * KINDS];
  gf_buffer *x, *y, *dx;
  for (int kind = 0; kind < 2; kind++) {
    for (int i = 0; i < 3; i++) { /* the first labels, the second ones, and both */
      assert_ok(gf__buffer_new(&x, fixture_device, sizeof logits, "logits"));
      assert_ok(gf__buffer_new(&y, fixture_device, sizeof labels, "labels"));
      assert_ok(gf__buffer_new(&dx, fixture_device, sizeof logits, "gradient"));
      assert_ok(gf__buffer_write(x, 0, sizeof logits, logits));
      assert_ok(
          gf__buffer_write(y, 0, sizeof labels / (i < 2 ? 2 : 1), i == 1 ? labels + N : labels));
      assert_ok(gf__auxiliary_loss_backward(fixture_device, (gf__auxiliary_kind)kind, N, KINDS, x,
                                            (gf__auxiliary_target){y, i < 2 ? 1 : 0.3}, 1, dx,
                                            &(gf__epilogue){0}));
      assert_ok(gf__buffer_read(dx, 0, sizeof logits, out[i]));
      gf__buffer_free(&x), gf__buffer_free(&y), gf__buffer_free(&dx);
    }
    for (int k = 0; k < N * KINDS; k++) {
      double expected = 0.3 * out[0][k] + 0.7 * out[1][k];
      if (!(fabs(out[2][k] - expected) <= 1e-6)) fail_msg("%.9g: %.9g", out[2][k], expected);
    }
    assert_memory_not_equal(out[0], out[1], sizeof *out);
  }
}

/* ---- inference ---- */

/* Launches since profiling began. */
static int launches(void) {
  gf_profile_row *rows;
  int count, calls = 0;
  assert_ok(gf_profile_read(fixture_device, &rows, &count));
  for (int i = 0; i < count; i++) calls += rows[i].calls;
  free(rows);
  return calls;
}

static void inference_does_without(void **state) {
  (void)state;
  gf_model *with = open_model("auxiliaries: [a, b], " WHOLE), *without = open_model(WHOLE);
  float logits[2][IMAGES * KINDS];
  gf_loss loss[2];
  int calls[2];
  for (int i = 0; i < 8; i++) {
    const char *name = i < 4 ? below_[i] : above_[i - 4];
    copy_parameters(without, with, name, name);
  }
  int only = 0;
  for (int i = 0; i < with->graph.count; i++) {
    const gf_node *node = with->graph.nodes[i];
    assert_int_equal(node->trains_only, strncmp(node->name, "auxiliary_", 10) == 0);
    only += node->trains_only;
  }
  assert_int_equal(only, 6);
  assert_ok(gf_profile_start(fixture_device));
  for (int i = 0; i < 2; i++) {
    gf_model *model = i ? without : with;
    int before = launches();
    assert_ok(gf_model_forward(model, images_, labels_, IMAGES, 0, &loss[i]));
    calls[i] = launches() - before;
    assert_ok(gf_model_logits(model, logits[i]));
  }
  assert_true(calls[0] > 0);
  assert_int_equal(calls[0], calls[1]);
  assert_memory_equal(logits[0], logits[1], sizeof *logits);
  assert_true(loss[0].loss == loss[1].loss);
  gf_model_free(&with);
  gf_model_free(&without);
}

/* ---- runs ---- */

/* mean |g| of the auxiliary's weight at the end of each epoch. */
static void read_means(const char *run, double means[], int epochs) {
  size_t size;
  char *text = read_text(run, "gradients.csv", &size);
  int found = 0;
  for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
    char *at = strstr(line, ",auxiliary_input_act_linear.weight,");
    if (!at) continue;
    assert_true(found < epochs);
    means[found++] = atof(at + strlen(",auxiliary_input_act_linear.weight,"));
  }
  assert_int_equal(found, epochs);
  free(text);
}

/* Weights that hardly move have the same gradients in each epoch but for the auxiliaries' weight.
 */
static void the_weight_falls_to_zero(void **state) {
  (void)state;
  enum { EPOCHS = 4 };
  double means[EPOCHS];
  size_t size;
  char yaml[1024];
  snprintf(yaml, sizeof yaml,
           "data: {name: cifar100, path: %s, flip: false, crop_padding: 0}\n"
           "model: {family: vgg_stages, stages: 1, blocks_per_stage: 0, filters: 4, "
           "auxiliaries: [input_act]}\n"
           "optimizer: {name: sgd, learning_rate: 1e-20, momentum: 0}\n"
           "schedule: {name: constant}\n"
           "train: {epochs: 4, batch_size: 285, seed: 5}",
           fixture_folder);
  assert_ok(train(parse_config(yaml), "falling", NULL));
  read_means("falling", means, EPOCHS);
  assert_true(means[0] > 1e-6);
  for (int e = 1; e < EPOCHS; e++)
    if (!(fabs(means[e] / means[0] - (1 - (double)e / EPOCHS)) <= 1e-4))
      fail_msg("epoch %d: %g of %g", e + 1, means[e], means[0]);
  char *resolved = read_text("falling", "config.yaml", &size);
  assert_non_null(strstr(resolved, "\n  auxiliaries:\n    - input_act\n"));
  assert_non_null(strstr(resolved, "\n  auxiliary_loss: softmax_cross_entropy\n"));
  assert_non_null(strstr(resolved, "\n  auxiliary_weight: 0.3\n"));
  free(resolved);
  /* The run's own config opens the network that its weights are of. */
  gf_test_result result;
  assert_ok(gf_test(fixture_device, in_folder("falling"), &result));
  assert_int_equal(result.images, TESTED);
  gf_test_result_free(&result);
}

int main(void) {
#define WITH(fuse)                                                                            \
  {                                                                                           \
    .name = "gradients_are_those_of_the_auxiliarys_network, fuse " fuse,                      \
    .test_func = gradients_are_those_of_the_auxiliarys_network, .initial_state = (void *)fuse \
  }
  const struct CMUnitTest tests[] = {
      WITH("on"),
      WITH("off"),
      cmocka_unit_test(auxiliarys_add_up),
      cmocka_unit_test(labels_are_mixed),
      cmocka_unit_test(inference_does_without),
      cmocka_unit_test(the_weight_falls_to_zero),
  };
  return cmocka_run_group_tests_name("auxiliary losses", tests, open_all, fixture_close);
}
