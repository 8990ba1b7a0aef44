/* A network and its weights in host memory. */
#ifndef GF_CONVERT_STORED_H
#define GF_CONVERT_STORED_H

#include <gradflow/convert.h>

#include "data/dataset.h"
#include "model/graph.h"
#include "model/safetensors.h"

typedef struct gf__stored {
  gf_dataset_info info; /* of the data set; class_names is NULL */
  gf__graph graph;      /* not fused, with the loss at its end */
  gf__named_tensor *tensors;
  size_t count; /* of parameters, in the order of the nodes */
} gf__stored;

/* The config's network with the weights of a file. run_folder is that of the run that the weights
 * are of, or NULL for weights from elsewhere. Free *out, also after a failure. */
gf_status gf__stored_open(gf__stored *out, const gf_config *config, const char *weights,
                          const char *run_folder) GF_MUST_USE;
/* The config's network with values that the caller fills in; where the config does not say how many
 * classes there are, there are so many. Free *out, also after a failure. */
gf_status gf__stored_open_empty(gf__stored *out, const gf_config *config, int classes) GF_MUST_USE;
void gf__stored_free(gf__stored *stored);
/* The tensor that the network's outputs come from. */
const gf__tensor *gf__stored_logits(const gf__stored *stored);
/* weights: the path of the file. */
void gf__stored_describe(const gf__stored *stored, const char *weights, gf_conversion *out);

/* import.c: checks all sections of a config, whoever reads them later. */
gf_status gf__import_check_config(const gf_config *config) GF_MUST_USE;
/* import.c: makes the run folder that options name, after gf__run_folder_check. */
gf_status gf__import_make_folder(const gf__stored *stored, const gf_config *config,
                                 const gf_import_options *options) GF_MUST_USE;

/* The config of a run folder, and the path of its weights or of options->weights. GF_ERROR_ARGUMENT
 * if path, where the export goes, is there and not to be replaced. The caller frees *config. */
gf_status gf__export_begin(const char *run_folder, const char *path,
                           const gf_export_options *options, gf_config **config,
                           gf_conversion *out) GF_MUST_USE;

#endif
