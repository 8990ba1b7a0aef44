/* Batch norms folded into the convolutions before them, in inference: what is folded, and that
 * logits are those of the layers one by one. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <math.h>
#include <stdbool.h>

#include <gradflow/model.h>

#include "model/model.h"
#include "support/device.h"
#include "support/test.h"

enum { SIDE = 8, COLOURS = 3, CLASSES = 5, BATCH = 4, PIXELS = SIDE * SIDE * COLOURS };

static float images_[BATCH * PIXELS];
static const int labels_[BATCH] = {4, 0, 2, 2};

static gf_model *open_model(const char *section) {
  char yaml[1024];
  gf_model *model = NULL;
  uint32_t random = 77;
  for (int i = 0; i < BATCH * PIXELS; i++) images_[i] = 3 * next_float(&random) + 1;
  snprintf(yaml, sizeof yaml, "model: {%s}", section);
  gf_config *config = parse_config(yaml);
  assert_ok(gf_model_open(&model, fixture_device, config, (gf_image_shape){SIDE, SIDE, COLOURS},
                          CLASSES, BATCH, 1));
  gf_config_free(&config);
  return model;
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

static int folded_in(const gf_model *model) {
  int count = 0;
  for (int i = 0; i < model->graph.count; i++) {
    const gf_node *node = model->graph.nodes[i];
    if (!node->norm) continue;
    assert_ptr_equal(node->norm->in[0], &node->out);
    assert_true(node->norm->is_folded);
    count++;
  }
  return count;
}

static void infer(gf_model *model, float logits[BATCH * CLASSES]) {
  /* Whatever is not written in this pass is not a number. */
  for (int s = 0; s < model->plan.count; s++) {
    size_t bytes = gf__buffer_size(model->plan.buffers[s].memory);
    void *nans = malloc(bytes);
    assert_non_null(nans);
    memset(nans, 0xff, bytes);
    assert_ok(gf__buffer_write(model->plan.buffers[s].memory, 0, bytes, nans));
    free(nans);
  }
  assert_ok(gf_model_forward(model, images_, labels_, BATCH, 0, NULL));
  assert_ok(gf_model_logits(model, logits));
}

typedef struct network {
  const char *section;
  int folded;
} network;

static const network networks_[] = {
    {"family: vgg_stages, stages: 2, blocks_per_stage: 1, filters: 6, norm: every", 9},
    {"family: vgg_stages, stages: 2, blocks_per_stage: 1, filters: 6, norm: every, "
     "shortcut: identity",
     9},
    {"family: vgg_stages, stages: 2, blocks_per_stage: 1, filters: 6, norm: entry", 1},
    /* its norms stand behind activations */
    {"family: vgg_stages, stages: 2, blocks_per_stage: 1, norm: every, norm_position: after", 0},
    {"family: resnet_cifar, depth: 8, filters: 4, shortcut: option_b", 9},
    {"family: resnet_cifar, depth: 8, filters: 4, shortcut: option_a", 7},
    /* the entry, and the first convolution of each block, whose norm is the second one's */
    {"family: resnet_cifar, depth: 8, filters: 4, block: pre_activation", 4},
    {"family: multi_scale, stages: 1, filters: 4", 6},
    {"fuse: off, family: vgg_stages, stages: 2, blocks_per_stage: 1, norm: every", 0},
    /* what runs between the convolution and its norm must leave the norm's output alone */
    {"graph: [{name: a, type: conv2d, filters: 3, padding: 1}, {name: q, type: max_pool, "
     "input: input}, {name: r, type: max_pool}, {name: n, type: batch_norm, input: a}, "
     "{name: g, type: global_avg_pool}, {name: h, type: global_avg_pool, input: r}, "
     "{type: concat, input: [g, h]}, {type: linear, outputs: 5}]",
     1},
    /* in groups, and a filter per channel */
    {"graph: [{name: a, type: conv2d, filters: 6, groups: 3}, {type: batch_norm}, {type: relu}, "
     "{name: b, type: conv2d, filters: 6, groups: 6, bias: false}, {type: batch_norm}, "
     "{type: relu}, {type: global_avg_pool}, {type: linear, outputs: 5}]",
     2},
    /* read twice */
    {"graph: [{name: a, type: conv2d, filters: 3, padding: 1}, {name: n, type: batch_norm}, "
     "{type: add, input: [n, a]}, {type: global_avg_pool}, {type: linear, outputs: 5}]",
     0},
    /* the sum's other term comes after the convolution */
    {"graph: [{name: a, type: conv2d, filters: 3, padding: 1}, {name: b, type: conv2d, "
     "filters: 3, padding: 1, input: input}, {name: n, type: batch_norm, input: a}, "
     "{type: add, input: [n, b]}, {type: global_avg_pool}, {type: linear, outputs: 5}]",
     0},
};

static void logits_are_those_of_the_layers(void **state) {
  const network *n = *state;
  float folded[BATCH * CLASSES], plain[BATCH * CLASSES];
  gf_model *model = open_model(n->section);
  stir(model);
  assert_int_equal(folded_in(model), n->folded);
  infer(model, folded);
  for (int i = 0; i < model->graph.count; i++) {
    model->graph.nodes[i]->norm = NULL;
    model->graph.nodes[i]->is_folded = false;
  }
  infer(model, plain);
  double largest = 0, off = 0;
  for (int i = 0; i < BATCH * CLASSES; i++) {
    assert_true(isfinite(folded[i]) && isfinite(plain[i]));
    largest = fmax(largest, fabs((double)plain[i]));
    off = fmax(off, fabs((double)folded[i] - plain[i]));
  }
  if (!(largest > 0.01 && off <= 1e-5 * largest)) fail_msg("off by %g of %g", off, largest);
  gf_model_free(&model);
}

/* Training does not see what inference folds. */
static void training_is_untouched(void **state) {
  (void)state;
  gf_model *model = open_model(networks_[0].section);
  gf_loss before, after;
  float logits[BATCH * CLASSES];
  assert_ok(gf_model_forward(model, images_, labels_, BATCH, 1, &before));
  infer(model, logits);
  assert_ok(gf_model_forward(model, images_, labels_, BATCH, 1, &after));
  assert_true(before.loss == after.loss);
  gf_model_free(&model);
}

int main(void) {
  enum { NETWORKS = sizeof networks_ / sizeof *networks_ };
  struct CMUnitTest tests[NETWORKS + 1] = {cmocka_unit_test(training_is_untouched)};
  for (int i = 0; i < NETWORKS; i++)
    tests[i + 1] = (struct CMUnitTest){.name = networks_[i].section,
                                       .test_func = logits_are_those_of_the_layers,
                                       .initial_state = (void *)&networks_[i]};
  return cmocka_run_group_tests_name("folding", tests, fixture_open, fixture_close);
}
