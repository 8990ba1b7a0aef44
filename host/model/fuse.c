/* Fusion: what an add or an activation does to each value is done in the store
 * of the node before, so that the value is written and read once less. */
#include <string.h>

#include "model/graph.h"

static int index_of(const gf__graph *graph, const gf_node *node) {
  int i = 0;
  while (i < graph->count && graph->nodes[i] != node) i++;
  return i;
}

/* The one node that reads the output of node, or NULL. */
static gf_node *only_reader(const gf__graph *graph, const gf_node *node) {
  if (gf__graph_uses(graph, &node->out) != 1) return NULL;
  for (int i = 0; i < graph->count; i++)
    for (int k = 0; k < graph->nodes[i]->in_count; k++)
      if (graph->nodes[i]->in[k] == &node->out) return graph->nodes[i];
  return NULL;
}

/* Lets node stand for reader, whose work it does and whose tensor it makes from here on. */
static void replace(gf__graph *graph, gf_node *node, gf_node *reader) {
  for (int i = 0; i < graph->count; i++)
    for (int k = 0; k < graph->nodes[i]->in_count; k++)
      if (graph->nodes[i]->in[k] == &reader->out) graph->nodes[i]->in[k] = &node->out;
  memcpy(node->out.name, reader->out.name, sizeof node->out.name);
  gf__graph_remove(graph, index_of(graph, reader));
}

static bool fuse_add(gf__graph *graph, gf_node *node, gf_node *add) {
  if (node->has_residual || node->activation.kind != GF__ACTIVATION_NONE) return false;
  gf__tensor *other = add->in[0] == &node->out ? add->in[1] : add->in[0];
  const gf_node *producer = gf__graph_producer(graph, other);
  /* The residual must be there when the node runs. */
  if (producer && index_of(graph, producer) > index_of(graph, node)) return false;
  node->in[node->in_count++] = other;
  node->has_residual = true;
  replace(graph, node, add);
  return true;
}

static bool fuse_activation(gf__graph *graph, gf_node *node, gf_node *activation) {
  if (node->activation.kind != GF__ACTIVATION_NONE) return false;
  node->activation = activation->layer->activation(activation);
  replace(graph, node, activation);
  return true;
}

static bool fuse_reader(gf__graph *graph, gf_node *node) {
  gf_node *reader = only_reader(graph, node);
  /* The derivative of a fused activation is taken by its reader, and the last node has none. */
  if (!reader || reader == graph->nodes[graph->count - 1]) return false;
  if (gf__layer_has(reader->layer, GF__LAYER_IS_SUM)) return fuse_add(graph, node, reader);
  return reader->layer->activation && fuse_activation(graph, node, reader);
}

void gf__graph_fuse(gf__graph *graph) {
  for (int i = 0; i < graph->count; i++)
    while (gf__layer_has(graph->nodes[i]->layer, GF__LAYER_HAS_EPILOGUE) &&
           fuse_reader(graph, graph->nodes[i]))
      continue;
}

/* Whether all that norm adds is there when node runs. */
static bool can_fold(const gf__graph *graph, const gf_node *node, const gf_node *norm) {
  if (node->has_residual || node->activation.kind != GF__ACTIVATION_NONE) return false;
  if (!norm->has_residual) return true;
  const gf_node *producer = gf__graph_producer(graph, norm->in[norm->in_count - 1]);
  return !producer || index_of(graph, producer) < index_of(graph, node);
}

void gf__graph_fold(gf__graph *graph) {
  for (int i = 0; i < graph->count; i++) {
    gf_node *node = graph->nodes[i];
    gf_node *reader =
        gf__layer_has(node->layer, GF__LAYER_FOLDS_NORM) ? only_reader(graph, node) : NULL;
    if (!reader || !gf__layer_has(reader->layer, GF__LAYER_IS_NORM) ||
        !can_fold(graph, node, reader))
      continue;
    node->norm = reader;
    reader->is_folded = true;
  }
}
