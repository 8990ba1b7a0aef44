/* The picture of a fresh network: contrast, size and gradient over its layers. */
#include <gradflow/report.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "diagnosis/signal.h"

enum { PANELS = 3, SERIES = 2, WIDTH = 1000 };

/* The rows of the layers that have the number, as a series over them. */
typedef struct panel {
  gf_series series[SERIES];
  double *numbers; /* (SERIES, layers) */
  const char **names;
} panel;

static gf_status panel_make(panel *p, int count) {
  size_t size = (size_t)count + 1;
  p->numbers = malloc(SERIES * size * sizeof *p->numbers);
  p->names = malloc(size * sizeof *p->names);
  return p->numbers && p->names ? GF_OK : gf__fail_host_memory(SERIES * size * sizeof(double));
}

static double number_of(const gf_signal_layer *row, int which) {
  return which == 0 ? row->contrast : which == 1 ? row->rms : row->mean_abs;
}

static bool panel_fill(panel *p, const gf_signal *s, int which) {
  bool has_zero = false;
  int count = 0;
  for (int i = 0; i < s->layer_count; i++) {
    double value = number_of(&s->layers[i], which);
    if (isnan(value)) continue;
    p->names[count] = s->layers[i].layer;
    p->numbers[count] = value;
    p->numbers[s->layer_count + count++] = s->layers[i].contrast_expected;
    has_zero |= value == 0;
  }
  p->series[0] = (gf_series){
      .name = which == 0 ? "measured" : NULL, .y = p->numbers, .count = count, .shade = 1};
  p->series[1] = (gf_series){.name = "mean-field theory",
                             .y = p->numbers + s->layer_count,
                             .count = count,
                             .shade = 1,
                             .hue = 1,
                             .dashed = 1};
  return has_zero;
}

gf_status gf_signal_plot(const gf_signal *s, const char *path) {
  static const struct {
    const char *title, *y_label;
  } heads[PANELS] = {{"Forward: how much of the images is left", "contrast"},
                     {"Forward: size", "root mean square of the output"},
                     {"Backward", "mean |gradient| of the weights"}};
  const gf__vanishing *vanishing = &((const gf__fresh *)s->owner)->vanishing;
  panel panels[PANELS] = {0};
  gf_chart charts[PANELS];
  gf_status status = GF_OK;
  for (int i = 0; i < PANELS && status == GF_OK; i++) {
    status = panel_make(&panels[i], s->layer_count);
    if (status != GF_OK) break;
    bool has_zero = panel_fill(&panels[i], s, i), has_theory = i == 0 && !s->theory.reason;
    charts[i] = (gf_chart){.title = heads[i].title,
                           .x_label = "layers, input to output",
                           .y_label = heads[i].y_label,
                           .series = panels[i].series,
                           .count = has_theory ? SERIES : 1,
                           .log_y = 1,
                           .x_names = panels[i].series[0].count ? panels[i].names : NULL,
                           .x_name_count = panels[i].series[0].count,
                           .note = has_zero ? "zero where the line is missing" : NULL,
                           .width = WIDTH};
  }
  if (status == GF_OK) {
    charts[0].reference = GF__SIGNAL_LOST;
    charts[0].reference_name = "lost in single precision";
    charts[2].reference = vanishing->level;
    charts[2].reference_name = vanishing->label;
    status = gf_charts_write(path, charts, PANELS, PANELS);
  }
  for (int i = 0; i < PANELS; i++) {
    free(panels[i].numbers);
    free(panels[i].names);
  }
  return status;
}
