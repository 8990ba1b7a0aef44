/* A hyperspectral scene. Input: length of the ground truth (2 bytes), its file, the cube's file. */
#define _XOPEN_SOURCE 700
#include "data/dataset.h"
#include "fuzz_data.h"

enum { PATCH = 5 };

static const gf_config *config(void) {
  static const char format[] =
      "data: {name: hyperspectral, path: \"%s\", cube: scene.mat, ground_truth: truth.mat, "
      "patch: %d, train_fraction: 0.5, validation_fraction: 0.1, bands: 0, classes: 0, validation: "
      "-1, split_seed: 0, "
      "train_limit: 0, test_limit: 0, pad_to: 0, crop_padding: 0, flip: false, cutout: 0, "
      "jitter: 0, mixup: 0, mean: [], std: []}\n";
  char yaml[1024];
  snprintf(yaml, sizeof yaml, format, fuzz_folder(), PATCH);
  return fuzz_parse(yaml);
}

static void read_patches(const gf_dataset *dataset) {
  gf_dataset_info info = gf_dataset_describe(dataset);
  size_t floats = (size_t)PATCH * PATCH * (size_t)info.channels;
  float *patch = malloc(floats * sizeof *patch);
  if (!patch) fuzz_fail("no memory");
  for (int i = 0; i < info.count; i++) {
    dataset->format->render(dataset, (uint32_t)i, &(gf__augmentation){0}, patch);
    for (size_t k = 0; k < floats; k++)
      if (!(patch[k] - patch[k] == 0)) fuzz_fail("a number that is not finite");
  }
  free(patch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  gf_dataset *dataset = NULL;
  if (size < 2) return -1;
  size_t truth = (size_t)data[0] << 8 | data[1];
  if (truth > size - 2) return -1;
  fuzz_file("truth.mat", data + 2, truth);
  fuzz_file("scene.mat", data + 2 + truth, size - 2 - truth);
  gf_status status = gf_dataset_open(&dataset, config(), GF_SPLIT_TRAIN);
  if (status == GF_ERROR_CONFIG || status == GF_ERROR_ARGUMENT) fuzz_fail("the target is wrong");
  if ((status == GF_OK) != (dataset != NULL)) fuzz_fail("a data set after a failure");
  if (dataset) {
    if (gf_dataset_describe(dataset).count < 1) fuzz_fail("an empty data set");
    read_patches(dataset);
  }
  gf_dataset_free(&dataset);
  return 0;
}
