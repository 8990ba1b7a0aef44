/* The files that data sets are read from. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/os.h"
#include "data/dataset.h"

static gf_status check_regular(const char *path) {
  if (gf__path_is_folder(path))
    return gf__fail(GF_ERROR_FILE, "cannot read %s: it is a folder", path);
  if (!gf__path_exists(path) || gf__path_is_regular(path)) return GF_OK;
  return gf__fail(GF_ERROR_FILE,
                  "cannot read %s: it is no regular file, but a device, a pipe or a socket", path);
}

gf_status gf__data_file_size(const char *path, int64_t *out) {
  GF_TRY(check_regular(path));
  FILE *file = fopen(path, "rb");
  if (!file) return gf__fail(GF_ERROR_FILE, "cannot open %s: %s", path, strerror(errno));
  long size = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
  int error = errno;
  fclose(file);
  if (size < 0)
    return gf__fail(GF_ERROR_FILE, "cannot tell the size of %s: %s", path, strerror(error));
  *out = size;
  return GF_OK;
}

gf_status gf__data_find_file(const gf__data_source *source, const char *file,
                             char path[GF__PATH_SIZE]) {
  GF_TRY(gf__path_join(path, GF__PATH_SIZE, source->settings->path, file));
  if (!gf__path_exists(path)) return gf__data_fail_missing(source, file);
  return check_regular(path);
}

gf_status gf__data_fail_missing(const gf__data_source *source, const char *file) {
  return gf__fail(GF_ERROR_FILE, "there is no %s in %s; %s is read from %s; %s", file,
                  source->settings->path, source->format->name, source->format->files,
                  source->format->source);
}

gf_status gf__data_fail_no_path(const gf__data_source *source) {
  return gf__fail(GF_ERROR_CONFIG, "data.path is missing: %s is read from %s", source->format->name,
                  source->format->files);
}
