/* JPEG and PNG files for tests: made by stb_image_write, and PNGs put together chunk by chunk, so
 * that each may be wrong in one thing. */
#ifndef SUPPORT_IMAGE_FILES_H
#define SUPPORT_IMAGE_FILES_H

#include <stb/stb_image_write.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* A file of one colour; the caller frees the text. */
gf__text make_jpeg(int height, int width, int channels, const uint8_t *colour);

/* A PNG by its header's fields; what its pixels unpack to is given. */
typedef struct png {
  uint32_t width, height;
  uint8_t depth, colour_type, interlaced;
  const void *rows; /* each with its filter's byte in front */
  size_t size;
  const uint8_t *palette; /* 3 bytes a colour, or NULL */
  size_t colours;
  const char *extra; /* the name of an empty chunk behind the header, or NULL */
} png;

/* The caller frees the text. */
gf__text make_png(const png *p);

#endif
