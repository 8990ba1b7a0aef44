/* The pictures of run folders: loss and accuracy, and which others there are. */
#include "report/plots.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/os.h"
#include "report/own_picture.h"

static gf_status add_to_gallery(const gf__gallery *g, const char *name, const gf_chart *charts,
                                int count, int columns, const gf__heat_map *map) {
  char path[GF__PATH_SIZE];
  GF_TRY(gf__path_join(path, sizeof path, g->folder, name));
  if (g->is_anywhere) GF_TRY(gf__own_picture_check(path));
  GF_TRY(map ? gf__heat_map_write(path, map) : gf_charts_write(path, charts, count, columns));
  if (g->written) g->written(g->user, path);
  if (g->page && map) gf__html_heat_map(g->page, map);
  for (int i = 0; g->page && i < count; i++) gf__html_chart(g->page, &charts[i]);
  return GF_OK;
}

gf_status gf__gallery_add(const gf__gallery *gallery, const char *name, const gf_chart *charts,
                          int count, int columns) {
  return add_to_gallery(gallery, name, charts, count, columns, NULL);
}

gf_status gf__gallery_add_heat_map(const gf__gallery *gallery, const char *name,
                                   const gf__heat_map *map) {
  return add_to_gallery(gallery, name, NULL, 0, 0, map);
}

gf__title gf__title_of(const gf__run *run, const char *what) {
  gf__title title;
  snprintf(title.text, sizeof title.text, "%s: %s", run->name, what);
  return title;
}

const char *gf__time_label(const gf__run *runs, int count) {
  int steps = 0;
  for (int i = 0; i < count; i++) steps += runs[i].counts_steps;
  return steps == count ? "step" : steps ? "epoch, or step of a run with fewer than 3" : "epoch";
}

/* ---- guessing ---- */

static const double least_accuracy_span = 5;   /* percent */
static const double least_span = 0.2;          /* of the loss of guessing */
static const double visible_difference = 0.02; /* of the larger of two levels */

static void add_level(gf__guess_lines *out, double at, const char *format, double number) {
  char *name = out->names[out->count];
  snprintf(name, sizeof out->names[0], format, number);
  out->levels[out->count++] = (gf_level){at, name};
}

/* Two levels that would be one line have one name. */
static bool differs(double a, double b) { return fabs(a - b) > visible_difference * fmax(a, b); }

void gf__guess_lines_make(gf__guess_lines *out, const gf__guess *g, bool is_accuracy) {
  *out = (gf__guess_lines){.span = is_accuracy ? least_accuracy_span : 0};
  if (g->classes < 2) return;
  double uniform = is_accuracy ? 100.0 / g->classes : g->uniform_loss;
  if (is_accuracy)
    add_level(out, uniform, "guessing, 1 / %.0f", g->classes);
  else
    add_level(out, uniform, "guessing, ln %.0f", g->classes);
  out->span = fmax(out->span, least_span * uniform);
  if (is_accuracy && g->commonest > 0 && differs(100 * g->commonest, uniform))
    add_level(out, 100 * g->commonest, "commonest class, %.3g%%", 100 * g->commonest);
  if (!is_accuracy && differs(g->loss, uniform))
    add_level(out, g->loss, "guessing by frequency, %.3g", g->loss);
}

gf__guess gf__common_guess(const gf__run *runs, int count) {
  gf__guess none = {0}, first = count ? runs[0].guess : none;
  for (int i = 1; i < count; i++) {
    const gf__guess *g = &runs[i].guess;
    if (g->classes != first.classes || differs(g->loss, first.loss)) return none;
  }
  return first;
}

void gf__guess_lines_add(gf_chart *chart, const gf__guess_lines *lines) {
  chart->levels = lines->levels;
  chart->level_count = lines->count;
  chart->y_span = lines->span;
  chart->trims = 1;
}

/* ---- loss and accuracy against epoch ---- */

typedef struct curve_kind {
  const char *file, *title, *y_label;
  gf__metric train, validation;
  bool is_accuracy;
} curve_kind;

static const curve_kind curve_kinds[] = {
    {"loss.png", "loss", "loss", GF__TRAIN_LOSS, GF__VALIDATION_LOSS, false},
    {"accuracy.png", "accuracy", "accuracy (%)", GF__TRAIN_ACCURACY, GF__VALIDATION_ACCURACY, true},
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

static gf_status draw_own_curves(const gf__gallery *g, const gf__run *run) {
  for (size_t i = 0; i < sizeof curve_kinds / sizeof *curve_kinds; i++) {
    const curve_kind *kind = &curve_kinds[i];
    gf_series series[] = {metric_series(run, kind->train, "train", 0, false),
                          metric_series(run, kind->validation, "validation", 1, true)};
    gf__guess_lines lines;
    gf__title title = gf__title_of(run, kind->title);
    gf_chart chart = {.title = title.text,
                      .x_label = gf__time_label(run, 1),
                      .y_label = kind->y_label,
                      .series = series,
                      .count = 2};
    gf__guess_lines_make(&lines, &run->guess, kind->is_accuracy);
    gf__guess_lines_add(&chart, &lines);
    GF_TRY(gf__gallery_add(g, kind->file, &chart, 1, 1));
  }
  return GF_OK;
}

static gf_status compare_curves(const gf__gallery *g, const gf__run *runs, int count) {
  gf_series *series = calloc(2 * (size_t)count, sizeof *series);
  if (!series) return gf__fail_host_memory(2 * (size_t)count * sizeof *series);
  gf_status status = GF_OK;
  for (size_t i = 0; i < sizeof curve_kinds / sizeof *curve_kinds && status == GF_OK; i++) {
    const curve_kind *kind = &curve_kinds[i];
    for (int k = 0; k < count; k++) {
      series[2 * k] = metric_series(&runs[k], kind->train, runs[k].name, k, false);
      series[2 * k + 1] = metric_series(&runs[k], kind->validation, NULL, k, true);
    }
    gf__guess_lines lines;
    gf__guess guess = gf__common_guess(runs, count);
    char title[64];
    snprintf(title, sizeof title, "Runs compared: %s", kind->title);
    gf_chart chart = {.title = title,
                      .note = "solid: train, dashed: validation",
                      .x_label = gf__time_label(runs, count),
                      .y_label = kind->y_label,
                      .series = series,
                      .count = 2 * count};
    gf__guess_lines_make(&lines, &guess, kind->is_accuracy);
    gf__guess_lines_add(&chart, &lines);
    status = gf__gallery_add(g, kind->file, &chart, 1, 1);
  }
  free(series);
  return status;
}

/* ---- run folders ---- */

/* Names that are the same give way to the folders' paths. */
static gf_status label_runs(gf__run *runs, int count) {
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
  char path[GF__PATH_SIZE];
  if (!out)
    return gf__fail(GF_ERROR_ARGUMENT, "%d runs to compare and no folder for the pictures", count);
  GF_TRY(gf__path_join(path, sizeof path, out, "metrics.csv"));
  if (gf__path_exists(path))
    return gf__fail(GF_ERROR_ARGUMENT,
                    "%s is a run folder: name another one for the pictures that compare runs", out);
  return gf__make_folder(out);
}

static gf_status plot_runs(gf__run *runs, const char *const *folders, int count, gf__gallery *g) {
  const char *out = g->folder;
  for (int i = 0; i < count; i++) GF_TRY(gf__run_load_for_charts(&runs[i], folders[i]));
  if (count > 1) GF_TRY(check_out(out, count));
  for (int i = 0; i < count; i++) {
    g->folder = folders[i];
    if (g->begin_section) GF_TRY(g->begin_section(g->page_user, &runs[i]));
    GF_TRY(draw_own_curves(g, &runs[i]));
    GF_TRY(gf__plot_flow(g, &runs[i]));
    GF_TRY(gf__plot_courses(g, &runs[i]));
    GF_TRY(gf__plot_activations(g, &runs[i]));
    GF_TRY(gf__plot_signal(g, &runs[i]));
  }
  if (count == 1) return GF_OK;
  g->folder = out;
  if (g->begin_section) GF_TRY(g->begin_section(g->page_user, NULL));
  g->is_anywhere = true;
  GF_TRY(label_runs(runs, count));
  GF_TRY(compare_curves(g, runs, count));
  GF_TRY(gf__compare_flow(g, runs, count));
  GF_TRY(gf__compare_courses(g, runs, count));
  return gf__compare_activations(g, runs, count);
}

gf_status gf__plot_runs(gf__gallery *gallery, const char *const *folders, int count) {
  enum { MOST_RUNS = 1024 };
  if (count < 1 || count > MOST_RUNS)
    return gf__fail(GF_ERROR_ARGUMENT, "%d run folders to plot: must be 1 to %d", count, MOST_RUNS);
  gf__run *runs = calloc((size_t)count, sizeof *runs);
  if (!runs) return gf__fail_host_memory((size_t)count * sizeof *runs);
  gf_status status = plot_runs(runs, folders, count, gallery);
  for (int i = 0; i < count; i++) gf__run_free(&runs[i]);
  free(runs);
  return status;
}

gf_status gf_plot_runs(const char *const *folders, int count, const char *out,
                       void (*written)(void *user, const char *path), void *user) {
  gf__gallery gallery = {.folder = out, .written = written, .user = user};
  return gf__plot_runs(&gallery, folders, count);
}
