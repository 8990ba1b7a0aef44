/* The families of networks: published parameter counts, the shapes of their stages, and that
 * their names say where a layer stands. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <stdbool.h>

#include <gradflow/model.h>

#include "model/graph.h"
#include "model/network_config.h"
#include "support/device.h"
#include "support/test.h"

static const gf_image_shape cifar_ = {32, 32, 3}, imagenet_ = {224, 224, 3};

/* The graph of a config's model section, not fused. */
static gf__graph open_graph(const char *model, gf_image_shape image, int classes) {
  char yaml[256];
  gf__network_config network;
  gf_config *expanded;
  gf__graph graph = {.input = {.h = image.height, .w = image.width, .c = image.channels}};
  snprintf(yaml, sizeof yaml, "model: {%s}", model);
  gf_config *config = parse_config(yaml);
  assert_ok(gf__network_config_read(&network, config));
  assert_ok(gf__network_config_expand(&network, classes, &expanded));
  assert_ok(gf__graph_build(&graph, gf__value_get(gf__config_root(expanded), "graph"), true));
  gf__network_config_free(&network);
  gf_config_free(&expanded);
  gf_config_free(&config);
  return graph;
}

static size_t parameters_of(const gf__graph *graph) {
  size_t total = 0;
  for (int i = 0; i < graph->count; i++)
    for (int k = 0; k < graph->nodes[i]->parameter_count; k++)
      if (graph->nodes[i]->parameters[k].trainable) total += graph->nodes[i]->parameters[k].count;
  return total;
}

/* ---- counts ---- */

/* A 3x3 convolution without bias and its norm. */
static size_t conv_norm(size_t from, size_t to) { return 9 * from * to + 2 * to; }

/* By hand: the entry, three stages of n blocks of two convolutions, a linear layer. */
static size_t cifar_count(size_t n, size_t classes) {
  size_t total = conv_norm(3, 16);
  total += 2 * n * conv_norm(16, 16);
  total += conv_norm(16, 32) + (2 * n - 1) * conv_norm(32, 32);
  total += conv_norm(32, 64) + (2 * n - 1) * conv_norm(64, 64);
  return total + (64 + 1) * classes;
}

static void cifar_counts_are_the_published(void **state) {
  (void)state;
  /* He et al., 2015, table 6, in millions of two digits. */
  static const struct {
    int depth;
    double published;
  } rows[] = {{20, 0.27}, {32, 0.46}, {44, 0.66}, {56, 0.85}, {110, 1.7}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char model[128];
    size_t expected = cifar_count((size_t)(rows[i].depth - 2) / 6, 10);
    double digits = rows[i].published < 1 ? 0.01 : 0.1;
    snprintf(model, sizeof model, "family: resnet_cifar, depth: %d", rows[i].depth);
    gf__graph graph = open_graph(model, cifar_, 10);
    assert_int_equal(parameters_of(&graph), expected);
    double off = (double)expected / 1e6 - rows[i].published;
    if (!(off <= digits / 2 + 1e-9 && off >= -digits / 2 - 1e-9))
      fail_msg("depth %d: %zu parameters are not the %g millions of the paper", rows[i].depth,
               expected, rows[i].published);
    gf__graph_free(&graph);
  }
  assert_int_equal(cifar_count(3, 10), 269722);
}

typedef struct counted {
  const char *model;
  gf_image_shape image;
  int classes;
  size_t parameters;
} counted;

/* The projections of option B: 1x1 convolutions and their norms. */
enum { PROJECTIONS = 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64, PRE_PROJECTIONS = 16 * 32 + 32 * 64 };
/* A multi-scale block of F filters without norms, with F = 8: 3x3 and 5x5, twice, and 1x1. */
enum {
  F = 8,
  BLOCK = (9 + 25) * F * F + 2 * F + (9 + 25) * 2 * F * 2 * F + 2 * 2 * F + 4 * F * F + F,
  /* Norms instead of biases: two numbers a filter instead of one. */
  NORMS = F + F + 2 * F + 2 * F + F
};

static const counted counts_[] = {
    {"family: resnet_cifar, shortcut: none", {32, 32, 3}, 10, 269722},
    {"family: resnet_cifar, shortcut: option_b", {32, 32, 3}, 10, 269722 + PROJECTIONS},
    /* As many norms as convolutions: each stands before one, and the last at the end. */
    {"family: resnet_cifar, block: pre_activation", {32, 32, 3}, 10, 269722},
    {"family: resnet_cifar, block: pre_activation, shortcut: option_b",
     {32, 32, 3},
     10,
     269722 + PRE_PROJECTIONS},
    /* torchvision's resnet18, resnet34 and resnet50 */
    {"family: resnet_imagenet, depth: 18", {224, 224, 3}, 1000, 11689512},
    {"family: resnet_imagenet, depth: 34", {224, 224, 3}, 1000, 21797672},
    {"family: resnet_imagenet, depth: 50", {224, 224, 3}, 1000, 25557032},
    /* without its projections: 1x1 convolutions 64-128-256-512 and their norms */
    {"family: resnet_imagenet, depth: 34, shortcut: none",
     {224, 224, 3},
     1000,
     21797672 - (64 * 128 + 128 * 256 + 256 * 512 + 2 * (128 + 256 + 512))},
    {"family: multi_scale, stages: 2, filters: 8, norm: none",
     {32, 32, 3},
     10,
     (9 * 3 + 1) * F + 2 * BLOCK + (F + 1) * 10},
    {"family: multi_scale, stages: 1, blocks_per_stage: 3, filters: 8",
     {32, 32, 3},
     10,
     (9 * 3 + 2) * F + 3 * (BLOCK + NORMS) + (F + 1) * 10},
};

static void counts_follow_from_the_papers(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof counts_ / sizeof *counts_; i++) {
    const counted *c = &counts_[i];
    gf__graph graph = open_graph(c->model, c->image, c->classes);
    if (parameters_of(&graph) != c->parameters)
      fail_msg("%s: %zu parameters, not %zu", c->model, parameters_of(&graph), c->parameters);
    gf__graph_free(&graph);
  }
}

/* ---- shapes ---- */

typedef struct shaped {
  const char *model;
  gf_image_shape image;
  struct {
    const char *node;
    int h, w, c;
  } rows[6];
} shaped;

static const shaped shapes_[] = {
    {"family: resnet_cifar, depth: 20",
     {32, 32, 3},
     {{"input_act", 32, 32, 16},
      {"stage_0_block_2_act_1", 32, 32, 16},
      {"stage_1_block_0_shortcut", 16, 16, 32},
      {"stage_1_block_2_add", 16, 16, 32},
      {"stage_2_block_2_conv_1", 8, 8, 64},
      {"logit_linear", 1, 1, 10}}},
    {"family: resnet_cifar, depth: 8, shortcut: option_b, block: pre_activation",
     {32, 32, 3},
     {{"stage_0_block_0_conv_0", 32, 32, 16},
      {"stage_1_block_0_act_0", 32, 32, 16},
      {"stage_1_block_0_shortcut_conv", 16, 16, 32},
      {"stage_2_block_0_add", 8, 8, 64},
      {"final_norm", 8, 8, 64},
      {"final_act", 8, 8, 64}}},
    {"family: resnet_imagenet, depth: 34",
     {224, 224, 3},
     {{"conv1", 112, 112, 64},
      {"maxpool", 56, 56, 64},
      {"layer1.2.act2", 56, 56, 64},
      {"layer2.3.act2", 28, 28, 128},
      {"layer3.5.act2", 14, 14, 256},
      {"layer4.2.act2", 7, 7, 512}}},
    {"family: resnet_imagenet, depth: 50",
     {224, 224, 3},
     {{"layer1.0.downsample.1", 56, 56, 256},
      {"layer2.0.conv1", 56, 56, 128}, /* the stride is on the 3x3 convolution */
      {"layer2.0.conv2", 28, 28, 128},
      {"layer2.0.conv3", 28, 28, 512},
      {"layer4.2.act3", 7, 7, 2048},
      {"avgpool", 1, 1, 2048}}},
    {"family: multi_scale, filters: 8",
     {32, 32, 3},
     {{"stage_0_block_0_act5_0", 32, 32, 8},
      {"stage_0_block_0_concat_0", 32, 32, 16},
      {"stage_0_block_0_concat_1", 32, 32, 32},
      {"stage_0_block_0_add", 32, 32, 8},
      {"stage_1_pool", 16, 16, 8},
      {"stage_2_block_0_norm_fusion", 8, 8, 8}}},
};

static const gf_node *find(const gf__graph *graph, const char *name) {
  for (int i = 0; i < graph->count; i++)
    if (strcmp(graph->nodes[i]->name, name) == 0) return graph->nodes[i];
  fail_msg("there is no node %s", name);
  return NULL;
}

static void stages_have_their_shapes(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof shapes_ / sizeof *shapes_; i++) {
    gf__graph graph = open_graph(shapes_[i].model, shapes_[i].image, 10);
    for (int k = 0; k < 6; k++) {
      const gf__tensor *t = &find(&graph, shapes_[i].rows[k].node)->out;
      if (t->h != shapes_[i].rows[k].h || t->w != shapes_[i].rows[k].w ||
          t->c != shapes_[i].rows[k].c)
        fail_msg("%s: %s is %dx%dx%d", shapes_[i].model, t->name, t->h, t->w, t->c);
    }
    gf__graph_free(&graph);
  }
}

/* ---- names ---- */

static void check_parameter(const gf__graph *graph, const char *name) {
  for (int i = 0; i < graph->count; i++)
    for (int k = 0; k < graph->nodes[i]->parameter_count; k++)
      if (strcmp(graph->nodes[i]->parameters[k].name, name) == 0) return;
  fail_msg("there is no parameter %s", name);
}

static int check_conv(const gf__graph *graph, const char *prefix, const char *conv) {
  char name[64];
  snprintf(name, sizeof name, "%s%s.weight", prefix, conv);
  check_parameter(graph, name);
  return 1;
}

static int check_norm(const gf__graph *graph, const char *prefix, const char *norm) {
  static const char *const suffixes[] = {"weight", "bias", "running_mean", "running_var"};
  char name[64];
  for (int i = 0; i < 4; i++) {
    snprintf(name, sizeof name, "%s%s.%s", prefix, norm, suffixes[i]);
    check_parameter(graph, name);
  }
  return 4;
}

/* Of torchvision.models.resnet18, resnet34 and resnet50, and no others. */
static void imagenet_names_are_torchvisions(void **state) {
  (void)state;
  static const char *const convs[] = {"conv1", "conv2", "conv3"};
  static const char *const norms[] = {"bn1", "bn2", "bn3"};
  static const struct {
    const char *model;
    int blocks[4], convs; /* convolutions a block */
  } rows[] = {{"family: resnet_imagenet, depth: 18", {2, 2, 2, 2}, 2},
              {"family: resnet_imagenet, depth: 34", {3, 4, 6, 3}, 2},
              {"family: resnet_imagenet, depth: 50", {3, 4, 6, 3}, 3}};
  for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
    gf__graph graph = open_graph(rows[r].model, imagenet_, 1000);
    int expected = check_conv(&graph, "", "conv1") + check_norm(&graph, "", "bn1"), count = 0;
    for (int stage = 0; stage < 4; stage++)
      for (int i = 0; i < rows[r].blocks[stage]; i++) {
        char prefix[32];
        snprintf(prefix, sizeof prefix, "layer%d.%d.", stage + 1, i);
        for (int k = 0; k < rows[r].convs; k++)
          expected += check_conv(&graph, prefix, convs[k]) + check_norm(&graph, prefix, norms[k]);
        if (i == 0 && (stage > 0 || rows[r].convs == 3))
          expected += check_conv(&graph, prefix, "downsample.0") +
                      check_norm(&graph, prefix, "downsample.1");
      }
    check_parameter(&graph, "fc.weight");
    check_parameter(&graph, "fc.bias");
    for (int i = 0; i < graph.count; i++) count += graph.nodes[i]->parameter_count;
    assert_int_equal(count, expected + 2);
    gf__graph_free(&graph);
  }
}

/* ---- the layers on the way ---- */

static int layers_of(const gf__graph *graph, const gf__layer *layer) {
  int count = 0;
  for (int i = 0; i < graph->count; i++) count += graph->nodes[i]->layer == layer;
  return count;
}

/* The depth in a network's name counts convolutions, without projections, and the linear layer. */
static void depths_count_layers_with_weights(void **state) {
  (void)state;
  static const struct {
    const char *model;
    int convs, sums, pads;
  } rows[] = {
      {"family: resnet_cifar, depth: 56", 55, 27, 2},
      {"family: resnet_cifar, depth: 56, shortcut: none", 55, 0, 0},
      {"family: resnet_cifar, depth: 110, block: pre_activation", 109, 54, 2},
      {"family: resnet_cifar, depth: 32, shortcut: option_b", 31 + 2, 15, 0},
      {"family: resnet_imagenet, depth: 18", 17 + 3, 8, 0},
      {"family: resnet_imagenet, depth: 34, shortcut: none", 33, 0, 0},
      {"family: resnet_imagenet, depth: 50", 49 + 4, 16, 0},
      {"family: resnet_imagenet, depth: 18, shortcut: option_a", 17, 8, 3},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    gf__graph graph = open_graph(rows[i].model, imagenet_, 10);
    assert_int_equal(layers_of(&graph, &gf__layer_conv2d), rows[i].convs);
    assert_int_equal(layers_of(&graph, &gf__layer_add), rows[i].sums);
    assert_int_equal(layers_of(&graph, &gf__layer_pad_shortcut), rows[i].pads);
    gf__graph_free(&graph);
  }
}

/* Sums go into the store of the norm or convolution before them. */
static void sums_are_fused(void **state) {
  (void)state;
  static const char *const models[] = {
      "family: resnet_cifar", "family: resnet_cifar, shortcut: option_b",
      "family: resnet_cifar, block: pre_activation",
      "family: resnet_cifar, block: pre_activation, shortcut: option_b",
      "family: resnet_imagenet, depth: 50"};
  for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
    gf__graph graph = open_graph(models[i], cifar_, 10);
    gf__graph_fuse(&graph);
    assert_int_equal(layers_of(&graph, &gf__layer_add), 0);
    gf__graph_free(&graph);
  }
}

/* Norms stand behind activations where they are asked to. */
static void norms_stand_where_they_should(void **state) {
  (void)state;
  static const struct {
    const char *model, *conv, *reader;
  } rows[] = {
      {"family: vgg_stages, blocks_per_stage: 1, norm: every", "block_0_0_conv_0",
       "block_0_0_norm_0"},
      {"family: vgg_stages, blocks_per_stage: 1, norm: every, norm_position: after",
       "block_0_0_act_0", "block_0_0_norm_0"},
      {"family: vgg_stages, blocks_per_stage: 1, norm: every, norm_position: after, "
       "shortcut: identity",
       "reduction_0_act_1", "reduction_0_norm_1"},
      {"family: vgg_stages, blocks_per_stage: 1, norm: every, norm_position: after",
       "reduction_0_norm_0", "reduction_0_pool"},
      {"family: vgg_stages, blocks_per_stage: 1, norm_position: after", "input_act", "input_norm"},
      {"family: vgg_stages, blocks_per_stage: 1, norm_position: after", "input_norm",
       "block_0_0_conv_0"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    gf__graph graph = open_graph(rows[i].model, cifar_, 10);
    const gf_node *reader = find(&graph, rows[i].reader);
    assert_string_equal(reader->in[0]->name, rows[i].conv);
    gf__graph_free(&graph);
  }
}

/* The key "dropout": a layer before the last one, and none for 0. */
static void dropout_stands_before_the_last_layer(void **state) {
  (void)state;
  static const char *const models[] = {
      "family: vgg_stages, blocks_per_stage: 0", "family: resnet_cifar, depth: 8",
      "family: resnet_cifar, depth: 8, block: pre_activation", "family: resnet_imagenet, depth: 18",
      "family: multi_scale, stages: 1"};
  for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
    char model[128];
    snprintf(model, sizeof model, "%s, dropout: 0", models[i]);
    gf__graph initial = open_graph(models[i], cifar_, 10), none = open_graph(model, cifar_, 10);
    assert_int_equal(layers_of(&initial, &gf__layer_dropout), 0);
    assert_int_equal(layers_of(&none, &gf__layer_dropout), 0);
    gf__graph_free(&initial);
    gf__graph_free(&none);
    snprintf(model, sizeof model, "%s, dropout: 0.25", models[i]);
    gf__graph graph = open_graph(model, cifar_, 10);
    assert_int_equal(layers_of(&graph, &gf__layer_dropout), 1);
    const gf_node *linear = graph.nodes[graph.count - 2], *dropout = graph.nodes[graph.count - 3];
    assert_ptr_equal(linear->layer, &gf__layer_linear);
    assert_ptr_equal(linear->in[0], &dropout->out);
    assert_ptr_equal(dropout->layer, &gf__layer_dropout);
    assert_true(*(const double *)dropout->options == 0.25);
    assert_int_equal(gf__tensor_size(&dropout->out), linear->in[0]->c);
    assert_string_equal(dropout->in[0]->name, strstr(models[i], "imagenet") ? "avgpool" : "pool");
    gf__graph_free(&graph);
  }
}

/* ---- on the device ---- */

static void every_family_makes_a_step(void **state) {
  (void)state;
  static const char *const models[] = {
      ("family: vgg_stages, blocks_per_stage: 0, norm: every, norm_position: after, "
       "activation: elu"),
      "family: resnet_cifar, depth: 8", "family: multi_scale, stages: 1, filters: 4"};
  enum { N = 2 };
  static float images[N * 32 * 32 * 3];
  uint32_t random = 5;
  for (size_t i = 0; i < sizeof images / sizeof *images; i++) images[i] = next_float(&random);
  for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
    char yaml[256];
    gf_model *model = NULL;
    gf_loss first, second;
    snprintf(yaml, sizeof yaml, "model: {%s, initialisation: he}", models[i]);
    gf_config *config = parse_config(yaml);
    assert_ok(gf_model_open(&model, fixture_device, config, cifar_, 10, N, 0));
    for (int k = 0; k < 2; k++) {
      assert_ok(gf_model_forward(model, images, (int[]){3, 7}, N, 1, k ? &second : &first));
      assert_ok(gf_model_backward(model));
    }
    /* Nothing has moved the weights. */
    assert_true(first.loss > 0.1 && first.loss < 100 && first.loss == second.loss);
    gf_model_free(&model);
    gf_config_free(&config);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(cifar_counts_are_the_published),
      cmocka_unit_test(counts_follow_from_the_papers),
      cmocka_unit_test(stages_have_their_shapes),
      cmocka_unit_test(imagenet_names_are_torchvisions),
      cmocka_unit_test(depths_count_layers_with_weights),
      cmocka_unit_test(sums_are_fused),
      cmocka_unit_test(norms_stand_where_they_should),
      cmocka_unit_test(dropout_stands_before_the_last_layer),
      cmocka_unit_test(every_family_makes_a_step),
  };
  return cmocka_run_group_tests_name("families", tests, fixture_open, fixture_close);
}
