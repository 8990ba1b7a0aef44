/* The memory plan, by acting out a training step: who writes which buffer, and
 * whether what is read is still there. Nothing is taken from the planner's own
 * reckoning of lifetimes. No device is needed. */
#define _XOPEN_SOURCE 700 /* strdup */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "model/network_config.h"
#include "model/plan.h"
#include "support/test.h"

/* ---- acting out a step ---- */

enum { MOST_BUFFERS = 1024, MOST_HELD = 8 };

/* What a buffer holds: data or gradients of tensors; several where a sum's gradient is that of
 * its residual, too. */
typedef struct holding {
  const gf__tensor *tensor[MOST_HELD];
  bool is_grad[MOST_HELD];
  int count;
} holding;

typedef struct stage {
  const gf__plan *plan;
  holding buffers[MOST_BUFFERS];
  char error[256]; /* the first one */
} stage;

static int buffer_of(const gf__tensor *t, bool is_grad) {
  return is_grad ? t->grad_buffer : t->data_buffer;
}

static bool holds(const stage *s, const gf__tensor *t, bool is_grad) {
  int buffer = buffer_of(t, is_grad);
  const holding *h = buffer >= 0 ? &s->buffers[buffer] : NULL;
  for (int i = 0; h && i < h->count; i++)
    if (h->tensor[i] == t && h->is_grad[i] == is_grad) return true;
  return false;
}

static void complain(stage *s, const gf_node *node, const char *what, const gf__tensor *t,
                     bool is_grad) {
  if (*s->error) return;
  snprintf(s->error, sizeof s->error, "%s: %s the %s of %s in buffer %d", node->name, what,
           is_grad ? "gradient" : "data", t->name, buffer_of(t, is_grad));
}

static void add_holding(stage *s, const gf__tensor *t, bool is_grad) {
  holding *h = &s->buffers[buffer_of(t, is_grad)];
  assert_true(h->count < MOST_HELD);
  h->tensor[h->count] = t;
  h->is_grad[h->count++] = is_grad;
}

/* One launch reads these, then writes; NULL ends the reads. */
typedef struct use {
  const gf__tensor *tensor;
  bool is_grad;
} use;

static void launch(stage *s, const gf_node *node, const use *reads, int read_count, use write,
                   bool adds) {
  for (int i = 0; i < read_count; i++) {
    const gf__tensor *t = reads[i].tensor;
    if (!reads[i].is_grad && t->index == 0) continue; /* the images have a buffer of their own */
    if (!holds(s, t, reads[i].is_grad)) complain(s, node, "reads what is not", t, reads[i].is_grad);
    /* Work-items read their neighbours' values, so a launch must not write where it reads. */
    if (write.tensor && buffer_of(t, reads[i].is_grad) == buffer_of(write.tensor, write.is_grad))
      complain(s, node, "overwrites while it reads", t, reads[i].is_grad);
  }
  if (!write.tensor) return;
  int buffer = buffer_of(write.tensor, write.is_grad);
  if (buffer < 0 || buffer >= s->plan->count) {
    complain(s, node, "has no room for", write.tensor, write.is_grad);
    return;
  }
  if (s->plan->buffers[buffer].floats < gf__tensor_size(write.tensor))
    complain(s, node, "has too little room for", write.tensor, write.is_grad);
  if (adds && !holds(s, write.tensor, write.is_grad))
    complain(s, node, "adds to what is not", write.tensor, write.is_grad);
  s->buffers[buffer].count = 0;
  add_holding(s, write.tensor, write.is_grad);
}

static bool is_residual(const gf_node *node, int k) {
  return node->has_residual && k == node->in_count - 1;
}

static bool is_loss(const gf_node *node) { return node->layer == &gf__layer_softmax_cross_entropy; }

static void act_forward(stage *s, const gf_node *node) {
  use reads[GF__MOST_INPUTS];
  for (int k = 0; k < node->in_count; k++) reads[k] = (use){node->in[k], false};
  launch(s, node, reads, node->in_count, (use){is_loss(node) ? NULL : &node->out, false}, false);
}

/* The share of input k of the node's gradient. */
static void act_sink(stage *s, const gf_node *node, int k) {
  const gf__input_gradient *input_gradient = &node->input_gradients[k];
  const gf__tensor *t = node->in[k];
  if (!input_gradient->is_wanted) return;
  use reads[GF__MOST_INPUTS + 3];
  int count = 0;
  if (!is_loss(node)) reads[count++] = (use){&node->out, true};
  if (!is_loss(node) && is_residual(node, k) && t->grad_buffer == node->out.grad_buffer) {
    if (!holds(s, &node->out, true)) complain(s, node, "hands on what is not", &node->out, true);
    if (input_gradient->accumulates || input_gradient->masks)
      complain(s, node, "hands on and changes", t, true);
    add_holding(s, t, true);
    return;
  }
  if (gf__layer_has(node->layer, GF__LAYER_BACKWARD_READS_OUTPUT))
    reads[count++] = (use){&node->out, false};
  if (gf__layer_has(node->layer, GF__LAYER_BACKWARD_READS_INPUT) && !is_residual(node, k))
    for (int i = 0; i < node->in_count; i++)
      if (!is_residual(node, i)) reads[count++] = (use){node->in[i], false};
  if (input_gradient->masks) reads[count++] = (use){t, false};
  launch(s, node, reads, count, (use){t, true}, input_gradient->accumulates);
}

static void act_backward(stage *s, const gf_node *node) {
  /* Weight gradients first, then the residual's share, then the data gradients. */
  use reads[GF__MOST_INPUTS + 1] = {{&node->out, true}};
  int count = 1;
  for (int i = 0; gf__layer_has(node->layer, GF__LAYER_BACKWARD_READS_INPUT) && i < node->in_count;
       i++)
    if (!is_residual(node, i)) reads[count++] = (use){node->in[i], false};
  if (node->parameter_count) launch(s, node, reads, count, (use){NULL, false}, false);
  int inputs = node->in_count - node->has_residual;
  if (node->has_residual) act_sink(s, node, inputs);
  for (int k = 0; k < inputs; k++) act_sink(s, node, k);
}

/* Returns what went wrong first, or "". The caller frees it. */
static char *act(const gf__plan *plan, const gf__graph *graph, bool input_gradient) {
  stage *s = calloc(1, sizeof *s);
  assert_non_null(s);
  assert_true(plan->count <= MOST_BUFFERS);
  s->plan = plan;
  for (int i = 0; i < graph->count; i++) act_forward(s, graph->nodes[i]);
  for (int i = graph->count - 1; i >= 0; i--) {
    const gf_node *node = graph->nodes[i];
    if (is_loss(node) || node->out.grad_buffer >= 0) act_backward(s, node);
  }
  /* What can be read after a step. */
  const gf_node *last = graph->nodes[graph->count - 1];
  if (!holds(s, last->in[0], false)) complain(s, last, "has lost", last->in[0], false);
  if (input_gradient && !holds(s, &graph->input, true))
    complain(s, graph->nodes[0], "has lost", &graph->input, true);
  char *error = strdup(s->error);
  free(s);
  return error;
}

/* Each gradient that a parameter needs must be asked for, each share once. */
static void check_input_gradients(const gf__graph *graph, bool wants_input) {
  for (int i = 0; i < graph->count; i++) {
    const gf_node *node = graph->nodes[i];
    if (node->parameter_count > 0) assert_true(node->out.grad_buffer >= 0);
  }
  for (int t = wants_input ? 0 : 1; t < graph->count; t++) {
    const gf__tensor *tensor = t == 0 ? &graph->input : &graph->nodes[t - 1]->out;
    int first = 0, masks = 0, shares = 0;
    for (int i = graph->count - 1; i >= 0; i--)
      for (int k = 0; k < graph->nodes[i]->in_count; k++) {
        const gf__input_gradient *input_gradient = &graph->nodes[i]->input_gradients[k];
        if (graph->nodes[i]->in[k] != tensor || !input_gradient->is_wanted) continue;
        shares++;
        first += !input_gradient->accumulates;
        masks += input_gradient->masks;
      }
    const gf_node *producer = tensor->producer;
    bool is_activated = producer && producer->activation.kind != GF__ACTIVATION_NONE;
    if (shares == 0) continue;
    assert_int_equal(first, 1);
    assert_int_equal(masks, is_activated);
  }
}

/* ---- networks ---- */

typedef struct network {
  gf__graph graph;
  gf__plan plan;
} network;

static void make(network *out, const char *yaml, int side, int channels, bool input_gradient) {
  gf_config *config = NULL, *expanded = NULL;
  gf__network_config options;
  *out = (network){0};
  if (gf_config_parse(&config, "net", yaml) != GF_OK ||
      gf__network_config_read(&options, config) != GF_OK ||
      gf__network_config_expand(&options, 10, &expanded) != GF_OK)
    fail_msg("%s", gf_error_message());
  const gf__value *list =
      expanded ? gf__value_get(gf__config_root(expanded), "graph") : options.graph;
  out->graph.input.h = out->graph.input.w = side;
  out->graph.input.c = channels;
  if (gf__graph_build(&out->graph, list, true) != GF_OK) fail_msg("%s", gf_error_message());
  if (gf__network_config_fuses(&options)) gf__graph_fuse(&out->graph);
  if (gf__plan_make(&out->plan, &out->graph, input_gradient) != GF_OK)
    fail_msg("%s", gf_error_message());
  gf__network_config_free(&options);
  gf_config_free(&expanded);
  gf_config_free(&config);
}

static void discard(network *n) {
  gf__plan_free(&n->plan);
  gf__graph_free(&n->graph);
}

/* That what each tensor knows of its nodes is what a search of the graph finds. */
static void check_links(const gf__graph *graph) {
  size_t tensors = (size_t)graph->count + 1;
  const gf_node **readers = calloc(tensors, sizeof *readers);
  int *uses = calloc(tensors, sizeof *uses);
  assert_true(readers && uses);
  for (int i = 0; i < graph->count; i++)
    for (int k = 0; k < graph->nodes[i]->in_count; k++) {
      const gf__tensor *t = graph->nodes[i]->in[k];
      assert_ptr_equal(t, t->index ? &graph->nodes[t->index - 1]->out : &graph->input);
      readers[t->index] = graph->nodes[i];
      uses[t->index]++;
    }
  for (int t = 0; t <= graph->count; t++) {
    const gf__tensor *tensor = t == 0 ? &graph->input : &graph->nodes[t - 1]->out;
    assert_ptr_equal(tensor->producer, t == 0 ? NULL : graph->nodes[t - 1]);
    assert_int_equal(tensor->uses, uses[t]);
    if (uses[t] == 1) assert_ptr_equal(tensor->reader, readers[t]);
    if (t > 1) assert_true(graph->nodes[t - 1]->number > graph->nodes[t - 2]->number);
  }
  free(readers);
  free(uses);
}

static void check(const char *yaml, int side, int channels) {
  for (int input_gradient = 0; input_gradient < 2; input_gradient++) {
    network n;
    make(&n, yaml, side, channels, input_gradient);
    char *error = act(&n.plan, &n.graph, input_gradient);
    if (*error) fail_msg("%s\n%s", error, yaml);
    free(error);
    check_input_gradients(&n.graph, input_gradient);
    check_links(&n.graph);
    discard(&n);
  }
}

static void the_studys_networks_keep_what_they_need(void **state) {
  (void)state;
  static const char *const shortcuts[] = {"none", "identity"}, *const fuse[] = {"on", "off"},
                           *const norms[] = {"none", "entry", "every"},
                           *const activations[] = {"leaky_relu", "tanh"};
  for (int variant = 0; variant < 2 * 2 * 3 * 2 * 3; variant++) {
    char yaml[256];
    snprintf(yaml, sizeof yaml,
             "model: {family: vgg_stages, shortcut: %s, fuse: %s, norm: %s, activation: %s, "
             "blocks_per_stage: %d}",
             shortcuts[variant % 2], fuse[variant / 2 % 2], norms[variant / 4 % 3],
             activations[variant / 12 % 2], (int[]){0, 1, 5}[variant / 24]);
    check(yaml, 32, 3);
  }
}

/* Shapes of graphs that the family does not have. */
static const char *const graphs_[] = {
    /* one tensor read four times, twice by one node */
    "[{name: a, type: conv2d, filters: 3, padding: 1}, {name: r, type: relu},"
    "{name: s, type: add, input: [r, r]}, {name: b, type: conv2d, filters: 3, padding: 1, "
    "input: r}, {name: t, type: add, input: [s, b]}, {name: u, type: add, input: [t, r]},"
    "{type: global_avg_pool}]",
    /* sums of sums: an residual's gradient that is an residual's gradient */
    "[{name: a, type: conv2d, filters: 3, padding: 1}, {name: b, type: conv2d, filters: 3, "
    "padding: 1}, {name: s, type: add, input: [b, a]}, {name: c, type: conv2d, filters: 3, "
    "padding: 1}, {name: t, type: add, input: [c, s]}, {name: d, type: conv2d, filters: 3, "
    "padding: 1}, {name: u, type: add, input: [d, t]}, {name: e, type: conv2d, filters: 3, "
    "padding: 1}, {name: v, type: add, input: [e, a]}, {name: w, type: add, input: [v, u]},"
    "{type: flatten}]",
    /* the residual comes after the convolution, or is the images */
    "[{name: a, type: conv2d, filters: 3, padding: 1}, {name: b, type: tanh, input: input},"
    "{name: s, type: add, input: [a, b]}, {name: c, type: conv2d, filters: 3, padding: 1},"
    "{name: t, type: add, input: [c, input]}, {type: sigmoid}, {type: flatten}]",
    /* no parameter before the branch, so no gradient is wanted there */
    "[{name: p, type: max_pool}, {name: d, type: dropout}, {name: a, type: conv2d, filters: 3, "
    "padding: 1}, {name: s, type: add, input: [a, d]}, {name: n, type: batch_norm}, {type: relu},"
    "{type: flatten}, {type: linear, outputs: 10}]",
    /* transposed convolutions: with a fused sum, and of what others read */
    "[{name: a, type: conv2d, filters: 6, padding: 1, groups: 3}, {name: r, type: relu},"
    "{name: b, type: conv_transpose2d, filters: 6, padding: 1, groups: 2},"
    "{name: s, type: add, input: [b, r]}, {name: t, type: tanh},"
    "{name: c, type: conv_transpose2d, filters: 6, kernel: 1, input: r},"
    "{name: u, type: add, input: [c, t]}, {type: flatten}]",
};

static void branched_graphs_keep_what_they_need(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof graphs_ / sizeof *graphs_; i++)
    for (int fuse = 0; fuse < 2; fuse++) {
      char yaml[2048];
      snprintf(yaml, sizeof yaml, "model: {fuse: %s, graph: %s}", fuse ? "on" : "off", graphs_[i]);
      check(yaml, 8, 3);
    }
}

/* Nodes of one shape, each on what was drawn; what nothing reads is summed in the end. */
static void random_graph(gf__text *out, uint32_t seed) {
  static const char *const kinds[] = {"conv2d, filters: 3, padding: 1",
                                      "batch_norm",
                                      "leaky_relu",
                                      "tanh",
                                      "dropout",
                                      "add",
                                      "add",
                                      "max_pool, kernel: 3, stride: 1, padding: 1"};
  enum { NODES = 14 };
  bool is_read[NODES + 1] = {true};
  uint32_t r = seed * 2654435761u + 1;
  for (int i = 1; i <= NODES; i++) {
    const char *kind = kinds[(r = r * 1664525u + 1013904223u) >> 24 & 7];
    /* Mostly the last few, so that there are chains as well as long reaches. */
    uint32_t one = (r = r * 1664525u + 1013904223u) >> 16, two = one >> 8;
    int reach = one & 1 ? 2 : i;
    int a = i - 1 - (int)(one / 2 % (uint32_t)reach), b = (int)(two % (uint32_t)i);
    a = a < 0 ? 0 : a;
    bool sums = strcmp(kind, "add") == 0;
    gf__text_add(out, "  - {name: n%d, type: %s, input: [%s%d%s%s", i, kind, a ? "n" : "input", a,
                 sums ? ", " : "", sums ? b ? "n" : "input" : "");
    if (sums) gf__text_add(out, "%d", b);
    gf__text_add(out, "]}\n");
    is_read[a] = true;
    if (sums) is_read[b] = true;
  }
  int last = NODES;
  for (int i = 1; i < NODES; i++) {
    if (is_read[i]) continue;
    gf__text_add(out, "  - {name: n%d, type: add, input: [n%d, n%d]}\n", last + NODES, last, i);
    last += NODES;
  }
  gf__text_add(out, "  - {type: flatten}\n  - {type: linear, outputs: 10}\n");
}

/* "input0" above is the images. */
static void name_the_images(char *text) {
  for (char *p; (p = strstr(text, "input0"));) memmove(p + 5, p + 6, strlen(p + 6) + 1);
}

static void random_graphs_keep_what_they_need(void **state) {
  (void)state;
  for (uint32_t seed = 0; seed < 400; seed++) {
    gf__text yaml = {0};
    gf__text_add(&yaml, "model:\n  fuse: %s\n  graph:\n", seed & 1 ? "on" : "off");
    random_graph(&yaml, seed / 2);
    assert_int_equal(gf__text_status(&yaml), GF_OK);
    name_the_images(yaml.data);
    check(yaml.data, 6, 3);
    gf__text_free(&yaml);
  }
}

/* ---- the check and the plan are of use ---- */

static int plan37(network *n, const char *fuse) {
  char yaml[128];
  snprintf(yaml, sizeof yaml, "model: {family: vgg_stages, shortcut: identity, fuse: %s}", fuse);
  make(n, yaml, 32, 3, false);
  return n->graph.count;
}

/* Whether a backward reads the tensor's data as an input. */
static bool is_read_again(const gf__graph *graph, const gf__tensor *t) {
  for (int i = 0; i < graph->count; i++)
    for (int k = 0; k < graph->nodes[i]->in_count; k++)
      if (graph->nodes[i]->in[k] == t &&
          gf__layer_has(graph->nodes[i]->layer, GF__LAYER_BACKWARD_READS_INPUT) &&
          !is_residual(graph->nodes[i], k))
        return true;
  return false;
}

/* Acts with *buffer changed, and restores it. */
static void assert_missed(const network *n, int *buffer, int wrong, const char *what) {
  int kept = *buffer;
  *buffer = wrong;
  char *error = act(&n->plan, &n->graph, false);
  if (!*error) fail_msg("not found: %s", what);
  free(error);
  *buffer = kept;
}

static void a_wrong_plan_is_found(void **state) {
  (void)state;
  network n;
  int count = plan37(&n, "on"), tried = 0;
  for (int i = 0; i + 2 < count; i++) {
    gf__tensor *t = &n.graph.nodes[i]->out;
    assert_missed(&n, &t->data_buffer, n.graph.nodes[i + 1]->out.data_buffer,
                  "the next node writes over the data");
    if (!is_read_again(&n.graph, t)) continue;
    assert_missed(&n, &t->grad_buffer, t->data_buffer, "the gradient overwrites the data");
    tried++;
  }
  assert_true(tried >= 36); /* the input of each convolution but the first */
  discard(&n);
}

static size_t floats_unshared(const gf__graph *graph) {
  size_t floats = 0;
  for (int i = 0; i + 1 < graph->count; i++) /* the loss has none */
    floats += 2 * gf__tensor_size(&graph->nodes[i]->out);
  return floats;
}

/* What backward needs is all activations; a plan that shares holds little more than them:
 * half of the unshared data and gradients, and a few gradients that are alive at once. */
static void buffers_are_shared(void **state) {
  (void)state;
  static const char *const fuse[] = {"on", "off"};
  for (int i = 0; i < 2; i++) {
    network n;
    plan37(&n, fuse[i]);
    size_t largest = 32 * 32 * 32;
    assert_true(gf__plan_floats(&n.plan) <= floats_unshared(&n.graph) / 2 + 4 * largest);
    discard(&n);
  }
}

/* Blocks of a convolution, a norm, an addition and an activation, with 4,000 nodes in all: what a
 * search of the graph for each node would make slow. */
static void the_longest_graph_is_fused_and_planned(void **state) {
  (void)state;
  enum { BLOCKS = 999, REST = 4 }; /* a first activation, a pool, a linear layer, the loss */
  static const char *const fuse[] = {"off", "on"};
  gf__text graph = {0};
  gf__text_add(&graph, "  graph:\n    - {name: a0, type: relu}\n");
  for (int i = 1; i <= BLOCKS; i++)
    gf__text_add(&graph,
                 "    - {name: c%d, type: conv2d, filters: 1, kernel: 1}\n    - {name: n%d, type: "
                 "batch_norm}\n"
                 "    - {name: s%d, type: add, input: [n%d, a%d]}\n    - {name: a%d, type: relu}\n",
                 i, i, i, i, i - 1, i);
  gf__text_add(&graph, "    - {type: global_avg_pool}\n    - {type: linear, outputs: 10}\n");
  for (int i = 0; i < 2; i++) {
    gf__text yaml = {0};
    gf__text_add(&yaml, "model:\n  fuse: %s\n%s", fuse[i], graph.data);
    network n;
    make(&n, yaml.data, 2, 1, false);
    assert_int_equal(n.graph.count, (i == 0 ? 4 : 2) * BLOCKS + REST);
    check_links(&n.graph);
    discard(&n);
    gf__text_free(&yaml);
  }
  gf__text_free(&graph);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_studys_networks_keep_what_they_need),
      cmocka_unit_test(branched_graphs_keep_what_they_need),
      cmocka_unit_test(random_graphs_keep_what_they_need),
      cmocka_unit_test(a_wrong_plan_is_found),
      cmocka_unit_test(buffers_are_shared),
      cmocka_unit_test(the_longest_graph_is_fused_and_planned),
  };
  return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
