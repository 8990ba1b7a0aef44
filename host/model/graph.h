/* A network as a graph of nodes, each of which comes after its inputs. */
#ifndef GF_MODEL_GRAPH_H
#define GF_MODEL_GRAPH_H

#include "base/help.h"
#include "layers/layer.h"

typedef struct gf__graph {
  gf_node **nodes;
  int count;
  gf__tensor input;
} gf__graph;

/* Adds the nodes of a list in a config: mappings with name, type, input and the
 * keys of the type. graph->input has its shape; the last node's output is the
 * network's. With loss, a softmax_cross_entropy ends the graph. */
gf_status gf__graph_build(gf__graph *graph, const gf__value *list, bool loss) GF_MUST_USE;
gf_status gf__graph_add_loss(gf__graph *graph, gf__tensor *logits) GF_MUST_USE;
/* Nodes of an auxiliary classifier. */
enum { GF__AUXILIARY_NODES = 3 };
/* Adds an auxiliary classifier on each layer of a list of names: global_avg_pool, linear and
 * auxiliary_loss, called "auxiliary_NAME_linear" and so on. Before the loss. */
gf_status gf__graph_add_auxiliaries(gf__graph *graph, const gf__value *names, const char *loss,
                                    int classes) GF_MUST_USE;
/* Finds the nodes that only training needs. */
void gf__graph_mark(gf__graph *graph);
void gf__graph_free(gf__graph *graph);
/* The keys of nodes, and those of each layer. */
void gf__graph_help(gf__help *help);

/* Frees the nodes that are fused into another one, and which nothing reads any more. */
void gf__graph_remove_fused(gf__graph *graph);

/* Moves adds and activations into the store of the node before them where that
 * node has an epilogue and nothing else reads its output. */
void gf__graph_fuse(gf__graph *graph);

/* Lets convolutions do the work of the norms after them in inference, where nothing else reads
 * their output. To be called after gf__graph_fuse. */
void gf__graph_fold(gf__graph *graph);

#endif
