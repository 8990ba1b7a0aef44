/* A picture of a matrix: one row per layer, one column per epoch, colours for values. */
#ifndef GF_REPORT_HEAT_MAP_H
#define GF_REPORT_HEAT_MAP_H

#include <stdbool.h>

#include "base/error.h"

typedef struct gf__heat_map {
  const char *title, *x_label, *value_label;
  const char *note;             /* a line under the title, or NULL */
  const char *const *row_names; /* (rows), drawn from the top down */
  const double *columns;        /* (column_count) the numbers below them: epochs */
  const double *values;         /* (rows, column_count); a non-finite one is an empty cell */
  int rows, column_count;
  bool log; /* colours by the logarithm; values of 0 have a colour of their own */
} gf__heat_map;

/* Draws the map as a PNG, with a scale of its colours; the file appears whole or not at all. */
gf_status gf__heat_map_write(const char *path, const gf__heat_map *map) GF_MUST_USE;

#endif
