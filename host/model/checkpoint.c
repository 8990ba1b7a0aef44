/* The weights of a network as a safetensors file. */
#include <stdio.h>
#include <stdlib.h>

#include "model/network_config.h"
#include "model/parameters.h"

static gf_status make_tensors(const gf_model *model, gf__named_tensor **out) {
  size_t count = (size_t)model->parameter_count;
  *out = calloc(count + 1, sizeof **out);
  if (!*out) return gf__fail_host_memory(count * sizeof **out);
  for (size_t i = 0; i < count; i++)
    GF_TRY(gf__parameter_tensor(model->parameters[i], "", &(*out)[i]));
  return GF_OK;
}

gf_status gf_model_save(gf_model *model, const char *path) {
  size_t count = (size_t)model->parameter_count;
  gf__named_tensor *tensors;
  gf_status status = make_tensors(model, &tensors);
  for (int i = 0; status == GF_OK && i < model->parameter_count; i++)
    status = gf_model_read_parameter(model, i, tensors[i].values);
  if (status == GF_OK) status = gf__safetensors_write(path, tensors, count, NULL);
  gf__named_tensors_free(tensors, count);
  return status;
}

static gf_status load_weights(gf_model *model, const char *path, bool must_be_finite) {
  size_t count = (size_t)model->parameter_count;
  gf__named_tensor *tensors;
  gf_status status = make_tensors(model, &tensors);
  if (status == GF_OK) status = gf__safetensors_read(path, tensors, count);
  if (status == GF_OK && must_be_finite)
    status = gf__named_tensors_check_finite(path, tensors, count);
  for (int i = 0; status == GF_OK && i < model->parameter_count; i++)
    status = gf_model_write_parameter(model, i, tensors[i].values);
  gf__named_tensors_free(tensors, count);
  return status;
}

gf_status gf_model_load(gf_model *model, const char *path) {
  return load_weights(model, path, false);
}

gf_status gf__model_load_finite(gf_model *model, const char *path) {
  return load_weights(model, path, true);
}

/* A family's last layer has an output a class; that of a graph has as many as the config says. */
static gf_status count_classes(const gf__graph *graph, bool is_family, const char *path, int *out) {
  const gf__tensor *logits = &graph->nodes[graph->count - 1]->out;
  char name[sizeof((gf__named_tensor *)0)->name];
  long long rows = (long long)gf__tensor_size(logits);
  snprintf(name, sizeof name, "%s.weight", logits->name);
  if (is_family) GF_TRY(gf__safetensors_rows(path, name, &rows));
  if (rows < 1 || rows > GF__MOST_FLOATS)
    return gf__fail(GF_ERROR_DATA, "%s does not fit the network:\n  missing: %s", path, name);
  *out = (int)rows;
  return GF_OK;
}

gf_status gf__weights_classes(int *out, const gf_config *config, gf_image_shape image,
                              const char *path) {
  gf__network_config network;
  gf__graph graph = {.input = {.h = image.height, .w = image.width, .c = image.channels}};
  *out = 0;
  GF_TRY(gf__network_config_read(&network, config));
  gf_status status = gf__network_build(&graph, &network, 1, false);
  if (status == GF_OK) status = count_classes(&graph, network.graph == NULL, path, out);
  gf__network_config_free(&network);
  gf__graph_free(&graph);
  return status;
}
