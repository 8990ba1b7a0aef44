/* Fusion: what an add or an activation does to each value is done in the store
 * of the node before, so that the value is written and read once less. */
#include <string.h>

#include "model/graph.h"

/* The one node that reads the tensor, or NULL. */
static gf_node *only_reader(const gf__tensor *tensor) {
  return tensor->uses == 1 ? tensor->reader : NULL;
}

/* The tensor that nodes read in place of one whose node has been fused. */
static gf__tensor *now_read(gf__tensor *tensor) {
  const gf_node *producer = tensor->producer;
  return producer && producer->fused_into ? &producer->fused_into->out : tensor;
}

/* Lets node do the work of reader and make its tensor. The nodes that read that are changed, all at
 * once, when the whole graph has been fused. */
static void fuse_into(gf_node *node, gf_node *reader) {
  reader->fused_into = node;
  node->out.reader = reader->out.reader;
  node->out.uses = reader->out.uses;
  memcpy(node->out.name, reader->out.name, sizeof node->out.name);
}

/* Whether the tensor is there when node runs: nodes run in the order of their numbers. */
static bool is_ready(const gf__tensor *tensor, const gf_node *node) {
  return !tensor->producer || tensor->producer->number < node->number;
}

static bool fuse_add(gf_node *node, gf_node *add) {
  if (node->has_residual || node->activation.kind != GF__ACTIVATION_NONE) return false;
  gf__tensor *first = now_read(add->in[0]), *second = now_read(add->in[1]);
  gf__tensor *other = first == &node->out ? second : first;
  if (!is_ready(other, node)) return false;
  node->in[node->in_count++] = other;
  if (other->reader == add) other->reader = node;
  node->has_residual = true;
  fuse_into(node, add);
  return true;
}

static bool fuse_activation(gf_node *node, gf_node *activation) {
  if (node->activation.kind != GF__ACTIVATION_NONE) return false;
  node->activation = activation->layer->activation(activation);
  fuse_into(node, activation);
  return true;
}

static bool fuse_reader(const gf__graph *graph, gf_node *node) {
  gf_node *reader = only_reader(&node->out);
  /* The derivative of a fused activation is taken by its reader, and the last node has none. */
  if (!reader || reader == graph->nodes[graph->count - 1]) return false;
  if (gf__layer_has(reader->layer, GF__LAYER_IS_SUM)) return fuse_add(node, reader);
  return reader->layer->activation && fuse_activation(node, reader);
}

void gf__graph_fuse(gf__graph *graph) {
  for (int i = 0; i < graph->count; i++) {
    gf_node *node = graph->nodes[i];
    if (!gf__layer_has(node->layer, GF__LAYER_HAS_EPILOGUE) || node->fused_into) continue;
    while (fuse_reader(graph, node)) continue;
  }
  for (int i = 0; i < graph->count; i++)
    for (int k = 0; k < graph->nodes[i]->in_count; k++)
      graph->nodes[i]->in[k] = now_read(graph->nodes[i]->in[k]);
  gf__graph_remove_fused(graph);
}

/* Whether all that norm adds is there when node runs. */
static bool can_fold(const gf_node *node, const gf_node *norm) {
  if (node->has_residual || node->activation.kind != GF__ACTIVATION_NONE) return false;
  return !norm->has_residual || is_ready(norm->in[norm->in_count - 1], node);
}

void gf__graph_fold(gf__graph *graph) {
  for (int i = 0; i < graph->count; i++) {
    gf_node *node = graph->nodes[i];
    gf_node *reader =
        gf__layer_has(node->layer, GF__LAYER_FOLDS_NORM) ? only_reader(&node->out) : NULL;
    if (!reader || !gf__layer_has(reader->layer, GF__LAYER_IS_NORM) || !can_fold(node, reader))
      continue;
    node->norm = reader;
    reader->is_folded = true;
  }
}
