/* Gradient flow: lines over the layers, one an epoch or one a run. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "report/plots.h"

/* More lines than a legend has are on a bar of colours. */
enum { MOST_LEGEND = 8, PANEL_WIDTH = 1000 };

/* What a step usually moves the weights by, for their size (Hinton, 2010). */
static const double USUAL_RATIO = 1e-3;

static const char gradient_label[] = "mean |gradient|", x_label[] = "weights, input to output";
const char gf__depth_label[] = "relative depth, input 0 to output 1";
const char gf__zero_note[] = "zero where the line is missing";

/* ---- lines over the layers ---- */

gf__matrix gf__gradient_matrix(const gf__run *run, const double *values) {
  return (gf__matrix){values,           run->epochs, run->epoch_count,
                      run->layer_count, run->layers, run->counts_steps};
}

static const double *line_values(const gf__matrix *m, int line) {
  return m->values + (size_t)line * (size_t)m->layer_count;
}

int gf__spread(int i, int count, int all) {
  return count > 1 ? (int)((double)i * (all - 1) / (count - 1) + 0.5) : all - 1;
}

gf_chart gf__layer_chart(gf__layer_lines *lines, const gf__matrix *matrix, int hue, bool log) {
  int count = matrix->epoch_count < GF__MOST_LINES ? matrix->epoch_count : GF__MOST_LINES;
  bool has_zero = false;
  for (int i = 0; i < count; i++) {
    int line = gf__spread(i, count, matrix->epoch_count);
    snprintf(lines->names[i], sizeof lines->names[i], "%s %.0f",
             matrix->counts_steps ? "step" : "epoch", matrix->epochs[line]);
    lines->series[i] = (gf_series){.name = lines->names[i],
                                   .y = line_values(matrix, line),
                                   .count = matrix->layer_count,
                                   .shade = count > 1 ? (float)i / (float)(count - 1) : 1,
                                   .hue = hue};
    for (int k = 0; k < matrix->layer_count; k++) has_zero |= lines->series[i].y[k] == 0;
  }
  return (gf_chart){.series = lines->series,
                    .count = count,
                    .log_y = log,
                    .bar = {count > MOST_LEGEND ? lines->names[0] : NULL,
                            count > MOST_LEGEND ? lines->names[count - 1] : NULL},
                    .x_names = matrix->layer_count ? matrix->layers : NULL,
                    .x_name_count = matrix->layer_count,
                    .note = log && has_zero ? gf__zero_note : NULL};
}

static gf_chart flow_chart(const gf__run *run, gf__layer_lines *lines, gf__title *title, int hue,
                           bool log) {
  gf__matrix matrix = gf__gradient_matrix(run, run->mean_gradients);
  gf_chart chart = gf__layer_chart(lines, &matrix, hue, log);
  *title = gf__title_of(run, log ? "mean |gradient| of the weights"
                                 : "mean |gradient| of the weights, on a linear axis");
  chart.title = title->text;
  chart.x_label = x_label;
  chart.y_label = gradient_label;
  chart.reference = run->vanishing.level;
  chart.reference_name = log ? run->vanishing.label : NULL;
  return chart;
}

static gf_status plot_update_ratio(const gf__gallery *gallery, const gf__run *run) {
  gf__layer_lines lines;
  gf__matrix matrix = gf__gradient_matrix(run, run->update_ratios);
  gf_chart chart = gf__layer_chart(&lines, &matrix, 0, true);
  gf__title title = gf__title_of(run, "how far a step moves the weights, for their size");
  chart.title = title.text;
  chart.x_label = x_label;
  chart.y_label = "|update| / |weights|";
  chart.reference = USUAL_RATIO;
  chart.reference_name = "1e-3";
  return gf__gallery_add(gallery, "update_ratio.png", &chart, 1, 1);
}

gf_status gf__plot_flow(const gf__gallery *gallery, const gf__run *run) {
  gf__layer_lines lines;
  gf__title title;
  if (run->layer_count == 0) return GF_OK;
  gf_chart chart = flow_chart(run, &lines, &title, 0, true);
  GF_TRY(gf__gallery_add(gallery, "gradient_flow.png", &chart, 1, 1));
  chart = flow_chart(run, &lines, &title, 0, false);
  GF_TRY(gf__gallery_add(gallery, "gradient_flow_linear.png", &chart, 1, 1));
  return plot_update_ratio(gallery, run);
}

/* ---- several runs ---- */

void gf__level_charts(gf_chart *charts, int count) {
  double min = INFINITY, max = -INFINITY;
  const char *note = NULL;
  for (int c = 0; c < count; c++) {
    if (charts[c].note) note = charts[c].note;
    for (int i = 0; i < charts[c].count; i++)
      for (int k = 0; k < charts[c].series[i].count; k++) {
        double value = charts[c].series[i].y[k];
        if (!(value > 0 && isfinite(value))) continue;
        min = fmin(min, value);
        max = fmax(max, value);
      }
  }
  for (int c = 0; c < count; c++) {
    charts[c].note = note;
    charts[c].y_min = min < max ? min : 0;
    charts[c].y_max = min < max ? max : 0;
  }
}

static gf_status compare_epochs(const gf__gallery *gallery, const gf__run *runs, int count) {
  enum { MOST_COLUMNS = 3 };
  gf__layer_lines *lines = calloc((size_t)count, sizeof *lines);
  gf_chart *charts = calloc((size_t)count, sizeof *charts);
  gf__title *titles = calloc((size_t)count, sizeof *titles);
  gf_status status = GF_OK;
  int used = 0;
  if (!lines || !charts || !titles) status = gf__fail_host_memory((size_t)count * sizeof *lines);
  for (int i = 0; i < count && status == GF_OK; i++) {
    if (runs[i].layer_count == 0) continue;
    charts[used] = flow_chart(&runs[i], &lines[used], &titles[used], i, true);
    charts[used++].width = PANEL_WIDTH;
  }
  gf__level_charts(charts, used);
  if (used) status = gf__gallery_add(gallery, "gradient_flow.png", charts, used, MOST_COLUMNS);
  free(lines);
  free(charts);
  free(titles);
  return status;
}

gf_status gf__depth_lines_make(gf__depth_lines *out, const gf__run *runs,
                               const gf__matrix *matrices, int count) {
  *out = (gf__depth_lines){0};
  size_t points = 0;
  for (int i = 0; i < count; i++) points += (size_t)matrices[i].layer_count;
  if (points == 0) return GF_OK;
  out->series = calloc((size_t)count, sizeof *out->series);
  out->depths = malloc(points * sizeof *out->depths);
  if (!out->series || !out->depths) return gf__fail_host_memory(points * sizeof *out->depths);
  out->any = true;
  double *next = out->depths;
  for (int i = 0; i < count; i++) {
    const gf__matrix *m = &matrices[i];
    if (m->layer_count == 0) continue;
    out->series[i] = (gf_series){.name = runs[i].name,
                                 .x = next,
                                 .y = line_values(m, m->epoch_count - 1),
                                 .count = m->layer_count,
                                 .shade = 1,
                                 .hue = i};
    for (int k = 0; k < m->layer_count; k++) {
      *next++ = m->layer_count > 1 ? (double)k / (m->layer_count - 1) : 1;
      out->has_zero |= out->series[i].y[k] == 0;
    }
  }
  return GF_OK;
}

void gf__depth_lines_free(gf__depth_lines *lines) {
  free(lines->series);
  free(lines->depths);
  *lines = (gf__depth_lines){0};
}

/* The last epoch of each run against relative depth, so that depths compare. */
static gf_status compare_last(const gf__gallery *gallery, const gf__run *runs, int count) {
  gf__depth_lines lines = {0};
  gf__matrix *matrices = malloc((size_t)count * sizeof *matrices);
  if (!matrices) return gf__fail_host_memory((size_t)count * sizeof *matrices);
  for (int i = 0; i < count; i++)
    matrices[i] = gf__gradient_matrix(&runs[i], runs[i].mean_gradients);
  gf_status status = gf__depth_lines_make(&lines, runs, matrices, count);
  gf_chart chart = {.title = "Runs compared: mean |gradient| of the last epoch",
                    .note = lines.has_zero ? gf__zero_note : NULL,
                    .x_label = gf__depth_label,
                    .y_label = gradient_label,
                    .series = lines.series,
                    .count = count,
                    .log_y = true,
                    .reference = runs[0].vanishing.level,
                    .reference_name = gf__runs_threshold(runs, count)};
  if (status == GF_OK && lines.any)
    status = gf__gallery_add(gallery, "gradient_flow_last.png", &chart, 1, 1);
  gf__depth_lines_free(&lines);
  free(matrices);
  return status;
}

gf_status gf__compare_flow(const gf__gallery *gallery, const gf__run *runs, int count) {
  GF_TRY(compare_epochs(gallery, runs, count));
  return compare_last(gallery, runs, count);
}
