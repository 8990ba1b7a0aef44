/* The test split of a data set in the fuzz target's folder. */
#ifndef FUZZ_DATA_H
#define FUZZ_DATA_H

#include <gradflow/data.h>

#include "fuzz.h"

static gf_config *fuzz_config_;

static inline void fuzz_free_config(void) { gf_config_free(&fuzz_config_); }

/* The config of the first call. */
static inline const gf_config *fuzz_parse(const char *yaml) {
  if (fuzz_config_) return fuzz_config_;
  if (gf_config_parse(&fuzz_config_, "fuzz", yaml) != GF_OK) fuzz_fail("no config");
  atexit(fuzz_free_config);
  return fuzz_config_;
}

static inline const gf_config *fuzz_config(const char *name, const char *mean) {
  static const char format[] =
      "data: {name: %s, path: \"%s\", validation: 0, split_seed: 0, train_limit: 0, test_limit: 0, "
      "pad_to: 0, crop_padding: 0, flip: false, cutout: 0, jitter: 0, mixup: 0, mean: %s, "
      "std: %s}\n";
  char yaml[1024];
  snprintf(yaml, sizeof yaml, format, name, fuzz_folder(), mean, mean);
  return fuzz_parse(yaml);
}

/* Opens the split; what it holds after a success is in range. */
static inline void fuzz_dataset(const gf_config *config) {
  gf_dataset *dataset = NULL;
  gf_status status = gf_dataset_open(&dataset, config, GF_SPLIT_TEST);
  if (status == GF_ERROR_CONFIG || status == GF_ERROR_ARGUMENT) fuzz_fail("the target is wrong");
  if ((status == GF_OK) != (dataset != NULL)) fuzz_fail("a data set after a failure");
  if (dataset && gf_dataset_describe(dataset).count < 1) fuzz_fail("an empty data set");
  gf_dataset_free(&dataset);
}

#endif
