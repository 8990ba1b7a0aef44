#include "base/file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"

gf_status gf__path_join(char *out, size_t size, const char *folder, const char *name) {
  size_t length = strlen(folder);
  bool ends_in_slash = length > 0 && folder[length - 1] == '/';
  int n = snprintf(out, size, "%s%s%s", folder, ends_in_slash ? "" : "/", name);
  if (n < 0 || (size_t)n >= size)
    return gf__fail(GF_ERROR_ARGUMENT, "the path is too long: %s/%s", folder, name);
  return GF_OK;
}

gf_status gf__file_read(const char *path, char **out, size_t *size) {
  *out = NULL;
  if (gf__path_is_folder(path))
    return gf__fail(GF_ERROR_FILE, "cannot read %s: it is a folder", path);
  FILE *file = fopen(path, "rb");
  if (!file) return gf__fail(GF_ERROR_FILE, "cannot open %s: %s", path, strerror(errno));
  char *data = NULL;
  size_t used = 0, capacity = 1 << 16;
  for (;;) {
    char *grown = realloc(data, capacity + 1);
    if (!grown) {
      free(data);
      fclose(file);
      return gf__fail_host_memory(capacity + 1);
    }
    data = grown;
    used += fread(data + used, 1, capacity - used, file);
    if (used < capacity) break;
    capacity *= 2;
  }
  int failed = ferror(file);
  fclose(file);
  if (failed) {
    free(data);
    return gf__fail(GF_ERROR_FILE, "cannot read %s: %s", path, strerror(errno));
  }
  data[used] = 0;
  *out = data;
  *size = used;
  return GF_OK;
}

gf_status gf__file_write(const char *path, const void *bytes, size_t size) {
  char temporary[4096];
  int n = snprintf(temporary, sizeof temporary, "%s.tmp.%d", path, gf__process_id());
  if (n < 0 || (size_t)n >= sizeof temporary)
    return gf__fail(GF_ERROR_ARGUMENT, "the path is too long: %s", path);
  FILE *file = fopen(temporary, "wb");
  if (!file) return gf__fail(GF_ERROR_FILE, "cannot create %s: %s", temporary, strerror(errno));
  gf_status status = GF_OK;
  if (fwrite(bytes, 1, size, file) != size || fflush(file) != 0)
    status = gf__fail(GF_ERROR_FILE, "cannot write %zu bytes to %s: %s; the old file is untouched",
                      size, path, strerror(errno));
  if (status == GF_OK) status = gf__sync_file(file, path);
  if (fclose(file) != 0 && status == GF_OK)
    status = gf__fail(GF_ERROR_FILE, "cannot write %s: %s; the old file is untouched", path,
                      strerror(errno));
  if (status == GF_OK) status = gf__rename(temporary, path);
  if (status != GF_OK) remove(temporary);
  return status;
}
