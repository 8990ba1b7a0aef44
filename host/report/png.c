#include "report/png.h"

#include <stdlib.h>
#include <zlib.h>

enum { CHANNELS = 3 };

/* In place of stb_image_write's own deflate, whose pictures are larger by a half and take longer.
 * Its quality is ignored: zlib's own default is the better bargain. Returns memory that
 * stb_image_write frees, or NULL. */
static unsigned char *png_deflate(unsigned char *data, int size, int *out_size, int quality) {
  (void)quality;
  uLongf out_length = compressBound((uLong)size);
  unsigned char *out = malloc(out_length);
  if (out && compress(out, &out_length, data, (uLong)size) != Z_OK) {
    free(out);
    out = NULL;
  }
  *out_size = (int)out_length;
  return out;
}

#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STBIW_ZLIB_COMPRESS png_deflate
#include <stb/stb_image_write.h>

static void append_bytes(void *text, void *bytes, int size) {
  gf__text_add_bytes(text, bytes, (size_t)size);
}

gf_status gf__png_encode(gf__text *out, const uint8_t *rgb, int width, int height) {
  int is_done =
      stbi_write_png_to_func(append_bytes, out, width, height, CHANNELS, rgb, width * CHANNELS);
  return is_done ? gf__text_status(out) : gf__fail_host_memory((size_t)width * (size_t)height);
}
