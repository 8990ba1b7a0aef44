#include "report/utf8.h"

#include <stdbool.h>
#include <stddef.h>

/* Bytes of a sequence by its first byte; 0 for a byte that begins none. */
static int sequence_length(unsigned char first) {
  return first < 0x80   ? 1
         : first < 0xc2 ? 0
         : first < 0xe0 ? 2
         : first < 0xf0 ? 3
         : first < 0xf5 ? 4
                        : 0;
}

uint32_t gf__utf8_next(const char **text) {
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  const unsigned char *bytes = (const unsigned char *)*text;
  if (!bytes[0]) return 0;
  int length = sequence_length(bytes[0]);
  uint32_t code = length > 1 ? bytes[0] & (0x7fu >> length) : bytes[0];
  for (int i = 1; i < length; i++) {
    if ((bytes[i] & 0xc0) != 0x80)
      length = 0; /* a NUL ends the search here as well */
    else
      code = code << 6 | (bytes[i] & 0x3f);
  }
  bool valid =
      length && code >= least[length] && code <= 0x10ffff && !(code >= 0xd800 && code < 0xe000);
  bool control = code < 0x20 || (code >= 0x7f && code < 0xa0);
  *text += valid ? length : 1;
  return valid && !control ? code : GF__REPLACEMENT;
}

/* The blocks that matter for names; everything else is one column wide. */
int gf__utf8_columns(uint32_t code) {
  static const struct {
    uint32_t first, last;
    int columns;
  } blocks[] = {
      {0x0300, 0x036f, 0},   {0x1100, 0x115f, 2}, {0x200b, 0x200f, 0}, {0x20d0, 0x20ff, 0},
      {0x2e80, 0xa4cf, 2},   {0xac00, 0xd7a3, 2}, {0xf900, 0xfaff, 2}, {0xfe00, 0xfe0f, 0},
      {0xfe30, 0xfe6f, 2},   {0xff00, 0xff60, 2}, {0xffe0, 0xffe6, 2}, {0x1f300, 0x1faff, 2},
      {0x20000, 0x3fffd, 2},
  };
  for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
    if (code >= blocks[i].first && code <= blocks[i].last) return blocks[i].columns;
  return 1;
}

int gf__utf8_width(const char *text) {
  int width = 0;
  for (uint32_t code; (code = gf__utf8_next(&text));) width += gf__utf8_columns(code);
  return width;
}
