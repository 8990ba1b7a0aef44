/* The "model" section of a config. */
#ifndef GF_MODEL_NETWORK_CONFIG_H
#define GF_MODEL_NETWORK_CONFIG_H

#include <gradflow/model.h>

#include "base/help.h"
#include "model/families.h"
#include "model/graph.h"

enum { GF__BATCH_NORM_LOCAL, GF__BATCH_NORM_SYNC };

typedef struct gf__network_config {
  int family;             /* index in gf__families, or -1 for a graph */
  const gf__value *graph; /* of the config, or NULL */
  int initialisation, tune, fuse;
  int algorithm; /* index in gf__conv_algorithms, or -1 for any */
  double orthogonal_gain, label_smoothing;
  bool zero_residual;
  const gf__value *auxiliaries; /* of the config, or NULL */
  int auxiliary_loss;           /* index in gf__auxiliary_losses */
  int batch_norm;               /* GF__BATCH_NORM_LOCAL or _SYNC */
  double auxiliary_weight;
  void *family_options; /* of the family, or NULL */
} gf__network_config;

gf_status gf__network_config_read(gf__network_config *out, const gf_config *config) GF_MUST_USE;
void gf__network_config_free(gf__network_config *network);
/* The name of the algorithm that convolutions have to take, or NULL. */
const char *gf__network_config_algorithm(const gf__network_config *network);
/* Whether adds and activations are fused. */
bool gf__network_config_fuses(const gf__network_config *network);
/* The family's graph for a number of classes as a config with a list "graph";
 * *out is NULL where the config has a graph of its own. */
gf_status gf__network_config_expand(const gf__network_config *network, int classes,
                                    gf_config **out) GF_MUST_USE;
/* Builds the graph of the section for a number of classes and images of graph->input's shape.
 * With loss, the loss ends it. network_graph.c */
gf_status gf__network_build(gf__graph *graph, const gf__network_config *network, int classes,
                            bool loss) GF_MUST_USE;
gf_status gf__network_check_classes(const gf__tensor *logits, int classes) GF_MUST_USE;
/* The row of a node in a table of layers. */
gf_layer_summary gf__node_summary(const gf_node *node);
/* Appends the lines of the resolved section. */
void gf__network_config_write(gf__text *out, const gf__network_config *network);
/* Appends the tables of keys for help. */
void gf__network_config_help(gf__help *help);

#endif
