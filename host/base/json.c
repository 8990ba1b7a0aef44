#include "base/json.h"

#include <stdlib.h>

#include "base/file.h"

json_t *gf__json_read(const char *path) {
  char *text;
  size_t size;
  if (gf__file_read_within(path, GF__JSON_LARGEST, &text, &size) != GF_OK) return NULL;
  json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
  free(text);
  return json;
}
