#include "report/runs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/os.h"

enum { LONGEST_PATH = 4096 };

enum { GRADIENT_EPOCH, GRADIENT_STEP, GRADIENT_PARAMETER, GRADIENT_MEAN, GRADIENT_COLUMNS };

/* "runs/plain/" -> "plain" */
static gf_status base_name(const char *folder, char **out) {
  size_t end = strlen(folder);
  while (end > 1 && folder[end - 1] == '/') end--;
  size_t start = end;
  while (start > 0 && folder[start - 1] != '/') start--;
  if (start == end) start = 0; /* "/" alone */
  *out = malloc(end - start + 1);
  if (!*out) return gf__fail_host_memory(end - start + 1);
  memcpy(*out, folder + start, end - start);
  (*out)[end - start] = 0;
  return GF_OK;
}

static gf_status load_metrics(gf__run *run) {
  static const gf__csv_column columns[GF__METRIC_COUNT] = {
      [GF__EPOCH] = {"epoch", false},
      [GF__TRAIN_LOSS] = {"train_loss", false},
      [GF__TRAIN_ACCURACY] = {"train_accuracy", false},
      [GF__VALIDATION_LOSS] = {"validation_loss", false},
      [GF__VALIDATION_ACCURACY] = {"validation_accuracy", false},
  };
  char path[LONGEST_PATH];
  GF_TRY(gf__path_join(path, sizeof path, run->folder, "metrics.csv"));
  if (!gf__path_exists(path))
    return gf__fail(GF_ERROR_FILE,
                    "%s has no metrics.csv: name a folder that a training run has written",
                    run->folder);
  GF_TRY(gf__csv_read(&run->metrics, path, columns, GF__METRIC_COUNT));
  for (size_t i = 0; i < run->metrics.rows; i++) {
    run->metrics.numbers[GF__TRAIN_ACCURACY][i] *= 100;
    run->metrics.numbers[GF__VALIDATION_ACCURACY][i] *= 100;
  }
  return GF_OK;
}

/* ---- gradients ---- */

/* Cuts ".weight" from the weights' names; other parameters' become NULL. Returns how many
 * weights there are. */
static size_t keep_weights(char **parameters, size_t rows) {
  static const char suffix[] = ".weight";
  size_t count = 0;
  for (size_t i = 0; i < rows; i++) {
    size_t length = strlen(parameters[i]), tail = sizeof suffix - 1;
    bool is_weight = length > tail && strcmp(parameters[i] + length - tail, suffix) == 0;
    if (is_weight)
      parameters[i][length - tail] = 0;
    else
      parameters[i] = NULL;
    count += is_weight;
  }
  return count;
}

/* The rows of one record begin at start; returns where they end. */
static size_t record_end(const gf__csv *csv, size_t start) {
  const double *epochs = csv->numbers[GRADIENT_EPOCH], *steps = csv->numbers[GRADIENT_STEP];
  size_t end = start + 1;
  while (end < csv->rows && epochs[end] == epochs[start] && steps[end] == steps[start]) end++;
  return end;
}

static int find_layer(const gf__run *run, int expected, const char *name) {
  for (int i = 0; i < run->layer_count; i++) {
    int layer = (expected + i) % run->layer_count;
    if (strcmp(run->layers[layer], name) == 0) return layer;
  }
  return -1;
}

/* The values of the epoch's line; a run that was resumed may write an epoch twice. */
static double *line_of(gf__run *run, double epoch) {
  int line = run->epoch_count;
  while (line > 0 && run->epochs[line - 1] != epoch) line--;
  if (line == 0) {
    line = ++run->epoch_count;
    run->epochs[line - 1] = epoch;
  }
  return run->mean_gradients + (size_t)(line - 1) * (size_t)run->layer_count;
}

static gf_status read_record(gf__run *run, const char *path, size_t start, size_t end) {
  const gf__csv *csv = &run->gradients;
  double *line = line_of(run, csv->numbers[GRADIENT_EPOCH][start]);
  int expected = 0;
  for (int i = 0; i < run->layer_count; i++) line[i] = NAN;
  for (size_t row = start; row < end; row++) {
    const char *name = csv->texts[GRADIENT_PARAMETER][row];
    if (!name) continue;
    int layer = find_layer(run, expected, name);
    if (layer < 0)
      return gf__fail(GF_ERROR_DATA, "%s:%zu: the parameter '%s.weight' is not in the first record",
                      path, row + 2, name);
    line[layer] = csv->numbers[GRADIENT_MEAN][row];
    expected = layer + 1;
  }
  return GF_OK;
}

static int weights_in(const gf__csv *csv, size_t start, size_t end) {
  int count = 0;
  for (size_t row = start; row < end; row++) count += csv->texts[GRADIENT_PARAMETER][row] != NULL;
  return count;
}

/* Names the layers by the first record, and makes room for the epochs. */
static gf_status allocate_lines(gf__run *run) {
  const gf__csv *csv = &run->gradients;
  size_t end = record_end(csv, 0), lines = 1;
  const double *epochs = csv->numbers[GRADIENT_EPOCH];
  for (size_t i = 1; i < csv->rows; i++) lines += epochs[i] != epochs[i - 1];
  size_t count = (size_t)weights_in(csv, 0, end);
  if (count == 0) return GF_OK;
  run->layers = malloc(count * sizeof *run->layers);
  run->epochs = malloc(lines * sizeof *run->epochs);
  run->mean_gradients = malloc(lines * count * sizeof *run->mean_gradients);
  if (!run->layers || !run->epochs || !run->mean_gradients)
    return gf__fail_host_memory(lines * count * sizeof *run->mean_gradients);
  for (size_t row = 0; row < end; row++)
    if (csv->texts[GRADIENT_PARAMETER][row])
      run->layers[run->layer_count++] = csv->texts[GRADIENT_PARAMETER][row];
  return GF_OK;
}

static gf_status load_gradients(gf__run *run) {
  static const gf__csv_column columns[GRADIENT_COLUMNS] = {
      [GRADIENT_EPOCH] = {"epoch", false},
      [GRADIENT_STEP] = {"step", false},
      [GRADIENT_PARAMETER] = {"parameter", true},
      [GRADIENT_MEAN] = {"mean_abs", false},
  };
  char path[LONGEST_PATH];
  GF_TRY(gf__path_join(path, sizeof path, run->folder, "gradients.csv"));
  if (!gf__path_exists(path)) return GF_OK;
  GF_TRY(gf__csv_read(&run->gradients, path, columns, GRADIENT_COLUMNS));
  const gf__csv *csv = &run->gradients;
  if (keep_weights(csv->texts[GRADIENT_PARAMETER], csv->rows) == 0) return GF_OK;
  GF_TRY(allocate_lines(run));
  for (size_t start = 0, end; start < csv->rows && run->layer_count; start = end) {
    end = record_end(csv, start);
    /* The last record of a run that is still being written may lack its end. */
    if (start && end == csv->rows && weights_in(csv, start, end) < run->layer_count) break;
    GF_TRY(read_record(run, path, start, end));
  }
  return GF_OK;
}

gf_status gf__run_load(gf__run *out, const char *folder) {
  *out = (gf__run){.folder = folder};
  gf_status status = base_name(folder, &out->name);
  if (status == GF_OK) status = load_metrics(out);
  if (status == GF_OK) status = load_gradients(out);
  if (status != GF_OK) gf__run_free(out);
  return status;
}

void gf__run_free(gf__run *run) {
  gf__csv_free(&run->metrics);
  gf__csv_free(&run->gradients);
  free(run->name);
  free(run->layers);
  free(run->epochs);
  free(run->mean_gradients);
  *run = (gf__run){0};
}
