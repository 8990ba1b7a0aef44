#include "run/early_steps.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "run/signal.h"

bool gf__early_steps_has(long step) { return (step & (step - 1)) == 0; }

/* ---- writing ---- */

/* Mean |g| of the weight of the layer that stores the activation. */
static double gradient_of(const gf__early_step *step, const char *layer) {
  for (int i = 0; i < step->gradient_count; i++) {
    const gf_gradient_stats *g = &step->gradients[i];
    if (g->is_weight && !strcmp(g->layer, layer)) return g->mean_abs;
  }
  return NAN;
}

void gf__early_steps_add(gf__run_folder *folder, const gf__early_step *step) {
  gf__text *rows = &folder->logs[GF__LOG_EARLY_STEPS].pending;
  for (int i = 0; i < step->activation_count; i++) {
    const gf_activation_stats *a = &step->activations[i];
    gf__text_add(rows, "%ld,", step->step);
    gf__csv_add_text(rows, a->layer);
    gf__text_add(rows, ",%.6g,%.6g,%.6g,%.6g,%.9g\n", hypot(a->mean, a->deviation), a->contrast,
                 a->dead, gradient_of(step, a->stored_by), step->loss);
  }
}

void gf__early_steps_log(const gf__early_step *step, const gf__vanishing *vanishing) {
  size_t count = (size_t)step->activation_count;
  const char **layers = malloc((count + 1) * sizeof *layers);
  double *numbers = malloc((3 * count + 1) * sizeof *numbers);
  gf__text line = {0};
  for (size_t i = 0; i < count && layers && numbers; i++) {
    const gf_activation_stats *a = &step->activations[i];
    layers[i] = a->layer;
    numbers[i] = a->contrast;
    numbers[count + i] = gradient_of(step, a->stored_by);
    numbers[2 * count + i] = a->dead;
  }
  gf__signal_course course = {(int)count, layers, numbers, numbers + count, numbers + 2 * count};
  if (layers && numbers && count) gf__signal_add_line(&line, &course, vanishing);
  if (line.data && gf__text_status(&line) == GF_OK)
    gf__log(GF_LOG_INFO, "before the first step %s", line.data);
  gf__text_free(&line);
  free(layers);
  free(numbers);
}

/* ---- reading ---- */

enum { STEP, LAYER, RMS, CONTRAST, DEAD, MEAN_ABS, LOSS, COLUMNS };
static const gf__csv_column columns[COLUMNS] = {
    {"step", GF__CSV_NUMBER},     {"layer", GF__CSV_TEXT},  {"rms", GF__CSV_NUMBER},
    {"contrast", GF__CSV_NUMBER}, {"dead", GF__CSV_NUMBER}, {"mean_abs", GF__CSV_NUMBER},
    {"loss", GF__CSV_NUMBER}};

/* The layers are those of the first record; a last record that is not whole is left out. */
static gf_status count_records(gf__early_steps *e, const char *path) {
  const gf__csv *csv = &e->csv;
  size_t layers = 0;
  while (layers < csv->rows && csv->numbers[STEP][layers] == csv->numbers[STEP][0]) layers++;
  if (layers == 0) return GF_OK;
  for (size_t row = 0; row < csv->rows; row++)
    if (strcmp(csv->texts[LAYER][row], csv->texts[LAYER][row % layers]) != 0 ||
        csv->numbers[STEP][row] != csv->numbers[STEP][row - row % layers])
      return gf__fail(GF_ERROR_DATA,
                      "%s:%zu: step %g, layer %s: each step needs the layers of the "
                      "first one, in the same order",
                      path, row + 2, csv->numbers[STEP][row], csv->texts[LAYER][row]);
  e->layer_count = (int)layers;
  e->step_count = (int)(csv->rows / layers);
  return GF_OK;
}

static gf_status copy_records(gf__early_steps *e) {
  size_t layers = (size_t)e->layer_count, steps = (size_t)e->step_count;
  if (layers == 0) return GF_OK;
  double **const values[] = {&e->rms, &e->contrast, &e->dead, &e->mean_abs};
  e->layers = malloc(layers * sizeof *e->layers);
  e->steps = malloc(2 * steps * sizeof *e->steps);
  if (!e->layers || !e->steps) return gf__fail_host_memory(2 * steps * sizeof *e->steps);
  e->losses = e->steps + steps;
  for (size_t i = 0; i < layers; i++) e->layers[i] = e->csv.texts[LAYER][i];
  for (size_t s = 0; s < steps; s++) {
    e->steps[s] = e->csv.numbers[STEP][s * layers];
    e->losses[s] = e->csv.numbers[LOSS][s * layers];
  }
  /* The columns have whole records first, in order. */
  for (int k = 0; k < 4; k++) *values[k] = e->csv.numbers[RMS + k];
  return GF_OK;
}

gf_status gf__early_steps_load(gf__early_steps *out, const char *folder) {
  char path[GF__PATH_SIZE];
  *out = (gf__early_steps){0};
  GF_TRY(gf__run_path(path, folder, "early_steps.csv"));
  if (!gf__path_exists(path)) return GF_OK;
  GF_TRY(gf__csv_read(&out->csv, path, columns, COLUMNS));
  GF_TRY(count_records(out, path));
  return copy_records(out);
}

void gf__early_steps_free(gf__early_steps *steps) {
  free(steps->layers);
  free(steps->steps);
  gf__csv_free(&steps->csv);
  *steps = (gf__early_steps){0};
}
