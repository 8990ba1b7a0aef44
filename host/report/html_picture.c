/* Pictures inside a page. */
#include <stdint.h>
#include <stdlib.h>

#include "base/file.h"
#include "report/html.h"
#include "report/html_text.h"

/* RFC 4648. */
static void add_base64(gf__text *out, const uint8_t *bytes, size_t size) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < size; i += 3) {
    size_t left = size - i;
    uint32_t group = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                     (left > 2 ? bytes[i + 2] : 0);
    char text[4];
    for (size_t k = 0; k < 4; k++)
      text[k] = (char)(k > left ? '=' : digits[group >> (18 - 6 * k) & 63]);
    gf__text_add_bytes(out, text, sizeof text);
  }
}

gf_status gf__html_picture(gf__text *out, const char *title, const char *path) {
  char *bytes;
  size_t size;
  GF_TRY(gf__file_read(path, &bytes, &size));
  gf__text_add(out, "<figure class=\"picture\"><img alt=\"");
  gf__html_add(out, title);
  gf__text_add(out, "\" src=\"data:image/png;base64,");
  add_base64(out, (const uint8_t *)bytes, size);
  gf__text_add(out, "\"></figure>\n");
  free(bytes);
  return gf__text_status(out);
}
