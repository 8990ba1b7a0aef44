/* A run's network as an ONNX model. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "convert/onnx/layers.h"
#include "convert/stored.h"
#include "data/dataset.h"

/* ---- the graph ---- */

/* values: of the input, then of each node's output. */
static const gf__onnx_value *value_of(const gf__graph *graph, const gf__onnx_value *values,
                                      const gf__tensor *t) {
  int i = 0;
  while (i < graph->count && &graph->nodes[i]->out != t) i++;
  return t == &graph->input ? &values[0] : &values[i + 1];
}

/* In operator set 13 a Flatten of a vector is that vector. */
static void add_output(gf__onnx *onnx, const char *logits, int classes, bool softmax) {
  const char *name = softmax ? "scores" : "logits", *probabilities = "probabilities";
  gf__onnx_node(onnx, "Flatten", name, &logits, 1, name);
  gf__onnx_int(onnx, "axis", 1);
  if (softmax) gf__onnx_node(onnx, "Softmax", probabilities, &name, 1, probabilities);
  if (softmax) gf__onnx_int(onnx, "axis", 1);
  gf__onnx_output(onnx, softmax ? probabilities : name, (int64_t[]){classes}, 1);
}

static gf_status add_nodes(gf__onnx *onnx, const gf__stored *stored, gf__onnx_value *values) {
  const gf__graph *graph = &stored->graph;
  const gf__named_tensor *tensor = stored->tensors;
  for (int i = 0; i + 1 < graph->count; i++) {
    const gf_node *node = graph->nodes[i];
    gf__onnx_value in[GF__MOST_INPUTS];
    for (int k = 0; k < node->parameter_count; k++, tensor++)
      if (!node->trains_only) gf__onnx_weight(onnx, tensor);
    if (node->trains_only) continue;
    for (int k = 0; k < node->in_count; k++) in[k] = *value_of(graph, values, node->in[k]);
    GF_TRY(gf__onnx_layer(onnx, node, in, &values[i + 1]));
  }
  return GF_OK;
}

static gf_status add_graph(gf__onnx *onnx, const gf__stored *stored, bool softmax) {
  const gf__graph *graph = &stored->graph;
  const gf__tensor *input = &graph->input;
  gf__onnx_value *values = calloc((size_t)graph->count + 1, sizeof *values);
  if (!values) return gf__fail_host_memory((size_t)graph->count * sizeof *values);
  values[0] = (gf__onnx_value){"images", GF__ONNX_IMAGE};
  gf__onnx_input(onnx, values[0].name, (int64_t[]){input->c, input->h, input->w}, 3);
  gf_status status = add_nodes(onnx, stored, values);
  if (status == GF_OK)
    add_output(onnx, value_of(graph, values, gf__stored_logits(stored))->name, stored->info.classes,
               softmax);
  free(values);
  return status;
}

/* ---- the metadata ---- */

static void note_numbers(gf__onnx *onnx, const char *key, const gf__floats *numbers) {
  gf__text text = {0};
  for (int i = 0; i < numbers->count; i++)
    gf__text_add(&text, "%s%.9g", i ? ", " : "", numbers->v[i]);
  gf__onnx_note(onnx, key, text.data ? text.data : "");
  gf__text_free(&text);
}

static gf_status note_names(gf__onnx *onnx, const gf__class_names *names) {
  json_t *list = json_array();
  for (int i = 0; i < names->count; i++) json_array_append_new(list, json_string(names->v[i]));
  char *text = (int)json_array_size(list) == names->count ? json_dumps(list, 0) : NULL;
  json_decref(list);
  if (!text)
    return gf__fail(GF_ERROR_DATA,
                    "no list of the classes: a name is not UTF-8, or memory ran out");
  gf__onnx_note(onnx, "class_names", text);
  free(text);
  return GF_OK;
}

static void note_sizes(gf__onnx *onnx, const char *key, const int *sizes, int count) {
  gf__floats numbers = {.count = count};
  for (int i = 0; i < count; i++) numbers.v[i] = sizes[i];
  note_numbers(onnx, key, &numbers);
}

/* What an image file goes through before the network: all in the order in which it is done. */
static gf_status note_images(gf__onnx *onnx, const gf_dataset *data, int classes) {
  const gf__data_source source = {
      .format = data->format, .settings = &data->settings, .files = data->format->train};
  gf__data_input input = data->format->input_of(data);
  gf__class_names names;
  note_sizes(onnx, "resize", input.cover, 2);
  note_sizes(onnx, "crop", input.crop, 2);
  note_sizes(onnx, "border", input.border, 4);
  note_numbers(onnx, "mean", &data->settings.mean);
  note_numbers(onnx, "std", &data->settings.std);
  gf_status status = gf__class_names_find(&names, &source, "the network", classes);
  if (status == GF_OK && names.v) status = note_names(onnx, &names);
  gf__class_names_free(&names);
  return status;
}

static gf_status add_notes(gf__onnx *onnx, const gf__stored *stored, const gf_config *config) {
  const gf__data_format *format = gf__data_format_find(stored->info.name);
  gf_dataset *data;
  gf__onnx_note(onnx, "data", format->name);
  gf__onnx_note(onnx, "input", format->input);
  if (!format->read_file) return GF_OK; /* what the words say cannot be done to an image file */
  GF_TRY(gf__dataset_open_empty(&data, config));
  gf_status status = note_images(onnx, data, stored->info.classes);
  gf_dataset_free(&data);
  return status;
}

/* ---- the file ---- */

static gf_status write(const gf__stored *stored, const gf_config *config, bool softmax,
                       const char *path) {
  gf__onnx *onnx = NULL;
  GF_TRY(gf__onnx_new(&onnx));
  gf_status status = add_notes(onnx, stored, config);
  if (status == GF_OK) status = add_graph(onnx, stored, softmax);
  if (status == GF_OK) status = gf__onnx_write(onnx, "network", path);
  gf__onnx_free(&onnx);
  return status;
}

gf_status gf_export_onnx(const char *run_folder, const char *path, const gf_export_options *options,
                         gf_conversion *out) {
  const gf_export_options usual = gf_export_options_default();
  gf_conversion result;
  gf__stored stored = {0};
  gf_config *config;
  if (!options) options = &usual;
  gf_status status = gf__export_begin(run_folder, path, options, &config, &result);
  if (status == GF_OK) status = gf__stored_open(&stored, config, result.weights, run_folder);
  if (status == GF_OK) status = write(&stored, config, options->softmax, path);
  if (status == GF_OK && out) gf__stored_describe(&stored, result.weights, out);
  gf__stored_free(&stored);
  gf_config_free(&config);
  return status;
}
