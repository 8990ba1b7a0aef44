/* A picture of many small images, each with bars beside it. */
#ifndef GF_REPORT_CONTACT_SHEET_H
#define GF_REPORT_CONTACT_SHEET_H

#include <stdint.h>

#include "base/error.h"

/* Images of a sheet, and bars of an image. */
enum { GF__SHEET_MOST_CELLS = 60, GF__SHEET_MOST_BARS = 10 };

typedef struct gf__sheet_bar {
  const char *label; /* at most 256 bytes count */
  double fraction;   /* in [0, 1] */
} gf__sheet_bar;

typedef struct gf__sheet_cell {
  const char *name;            /* shown over the image; at most 256 bytes count */
  int height, width, channels; /* 1 or 3 */
  const uint8_t *pixels;       /* (height, width, channels) */
  const float *map;            /* (height, width), at least 0, drawn beside the image; or NULL */
  const gf__sheet_bar *bars;   /* (bar_count) */
  int bar_count;
} gf__sheet_cell;

typedef struct gf__contact_sheet gf__contact_sheet;

gf_status gf__contact_sheet_new(gf__contact_sheet **out) GF_MUST_USE;
void gf__contact_sheet_free(gf__contact_sheet **sheet); /* clears; NULL is fine */
/* Copies the cell. GF_ERROR_ARGUMENT where there are as many as a sheet has. */
gf_status gf__contact_sheet_add(gf__contact_sheet *sheet, const gf__sheet_cell *from) GF_MUST_USE;
int gf__contact_sheet_count(const gf__contact_sheet *sheet);
/* Writes the cells, row by row, as a PNG that appears whole or not at all, and forgets them.
 * Labels and names that are long go on below. note, or NULL, is shown under the title. */
gf_status gf__contact_sheet_write(gf__contact_sheet *sheet, const char *title, const char *note,
                                  const char *path) GF_MUST_USE;

#endif
