#include "study/figures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/os.h"
#include "study/changed.h"

enum { MOST_LINES = 12, MOST_LEGEND = 8, PANEL_WIDTH = 1000, MOST_COLUMNS = 3 };

/* ---- loss and accuracy against epoch ---- */

static gf_series curve(const gf__figure *f, size_t run, gf__metric metric) {
  bool is_validation = metric == GF__VALIDATION_LOSS || metric == GF__VALIDATION_ACCURACY;
  return (gf_series){.name = is_validation ? NULL : f->names[run],
                     .x = f->runs[run].metrics.numbers[GF__EPOCH],
                     .y = f->runs[run].metrics.numbers[metric],
                     .count = (int)f->runs[run].metrics.rows,
                     .shade = 1,
                     .hue = (int)run,
                     .dashed = is_validation};
}

static gf_status draw_curves(gf__figure *f, const gf__study_figure *figure, const char *y_label,
                             gf__metric train, gf__metric validation) {
  f->series = calloc(2 * f->run_count, sizeof *f->series);
  f->charts = calloc(1, sizeof *f->charts);
  if (!f->series || !f->charts) return gf__fail_host_memory(2 * f->run_count * sizeof *f->series);
  for (size_t i = 0; i < f->run_count; i++) {
    f->series[2 * i] = curve(f, i, train);
    f->series[2 * i + 1] = curve(f, i, validation);
  }
  f->charts[f->count++] = (gf_chart){.title = figure->title,
                                     .note = "solid: train, dashed: validation",
                                     .x_label = gf__time_label(f->runs, (int)f->run_count),
                                     .y_label = y_label,
                                     .series = f->series,
                                     .count = 2 * (int)f->run_count,
                                     .log_y = figure->log};
  gf__guess guess = gf__common_guess(f->runs, (int)f->run_count);
  gf__guess_lines_make(&f->guess, &guess, train == GF__TRAIN_ACCURACY);
  gf__guess_lines_add(&f->charts[0], &f->guess);
  f->columns = 1;
  return GF_OK;
}

static gf_status draw_loss(gf__figure *f, const gf__study_figure *figure) {
  return draw_curves(f, figure, "loss", GF__TRAIN_LOSS, GF__VALIDATION_LOSS);
}

static gf_status draw_accuracy(gf__figure *f, const gf__study_figure *figure) {
  return draw_curves(f, figure, "accuracy (%)", GF__TRAIN_ACCURACY, GF__VALIDATION_ACCURACY);
}

/* ---- gradient flow ---- */

static const double *line_values(const gf__run *run, int line) {
  return run->mean_gradients + (size_t)line * (size_t)run->layer_count;
}

static bool has_zero(const gf_series *series) {
  for (int i = 0; i < series->count; i++)
    if (series->y[i] == 0) return true;
  return false;
}

/* A chart of a run, a line an epoch; up to MOST_LINES of them, both ends among them. */
static void add_flow(gf__figure *f, size_t run, bool log) {
  const gf__run *r = &f->runs[run];
  if (r->layer_count == 0) return;
  int count = r->epoch_count < MOST_LINES ? r->epoch_count : MOST_LINES;
  gf_series *series = f->series + run * MOST_LINES;
  bool zero = false;
  for (int i = 0; i < count; i++) {
    int line = count > 1 ? (i * (r->epoch_count - 1) + (count - 1) / 2) / (count - 1) : 0;
    char *name = f->series_names[run * MOST_LINES + (size_t)i];
    snprintf(name, sizeof *f->series_names, "%s %.0f", r->counts_steps ? "step" : "epoch",
             r->epochs[line]);
    series[i] = (gf_series){.name = name,
                            .y = line_values(r, line),
                            .count = r->layer_count,
                            .shade = count > 1 ? (float)i / (float)(count - 1) : 1,
                            .hue = (int)run};
    zero |= has_zero(&series[i]);
  }
  snprintf(f->titles[run].text, sizeof f->titles[run].text, "%s: mean |gradient| of the weights",
           f->names[run]);
  f->charts[f->count++] = (gf_chart){.title = f->titles[run].text,
                                     .x_label = "weights, input to output",
                                     .y_label = "mean |gradient|",
                                     .series = series,
                                     .count = count,
                                     .log_y = log,
                                     .bar = {count > MOST_LEGEND ? series[0].name : NULL,
                                             count > MOST_LEGEND ? series[count - 1].name : NULL},
                                     .x_names = r->layers,
                                     .x_name_count = r->layer_count,
                                     .note = log && zero ? "zero where the line is missing" : NULL,
                                     .width = f->run_count > 1 ? PANEL_WIDTH : 0,
                                     .reference = r->vanishing.level,
                                     .reference_name = log ? r->vanishing.label : NULL};
}

/* The same of the contrast of activations, on the way forward. */
static void add_signal(gf__figure *f, size_t run, bool log) {
  const gf__run_activations *a = &f->runs[run].activations;
  if (a->layer_count == 0) return;
  int count = a->epoch_count < MOST_LINES ? a->epoch_count : MOST_LINES;
  gf_series *series = f->series + run * MOST_LINES;
  bool zero = false;
  for (int i = 0; i < count; i++) {
    int line = count > 1 ? (i * (a->epoch_count - 1) + (count - 1) / 2) / (count - 1) : 0;
    char *name = f->series_names[run * MOST_LINES + (size_t)i];
    snprintf(name, sizeof *f->series_names, "%s %.0f", f->runs[run].counts_steps ? "step" : "epoch",
             a->epochs[line]);
    series[i] = (gf_series){.name = name,
                            .y = a->contrasts + (size_t)line * (size_t)a->layer_count,
                            .count = a->layer_count,
                            .shade = count > 1 ? (float)i / (float)(count - 1) : 1,
                            .hue = (int)run};
    zero |= has_zero(&series[i]);
  }
  snprintf(f->titles[run].text, sizeof f->titles[run].text, "%s: contrast of the layers",
           f->names[run]);
  f->charts[f->count++] = (gf_chart){.title = f->titles[run].text,
                                     .x_label = "layers, input to output",
                                     .y_label = "contrast",
                                     .series = series,
                                     .count = count,
                                     .log_y = log,
                                     .bar = {count > MOST_LEGEND ? series[0].name : NULL,
                                             count > MOST_LEGEND ? series[count - 1].name : NULL},
                                     .x_names = a->layers,
                                     .x_name_count = a->layer_count,
                                     .note = log && zero ? "zero where the line is missing" : NULL,
                                     .width = f->run_count > 1 ? PANEL_WIDTH : 0};
}

/* The range of all charts on a logarithmic axis, so that levels compare. */
static void join_ranges(gf__figure *f) {
  double min = INFINITY, max = -INFINITY;
  for (int i = 0; i < f->count; i++)
    for (int s = 0; s < f->charts[i].count; s++)
      for (int k = 0; k < f->charts[i].series[s].count; k++) {
        double value = f->charts[i].series[s].y[k];
        if (!(value > 0 && isfinite(value))) continue;
        min = fmin(min, value);
        max = fmax(max, value);
      }
  for (int i = 0; i < f->count && min < max; i++) {
    f->charts[i].y_min = min;
    f->charts[i].y_max = max;
  }
}

typedef void add_run(gf__figure *f, size_t run, bool log);

static gf_status draw_each(gf__figure *f, const gf__study_figure *figure, add_run *add) {
  size_t lines = f->run_count * MOST_LINES;
  f->series = calloc(lines, sizeof *f->series);
  f->series_names = calloc(lines, sizeof *f->series_names);
  f->charts = calloc(f->run_count, sizeof *f->charts);
  f->titles = calloc(f->run_count, sizeof *f->titles);
  if (!f->series || !f->series_names || !f->charts || !f->titles)
    return gf__fail_host_memory(lines * sizeof *f->series);
  for (size_t i = 0; i < f->run_count; i++) add(f, i, figure->log);
  if (figure->log) join_ranges(f);
  f->columns = f->count < MOST_COLUMNS ? f->count : MOST_COLUMNS;
  return GF_OK;
}

static gf_status draw_flow(gf__figure *f, const gf__study_figure *figure) {
  return draw_each(f, figure, add_flow);
}

static gf_status draw_signal(gf__figure *f, const gf__study_figure *figure) {
  return draw_each(f, figure, add_signal);
}

/* The last epoch of each run against relative depth, so that depths compare. */
static gf_status draw_compared_flow(gf__figure *f, const gf__study_figure *figure) {
  size_t points = 1;
  bool zero = false;
  for (size_t i = 0; i < f->run_count; i++) points += (size_t)f->runs[i].layer_count;
  f->series = calloc(f->run_count, sizeof *f->series);
  f->depths = malloc(points * sizeof *f->depths);
  f->charts = calloc(1, sizeof *f->charts);
  if (!f->series || !f->depths || !f->charts)
    return gf__fail_host_memory(points * sizeof *f->depths);
  double *next = f->depths;
  for (size_t i = 0; i < f->run_count; i++) {
    const gf__run *run = &f->runs[i];
    f->series[i] = (gf_series){.name = f->names[i], .x = next, .shade = 1, .hue = (int)i};
    if (run->layer_count == 0) continue;
    f->series[i].y = line_values(run, run->epoch_count - 1);
    f->series[i].count = run->layer_count;
    for (int k = 0; k < run->layer_count; k++)
      *next++ = run->layer_count > 1 ? (double)k / (run->layer_count - 1) : 1;
    zero |= has_zero(&f->series[i]);
  }
  if (next == f->depths) return GF_OK;
  f->charts[f->count++] = (gf_chart){
      .title = figure->title,
      .note = figure->log && zero ? "zero where the line is missing" : NULL,
      .x_label = "relative depth, input 0 to output 1",
      .y_label = "mean |gradient| of the last epoch",
      .series = f->series,
      .count = (int)f->run_count,
      .log_y = figure->log,
      .reference = f->runs[0].vanishing.level,
      .reference_name = figure->log ? gf__runs_threshold(f->runs, (int)f->run_count) : NULL};
  f->columns = 1;
  return GF_OK;
}

/* ---- kinds ---- */

const char *const gf__figure_words[] = {
    "loss", "accuracy", "gradient_flow", "gradient_flow_compare", "signal_flow", NULL};
static gf_status (*const draws[])(gf__figure *, const gf__study_figure *) = {
    draw_loss, draw_accuracy, draw_flow, draw_compared_flow, draw_signal};
_Static_assert(sizeof gf__figure_words / sizeof *gf__figure_words ==
                   sizeof draws / sizeof *draws + 1,
               "draws follows gf__figure_words row by row");

bool gf__figure_is_of_gradients(int kind) {
  return draws[kind] == draw_flow || draws[kind] == draw_compared_flow;
}

static gf_status is_of_setting(const gf_study *study, const gf__setting *setting, uint64_t seed,
                               const char *folder, bool *out) {
  gf__text difference = {0};
  gf_status status = gf__study_difference(&difference, study, setting, seed, folder);
  *out = difference.size == 0;
  gf__text_free(&difference);
  return status;
}

/* Those of the figure's runs that have metrics, and were made with the study's settings. */
static gf_status load_runs(gf__figure *f, const gf_study *study, const gf__study_figure *figure) {
  for (int i = 0; i < figure->setting_count; i++) {
    char folder[GF__PATH_SIZE], metrics[GF__PATH_SIZE];
    const gf__setting *setting = &study->settings[figure->settings[i]];
    GF_TRY(gf__study_run_folder(folder, study, setting, figure->seeds[i]));
    GF_TRY(gf__path_join(metrics, sizeof metrics, folder, "metrics.csv"));
    bool belongs;
    GF_TRY(is_of_setting(study, setting, figure->seeds[i], folder, &belongs));
    if (!belongs || !gf__path_exists(metrics)) continue;
    GF_TRY(gf__run_load_for_charts(&f->runs[f->run_count], folder));
    f->runs[f->run_count].folder = NULL; /* which ends here */
    f->names[f->run_count++] = setting->label;
  }
  return GF_OK;
}

gf_status gf__figure_open(gf__figure *out, const gf_study *study, const gf__study_figure *figure) {
  size_t most = (size_t)figure->setting_count;
  *out = (gf__figure){.runs = calloc(most, sizeof *out->runs),
                      .names = calloc(most, sizeof *out->names)};
  gf_status status = out->runs && out->names ? load_runs(out, study, figure)
                                             : gf__fail_host_memory(most * sizeof *out->runs);
  if (status == GF_OK && out->run_count > 0) status = draws[figure->kind](out, figure);
  if (status != GF_OK) gf__figure_free(out);
  return status;
}

void gf__figure_free(gf__figure *figure) {
  for (size_t i = 0; i < figure->run_count; i++) gf__run_free(&figure->runs[i]);
  free(figure->runs);
  free(figure->names);
  free(figure->charts);
  free(figure->series);
  free(figure->series_names);
  free(figure->depths);
  free(figure->titles);
  *figure = (gf__figure){0};
}
