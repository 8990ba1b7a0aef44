/* One image file as RGB bytes of a given size. */
#ifndef GF_DATA_IMAGE_H
#define GF_DATA_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
  GF__IMAGE_LARGEST_SIDE = 16384, /* pixels of a file */
  GF__IMAGE_LARGEST_AREA = 1 << 26,
  GF__IMAGE_LARGEST_FILE = 1 << 28 /* bytes */
};

/* How an image of any size becomes one of height x width pixels: it is resized, its proportions
 * kept, until it just covers cover_height x cover_width pixels, at least height x width, and the
 * middle is cut out, its place rounded to even where it is half a pixel (torchvision's CenterCrop).
 */
typedef struct gf__image_fit {
  int cover_height, cover_width;
  int height, width;
} gf__image_fit;

/* Whether a name is that of an image: .jpg, .jpeg or .png in any case, and no dot in front. */
bool gf__is_image_name(const char *name);

/* Reads a JPEG or PNG file, known by its first bytes. Grey becomes RGB, of 16 bits per channel the
 * upper 8 count, and transparency is dropped, as is the orientation that a camera notes in EXIF.
 * out is (fit->height, fit->width, 3). GF_ERROR_FILE for a file that cannot be read or is no
 * regular file, GF_ERROR_DATA for one that is no image or a damaged one; what a header announces
 * is checked before anything is allocated. */
gf_status gf__image_read(const char *path, const gf__image_fit *fit, uint8_t *out) GF_MUST_USE;

/* The size that a JPEG or PNG file says it has. */
gf_status gf__image_size(const char *path, int *height, int *width) GF_MUST_USE;

/* resample.c: the fit of gf__image_read for pixels (height, width, 3). Bilinear, with the filter
 * widened by the scale where the image shrinks, so that nothing aliases; sides at most
 * GF__IMAGE_LARGEST_SIDE. */
gf_status gf__image_resample(const uint8_t *pixels, int height, int width, const gf__image_fit *fit,
                             uint8_t *out) GF_MUST_USE;

#endif
