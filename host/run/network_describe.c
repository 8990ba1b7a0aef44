/* From a config to the content of network.json. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "model/network_config.h"
#include "run/network.h"
#include "run/run_folder.h"
#include "train/optimizers.h"

enum { FORMAT = 1 };

/* The graph as the config has it, and what becomes of its nodes where they are computed. A node's
 * number is its index in plain; fused keeps the numbers of the nodes that it still has. */
typedef struct graphs {
  gf__graph plain, fused;
  int inference_count; /* of plain's nodes; those of auxiliary classifiers and the loss follow */
  /* (plain.count) each, NULL where there is none: the one node that reads the output in inference,
   * the node in whose store this one is computed, and the convolution that does this norm's work.
   */
  const gf_node **readers, **fused_into, **folded_into;
} graphs;

static gf_status build_graph(gf__graph *graph, const gf__network_config *network,
                             const gf_dataset_info *data) {
  *graph = (gf__graph){.input = {.h = data->height, .w = data->width, .c = data->channels}};
  return gf__network_build(graph, network, data->classes, true);
}

static gf_status build_graphs(graphs *g, const gf__network_config *network,
                              const gf_dataset_info *data) {
  size_t auxiliaries = network->auxiliaries ? network->auxiliaries->count : 0;
  GF_TRY(build_graph(&g->plain, network, data));
  GF_TRY(build_graph(&g->fused, network, data));
  g->inference_count = g->plain.count - 1 - (int)auxiliaries * GF__AUXILIARY_NODES;
  if (!gf__network_config_fuses(network)) return GF_OK;
  gf__graph_fuse(&g->fused);
  gf__graph_fold(&g->fused);
  return GF_OK;
}

/* ---- what became of a node ---- */

/* A node that several others read has no reader of its own; what only training needs does not
 * count, unless it is for a node of training. */
static void find_readers(graphs *g) {
  for (int i = 0; i < g->plain.count; i++) {
    const gf_node *node = g->plain.nodes[i];
    int readers = 0;
    for (int r = i + 1; r < g->plain.count; r++)
      for (int k = 0; k < g->plain.nodes[r]->in_count; k++) {
        if (g->plain.nodes[r]->in[k] != &node->out) continue;
        if (g->plain.nodes[r]->trains_only && !node->trains_only) continue;
        g->readers[i] = readers++ ? NULL : g->plain.nodes[r];
      }
  }
}

/* A node that others were fused into makes the tensor of the last of them. */
static void find_fused(graphs *g) {
  for (int i = 0; i < g->fused.count; i++) {
    const gf_node *node = g->fused.nodes[i], *next = g->plain.nodes[node->number];
    while (next && strcmp(next->name, node->out.name) != 0) {
      next = g->readers[next->number];
      if (next) g->fused_into[next->number] = node;
    }
    if (node->norm) g->folded_into[node->norm->number] = node;
  }
}

static gf_status find_relations(graphs *g) {
  size_t count = (size_t)g->plain.count;
  g->readers = calloc(3 * count, sizeof *g->readers);
  if (!g->readers) return gf__fail_host_memory(3 * count * sizeof *g->readers);
  g->fused_into = g->readers + count;
  g->folded_into = g->fused_into + count;
  find_readers(g);
  find_fused(g);
  return GF_OK;
}

static bool is_activation(const gf_node *node) {
  return node->layer->activation || node->layer->alive;
}

/* Whether what comes out has the channels of what went in, so that an activation after it is still
 * that of the layer before it. */
static bool is_between(const gf_node *node) {
  return node->layer == &gf__layer_batch_norm || node->layer == &gf__layer_add ||
         node->layer == &gf__layer_dropout || node->layer == &gf__layer_stochastic_depth;
}

/* The activation that the output of a layer with parameters goes through, or NULL. */
static const gf_node *activation_of(const graphs *g, const gf_node *node) {
  if (node->parameter_count == 0) return NULL;
  const gf_node *next = g->readers[node->number];
  while (next && is_between(next)) next = g->readers[next->number];
  return next && is_activation(next) ? next : NULL;
}

/* ---- JSON ---- */

static json_t *pack_name(const char *name) { return gf__json_text(name, strlen(name)); }

static void set_name(json_t *object, const char *key, const gf_node *node) {
  if (node) json_object_set_new(object, key, pack_name(node->name));
}

/* (height, width, channels); a volume's depth comes first. */
static json_t *pack_shape(const gf__tensor *t) {
  return t->d == 1 ? json_pack("[i, i, i]", t->h, t->w, t->c)
                   : json_pack("[i, i, i, i]", t->d, t->h, t->w, t->c);
}

static json_t *pack_inputs(const gf_node *node) {
  json_t *list = json_array();
  for (int i = 0; i < node->in_count; i++)
    json_array_append_new(list, pack_name(node->in[i]->name));
  return list;
}

static json_t *pack_tensors(const gf_node *node) {
  json_t *list = json_array();
  for (int i = 0; i < node->parameter_count; i++) {
    const gf__parameter *p = &node->parameters[i];
    json_t *shape = json_array();
    for (int d = 0; d < p->dim_count; d++) json_array_append_new(shape, json_integer(p->dims[d]));
    json_array_append_new(list, json_pack("{s:o, s:o, s:b}", "name", pack_name(p->name), "shape",
                                          shape, "trainable", p->trainable));
  }
  return list;
}

static json_t *pack_layer(const graphs *g, const gf_node *node) {
  gf_layer_summary row = gf__node_summary(node);
  json_t *layer =
      json_pack("{s:o, s:s, s:o, s:o, s:I, s:o, s:I, s:I}", "name", pack_name(node->name), "type",
                row.type, "inputs", pack_inputs(node), "output", pack_shape(&node->out),
                "parameters", (json_int_t)row.parameters, "tensors", pack_tensors(node), "flops",
                (json_int_t)row.flops, "bytes", (json_int_t)row.bytes);
  if (!layer) return NULL;
  set_name(layer, "activation", activation_of(g, node));
  set_name(layer, "fused_into", g->fused_into[node->number]);
  set_name(layer, "folded_into", g->folded_into[node->number]);
  if (node->trains_only) json_object_set_new(layer, "training_only", json_true());
  return layer;
}

static json_t *pack_layers(const graphs *g, int first, int end) {
  json_t *list = json_array();
  for (int i = first; i < end; i++) json_array_append_new(list, pack_layer(g, g->plain.nodes[i]));
  return list;
}

static json_t *pack_auxiliaries(const graphs *g, const gf__network_config *network) {
  json_t *list = json_array();
  for (int i = g->inference_count, k = 0; i + 1 < g->plain.count; i += GF__AUXILIARY_NODES, k++)
    json_array_append_new(
        list, json_pack("{s:o, s:o}", "layer", pack_name(network->auxiliaries->items[k]->text),
                        "layers", pack_layers(g, i, i + GF__AUXILIARY_NODES)));
  return list;
}

static json_t *pack_class_names(const gf_dataset_info *data) {
  if (!data->class_names) return json_null();
  json_t *list = json_array();
  for (int i = 0; i < data->classes; i++)
    json_array_append_new(list, pack_name(data->class_names[i]));
  return list;
}

static json_t *pack_number(double number) { /* a whole one, 0: not known */
  return number > 0 ? json_integer((json_int_t)number) : json_null();
}

static json_t *pack_optimizer(const gf__optimizer_config *optimizer) {
  double eps = gf__optimizer_eps(optimizer);
  return json_pack("{s:s, s:o}", "kind", gf__optimizers[optimizer->kind]->name, "eps",
                   isnan(eps) ? json_null() : json_real(eps));
}

static void set_totals(json_t *json, const json_t *layers) {
  static const char *const keys[] = {"parameters", "flops", "bytes"};
  for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
    json_int_t sum = 0;
    for (size_t i = 0; i < json_array_size(layers); i++)
      sum += json_integer_value(json_object_get(json_array_get(layers, i), keys[k]));
    json_object_set_new(json, keys[k], json_integer(sum));
  }
}

static json_t *pack(const graphs *g, const gf__network_config *network,
                    const gf__optimizer_config *optimizer, const gf_dataset_info *data,
                    gf__record_images images) {
  json_t *layers = pack_layers(g, 0, g->inference_count);
  json_t *json = json_pack("{s:i, s:s, s:o, s:i, s:o, s:o, s:o, s:o}", "format", FORMAT, "data",
                           data->name, "image", pack_shape(&g->plain.input), "classes",
                           data->classes, "class_names", pack_class_names(data), "layers", layers,
                           "logit_layer", pack_name(g->plain.nodes[g->inference_count - 1]->name),
                           "auxiliary_classifiers", pack_auxiliaries(g, network));
  if (!json) return NULL;
  set_totals(json, layers);
  json_object_set_new(json, "optimizer", pack_optimizer(optimizer));
  json_object_set_new(json, "statistics",
                      json_pack("{s:o, s:o, s:o}", "gradient_images", pack_number(images.gradients),
                                "activation_images", pack_number(images.activations), "norm_images",
                                pack_number(images.norms)));
  return json;
}

/* ---- the whole ---- */

static gf_status describe(json_t **out, const gf__network_config *network,
                          const gf__optimizer_config *optimizer, const gf_dataset_info *data,
                          gf__record_images images) {
  graphs g = {0};
  gf_status status = build_graphs(&g, network, data);
  if (status == GF_OK) status = find_relations(&g);
  if (status == GF_OK) *out = pack(&g, network, optimizer, data, images);
  if (status == GF_OK && !*out)
    status = gf__fail(GF_ERROR_MEMORY, "no memory for the description of the network");
  free(g.readers);
  gf__graph_free(&g.plain);
  gf__graph_free(&g.fused);
  return status;
}

gf_status gf__network_describe(json_t **out, const gf_config *config, const gf_dataset_info *data,
                               gf__record_images images) {
  gf__network_config network;
  gf__optimizer_config optimizer;
  *out = NULL;
  GF_TRY(gf__network_config_read(&network, config));
  gf_status status = gf__optimizer_config_read(&optimizer, config);
  if (status == GF_OK) {
    status = describe(out, &network, &optimizer, data, images);
    gf__optimizer_config_free(&optimizer);
  }
  gf__network_config_free(&network);
  return status;
}

gf_status gf_network_json(const gf_config *config, char **out) {
  gf_dataset_info data;
  json_t *json;
  *out = NULL;
  GF_TRY(gf_dataset_shape(&data, config));
  GF_TRY(gf__network_describe(&json, config, &data, (gf__record_images){0}));
  *out = json_dumps(json, JSON_INDENT(2));
  json_decref(json);
  return *out ? GF_OK : gf__fail(GF_ERROR_MEMORY, "no memory for the text of the network");
}

gf_status gf__network_write(const char *folder, const gf_config *config,
                            const gf_dataset_info *data, gf__record_images images) {
  char path[GF__PATH_SIZE];
  json_t *json;
  GF_TRY(gf__run_path(path, folder, "network.json"));
  GF_TRY(gf__network_describe(&json, config, data, images));
  return gf__json_write(path, json);
}
