/* The pictures of run folders, by what they show. */
#ifndef GF_REPORT_PLOTS_H
#define GF_REPORT_PLOTS_H

#include <stdbool.h>

#include <gradflow/report.h>

#include "report/heat_map.h"
#include "report/html.h"
#include "run/run_records.h"

/* Where the pictures go. */
typedef struct gf__gallery {
  const char *folder;
  void (*written)(void *user, const char *path); /* or NULL */
  void *user;
  gf__text *page; /* that they are added to as well, to zoom and hover; NULL: none */
  /* Called before the pictures of each run folder, and before those that compare, for which run is
   * NULL. */
  gf_status (*begin_section)(void *page_user, const gf__run *run); /* or NULL */
  void *page_user;
  bool is_anywhere; /* the folder is one that the user has named, and may have pictures of others */
} gf__gallery;

/* gf_plot_runs into a gallery, whose folder is that of the comparisons. */
gf_status gf__plot_runs(gf__gallery *gallery, const char *const *folders, int count) GF_MUST_USE;

gf_status gf__gallery_add(const gf__gallery *gallery, const char *name, const gf_chart *charts,
                          int count, int columns) GF_MUST_USE;
gf_status gf__gallery_add_heat_map(const gf__gallery *gallery, const char *name,
                                   const gf__heat_map *map) GF_MUST_USE;

/* Numbers of layers, epoch by epoch. */
typedef struct gf__matrix {
  const double *values; /* (epoch_count, layer_count) */
  const double *epochs;
  int epoch_count, layer_count;
  const char *const *layers;
  bool counts_steps; /* epochs are steps */
} gf__matrix;

/* values is one of the run's. */
gf__matrix gf__gradient_matrix(const gf__run *run, const double *values);
gf__matrix gf__activation_matrix(const gf__run *run, const double *values);

/* "plain37: what", the title of a picture. */
typedef struct gf__title {
  char text[256];
} gf__title;
/* What the x axis of a course over time counts. */
const char *gf__time_label(const gf__run *runs, int count);
gf__title gf__title_of(const gf__run *run, const char *what);

/* What guessing scores, as lines of a chart of losses or of accuracies in percent, and what their
 * chart's y axis has to show. */
enum { GF__MOST_LEVELS = 2 };
typedef struct gf__guess_lines {
  gf_level levels[GF__MOST_LEVELS];
  char names[GF__MOST_LEVELS][64];
  int count;
  double span; /* the least range of y */
} gf__guess_lines;
void gf__guess_lines_make(gf__guess_lines *out, const gf__guess *guess, bool is_accuracy);
/* The guess that all of the runs share, of 0 classes where they differ. */
gf__guess gf__common_guess(const gf__run *runs, int count);
/* Puts the lines into the chart. */
void gf__guess_lines_add(gf_chart *chart, const gf__guess_lines *lines);

/* Lines over the layers, one an epoch, light to dark; what a chart of them points to. */
enum { GF__MOST_LINES = 12 };
typedef struct gf__layer_lines {
  gf_series series[GF__MOST_LINES];
  char names[GF__MOST_LINES][32];
} gf__layer_lines;

/* Fills the lines, and a chart of them without title and y label. Many epochs are thinned out. */
gf_chart gf__layer_chart(gf__layer_lines *lines, const gf__matrix *matrix, int hue, bool log);

/* Gives charts on log axes the same head and the same range, so that levels compare. */
void gf__level_charts(gf_chart *charts, int count);

/* The last epoch of each of count matrices against relative depth, one line per run, named and
 * coloured like it; an empty matrix has no line. Free with gf__depth_lines_free, after a failure
 * too. */
typedef struct gf__depth_lines {
  gf_series *series; /* (count) */
  double *depths;
  bool any, has_zero;
} gf__depth_lines;
gf_status gf__depth_lines_make(gf__depth_lines *out, const gf__run *runs,
                               const gf__matrix *matrices, int count) GF_MUST_USE;
void gf__depth_lines_free(gf__depth_lines *lines);
extern const char gf__depth_label[];

/* One of count, evenly spread over 0..all-1 with both ends. */
int gf__spread(int i, int count, int all);

/* A note for charts on a log axis, where zeros have no place. */
extern const char gf__zero_note[];

/* gradient_flow*.png, update_ratio.png; of several runs gradient_flow.png, gradient_flow_last.png.
 */
gf_status gf__plot_flow(const gf__gallery *gallery, const gf__run *run) GF_MUST_USE;
gf_status gf__compare_flow(const gf__gallery *gallery, const gf__run *runs, int count) GF_MUST_USE;
/* gradient_heat_map.png, gradient_layers.png; of several runs gradient_layers.png. */
gf_status gf__plot_courses(const gf__gallery *gallery, const gf__run *run) GF_MUST_USE;
gf_status gf__compare_courses(const gf__gallery *gallery, const gf__run *runs,
                              int count) GF_MUST_USE;
/* signal_flow.png, of a run that has recorded contrast. */
gf_status gf__plot_signal(const gf__gallery *gallery, const gf__run *run) GF_MUST_USE;
/* activations.png, activation_heat_map.png; of several runs activations_last.png. */
gf_status gf__plot_activations(const gf__gallery *gallery, const gf__run *run) GF_MUST_USE;
gf_status gf__compare_activations(const gf__gallery *gallery, const gf__run *runs,
                                  int count) GF_MUST_USE;

#endif
