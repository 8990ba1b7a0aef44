/* Run folders of weights that came from elsewhere. */
#include <stdio.h>
#include <string.h>

#include "convert/stored.h"
#include "model/parameters.h"
#include "run/network.h"
#include "run/run_folder.h"
#include "train/optimizers.h"
#include "train/train_config.h"

/* ---- networks that are known by their tensors ---- */

/* From the deepest on: the first whose tensor is there. Those that are not trained here have no
 * depth. */
static const struct {
  const char *tensor;
  int depth;
} resnets[] = {{"layer3.6.conv1.weight", 0},  /* 101, 152 */
               {"layer1.0.conv3.weight", 50}, /* bottlenecks */
               {"layer1.2.conv1.weight", 34},
               {"layer1.1.conv2.weight", 18}};

gf_status gf_import_guess(gf_config **out, const char *weights) {
  int depth = 0;
  *out = NULL;
  for (size_t i = 0; i < sizeof resnets / sizeof *resnets; i++) {
    long long rows;
    GF_TRY(gf__safetensors_rows(weights, resnets[i].tensor, &rows));
    if (!rows) continue;
    depth = resnets[i].depth;
    break;
  }
  if (!depth)
    return gf__fail(
        GF_ERROR_DATA,
        "%s has not the tensors of torchvision's ResNet-18, -34 or -50; give the config "
        "of its network by --config",
        weights);
  char yaml[128];
  snprintf(yaml, sizeof yaml,
           "data: {name: image_folder}\nmodel: {family: resnet_imagenet, depth: %d}\n", depth);
  return gf_config_parse(out, "the network of the weights", yaml);
}

/* ---- the run folder ---- */

gf_status gf__import_check_config(const gf_config *config) {
  gf__train_config run;
  gf__optimizer_config optimizer;
  GF_TRY(gf__train_config_read(&run, config));
  GF_TRY(gf__optimizer_config_read(&optimizer, config));
  gf__optimizer_config_free(&optimizer);
  return GF_OK;
}

static gf_status fill_folder(const gf__stored *stored, const gf_config *config,
                             const char *folder) {
  char path[GF__PATH_SIZE];
  GF_TRY(gf__network_write(folder, config, &stored->info, (gf__record_images){0}));
  GF_TRY(gf__run_path(path, folder, "last.safetensors"));
  GF_TRY(gf__safetensors_write(path, stored->tensors, stored->count, NULL));
  return gf__run_folder_end(folder, GF_RUN_FINISHED, NULL);
}

gf_status gf__import_make_folder(const gf__stored *stored, const gf_config *config,
                                 const gf_import_options *options) {
  gf__run_folder folder;
  gf__text yaml = {0};
  gf__value_write(&yaml, 0, gf__config_root(config));
  gf_status status = gf__text_status(&yaml);
  if (status == GF_OK) {
    status = gf__run_folder_create(&folder, options->out, options->overwrite, GF__RUN_IMPORTED,
                                   &yaml, NULL);
    if (status == GF_OK) status = fill_folder(stored, config, options->out);
    gf__run_folder_free(&folder);
  }
  gf__text_free(&yaml);
  return status;
}

gf_import_options gf_import_options_default(void) { return (gf_import_options){.out = NULL}; }

gf_status gf_import(const gf_config *config, const char *weights, const gf_import_options *options,
                    gf_conversion *result) {
  gf__stored stored = {0};
  const char *needed[] = {gf__config_path(config), weights, NULL};
  gf_status status = gf__run_folder_check(options->out, options->overwrite, needed);
  if (status == GF_OK) status = gf__import_check_config(config);
  if (status == GF_OK) status = gf__stored_open(&stored, config, weights, NULL);
  if (status == GF_OK)
    status = gf__named_tensors_check_finite(weights, stored.tensors, stored.count);
  if (status == GF_OK) status = gf__import_make_folder(&stored, config, options);
  if (status == GF_OK && result) gf__stored_describe(&stored, weights, result);
  gf__stored_free(&stored);
  return status;
}
