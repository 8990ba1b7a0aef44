/* MNIST's two files. Input: compressed or not (1 byte), length of the labels (2 bytes), the file of
 * labels, the file of images. */
#define _XOPEN_SOURCE 700
#include "fuzz_data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const names[2][2] = {{"t10k-labels-idx1-ubyte", "t10k-labels-idx1-ubyte.gz"},
                                          {"t10k-images-idx3-ubyte", "t10k-images-idx3-ubyte.gz"}};
  const gf_config *config = fuzz_config("mnist", "1");
  if (size < 3) return -1;
  int packed = data[0] & 1;
  size_t labels = (size_t)data[1] << 8 | data[2];
  if (labels > size - 3) return -1;
  for (int i = 0; i < 2; i++) remove(fuzz_file(names[i][!packed], "", 0));
  fuzz_file(names[0][packed], data + 3, labels);
  fuzz_file(names[1][packed], data + 3 + labels, size - 3 - labels);
  fuzz_dataset(config);
  return 0;
}
