#include "report/own_picture.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/os.h"

enum { SIGNATURE = 8, HEADER = 25, CHUNK = 12 }; /* bytes; of a chunk, without its data */

static uint32_t read_be32(const unsigned char *b) {
  return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* What is drawn here has a header, all of its pixels in one chunk, and nothing else. Other programs
 * cut the pixels into many chunks, or add chunks that say who wrote them, and with how many dots
 * per inch. */
static bool is_own(const unsigned char *png, size_t size) {
  static const unsigned char signature[SIGNATURE] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  const unsigned char *pixels = png + SIGNATURE + HEADER;
  if (size < SIGNATURE + HEADER + 2 * CHUNK || memcmp(png, signature, SIGNATURE) != 0) return false;
  if (memcmp(png + SIGNATURE + 4, "IHDR", 4) != 0 || memcmp(pixels + 4, "IDAT", 4) != 0)
    return false;
  size_t rest = size - SIGNATURE - HEADER - 2 * CHUNK;
  return read_be32(pixels) == rest && memcmp(png + size - 8, "IEND", 4) == 0;
}

gf_status gf__own_picture_check(const char *path) {
  enum { LARGEST = 256 << 20 };
  char *bytes;
  size_t size;
  if (!gf__path_exists(path)) return GF_OK;
  bool own =
      gf__path_is_regular(path) && gf__file_read_within(path, LARGEST, &bytes, &size) == GF_OK;
  if (own) {
    own = is_own((const unsigned char *)bytes, size);
    free(bytes);
  }
  if (own) return GF_OK;
  return gf__fail(
      GF_ERROR_FILE,
      "%s is not a picture that gradflow has drawn, so it is not replaced; move it away, "
      "or choose another --out",
      path);
}
