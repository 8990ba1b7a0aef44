/* A file of the kernel cache; and that what is written, the input, is read again. */
#define _XOPEN_SOURCE 700
#include "device/kernel_cache.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  size_t read = 0;
  const char *path = fuzz_file("a.bin", data, size);
  unsigned char *binary = gf__kernel_cache_read(path, &read);
  if (binary && (read >= size || memcmp(binary, data + size - read, read) != 0))
    fuzz_fail("a binary that is not in the file");
  free(binary);
  if (gf__kernel_cache_write(path, data, size) != GF_OK) fuzz_fail("it cannot be written");
  binary = gf__kernel_cache_read(path, &read);
  if ((binary != NULL) != (size > 0)) fuzz_fail("what was written is not read");
  if (binary && (read != size || memcmp(binary, data, size) != 0))
    fuzz_fail("what was written is read as something else");
  free(binary);
  return 0;
}
