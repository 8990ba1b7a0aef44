#include "device/kernel_cache.h"

#include <sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cache.h"
#include "base/os.h"

/* Changes when what a file holds changes its meaning. */
#define FORMAT "gradflow kernels 2"

enum {
  DIGEST = SHA256_DIGEST_STRING_LENGTH - 1, /* characters */
  HEAD = sizeof FORMAT + DIGEST + 1,        /* two lines */
  LARGEST = 256 << 20                       /* bytes; binaries of drivers have a few million */
};

gf_status gf__kernel_cache_path(const gf_device *device, const gf__text *source,
                                const char *options, char *out, size_t size) {
  char name[GF__CACHE_DIGEST_SIZE + 8], digest[GF__CACHE_DIGEST_SIZE];
  const gf_device_info *info = gf_device_describe(device);
  gf__text key = {0};
  gf__text_add(&key, "%s\n%s\n", FORMAT, options);
  gf__device_key(info, &key);
  gf__text_add_bytes(&key, source->data, source->size);
  GF_TRY(gf__cache_digest(&key, digest));
  snprintf(name, sizeof name, "%s.bin", digest);
  return gf__cache_path(out, size, name);
}

static void write_head(char out[HEAD + 1], const void *binary, size_t size) {
  char digest[SHA256_DIGEST_STRING_LENGTH];
  SHA256Data(binary, size, digest);
  snprintf(out, HEAD + 1, "%s\n%s\n", FORMAT, digest);
}

unsigned char *gf__kernel_cache_read(const char *path, size_t *size) {
  char *file, head[HEAD + 1];
  size_t all;
  if (!gf__path_exists(path) || gf__cache_read(path, LARGEST, &file, &all) != GF_OK) return NULL;
  *size = all > HEAD ? all - HEAD : 0;
  if (*size) write_head(head, file + HEAD, *size);
  if (*size == 0 || memcmp(file, head, HEAD) != 0) {
    free(file);
    return NULL;
  }
  memmove(file, file + HEAD, *size);
  return (unsigned char *)file;
}

gf_status gf__kernel_cache_write(const char *path, const void *binary, size_t size) {
  char head[HEAD + 1];
  gf__text file = {0};
  write_head(head, binary, size);
  gf__text_add_bytes(&file, head, HEAD);
  gf__text_add_bytes(&file, binary, size);
  gf_status status = gf__text_status(&file);
  if (status == GF_OK) status = gf__cache_write(path, file.data, file.size);
  gf__text_free(&file);
  return status;
}
