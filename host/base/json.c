#include "base/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

json_t *gf__json_read(const char *path) {
  char *text;
  size_t size;
  if (gf__file_read_within(path, GF__JSON_LARGEST, &text, &size) != GF_OK) return NULL;
  json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
  free(text);
  return json;
}

gf_status gf__json_write(const char *path, json_t *json) {
  char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
  json_decref(json);
  if (!text) return gf__fail(GF_ERROR_MEMORY, "out of host memory for the JSON of %s", path);
  gf_status status = gf__file_write(path, text, strlen(text));
  free(text);
  return status;
}

json_t *gf__json_number(double value) { return isfinite(value) ? json_real(value) : json_null(); }

double gf__json_number_of(const json_t *json) {
  return json_is_number(json) ? json_number_value(json) : (double)NAN;
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
