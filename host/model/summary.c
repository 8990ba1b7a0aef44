/* A network as a table of its layers, without a device. */
#include <gradflow/model.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/graph.h"
#include "model/network_config.h"

gf_layer_summary gf__node_summary(const gf_node *node) {
  gf_layer_summary row = {.type = node->layer->name,
                          .output = {node->out.h, node->out.w, node->out.c},
                          .depth = node->out.d,
                          .flops = node->layer->flops ? node->layer->flops(node) : 0,
                          .bytes = gf__tensor_size(&node->out) * sizeof(float)};
  snprintf(row.name, sizeof row.name, "%s", node->name);
  for (int k = 0; k < node->parameter_count; k++)
    if (node->parameters[k].trainable) row.parameters += node->parameters[k].count;
  return row;
}

static gf_status list_layers(const gf__graph *graph, gf_layer_summary **out) {
  *out = calloc((size_t)graph->count, sizeof **out);
  if (!*out) return gf__fail_host_memory((size_t)graph->count * sizeof **out);
  for (int i = 0; i < graph->count; i++) (*out)[i] = gf__node_summary(graph->nodes[i]);
  return GF_OK;
}

gf_status gf_model_summarise(gf_layer_summary **out, int *count, const gf_config *config,
                             gf_image_shape image, int classes) {
  gf__network_config network;
  gf__graph graph = {.input = {.h = image.height, .w = image.width, .c = image.channels}};
  *out = NULL;
  GF_TRY(gf__network_config_read(&network, config));
  gf_status status = gf__network_build(&graph, &network, classes, false);
  gf__network_config_free(&network);
  if (status == GF_OK)
    status = gf__network_check_classes(&graph.nodes[graph.count - 1]->out, classes);
  if (status == GF_OK) status = list_layers(&graph, out);
  *count = status == GF_OK ? graph.count : 0;
  gf__graph_free(&graph);
  return status;
}
