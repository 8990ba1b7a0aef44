/* A network as a list of nodes: the shapes that follow from it. */
#define _XOPEN_SOURCE 700
#include <gradflow/model.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  gf_config *config = NULL;
  gf_layer_summary *layers = NULL;
  int count = 0;
  if (gf_config_load(&config, fuzz_file("a.yaml", data, size)) != GF_OK) return 0;
  gf_status status = gf_model_summarise(&layers, &count, config, (gf_image_shape){8, 8, 3}, 10);
  if ((status == GF_OK) != (layers != NULL)) fuzz_fail("layers after a failure");
  for (int i = 0; layers && i < count; i++) {
    const gf_layer_summary *l = &layers[i];
    double floats = (double)l->depth * l->output.height * l->output.width * l->output.channels;
    if (l->output.height < 1 || l->output.width < 1 || l->output.channels < 1)
      fuzz_fail("an output of nothing");
    if ((double)l->bytes != 4 * floats) fuzz_fail("a size that went round");
    if (!(l->flops >= 0)) fuzz_fail("operations that are less than none");
  }
  free(layers);
  gf_config_free(&config);
  return 0;
}
