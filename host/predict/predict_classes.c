/* What the classes of a network are called. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/os.h"
#include "predict/predict.h"

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

static gf_status read_file(gf__class_names *names, const char *path) {
  char *text = NULL;
  size_t size = 0;
  GF_TRY(gf__file_read_within(path, LARGEST_FILE, &text, &size));
  bool has_nul = strlen(text) != size;
  gf__text_add_bytes(&names->text, text, size);
  free(text);
  if (has_nul)
    return gf__fail(GF_ERROR_DATA, "%s is no text with a class name a line: it has a NUL byte",
                    path);
  GF_TRY(gf__text_status(&names->text));
  return cut_lines(names, path);
}

/* Those of the data set's row, of its names file or of its folders. None is no error. */
static gf_status read_data_set(gf__class_names *names, const gf__predict_input *input,
                               char path[GF__DATA_LARGEST_PATH]) {
  const gf__data_settings *settings = &input->settings;
  const gf__data_set *set = &gf__data_sets[settings->name];
  for (int i = 0; set->class_names && i < set->classes; i++)
    gf__text_add(&names->text, "%s\n", set->class_names[i]);
  if (set->class_names) {
    GF_TRY(gf__text_status(&names->text));
    return cut_lines(names, set->name);
  }
  const char *file = set->names ? set->train[0] : set->names_file;
  GF_TRY(gf__path_join(path, GF__DATA_LARGEST_PATH, settings->path, file));
  if (!*settings->path || !gf__path_exists(path)) return GF_OK;
  if (!set->names) return read_file(names, path);
  gf__data_source source = {set, settings, set->train};
  GF_TRY(set->names(&source, &names->text));
  return cut_lines(names, path);
}

static gf_status fail_count(int names, int classes, const char *path) {
  return gf__fail(GF_ERROR_DATA,
                  "%s has %d class name%s, but the network has %d classes; give one name a line",
                  path, names, names == 1 ? "" : "s", classes);
}

gf_status gf__class_names_read(gf__class_names *out, const gf__predict_input *input,
                               const char *file) {
  char path[GF__DATA_LARGEST_PATH] = "";
  const gf_dataset_info *info = &input->info;
  *out = (gf__class_names){0};
  GF_TRY(file ? read_file(out, file) : read_data_set(out, input, path));
  if (!out->v) out->count = info->classes;
  return out->count == info->classes ? GF_OK
                                     : fail_count(out->count, info->classes, file ? file : path);
}

void gf__class_names_free(gf__class_names *names) {
  free(names->v);
  gf__text_free(&names->text);
  *names = (gf__class_names){0};
}
