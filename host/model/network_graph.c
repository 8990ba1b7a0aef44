/* From the "model" section of a config to a graph. */
#include "model/network_config.h"

static gf_status add_losses(gf__graph *graph, const gf__network_config *network, int classes) {
  gf__tensor *logits = &graph->nodes[graph->count - 1]->out;
  const gf__value *auxiliaries = network->auxiliaries;
  if (auxiliaries)
    GF_TRY(gf__graph_add_auxiliaries(graph, auxiliaries,
                                     gf__auxiliary_losses[network->auxiliary_loss], classes));
  return gf__graph_add_loss(graph, logits);
}

gf_status gf__network_build(gf__graph *graph, const gf__network_config *network, int classes,
                            bool loss) {
  gf_config *expanded;
  GF_TRY(gf__network_config_expand(network, classes, &expanded));
  const gf__value *list = network->graph;
  if (expanded) list = gf__value_get(gf__config_root(expanded), "graph");
  gf_status status = gf__graph_build(graph, list, false);
  if (status != GF_OK && expanded)
    status = gf__fail(status, "the network of model.family does not fit images of %dx%d: %s",
                      graph->input.h, graph->input.w, gf_error_message());
  gf_config_free(&expanded);
  if (status == GF_OK && loss) status = add_losses(graph, network, classes);
  if (status == GF_OK) gf__graph_mark(graph);
  return status;
}

gf_status gf__network_check_classes(const gf__tensor *logits, int classes) {
  if ((int)gf__tensor_size(logits) == classes) return GF_OK;
  return gf__fail(GF_ERROR_SHAPE,
                  "the network's last layer '%s' gives %zu values and the data has %d classes",
                  logits->name, gf__tensor_size(logits), classes);
}
