/* Encodes pictures as PNG files. */
#ifndef GF_REPORT_PNG_H
#define GF_REPORT_PNG_H

#include <stdint.h>

#include "base/text.h"

/* Appends the PNG file of rgb, (height, width, 3), to out. */
gf_status gf__png_encode(gf__text *out, const uint8_t *rgb, int width, int height) GF_MUST_USE;

#endif
