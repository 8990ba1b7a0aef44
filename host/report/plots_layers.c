/* Layers over the epochs: heat maps, the course of single layers, activations. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "report/plots.h"

enum { PANEL_HEIGHT = 640, PANEL_WIDTH = 900, MOST_COURSES = 5 };

static const char gradient_label[] = "mean |gradient|";

/* ---- heat maps ---- */

/* Layers as rows, epochs as columns. */
static gf_status add_heat_map(const gf__gallery *gallery, const char *file, const char *title,
                              const char *value_label, const gf__matrix *m) {
  size_t layers = (size_t)m->layer_count, epochs = (size_t)m->epoch_count;
  double *values = malloc(layers * epochs * sizeof *values);
  if (!values) return gf__fail_host_memory(layers * epochs * sizeof *values);
  for (size_t layer = 0; layer < layers; layer++)
    for (size_t epoch = 0; epoch < epochs; epoch++)
      values[layer * epochs + epoch] = m->values[epoch * layers + layer];
  gf__heat_map map = {.title = title,
                      .note = "from the input at the top to the output",
                      .x_label = m->counts_steps ? "step" : "epoch",
                      .value_label = value_label,
                      .row_names = m->layers,
                      .columns = m->epochs,
                      .values = values,
                      .rows = m->layer_count,
                      .column_count = m->epoch_count,
                      .log = true};
  gf_status status = gf__gallery_add_heat_map(gallery, file, &map);
  free(values);
  return status;
}

/* ---- the course of single layers ---- */

/* Copies one layer's values, epoch by epoch; returns whether one is 0. */
static bool copy_course(const gf__matrix *m, int layer, double *out) {
  bool has_zero = false;
  for (int e = 0; e < m->epoch_count; e++) {
    out[e] = m->values[(size_t)e * (size_t)m->layer_count + (size_t)layer];
    has_zero |= out[e] == 0;
  }
  return has_zero;
}

static gf_status plot_layers(const gf__gallery *gallery, const gf__run *run) {
  gf__matrix m = gf__gradient_matrix(run, run->mean_gradients);
  int count = m.layer_count < MOST_COURSES ? m.layer_count : MOST_COURSES;
  size_t size = (size_t)count * (size_t)m.epoch_count * sizeof(double);
  double *values = malloc(size);
  if (!values) return gf__fail_host_memory(size);
  gf_series series[MOST_COURSES];
  bool has_zero = false;
  for (int i = 0; i < count; i++) {
    int layer = gf__spread(i, count, m.layer_count);
    double *course = values + (size_t)i * (size_t)m.epoch_count;
    has_zero |= copy_course(&m, layer, course);
    series[i] = (gf_series){.name = m.layers[layer],
                            .x = m.epochs,
                            .y = course,
                            .count = m.epoch_count,
                            .shade = 1,
                            .hue = i};
  }
  gf__title title = gf__title_of(run, "mean |gradient| of layers over the depth");
  gf_chart chart = {.title = title.text,
                    .note = has_zero ? gf__zero_note : NULL,
                    .x_label = gf__time_label(run, 1),
                    .y_label = gradient_label,
                    .series = series,
                    .count = count,
                    .log_y = true};
  gf_status status = gf__gallery_add(gallery, "gradient_layers.png", &chart, 1, 1);
  free(values);
  return status;
}

gf_status gf__plot_courses(const gf__gallery *gallery, const gf__run *run) {
  if (run->layer_count == 0) return GF_OK;
  gf__matrix matrix = gf__gradient_matrix(run, run->mean_gradients);
  gf__title title = gf__title_of(run, "mean |gradient| of the weights");
  GF_TRY(add_heat_map(gallery, "gradient_heat_map.png", title.text, gradient_label, &matrix));
  return plot_layers(gallery, run);
}

/* The layer at a relative depth of each run with gradients. */
static gf_chart depth_panel(const gf__run *runs, int count, int place, int places,
                            gf_series *series, double *values) {
  bool has_zero = false;
  for (int i = 0; i < count; i++) {
    if (runs[i].layer_count == 0) continue;
    gf__matrix m = gf__gradient_matrix(&runs[i], runs[i].mean_gradients);
    has_zero |= copy_course(&m, gf__spread(place, places, m.layer_count), values);
    series[i] = (gf_series){.name = runs[i].name,
                            .x = m.epochs,
                            .y = values,
                            .count = m.epoch_count,
                            .shade = 1,
                            .hue = i};
    values += m.epoch_count;
  }
  return (gf_chart){.x_label = gf__time_label(runs, count),
                    .y_label = gradient_label,
                    .series = series,
                    .count = count,
                    .log_y = true,
                    .note = has_zero ? gf__zero_note : NULL,
                    .width = PANEL_WIDTH};
}

gf_status gf__compare_courses(const gf__gallery *gallery, const gf__run *runs, int count) {
  static const char *const titles[] = {"Gradients of the layer nearest to the input",
                                       "Gradients of the layer in the middle of the depth",
                                       "Gradients of the layer nearest to the output"};
  enum { PLACES = sizeof titles / sizeof *titles };
  size_t points = 0, runs_count = (size_t)count;
  for (int i = 0; i < count; i++)
    if (runs[i].layer_count) points += (size_t)runs[i].epoch_count;
  if (points == 0) return GF_OK;
  gf_series *series = calloc(PLACES * runs_count, sizeof *series);
  double *values = malloc(PLACES * points * sizeof *values);
  gf_chart panels[PLACES];
  gf_status status = GF_OK;
  if (!series || !values) status = gf__fail_host_memory(PLACES * points * sizeof *values);
  for (int p = 0; p < PLACES && status == GF_OK; p++) {
    panels[p] = depth_panel(runs, count, p, PLACES, series + (size_t)p * runs_count,
                            values + (size_t)p * points);
    panels[p].title = titles[p];
  }
  if (status == GF_OK) {
    gf__level_charts(panels, PLACES);
    status = gf__gallery_add(gallery, "gradient_layers.png", panels, PLACES, PLACES);
  }
  free(series);
  free(values);
  return status;
}

/* ---- activations ---- */

gf__matrix gf__activation_matrix(const gf__run *run, const double *values) {
  const gf__run_activations *a = &run->activations;
  return (gf__matrix){values,         a->epochs, a->epoch_count,
                      a->layer_count, a->layers, run->counts_steps};
}

/* A matrix of the layers alone that have numbers; what it points to. */
typedef struct known_layers {
  double *values;
  const char **layers;
} known_layers;

static void free_known(known_layers *known) {
  free(known->values);
  free(known->layers);
  *known = (known_layers){0};
}

/* Leaves out layers without an activation. The caller frees known, also after a failure. */
static gf_status keep_known(gf__matrix *m, known_layers *known) {
  size_t all = (size_t)m->layer_count, epochs = (size_t)m->epoch_count, kept = 0;
  *known = (known_layers){0};
  if (all == 0) return GF_OK;
  known->values = malloc(all * epochs * sizeof *known->values);
  known->layers = malloc(all * sizeof *known->layers);
  if (!known->values || !known->layers)
    return gf__fail_host_memory(all * epochs * sizeof *known->values);
  const double *last = m->values + (epochs - 1) * all;
  for (size_t i = 0; i < all; i++)
    if (!isnan(last[i])) known->layers[kept++] = m->layers[i];
  for (size_t e = 0, next = 0; e < epochs; e++)
    for (size_t i = 0; i < all; i++)
      if (!isnan(last[i])) known->values[next++] = m->values[e * all + i];
  m->values = known->values;
  m->layers = known->layers;
  m->layer_count = (int)kept;
  return GF_OK;
}

enum { MEAN, DEVIATION, DEAD, STATISTICS };
static const struct {
  const char *title, *y_label;
  bool log;
} statistics[STATISTICS] = {{"mean", "mean", false},
                            {"standard deviation", "standard deviation", true},
                            {"dead channels", "fraction of dead channels", false}};

static const double *statistic(const gf__run *run, int which) {
  const gf__run_activations *a = &run->activations;
  const double *const all[STATISTICS] = {a->means, a->deviations, a->dead};
  return all[which];
}

static gf_status plot_statistics(const gf__gallery *gallery, const gf__run *run) {
  gf_chart panels[STATISTICS];
  gf__layer_lines lines[STATISTICS];
  known_layers known;
  char titles[STATISTICS][256];
  gf__matrix matrices[STATISTICS];
  for (int s = 0; s < STATISTICS; s++) matrices[s] = gf__activation_matrix(run, statistic(run, s));
  gf_status status = keep_known(&matrices[DEAD], &known);
  for (int s = 0; s < STATISTICS && status == GF_OK; s++) {
    panels[s] = gf__layer_chart(&lines[s], &matrices[s], 0, statistics[s].log);
    snprintf(titles[s], sizeof titles[s], "%s: activations, %s", run->name, statistics[s].title);
    panels[s].title = titles[s];
    panels[s].y_label = statistics[s].y_label;
    panels[s].height = PANEL_HEIGHT;
    panels[s].trims = 1;
  }
  panels[DEAD].y_max = 1;
  if (status == GF_OK) status = gf__gallery_add(gallery, "activations.png", panels, STATISTICS, 1);
  free_known(&known);
  return status;
}

gf_status gf__plot_activations(const gf__gallery *gallery, const gf__run *run) {
  if (run->activations.layer_count == 0) return GF_OK;
  gf__matrix matrix = gf__activation_matrix(run, run->activations.deviations);
  GF_TRY(plot_statistics(gallery, run));
  gf__title title = gf__title_of(run, "standard deviation of activations");
  return add_heat_map(gallery, "activation_heat_map.png", title.text,
                      "standard deviation of activations", &matrix);
}

/* One panel: a statistic of every run's last epoch. */
typedef struct depth_lines {
  gf__depth_lines lines;
  gf__matrix *matrices; /* (count) */
  known_layers *known;
} depth_lines;

static const char *const depth_titles[STATISTICS] = {
    "Activations of the last epoch: mean", "Activations of the last epoch: standard deviation",
    "Activations of the last epoch: dead channels"};

static gf_status make_panel(depth_lines *d, const gf__run *runs, int count, int which,
                            gf_chart *out) {
  d->matrices = calloc((size_t)count, sizeof *d->matrices);
  d->known = calloc((size_t)count, sizeof *d->known);
  if (!d->matrices || !d->known) return gf__fail_host_memory((size_t)count * sizeof *d->matrices);
  for (int i = 0; i < count; i++) {
    d->matrices[i] = gf__activation_matrix(&runs[i], statistic(&runs[i], which));
    GF_TRY(keep_known(&d->matrices[i], &d->known[i]));
  }
  /* The caller frees d. NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
  GF_TRY(gf__depth_lines_make(&d->lines, runs, d->matrices, count));
  *out = (gf_chart){.title = depth_titles[which],
                    .x_label = gf__depth_label,
                    .y_label = statistics[which].y_label,
                    .series = d->lines.series,
                    .count = d->lines.any ? count : 0,
                    .log_y = statistics[which].log,
                    .y_max = which == DEAD,
                    .width = PANEL_WIDTH};
  return GF_OK;
}

gf_status gf__compare_activations(const gf__gallery *gallery, const gf__run *runs, int count) {
  gf_chart panels[STATISTICS];
  depth_lines lines[STATISTICS] = {0};
  bool any = false;
  gf_status status = GF_OK;
  for (int i = 0; i < count; i++) any |= runs[i].activations.layer_count > 0;
  if (!any) return GF_OK;
  for (int s = 0; s < STATISTICS && status == GF_OK; s++)
    status = make_panel(&lines[s], runs, count, s, &panels[s]);
  if (status == GF_OK)
    status = gf__gallery_add(gallery, "activations_last.png", panels, STATISTICS, STATISTICS);
  for (int s = 0; s < STATISTICS; s++) {
    for (int i = 0; i < count && lines[s].known; i++) free_known(&lines[s].known[i]);
    gf__depth_lines_free(&lines[s].lines);
    free(lines[s].matrices);
    free(lines[s].known);
  }
  return status;
}
