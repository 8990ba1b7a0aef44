/* Overrides of a config, one a line, and what all its sections make of them: the network's shapes,
 * the optimizer, the schedule, the run. */
#define _XOPEN_SOURCE 700
#include <gradflow/model.h>

#include "data/dataset.h"
#include "fuzz.h"
#include "train/optimizers.h"
#include "train/train_config.h"

static const char base_[] =
    "data: {name: cifar10, path: nowhere}\n"
    "model: {family: resnet_cifar, depth: 20}\n"
    "train: {epochs: 2}\n"
    "optimizer: {name: adam}\n"
    "schedule: {name: cosine}\n";

static void summarise(const gf_config *config) {
  gf_dataset_info info;
  gf_layer_summary *layers;
  int count;
  if (gf__data_expect(&info, config) != GF_OK) return;
  gf_image_shape image = {info.height, info.width, info.channels};
  gf_status status = gf_model_summarise(&layers, &count, config, image, info.classes);
  if ((status == GF_OK) != (layers != NULL)) fuzz_fail("layers after a failure");
  for (int i = 0; layers && i < count; i++)
    if (layers[i].output.height < 1 || layers[i].output.width < 1 || layers[i].output.channels < 1)
      fuzz_fail("an output of nothing");
  free(layers);
}

static void read_sections(const gf_config *config) {
  gf__train_config run;
  gf__optimizer_config optimizer;
  gf__text written = {0};
  if (gf__train_config_read(&run, config) == GF_OK) gf__train_config_write(&written, &run);
  if (gf__optimizer_config_read(&optimizer, config) == GF_OK) {
    gf__optimizer_config_write(&written, &optimizer);
    gf__optimizer_config_free(&optimizer);
  }
  gf_config *again = NULL;
  if (gf_config_parse(&again, "again", written.data ? written.data : "") != GF_OK)
    fuzz_fail("what was written cannot be read");
  gf_config_free(&again);
  gf__text_free(&written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  gf_config *config = NULL;
  if (gf_config_parse(&config, "base", base_) != GF_OK) fuzz_fail("no config");
  char *text = fuzz_text(data, size);
  for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
    (void)!gf_config_set(config, line);
  free(text);
  read_sections(config);
  summarise(config);
  gf_config_free(&config);
  return 0;
}
