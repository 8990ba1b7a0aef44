#include "model/graph.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

enum { MOST_NODES = 4096 };

/* The keys that every node has. */
typedef struct node_keys {
  char *name, *type;
  const gf__value *input;
} node_keys;

static const gf__key common_keys[] = {
    GF__KEY(node_keys, name, TEXT, .initial = "", .help = "name of the node"),
    GF__KEY(node_keys, type, TEXT, .help = "name of a layer"),
    GF__KEY(node_keys, input, NAMES, .initial = "", .help = "of nodes; the node before if absent"),
};
enum { COMMON = sizeof common_keys / sizeof *common_keys };

static gf__tensor *find_tensor(gf__graph *graph, const char *name) {
  if (!strcmp(name, graph->input.name)) return &graph->input;
  for (int i = 0; i < graph->count; i++)
    if (!strcmp(name, graph->nodes[i]->name)) return &graph->nodes[i]->out;
  return NULL;
}

static gf_status fail_input(const gf__graph *graph, const gf__value *at, const char *name) {
  const char *names[MOST_NODES + 1] = {graph->input.name};
  for (int i = 0; i < graph->count; i++) names[i + 1] = graph->nodes[i]->name;
  const char *close = gf__did_you_mean(name, names, (size_t)graph->count + 1, sizeof *names);
  return gf__value_fail(at, "there is no node '%s' before this one%s%s%s", name,
                        close ? "; did you mean '" : "", close ? close : "", close ? "'?" : "");
}

static gf_status find_input(gf__graph *graph, const gf__value *name, gf__tensor **out) {
  *out = find_tensor(graph, name->text);
  return *out ? GF_OK : fail_input(graph, name, name->text);
}

static void add_input(gf_node *node, gf__tensor *tensor) {
  node->in[node->in_count++] = tensor;
  tensor->reader = node;
  tensor->uses++;
}

static gf_status add_input_by_name(gf__graph *graph, gf_node *node, const gf__value *name) {
  gf__tensor *tensor;
  GF_TRY(find_input(graph, name, &tensor));
  add_input(node, tensor);
  return GF_OK;
}

static gf_status connect(gf__graph *graph, gf_node *node, const gf__value *item,
                         const gf__value *input) {
  if (!input) {
    add_input(node, graph->count ? &graph->nodes[graph->count - 1]->out : &graph->input);
  } else if (input->kind == GF__SCALAR) {
    GF_TRY(add_input_by_name(graph, node, input));
  } else {
    for (size_t i = 0; input->kind == GF__SEQUENCE && i < input->count; i++) {
      const gf__value *one = input->items[i];
      if (one->kind != GF__SCALAR || node->in_count == GF__MOST_INPUTS - 1)
        return gf__value_fail(input, "input must be a node's name or a list of at most %d names",
                              GF__MOST_INPUTS - 1);
      GF_TRY(add_input_by_name(graph, node, one));
    }
  }
  int least = node->layer->least_inputs, most = node->layer->most_inputs;
  if (node->in_count >= least && node->in_count <= most) return GF_OK;
  char number[32];
  snprintf(number, sizeof number, least == most ? "%d" : "%d to %d", least, most);
  return gf__value_fail(item, "%s '%s' takes %s input%s, not %d", node->layer->name, node->name,
                        number, most == 1 ? "" : "s", node->in_count);
}

static gf_status find_layer(const gf__value *item, const char *type, const gf__layer **out) {
  *out = gf__layer_find(type);
  if (*out) return GF_OK;
  const char *names[GF__MOST_LAYERS];
  size_t count = 0;
  gf__text known = {0};
  const gf__layer *layer;
  for (int i = 0; (layer = gf__layer_at(i)); i++) {
    names[count++] = layer->name;
    gf__text_add(&known, "%s%s", i ? ", " : "", layer->name);
  }
  const char *close = gf__did_you_mean(type, names, count, sizeof *names);
  const gf__value *at = gf__value_get(item, "type");
  gf_status status = gf__value_fail(at ? at : item, "there is no layer '%s'%s%s%s known layers: %s",
                                    type, close ? "; did you mean '" : ";", close ? close : "",
                                    close ? "'?" : "", known.data ? known.data : "");
  gf__text_free(&known);
  return status;
}

static void node_free(gf_node *node) {
  if (!node) return;
  if (node->options) gf__keys_free(node->layer->keys, node->layer->key_count, node->options);
  free(node->options);
  free(node->state);
  gf__buffer_free(&node->saved);
  free(node);
}

static gf_status node_new(const gf__layer *layer, const char *name, int number, gf_node **out) {
  gf_node *node = calloc(1, sizeof *node);
  *out = node;
  if (!node) return gf__fail_host_memory(sizeof *node);
  node->layer = layer;
  node->number = number;
  node->out.d = 1;
  node->out.producer = node;
  if (*name)
    snprintf(node->name, sizeof node->name, "%s", name);
  else
    snprintf(node->name, sizeof node->name, "%s_%d", layer->name, number);
  snprintf(node->out.name, sizeof node->out.name, "%s", node->name);
  /* One byte more than nothing, so that a layer without options has a pointer as well. */
  node->options = calloc(1, layer->options_size + 1);
  node->state = calloc(1, layer->state_size + 1);
  if (node->options && node->state) return GF_OK;
  return gf__fail_host_memory(layer->options_size + layer->state_size);
}

static gf_status add_node(gf__graph *graph, const gf__layer *layer, const char *name,
                          gf_node **out) {
  *out = NULL;
  if (graph->count == MOST_NODES)
    return gf__fail(GF_ERROR_CONFIG, "a network has at most %d nodes", MOST_NODES);
  GF_TRY(gf__grow(&graph->nodes, (size_t)graph->count, sizeof *graph->nodes));
  gf_status status = node_new(layer, name, graph->count, out);
  if (status != GF_OK) node_free(*out);
  return status;
}

static double floats_of(const gf__tensor *t) { return (double)t->d * t->h * t->w * t->c; }

static gf_status set_up(gf_node *node) {
  GF_TRY(node->layer->setup(node));
  const gf__tensor *out = &node->out;
  if (floats_of(out) <= GF__MOST_FLOATS) return GF_OK;
  char depth[16] = ""; /* images have none */
  if (out->d > 1) snprintf(depth, sizeof depth, "%dx", out->d);
  return gf__node_fail(node, "its output of %s%dx%dx%d has more than %d values an image", depth,
                       out->h, out->w, out->c, GF__MOST_FLOATS);
}

/* Reads the options, connects and sets up; the node is not in the graph yet. */
static gf_status fill_node(gf__graph *graph, gf_node *node, const gf__value *item,
                           node_keys *common) {
  const gf__layer *layer = node->layer;
  const gf__key_group groups[] = {{common_keys, COMMON, common},
                                  {layer->keys, layer->key_count, node->options}};
  if (find_tensor(graph, node->name))
    return gf__value_fail(item, "there are two nodes '%s'", node->name);
  GF_TRY(gf__keys_read_groups(item, node->name, groups, 2));
  GF_TRY(connect(graph, node, item, common->input));
  if (set_up(node) != GF_OK)
    return gf__fail(GF_ERROR_SHAPE, "%s: %s", item->place, gf_error_message());
  return GF_OK;
}

/* Whether a CSV file can hold the text without quotes, and a message in one line. */
static bool is_name(const char *text) {
  for (const char *c = text; *c; c++)
    if (*c == ',' || *c == '"' || iscntrl((unsigned char)*c)) return false;
  return true;
}

static gf_status check_name(const gf__value *name) {
  if (name->kind != GF__SCALAR || strlen(name->text) >= GF__NAME_SIZE - 8)
    return gf__value_fail(name, "a node's name is a word of at most %d characters",
                          GF__NAME_SIZE - 9);
  if (is_name(name->text)) return GF_OK;
  return gf__value_fail(name,
                        "a node's name has no comma, quote, line break or other control character: "
                        "it is a cell of the run's CSV files");
}

static gf_status read_node(gf__graph *graph, const gf__value *item) {
  if (item->kind != GF__MAPPING)
    return gf__value_fail(item, "a node is a mapping such as {name: a, type: relu, input: b}");
  const gf__value *type = gf__value_get(item, "type"), *name = gf__value_get(item, "name");
  if (!type || type->kind != GF__SCALAR)
    return gf__value_fail(item, "a node needs a type, the name of a layer");
  if (name) GF_TRY(check_name(name));
  const gf__layer *layer;
  GF_TRY(find_layer(item, type->text, &layer));
  gf_node *node;
  GF_TRY(add_node(graph, layer, name ? name->text : "", &node));
  node_keys common = {0};
  gf_status status = fill_node(graph, node, item, &common);
  gf__keys_free(common_keys, COMMON, &common);
  if (status != GF_OK)
    node_free(node);
  else
    graph->nodes[graph->count++] = node;
  return status;
}

gf_status gf__graph_add_loss(gf__graph *graph, gf__tensor *logits) {
  gf_node *node;
  GF_TRY(add_node(graph, &gf__layer_softmax_cross_entropy, "loss", &node));
  add_input(node, logits);
  gf_status status = node->layer->setup(node);
  if (status != GF_OK)
    node_free(node);
  else
    graph->nodes[graph->count++] = node;
  return status;
}

gf_status gf__graph_build(gf__graph *graph, const gf__value *list, bool loss) {
  snprintf(graph->input.name, sizeof graph->input.name, "input");
  graph->input.d = 1;
  if (list->kind != GF__SEQUENCE || list->count == 0)
    return gf__value_fail(list, "a graph is a list of nodes");
  if (!(floats_of(&graph->input) <= GF__MOST_FLOATS))
    return gf__fail(GF_ERROR_SHAPE, "images of %dx%dx%d have more than %d values", graph->input.h,
                    graph->input.w, graph->input.c, GF__MOST_FLOATS);
  for (size_t i = 0; i < list->count; i++) GF_TRY(read_node(graph, list->items[i]));
  for (int i = 0; i + 1 < graph->count; i++)
    if (graph->nodes[i]->out.uses == 0 && !gf__node_is_loss(graph->nodes[i]))
      return gf__value_fail(list->items[i], "nothing reads the output of '%s'",
                            graph->nodes[i]->name);
  return loss ? gf__graph_add_loss(graph, &graph->nodes[graph->count - 1]->out) : GF_OK;
}

/* Three nodes on the one called name, as a family would write them. */
static void write_auxiliary(gf__text *out, const char *name, const char *loss, int classes) {
  gf__text_add(out,
               "- {name: auxiliary_%s_pool, type: global_avg_pool, input: %s}\n"
               "- {name: auxiliary_%s_linear, type: linear, outputs: %d}\n"
               "- {name: auxiliary_%s_loss, type: auxiliary_loss, loss: %s}\n",
               name, name, name, classes, name, loss);
}

gf_status gf__graph_add_auxiliaries(gf__graph *graph, const gf__value *names, const char *loss,
                                    int classes) {
  gf_config *config = NULL;
  gf__text text = {0};
  if (names->kind != GF__SEQUENCE)
    return gf__value_fail(names, "model.auxiliaries is a list of names of layers");
  gf__text_add(&text, "auxiliaries:\n");
  gf_status status = GF_OK;
  for (size_t i = 0; status == GF_OK && i < names->count; i++) {
    gf__tensor *tensor = NULL;
    if (names->items[i]->kind == GF__SCALAR)
      status = find_input(graph, names->items[i], &tensor);
    else
      status = gf__value_fail(names, "model.auxiliaries is a list of names of layers");
    if (status == GF_OK) write_auxiliary(&text, tensor->name, loss, classes);
  }
  if (status == GF_OK) status = gf__text_status(&text);
  if (status == GF_OK) status = gf_config_parse(&config, "model.auxiliaries", text.data);
  gf__text_free(&text);
  if (status != GF_OK) return status;
  const gf__value *list = gf__value_get(gf__config_root(config), "auxiliaries");
  for (size_t i = 0; status == GF_OK && i < list->count; i++)
    status = read_node(graph, list->items[i]);
  gf_config_free(&config);
  return status;
}

void gf__graph_mark(gf__graph *graph) {
  for (int i = 0; i + 1 < graph->count; i++) graph->nodes[i]->trains_only = true;
  for (int i = graph->count - 1; i >= 0; i--)
    for (int k = 0; k < graph->nodes[i]->in_count && !graph->nodes[i]->trains_only; k++) {
      gf_node *producer = graph->nodes[i]->in[k]->producer;
      if (producer) producer->trains_only = false;
    }
}

void gf__graph_remove_fused(gf__graph *graph) {
  int kept = 0;
  for (int i = 0; i < graph->count; i++)
    if (graph->nodes[i]->fused_into)
      node_free(graph->nodes[i]);
    else
      graph->nodes[kept++] = graph->nodes[i];
  graph->count = kept;
}

void gf__graph_free(gf__graph *graph) {
  for (int i = 0; i < graph->count; i++) node_free(graph->nodes[i]);
  free(graph->nodes);
  *graph = (gf__graph){0};
}

void gf__graph_help(gf__help *help) {
  gf__help_title(help, "a node of model.graph:");
  gf__help_keys(help, common_keys, COMMON);
  const gf__layer *layer;
  for (int i = 0; (layer = gf__layer_at(i)); i++) {
    gf__help_title(help, "a node of type %s:", layer->name);
    gf__help_paragraph(help, "%s; %s.", layer->help,
                       layer->most_inputs == 1   ? "one input"
                       : layer->most_inputs == 2 ? "two inputs"
                                                 : "two inputs or more");
    gf__help_keys(help, layer->keys, layer->key_count);
  }
}
