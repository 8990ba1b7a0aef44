/* Charts as PNG, drawn from plain numbers. */
#ifndef GRADFLOW_REPORT_H
#define GRADFLOW_REPORT_H

#include <gradflow/status.h>

typedef struct gf_series {
  const char *name; /* in the legend; NULL leaves it out */
  const double *x;  /* count values; NULL: 0, 1, 2, … */
  const double *y;  /* count values; non-finite ones are gaps, and so is 0 on a log axis */
  int count;
  float shade; /* 0..1: light to dark within the hue, for series that are an order; 1 plain */
  int hue;     /* index of the hue; series of one family share it */
  int dashed;
} gf_series;

typedef struct gf_chart {
  const char *title, *x_label, *y_label;
  const gf_series *series;
  int count;
  int log_y;
  const char *const *x_names; /* names at x = 0, 1, …, drawn turned; NULL: numbers */
  int x_name_count;
  const char *note;           /* a line under the title, or NULL */
  int width, height;          /* pixels, 320 to 16384 and 240 to 16384; 0: 1200 x 800 */
  double y_min, y_max;        /* what y has to show, rounded outwards to ticks; both 0: the data */
  double reference;           /* a level to compare with, a thin dashed line where it is in range */
  const char *reference_name; /* written on that line; NULL: no line */
} gf_chart;

/* Draws the charts into one PNG, row by row with that many columns; the file
 * appears whole or not at all. A series of no values is left out, and a chart
 * of none says so. GF_ERROR_ARGUMENT for sizes and ranges that make no sense,
 * GF_ERROR_FILE where path cannot be written. */
GF_API gf_status gf_charts_write(const char *path, const gf_chart *charts, int count,
                                 int columns) GF_MUST_USE;

/* Redraws every picture of the run folders from their CSVs. With one folder the
 * pictures go into it, and out may be NULL; with several, each folder gets its
 * own, and charts that compare them go into out, which is created and must be
 * no run folder. The paths written are handed to written, in order; it may be
 * NULL. GF_ERROR_FILE for a folder without metrics.csv, GF_ERROR_DATA for a CSV
 * that is damaged; gradients.csv may be missing, and its pictures then are, too. */
GF_API gf_status gf_plot_runs(const char *const *folders, int count, const char *out,
                              void (*written)(void *user, const char *path),
                              void *user) GF_MUST_USE;

#endif
