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

json_t *gf__json_text(const char *text, size_t length) {
  json_t *json = json_stringn(text, length);
  char *ascii = json ? NULL : malloc(length + 1);
  if (!ascii) return json;
  for (size_t i = 0; i < length; i++)
    ascii[i] = (char)((unsigned char)text[i] < 0x80 ? text[i] : '?');
  json = json_stringn(ascii, length);
  free(ascii);
  return json;
}
