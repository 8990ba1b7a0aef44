/* One image file as a square of RGB bytes. */
#ifndef GF_DATA_IMAGE_H
#define GF_DATA_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
  GF__IMAGE_LARGEST_SIDE = 16384, /* pixels of a file */
  GF__IMAGE_LARGEST_AREA = 1 << 26,
  GF__IMAGE_LARGEST_FILE = 1 << 28 /* bytes */
};

/* Reads a JPEG or PNG file, told by its first bytes; resizes it so that its shorter side is
 * resize pixels, and cuts side x side pixels (at most resize) out of the middle, rounded towards
 * the top left. Grey becomes RGB, of 16 bits a channel the upper 8 count, and transparency is
 * dropped, as is the orientation that a camera notes in EXIF. out is (side, side, 3).
 * GF_ERROR_FILE for a file that cannot be read, GF_ERROR_DATA for one that is no image or a
 * damaged one; what a header announces is checked before anything is allocated. */
gf_status gf__image_read(const char *path, int resize, int side, uint8_t *out) GF_MUST_USE;

/* resample.c: the square of gf__image_read out of pixels (height, width, 3). Bilinear, with the
 * filter widened by the scale where the image shrinks, so that nothing aliases; sides at most
 * GF__IMAGE_LARGEST_SIDE. */
gf_status gf__image_resample(const uint8_t *pixels, int height, int width, int resize, int side,
                             uint8_t *out) GF_MUST_USE;

#endif
