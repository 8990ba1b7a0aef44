#include "base/cache.h"

#include <sha256.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/file.h"
#include "base/os.h"

_Static_assert(GF__CACHE_DIGEST_SIZE == SHA256_DIGEST_STRING_LENGTH, "digits and a NUL");

gf_status gf__cache_digest(gf__text *key, char out[GF__CACHE_DIGEST_SIZE]) {
  gf_status status = gf__text_status(key);
  out[0] = 0;
  if (status == GF_OK) SHA256Data((const uint8_t *)key->data, key->size, out);
  gf__text_free(key);
  return status;
}

gf_status gf__cache_path(char *out, size_t size, const char *name) {
  char folder[3072], real[3072];
  GF_TRY(gf__cache_folder(folder, sizeof folder));
  GF_TRY(gf__make_private_folder(folder));
  GF_TRY(gf__private_path(real, sizeof real, folder));
  return gf__path_join(out, size, real, name);
}

gf_status gf__cache_read(const char *path, size_t largest, char **out, size_t *size) {
  char real[GF__PATH_SIZE];
  *out = NULL;
  GF_TRY(gf__private_path(real, sizeof real, path));
  return gf__file_read_within(real, largest, out, size);
}

/* Once a process: what others have left, killed as they wrote. */
static void sweep_once(const char *path) {
  static atomic_flag is_swept = ATOMIC_FLAG_INIT;
  char folder[GF__PATH_SIZE];
  if (atomic_flag_test_and_set(&is_swept)) return;
  snprintf(folder, sizeof folder, "%.*s", (int)(gf__path_base(path) - path), path);
  gf__remove_abandoned(folder, NULL);
}

gf_status gf__cache_write(const char *path, const void *bytes, size_t size) {
  sweep_once(path);
  return gf__file_write_private(path, bytes, size);
}
