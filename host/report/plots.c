#include <gradflow/report.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/os.h"
#include "report/runs.h"

enum { LONGEST_PATH = 4096, MOST_LINES = 12, MOST_NAMED = 6, PANEL_WIDTH = 1000 };

/* Added by Adam to the root of the mean squared gradient: below it steps shrink. */
static const double ADAM_EPS = 1e-8;

/* Where the pictures go. */
typedef struct gallery {
  const char *folder;
  void (*written)(void *user, const char *path);
  void *user;
} gallery;

static gf_status add_picture(const gallery *g, const char *name, const gf_chart *charts, int count,
                             int columns) {
  char path[LONGEST_PATH];
  GF_TRY(gf__path_join(path, sizeof path, g->folder, name));
  GF_TRY(gf_charts_write(path, charts, count, columns));
  if (g->written) g->written(g->user, path);
  return GF_OK;
}

/* ---- loss and accuracy against epoch ---- */

typedef struct curve_kind {
  const char *file, *y_label;
  gf__metric train, validation;
} curve_kind;

static const curve_kind curve_kinds[] = {
    {"loss.png", "loss", GF__TRAIN_LOSS, GF__VALIDATION_LOSS},
    {"accuracy.png", "accuracy (%)", GF__TRAIN_ACCURACY, GF__VALIDATION_ACCURACY},
};

static gf_series metric_series(const gf__run *run, gf__metric metric, const char *name, int hue,
                               bool dashed) {
  return (gf_series){.name = name,
                     .x = run->metrics.numbers[GF__EPOCH],
                     .y = run->metrics.numbers[metric],
                     .count = (int)run->metrics.rows,
                     .shade = 1,
                     .hue = hue,
                     .dashed = dashed};
}

static gf_status draw_own_curves(const gallery *g, const gf__run *run) {
  for (size_t i = 0; i < sizeof curve_kinds / sizeof *curve_kinds; i++) {
    const curve_kind *kind = &curve_kinds[i];
    gf_series series[] = {metric_series(run, kind->train, "train", 0, false),
                          metric_series(run, kind->validation, "validation", 1, true)};
    gf_chart chart = {.title = run->name,
                      .x_label = "epoch",
                      .y_label = kind->y_label,
                      .series = series,
                      .count = 2};
    GF_TRY(add_picture(g, kind->file, &chart, 1, 1));
  }
  return GF_OK;
}

static gf_status compare_curves(const gallery *g, const gf__run *runs, int count) {
  gf_series *series = calloc(2 * (size_t)count, sizeof *series);
  if (!series) return gf__fail_host_memory(2 * (size_t)count * sizeof *series);
  gf_status status = GF_OK;
  for (size_t i = 0; i < sizeof curve_kinds / sizeof *curve_kinds && status == GF_OK; i++) {
    const curve_kind *kind = &curve_kinds[i];
    for (int k = 0; k < count; k++) {
      series[2 * k] = metric_series(&runs[k], kind->train, runs[k].name, k, false);
      series[2 * k + 1] = metric_series(&runs[k], kind->validation, NULL, k, true);
    }
    gf_chart chart = {.title = "Runs compared",
                      .note = "solid: train, dashed: validation",
                      .x_label = "epoch",
                      .y_label = kind->y_label,
                      .series = series,
                      .count = 2 * count};
    status = add_picture(g, kind->file, &chart, 1, 1);
  }
  free(series);
  return status;
}

/* ---- gradient flow ---- */

static const char y_label[] = "mean |gradient|", x_label[] = "weights, input to output";

/* A chart of a run's gradients, a line an epoch; what the chart points to. */
typedef struct flow {
  gf_series series[MOST_LINES];
  char names[MOST_LINES][32];
} flow;

static const double *line_values(const gf__run *run, int line) {
  return run->mean_gradients + (size_t)line * (size_t)run->layer_count;
}

/* One of count lines, evenly spread over 0..all-1 with both ends. */
static int spread(int i, int count, int all) {
  return count > 1 ? (int)((double)i * (all - 1) / (count - 1) + 0.5) : all - 1;
}

static gf_chart flow_chart(const gf__run *run, flow *f, int hue, bool log) {
  int count = run->epoch_count < MOST_LINES ? run->epoch_count : MOST_LINES;
  bool has_zero = false;
  for (int i = 0; i < count; i++) {
    int line = spread(i, count, run->epoch_count);
    bool named = count <= MOST_NAMED || i == 0 || i == count / 2 || i == count - 1;
    snprintf(f->names[i], sizeof f->names[i], "epoch %.0f", run->epochs[line]);
    f->series[i] = (gf_series){.name = named ? f->names[i] : NULL,
                               .y = line_values(run, line),
                               .count = run->layer_count,
                               .shade = count > 1 ? (float)i / (float)(count - 1) : 1,
                               .hue = hue};
    for (int k = 0; k < run->layer_count; k++) has_zero |= f->series[i].y[k] == 0;
  }
  return (gf_chart){.title = run->name,
                    .x_label = x_label,
                    .y_label = y_label,
                    .series = f->series,
                    .count = count,
                    .log_y = log,
                    .x_names = run->layers,
                    .x_name_count = run->layer_count,
                    .note = log && has_zero ? "zero where the line is missing" : NULL,
                    .reference = ADAM_EPS,
                    .reference_name = log ? "Adam's eps, 1e-8" : NULL};
}

static gf_status draw_own_flow(const gallery *g, const gf__run *run) {
  flow f;
  if (run->layer_count == 0) return GF_OK;
  gf_chart chart = flow_chart(run, &f, 0, true);
  GF_TRY(add_picture(g, "gradient_flow.png", &chart, 1, 1));
  chart = flow_chart(run, &f, 0, false);
  return add_picture(g, "gradient_flow_linear.png", &chart, 1, 1);
}

/* Widens the range to the chart's values above 0. */
static void widen(const gf_chart *chart, double *min, double *max) {
  for (int i = 0; i < chart->count; i++)
    for (int k = 0; k < chart->series[i].count; k++) {
      double value = chart->series[i].y[k];
      if (!(value > 0 && isfinite(value))) continue;
      *min = fmin(*min, value);
      *max = fmax(*max, value);
    }
}

static gf_status compare_flows(const gallery *g, const gf__run *runs, int count) {
  enum { MOST_COLUMNS = 3 };
  flow *flows = calloc((size_t)count, sizeof *flows);
  gf_chart *charts = calloc((size_t)count, sizeof *charts);
  gf_status status = GF_OK;
  int used = 0;
  const char *note = NULL;
  double min = INFINITY, max = -INFINITY;
  if (!flows || !charts) status = gf__fail_host_memory((size_t)count * sizeof *flows);
  for (int i = 0; i < count && status == GF_OK; i++) {
    if (runs[i].layer_count == 0) continue;
    charts[used] = flow_chart(&runs[i], &flows[used], i, true);
    charts[used].width = PANEL_WIDTH;
    if (charts[used].note) note = charts[used].note;
    widen(&charts[used++], &min, &max);
  }
  for (int i = 0; i < used; i++) { /* the same head and the same range, so that levels compare */
    charts[i].note = note;
    charts[i].y_min = min < max ? min : 0;
    charts[i].y_max = min < max ? max : 0;
  }
  if (used) status = add_picture(g, "gradient_flow.png", charts, used, MOST_COLUMNS);
  free(flows);
  free(charts);
  return status;
}

/* The last epoch of each run against relative depth, so that depths compare. */
static gf_status compare_last(const gallery *g, const gf__run *runs, int count) {
  size_t points = 0;
  for (int i = 0; i < count; i++) points += (size_t)runs[i].layer_count;
  if (points == 0) return GF_OK;
  gf_series *series = calloc((size_t)count, sizeof *series);
  double *depth = malloc(points * sizeof *depth), *next = depth;
  gf_status status = GF_OK;
  bool has_zero = false;
  if (!series || !depth) status = gf__fail_host_memory(points * sizeof *depth);
  for (int i = 0; i < count && status == GF_OK; i++) {
    const gf__run *run = &runs[i];
    if (run->layer_count == 0) continue;
    series[i] = (gf_series){.name = run->name,
                            .x = next,
                            .y = line_values(run, run->epoch_count - 1),
                            .count = run->layer_count,
                            .shade = 1,
                            .hue = i};
    for (int k = 0; k < run->layer_count; k++) {
      *next++ = run->layer_count > 1 ? (double)k / (run->layer_count - 1) : 1;
      has_zero |= series[i].y[k] == 0;
    }
  }
  gf_chart chart = {.title = "Gradients of the last epoch",
                    .note = has_zero ? "zero where the line is missing" : NULL,
                    .x_label = "relative depth, input 0 to output 1",
                    .y_label = y_label,
                    .series = series,
                    .count = count,
                    .log_y = true,
                    .reference = ADAM_EPS,
                    .reference_name = "Adam's eps, 1e-8"};
  if (status == GF_OK) status = add_picture(g, "gradient_flow_last.png", &chart, 1, 1);
  free(series);
  free(depth);
  return status;
}

/* ---- run folders ---- */

/* Names that are the same give way to the folders' paths. */
static gf_status tell_apart(gf__run *runs, int count) {
  bool same = false;
  for (int i = 0; i < count; i++)
    for (int k = 0; k < i; k++) same |= strcmp(runs[i].name, runs[k].name) == 0;
  for (int i = 0; i < count && same; i++) {
    size_t size = strlen(runs[i].folder) + 1;
    char *name = malloc(size);
    if (!name) return gf__fail_host_memory(size);
    memcpy(name, runs[i].folder, size);
    free(runs[i].name);
    runs[i].name = name;
  }
  return GF_OK;
}

/* Comparisons would replace the run's own pictures. */
static gf_status check_out(const char *out, int count) {
  char path[LONGEST_PATH];
  if (!out)
    return gf__fail(GF_ERROR_ARGUMENT, "%d runs to compare and no folder for the pictures", count);
  GF_TRY(gf__path_join(path, sizeof path, out, "metrics.csv"));
  if (gf__path_exists(path))
    return gf__fail(GF_ERROR_ARGUMENT,
                    "%s is a run folder: name another one for the pictures that compare runs", out);
  return gf__make_folder(out);
}

static gf_status plot_runs(gf__run *runs, const char *const *folders, int count, gallery *g) {
  const char *out = g->folder;
  for (int i = 0; i < count; i++) GF_TRY(gf__run_load(&runs[i], folders[i]));
  if (count > 1) GF_TRY(check_out(out, count));
  for (int i = 0; i < count; i++) {
    g->folder = folders[i];
    GF_TRY(draw_own_curves(g, &runs[i]));
    GF_TRY(draw_own_flow(g, &runs[i]));
  }
  if (count == 1) return GF_OK;
  g->folder = out;
  GF_TRY(tell_apart(runs, count));
  GF_TRY(compare_curves(g, runs, count));
  GF_TRY(compare_flows(g, runs, count));
  return compare_last(g, runs, count);
}

gf_status gf_plot_runs(const char *const *folders, int count, const char *out,
                       void (*written)(void *user, const char *path), void *user) {
  enum { MOST_RUNS = 1024 };
  if (count < 1 || count > MOST_RUNS)
    return gf__fail(GF_ERROR_ARGUMENT, "%d run folders to plot: must be 1 to %d", count, MOST_RUNS);
  gf__run *runs = calloc((size_t)count, sizeof *runs);
  if (!runs) return gf__fail_host_memory((size_t)count * sizeof *runs);
  gallery g = {.folder = out, .written = written, .user = user};
  gf_status status = plot_runs(runs, folders, count, &g);
  for (int i = 0; i < count; i++) gf__run_free(&runs[i]);
  free(runs);
  return status;
}
