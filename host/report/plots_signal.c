/* The signal beside the gradient: contrast over the depth on the way forward, mean |gradient| on
 * the way back. */
#include <math.h>
#include <stdio.h>

#include "report/plots.h"
#include "run/signal.h"

enum { EARLY, EPOCHS, BACKWARD, PANELS, WIDTH = 1000 };

static bool is_known(const gf__matrix *m) {
  size_t count = (size_t)m->epoch_count * (size_t)m->layer_count;
  for (size_t i = 0; i < count; i++)
    if (isfinite(m->values[i])) return true;
  return false;
}

static gf_chart contrast_chart(gf__layer_lines *lines, const gf__matrix *matrix,
                               const char *title) {
  gf_chart chart = gf__layer_chart(lines, matrix, 0, true);
  chart.title = title;
  chart.x_label = "layers, input to output";
  chart.y_label = "contrast: energy that differs between images";
  chart.reference = GF__SIGNAL_LOST;
  chart.reference_name = "lost in single precision";
  chart.width = WIDTH;
  return chart;
}

gf_status gf__plot_signal(const gf__gallery *gallery, const gf__run *run) {
  const gf__early_steps *e = &run->early;
  gf__matrix matrices[PANELS] = {
      [EARLY] = {e->contrast, e->steps, e->step_count, e->layer_count, e->layers, true},
      [EPOCHS] = gf__activation_matrix(run, run->activations.contrasts),
      [BACKWARD] = gf__gradient_matrix(run, run->mean_gradients)};
  gf__layer_lines lines[PANELS];
  gf_chart charts[PANELS];
  char titles[PANELS][256];
  int count = 0;
  if (!is_known(&matrices[EARLY]) && !is_known(&matrices[EPOCHS])) return GF_OK;
  if (is_known(&matrices[EARLY])) {
    snprintf(titles[count], sizeof titles[count], "%s: contrast, early steps", run->name);
    charts[count] = contrast_chart(&lines[count], &matrices[EARLY], titles[count]);
    count++;
  }
  if (is_known(&matrices[EPOCHS])) {
    snprintf(titles[count], sizeof titles[count], "%s: contrast, records of epochs", run->name);
    charts[count] = contrast_chart(&lines[count], &matrices[EPOCHS], titles[count]);
    count++;
  }
  gf__level_charts(charts, count);
  if (run->layer_count) {
    snprintf(titles[count], sizeof titles[count], "%s: mean |gradient|", run->name);
    gf_chart *chart = &charts[count];
    *chart = gf__layer_chart(&lines[count], &matrices[BACKWARD], 1, true);
    chart->title = titles[count++];
    chart->x_label = "weights, input to output";
    chart->y_label = "mean |gradient|";
    chart->reference = run->vanishing.level;
    chart->reference_name = run->vanishing.label;
    chart->width = WIDTH;
  }
  return gf__gallery_add(gallery, "signal_flow.png", charts, count, count);
}
