#include "model/activations.h"

#include <math.h>
#include <stdlib.h>

bool gf__activations_has(const gf_node *node) {
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
    if (gf__activations_has(model->graph.nodes[i]))
      channels += (size_t)model->graph.nodes[i]->out.c;
  return channels * sizeof(gf__activation_moments);
}

size_t gf__activations_workspace(const gf_model *model, const gf_node *node) {
  return gf__activations_has(node) ? gf__activation_statistics_workspace(model->device, node->out.c)
                                   : 0;
}

static gf_status allocate_unit_means(gf_model *model) {
  size_t units = 0;
  for (int i = 0; i < model->graph.count; i++)
    if (gf__activations_has(model->graph.nodes[i]))
      units += gf__tensor_size(&model->graph.nodes[i]->out);
  if (model->unit_means || units == 0) return GF_OK;
  model->unit_means = calloc(units, sizeof *model->unit_means);
  return model->unit_means ? GF_OK : gf__fail_host_memory(units * sizeof *model->unit_means);
}

/* In double precision, as ranks may differ by far less than the values are. */
static gf_status keep_unit_means(gf_model *model, const gf_node *node, double *means) {
  int images = model->pass.n;
  size_t units = gf__tensor_size(&node->out), bytes = (size_t)images * units * sizeof(float);
  float *values = malloc(bytes);
  if (!values) return gf__fail_host_memory(bytes);
  gf_status status = gf__buffer_read(node->out.data, 0, bytes, values);
  for (size_t u = 0; status == GF_OK && u < units; u++) {
    means[u] = 0;
    for (int b = 0; b < images; b++) means[u] += (double)values[(size_t)b * units + u] / images;
  }
  free(values);
  return status;
}

gf_status gf__activations_queue(gf_model *model, const gf_node *node,
                                gf__activations_place *place) {
  if (!gf__activations_has(node)) return GF_OK;
  gf__interval alive;
  find_activation(node, &alive);
  int images = model->pass.n, rows = (int)gf__node_rows(node, &model->pass);
  GF_TRY(gf__activation_statistics(model->device, images, rows, node->out.c, node->out.data, alive,
                                   model->workspace, model->activation_moments, place->channel));
  place->channel += node->out.c;
  if (!model->keeps_unit_means) return GF_OK;
  GF_TRY(allocate_unit_means(model));
  GF_TRY(keep_unit_means(model, node, model->unit_means + place->unit));
  place->unit += gf__tensor_size(&node->out);
  return GF_OK;
}

int gf__model_activation_count(const gf_model *model) {
  int count = 0;
  for (int i = 0; i < model->graph.count; i++) count += gf__activations_has(model->graph.nodes[i]);
  return count;
}

/* whole is NULL, or that of the batch whose shard this device has. */
static gf_status describe_activations(const gf_model *model, const gf__whole_batch *whole,
                                      const gf__activation_moments *moments,
                                      gf_activation_stats *out) {
  const double *means = model->unit_means;
  for (int i = 0; i < model->graph.count; i++) {
    const gf_node *node = model->graph.nodes[i];
    size_t units = gf__tensor_size(&node->out);
    gf__interval alive;
    double apart = 0;
    if (!gf__activations_has(node)) continue;
    gf__activation_summary s = gf__activation_summarize(moments, node->out.c);
    if (whole) GF_TRY(whole->compare_means(whole->user, means, units, &apart));
    if (apart > 0) s.contrast += apart / s.energy;
    *out++ =
        (gf_activation_stats){.layer = node->out.name,
                              .stored_by = node->name,
                              .mean = s.mean,
                              .deviation = s.deviation,
                              .dead = find_activation(node, &alive) ? s.dead : (double)NAN,
                              .contrast = whole || model->pass.n > 1 ? s.contrast : (double)NAN};
    moments += node->out.c;
    if (whole) means += units;
  }
  return GF_OK;
}

static gf_status join_ranks(gf_model *model, const gf__whole_batch *whole,
                            gf__activation_moments *moments, size_t count) {
  if (!whole) return GF_OK;
  GF_TRY(allocate_unit_means(model)); /* a rank without images has none yet */
  return whole->join_activations(whole->user, moments, count);
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
  if (status == GF_OK) status = join_ranks(model, whole, moments, bytes / sizeof *moments);
  if (status == GF_OK) status = describe_activations(model, whole, moments, out);
  free(moments);
  return status;
}
