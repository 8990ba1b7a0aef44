/* A config file, and an override of it, which is all behind the first NUL. What is read is written
 * and read again. */
#define _XOPEN_SOURCE 700
#include <gradflow/config.h>

#include "base/config.h"
#include "data/dataset.h"
#include "fuzz.h"

static void check_written(const gf__value *root) {
  gf_config *again = NULL;
  gf__text first = {0}, second = {0};
  gf__value_write(&first, 0, root);
  if (gf_config_parse(&again, "again", first.data ? first.data : "") != GF_OK)
    fuzz_fail("what was written cannot be read");
  gf__value_write(&second, 0, gf__config_root(again));
  if (first.size != second.size || (first.size && memcmp(first.data, second.data, first.size)))
    fuzz_fail("what was written reads as something else");
  gf__text_free(&first);
  gf__text_free(&second);
  gf_config_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
  size_t length = nul ? (size_t)(nul - data) : size;
  gf_config *config = NULL;
  gf_dataset_info info;
  if (gf_config_load(&config, fuzz_file("a.yaml", data, length)) != GF_OK) return 0;
  if (nul) {
    char *assignment = calloc(size - length + 1, 1);
    if (!assignment) return -1;
    memcpy(assignment, nul + 1, size - length - 1);
    /* Whether it fits or not, the config stays whole. */
    (void)!gf_config_set(config, assignment);
    free(assignment);
  }
  check_written(gf__config_root(config));
  (void)!gf__data_expect(&info, config);
  gf_config_free(&config);
  return 0;
}
