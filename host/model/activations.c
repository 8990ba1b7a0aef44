#include "model/activations.h"

#include <math.h>
#include <stdlib.h>

/* Convolutions, linear layers, norms, and activations that were not fused into one of those; not
 * what only moves values or chooses among them. */
static bool is_measured(const gf_node *node) {
  const gf__layer *layer = node->layer;
  return gf__layer_has(layer, GF__LAYER_HAS_EPILOGUE) || layer->activation || layer->alive;
}

/* Whether what the node stores comes from an activation, and the interval where that is alive. */
static bool find_activation(const gf_node *node, gf__interval *alive) {
  const gf__layer *layer = node->layer;
  gf__activation activation = layer->activation ? layer->activation(node) : node->activation;
  *alive = layer->alive ? layer->alive(node) : gf__activation_alive(activation);
  return layer->alive || activation.kind != GF__ACTIVATION_NONE;
}

size_t gf__activations_bytes(const gf_model *model) {
  size_t channels = 0;
  for (int i = 0; i < model->graph.count; i++)
    if (is_measured(model->graph.nodes[i])) channels += (size_t)model->graph.nodes[i]->out.c;
  return channels * sizeof(gf__activation_moments);
}

size_t gf__activations_workspace(const gf_model *model, const gf_node *node) {
  return is_measured(node) ? gf__activation_statistics_workspace(model->device, node->out.c) : 0;
}

gf_status gf__activations_queue(gf_model *model, const gf_node *node, int *channel) {
  if (!is_measured(node)) return GF_OK;
  gf__interval alive;
  find_activation(node, &alive);
  int first = *channel;
  *channel += node->out.c;
  return gf__activation_statistics(
      model->device, model->pass.n, (int)gf__node_rows(node, &model->pass), node->out.c,
      node->out.data, alive, model->workspace, model->activation_moments, first);
}

int gf__model_activation_count(const gf_model *model) {
  int count = 0;
  for (int i = 0; i < model->graph.count; i++) count += is_measured(model->graph.nodes[i]);
  return count;
}

static void describe_activations(const gf_model *model, const gf__activation_moments *moments,
                                 gf_activation_stats *out) {
  for (int i = 0; i < model->graph.count; i++) {
    const gf_node *node = model->graph.nodes[i];
    if (!is_measured(node)) continue;
    gf__interval alive;
    gf__activation_summary s = gf__activation_summarize(moments, node->out.c);
    double dead = find_activation(node, &alive) ? s.dead : (double)NAN;
    *out++ = (gf_activation_stats){.layer = node->out.name,
                                   .stored_by = node->name,
                                   .mean = s.mean,
                                   .deviation = s.deviation,
                                   .dead = dead,
                                   .contrast = model->pass.n > 1 ? s.contrast : (double)NAN};
    moments += node->out.c;
  }
}

gf_status gf__model_read_activations(gf_model *model, const gf__whole_batch *whole,
                                     gf_activation_stats *out) {
  size_t bytes = gf__activations_bytes(model);
  if (bytes == 0) return GF_OK;
  if (!model->has_activation_statistics)
    return gf__fail(GF_ERROR_ARGUMENT,
                    "statistics of activations need a forward pass that takes them");
  gf__activation_moments *moments = malloc(bytes);
  if (!moments) return gf__fail_host_memory(bytes);
  gf_status status = gf__buffer_read(model->activation_moments, 0, bytes, moments);
  if (status == GF_OK && whole)
    status = whole->join_activations(whole->user, moments, bytes / sizeof *moments);
  if (status == GF_OK) describe_activations(model, moments, out);
  free(moments);
  return status;
}
