/* A picture of horizontal bars: a group a row, a bar in it for each series. */
#ifndef GF_REPORT_BARS_H
#define GF_REPORT_BARS_H

#include <stdbool.h>

#include "base/error.h"

typedef struct gf__bar_series {
  const char *name;     /* in the legend, which one series has not */
  const double *values; /* (rows); at least 0; a non-finite one has no bar */
  int hue;
} gf__bar_series;

typedef struct gf__bars {
  const char *title, *x_label;
  const char *note;             /* a line under the title, or NULL */
  const char *const *row_names; /* (rows), drawn from the top down */
  const gf__bar_series *series;
  int rows, series_count;
  /* On a logarithmic axis bars begin at the reference; without one at the left end. */
  bool log;
  double reference;           /* a level to compare with, drawn where it has a name */
  const char *reference_name; /* or NULL */
} gf__bars;

/* Draws the bars as a PNG, each with its value; the file appears whole or not at all.
 * GF_ERROR_ARGUMENT for no rows or no series. */
gf_status gf__bars_write(const char *path, const gf__bars *bars) GF_MUST_USE;

#endif
