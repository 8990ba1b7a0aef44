#include "data/class_names.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/os.h"
#include "data/dataset.h"

enum { LARGEST_FILE = 1 << 20, LONGEST_NAME = 256 }; /* bytes */

/* Cuts the text into its lines that are not empty. */
static gf_status cut_lines(gf__class_names *names, const char *path) {
  size_t capacity = 1;
  for (size_t i = 0; i < names->text.size; i++)
    capacity += names->text.data[i] == '\n' || names->text.data[i] == '\r';
  names->v = calloc(capacity, sizeof *names->v);
  if (!names->v) return gf__fail_host_memory(capacity * sizeof *names->v);
  for (char *line = names->text.data; line && *(line += strspn(line, "\r\n"));) {
    size_t length = strcspn(line, "\r\n");
    names->v[names->count++] = line;
    if (length > LONGEST_NAME)
      return gf__fail(GF_ERROR_DATA, "%s: class name %d has %zu bytes; names have at most %d", path,
                      names->count, length, LONGEST_NAME);
    line += length;
    if (*line) *line++ = 0;
  }
  return GF_OK;
}

static gf_status cut_names(gf__class_names *names, const char *path, const char *owner,
                           int classes) {
  GF_TRY(gf__text_status(&names->text));
  GF_TRY(cut_lines(names, path));
  if (names->count == classes) return GF_OK;
  return gf__fail(GF_ERROR_DATA,
                  "%s has %d class name%s, but %s has %d classes; give one name per "
                  "line",
                  path, names->count, names->count == 1 ? "" : "s", owner, classes);
}

gf_status gf__class_names_read(gf__class_names *out, const char *path, const char *owner,
                               int classes) {
  char *text = NULL;
  size_t size = 0;
  *out = (gf__class_names){0};
  GF_TRY(gf__file_read_within(path, LARGEST_FILE, &text, &size));
  bool has_nul = strlen(text) != size;
  gf__text_add_bytes(&out->text, text, size);
  free(text);
  if (has_nul)
    return gf__fail(GF_ERROR_DATA, "%s is no text with one class name per line: it has a NUL byte",
                    path);
  return cut_names(out, path, owner, classes);
}

gf_status gf__class_names_find(gf__class_names *out, const gf__data_source *source,
                               const char *owner, int classes) {
  const gf__data_format *format = source->format;
  const char *folder = source->settings->path;
  const char *file = format->list_classes ? format->train[0] : format->names_file;
  char path[GF__PATH_SIZE];
  *out = (gf__class_names){0};
  if (file && *folder) {
    GF_TRY(gf__path_join(path, sizeof path, folder, file));
    bool exists = gf__path_exists(path);
    if (exists && !format->list_classes) return gf__class_names_read(out, path, owner, classes);
    if (exists && format->list_classes) {
      GF_TRY(format->list_classes(source, &out->text));
      return cut_names(out, path, owner, classes);
    }
  }
  if (!format->class_names) return GF_OK;
  for (int i = 0; i < format->classes; i++)
    gf__text_add(&out->text, "%s\n", format->class_names[i]);
  return cut_names(out, format->name, owner, classes);
}

void gf__class_names_free(gf__class_names *names) {
  free(names->v);
  gf__text_free(&names->text);
  *names = (gf__class_names){0};
}
