/** @file
 * Charts as PNG, drawn from plain numbers. */
#ifndef GRADFLOW_REPORT_H
#define GRADFLOW_REPORT_H

#include <stdbool.h>

#include <gradflow/status.h>

/** A line of a chart. */
typedef struct gf_series {
  const char *name; /**< in the legend; NULL leaves it out */
  const double *x;  /**< (count); NULL: 0, 1, 2, … */
  const double *y;  /**< (count); non-finite ones are gaps, and so is 0 on a log axis */
  int count;        /**< values; 0: the series is left out */
  float shade; /**< 0 to 1: light to dark within the hue, for series that are an order; 1 plain */
  int hue;     /**< index of the hue; series of one family share it */
  bool dashed; /**< a dashed line */
} gf_series;

/** A level that values are compared with, drawn as a thin dashed line. */
typedef struct gf_level {
  double at;        /**< on the y axis */
  const char *name; /**< written on the line */
} gf_level;

/** A chart of lines over one x axis. */
typedef struct gf_chart {
  const char *title;          /**< above the chart */
  const char *x_label;        /**< below it */
  const char *y_label;        /**< to its left */
  const gf_series *series;    /**< (count) */
  int count;                  /**< series */
  bool log_y;                 /**< a logarithmic y axis */
  const char *const *x_names; /**< names at x = 0, 1, …, drawn turned; NULL: numbers */
  int x_name_count;           /**< names in x_names */
  const char *note;           /**< a line under the title, or NULL */
  int width;                  /**< pixels, 320 to 16384; 0: 1200 */
  int height;                 /**< pixels, 240 to 16384; 0: 800 */
  double y_min;               /**< what y has to show at least, rounded outwards to ticks */
  double y_max;               /**< the same; both 0: what the data need */
  double reference;           /**< a level to compare with, a thin dashed line where in range */
  const char *reference_name; /**< written on that line; NULL: no line */
  const gf_level
      *levels;     /**< (level_count): further levels, which y shows whatever the values are */
  int level_count; /**< how many there are */
  double y_span;   /**< the least range of a linear y, so that noise stays small; 0: any */
  bool trims;      /**< a linear y leaves out the few values that would flatten all others */
  /** For series that are an order: names of the lightest and the darkest, on a bar of colours in
   * place of a legend; NULL: a legend. */
  const char *bar[2];
} gf_chart;

/** Draws count charts into one PNG, row by row with that many columns; the file appears whole or
 * not at all. A series of no values is left out, and a chart of none says so. GF_ERROR_ARGUMENT for
 * sizes and ranges that make no sense, GF_ERROR_FILE where path cannot be written. */
GF_API gf_status gf_charts_write(const char *path, const gf_chart *charts, int count,
                                 int columns) GF_MUST_USE;

/** Redraws every picture of count run folders from their CSVs. With one folder the pictures go into
 * it, and out may be NULL; with several, each folder gets its own, and charts that compare them go
 * into out, which is created and must be no run folder. written, unless NULL, is called with user
 * and the path of each file in order. GF_ERROR_FILE for a folder without metrics.csv, GF_ERROR_DATA
 * for a CSV that is damaged; without gradients.csv its pictures are left out. */
GF_API gf_status gf_plot_runs(const char *const *folders, int count, const char *out,
                              void (*written)(void *user, const char *path),
                              void *user) GF_MUST_USE;

/** Writes the records of a run folder, and its pictures where they are drawn, as an event file of
 * TensorBoard into the folder tensorboard in it; what an earlier call has written is replaced.
 * docs/tensorboard.md has the tags. *path, which the caller frees with free, is the file's.
 * GF_ERROR_FILE where the run has written events of its own while it trained, which have more. */
GF_API gf_status gf_events_write(const char *run_folder, char **path) GF_MUST_USE;

#endif
