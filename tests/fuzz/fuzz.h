/* What the fuzz targets share: a folder of their own for the files that readers want, and the
 * ends of a target. */
#ifndef FUZZ_H
#define FUZZ_H

/* The including file defines _XOPEN_SOURCE 700 for mkdtemp. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gradflow/status.h>

#include "base/os.h"

/* libFuzzer calls it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Something is wrong that no sanitizer sees. */
static inline void fuzz_fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, gf_error_message());
  abort();
}

static char fuzz_folder_[256];

static inline void fuzz_remove_folder(void) {
  if (gf__remove_folder(fuzz_folder_) != GF_OK) fuzz_fail("the folder stays");
}

/* Made at the first call, and removed at the end. */
static inline const char *fuzz_folder(void) {
  if (*fuzz_folder_) return fuzz_folder_;
  const char *parent = getenv("TMPDIR");
  snprintf(fuzz_folder_, sizeof fuzz_folder_, "%s/gradflow-fuzz-XXXXXX", parent ? parent : "/tmp");
  if (!mkdtemp(fuzz_folder_)) fuzz_fail("no folder");
  atexit(fuzz_remove_folder);
  return fuzz_folder_;
}

/* The path of a name in the folder; valid until the next call. */
static inline const char *fuzz_path(const char *name) {
  static char path[512];
  snprintf(path, sizeof path, "%s/%s", fuzz_folder(), name);
  return path;
}

/* The path of a file in the folder, with the bytes in it; valid until the next call. */
static inline const char *fuzz_file(const char *name, const void *bytes, size_t size) {
  const char *path = fuzz_path(name);
  FILE *file = fopen(path, "wb"); /* without the sync of gf__file_write, for speed */
  if (!file || (size && fwrite(bytes, size, 1, file) != 1) || fclose(file) != 0)
    fuzz_fail("no file");
  return path;
}

/* The bytes as a text, which the caller frees. */
static inline char *fuzz_text(const void *bytes, size_t size) {
  char *text = malloc(size + 1);
  if (!text) fuzz_fail("no memory");
  if (size) memcpy(text, bytes, size);
  text[size] = 0;
  return text;
}

#endif
