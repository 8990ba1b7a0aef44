/* One image of an image folder. */
#define _XOPEN_SOURCE 700
#include "data/image.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  uint8_t pixels[32 * 32 * 3];
  const char *path = fuzz_file("image", data, size);
  if (gf__image_read(path, &(gf__image_fit){40, 40, 32, 32}, pixels) == GF_ERROR_FILE)
    fuzz_fail("the target is wrong");
  return 0;
}
