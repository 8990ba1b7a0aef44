/* Charts as PNG, drawn from plain numbers. */
#ifndef GRADFLOW_REPORT_H
#define GRADFLOW_REPORT_H

#include <gradflow/status.h>

typedef struct gf_series {
  const char *name;   /* in the legend; NULL leaves it out */
  const double *x;    /* count values; NULL: 0, 1, 2, … */
  const double *y;    /* count values; non-finite ones are gaps, and so is 0 on a log axis */
  int count;
  float shade;        /* 0..1: light to dark within the hue, for series that are an order; 1 plain */
  int hue;            /* index of the hue; series of one family share it */
  int dashed;
} gf_series;

typedef struct gf_chart {
  const char *title, *x_label, *y_label;
  const gf_series *series;
  int count;
  int log_y;
  const char *const *x_names;  /* names at x = 0, 1, …, drawn turned; NULL: numbers */
  int x_name_count;
  const char *note;            /* a line under the title, or NULL */
  int width, height;           /* pixels; 0: 1200 x 800 */
} gf_chart;

/* Draws the charts below each other or side by side (columns) into one PNG; the
 * file appears whole or not at all. */
GF_API gf_status gf_charts_write(const char *path, const gf_chart *charts, int count,
                                 int columns) GF_MUST_USE;

/* Redraws every picture of the run folders from their CSVs. With one folder the
 * pictures go into it; with several, each folder's own and charts that compare
 * them go into out. The paths written are handed to written, in order. */
GF_API gf_status gf_plot_runs(const char *const *folders, int count, const char *out,
                              void (*written)(void *user, const char *path),
                              void *user) GF_MUST_USE;

#endif
