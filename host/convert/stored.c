#include "convert/stored.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "model/network_config.h"
#include "model/parameters.h"
#include "run/network.h"
#include "run/run_folder.h"
#include "train/train_config.h"

/* The shape and the classes that the network of a run has. */
static gf_status read_run(gf_dataset_info *info, const char *run_folder) {
  gf__network network;
  gf_status status = gf__network_read_shaped(&network, run_folder);
  info->height = network.image.height;
  info->width = network.image.width;
  info->channels = network.image.channels;
  info->classes = network.classes;
  gf__network_free(&network);
  return status;
}

/* What the data are like: by the run where there is one, else by the config where that is enough,
 * else by the files or the weights. */
static gf_status describe_data(gf__stored *s, const gf_config *config, const char *weights,
                               const char *run_folder) {
  gf_dataset_info *info = &s->info;
  GF_TRY(gf__data_recall(info, config));
  if (run_folder) return read_run(info, run_folder);
  if (info->classes) return GF_OK;
  return gf__weights_classes(&info->classes, config,
                             (gf_image_shape){info->height, info->width, info->channels}, weights);
}

static gf_status make_tensors(gf__stored *s) {
  size_t most = 0;
  for (int i = 0; i < s->graph.count; i++) most += (size_t)s->graph.nodes[i]->parameter_count;
  s->tensors = calloc(most + 1, sizeof *s->tensors);
  if (!s->tensors) return gf__fail_host_memory(most * sizeof *s->tensors);
  for (int i = 0; i < s->graph.count; i++)
    for (int k = 0; k < s->graph.nodes[i]->parameter_count; k++)
      GF_TRY(gf__parameter_tensor(&s->graph.nodes[i]->parameters[k], "", &s->tensors[s->count++]));
  return GF_OK;
}

static gf_status build(gf__stored *s, const gf_config *config) {
  gf__network_config network;
  gf__tensor *input = &s->graph.input;
  input->h = s->info.height;
  input->w = s->info.width;
  input->c = s->info.channels;
  GF_TRY(gf__network_config_read(&network, config));
  gf_status status = gf__network_build(&s->graph, &network, s->info.classes, true);
  gf__network_config_free(&network);
  return status == GF_OK ? gf__network_check_classes(gf__stored_logits(s), s->info.classes)
                         : status;
}

gf_status gf__stored_open(gf__stored *out, const gf_config *config, const char *weights,
                          const char *run_folder) {
  *out = (gf__stored){0};
  GF_TRY(describe_data(out, config, weights, run_folder));
  GF_TRY(build(out, config));
  GF_TRY(make_tensors(out));
  return gf__safetensors_read(weights, out->tensors, out->count);
}

gf_status gf__stored_open_empty(gf__stored *out, const gf_config *config, int classes) {
  *out = (gf__stored){0};
  GF_TRY(gf__data_recall(&out->info, config));
  if (!out->info.classes) out->info.classes = classes;
  GF_TRY(build(out, config));
  return make_tensors(out);
}

void gf__stored_free(gf__stored *stored) {
  gf__named_tensors_free(stored->tensors, stored->count);
  gf__graph_free(&stored->graph);
  *stored = (gf__stored){0};
}

const gf__tensor *gf__stored_logits(const gf__stored *stored) {
  return stored->graph.nodes[stored->graph.count - 1]->in[0];
}

void gf__stored_describe(const gf__stored *stored, const char *weights, gf_conversion *out) {
  const gf_dataset_info *info = &stored->info;
  *out = (gf_conversion){.image = {info->height, info->width, info->channels},
                         .classes = info->classes};
  snprintf(out->weights, sizeof out->weights, "%s", weights);
  for (int i = 0; i < stored->graph.count; i++)
    for (int k = 0; k < stored->graph.nodes[i]->parameter_count; k++) {
      const gf__parameter *p = &stored->graph.nodes[i]->parameters[k];
      if (p->trainable) out->parameters += p->count;
    }
}

gf_export_options gf_export_options_default(void) { return (gf_export_options){.weights = NULL}; }

gf_status gf__export_begin(const char *run_folder, const char *path,
                           const gf_export_options *options, gf_config **config,
                           gf_conversion *out) {
  char file[GF__PATH_SIZE];
  gf__train_config run;
  *config = NULL;
  *out = (gf_conversion){0};
  if (gf__path_exists(path) && !options->overwrite)
    return gf__fail(GF_ERROR_ARGUMENT,
                    "%s exists; choose another name, or replace it with --overwrite", path);
  if (gf__path_exists(path) && gf__run_files_have(path))
    return gf__fail(GF_ERROR_ARGUMENT, "%s is a file of a run, which needs it; choose another name",
                    path);
  GF_TRY(gf__run_path(file, run_folder, "config.yaml"));
  if (!gf__path_exists(file))
    return gf__fail(GF_ERROR_FILE,
                    "%s is no run folder: it has no config.yaml; name a folder that gradflow train "
                    "or gradflow import has made",
                    run_folder);
  if (!options->weights)
    GF_TRY(gf__run_weights(out->weights, run_folder));
  else if (strlen(options->weights) >= sizeof out->weights)
    return gf__fail(GF_ERROR_ARGUMENT, "the path is too long: %s", options->weights);
  else
    strcpy(out->weights, options->weights);
  GF_TRY(gf__run_config_load(config, run_folder));
  return gf__train_config_read(&run, *config);
}
