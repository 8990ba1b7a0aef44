/* CIFAR-10's file of test images. */
#define _XOPEN_SOURCE 700
#include "fuzz_data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_file("test_batch.bin", data, size);
  fuzz_dataset(fuzz_config("cifar10", "[1, 1, 1]"));
  return 0;
}
