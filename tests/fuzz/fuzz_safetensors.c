/* A file of weights, read as the weights of a small network and as a checkpoint. */
#define _XOPEN_SOURCE 700
#include "fuzz.h"
#include "model/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  float weight[6], bias[3];
  gf__named_tensor tensors[] = {
      {.name = "a.weight", .dims = {3, 2}, .dim_count = 2, .count = 6, .values = weight},
      {.name = "a.bias", .dims = {3}, .dim_count = 1, .count = 3, .values = bias}};
  char *metadata = NULL;
  const char *path = fuzz_file("a.safetensors", data, size);
  gf_status status = gf__safetensors_read(path, tensors, 2);
  if (status != GF_OK && status != GF_ERROR_DATA) fuzz_fail("the target is wrong");
  status = gf__safetensors_metadata(path, &metadata);
  if ((status == GF_OK) != (metadata != NULL)) fuzz_fail("metadata after a failure");
  free(metadata);
  return 0;
}
