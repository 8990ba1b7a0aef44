#include "run/run_records.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/os.h"
#include "run/network.h"
#include "run/weight_rows.h"

/* The columns of a CSV of layers; its numbers come behind these. */
enum { EPOCH, STEP, NAME, FIRST_NUMBER, MOST_NUMBERS = 4 };

/* "runs/plain/" -> "plain" */
static gf_status base_name(const char *folder, char **out) {
  size_t end = strlen(folder);
  while (end > 1 && folder[end - 1] == '/') end--;
  size_t start = end;
  while (start > 0 && folder[start - 1] != '/') start--;
  /* A study's runs are told apart by the folder above: "plain37/seed-0". */
  if (strncmp(folder + start, "seed-", 5) == 0 && start > 1)
    for (start--; start > 0 && folder[start - 1] != '/';) start--;
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
  char path[GF__PATH_SIZE];
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

/* ---- layers, epoch by epoch ---- */

typedef struct history_kind {
  const char *file;
  const char *record_of, *suffix; /* what is named, and how the names that count end */
  gf__csv_column columns[FIRST_NUMBER + MOST_NUMBERS];
  int numbers;
} history_kind;

static const history_kind gradients_kind = {.file = "gradients.csv",
                                            .record_of = "parameter",
                                            .suffix = ".weight",
                                            .columns = {{"epoch", false},
                                                        {"step", false},
                                                        {"parameter", true},
                                                        {"mean_abs", false},
                                                        {"l2", false},
                                                        {"zeros", false},
                                                        {"update_ratio", false}},
                                            .numbers = 4};

static const history_kind activations_kind = {.file = "activations.csv",
                                              .record_of = "layer",
                                              .suffix = "",
                                              .columns = {{"epoch", false},
                                                          {"step", false},
                                                          {"layer", true},
                                                          {"mean", false},
                                                          {"deviation", false},
                                                          {"dead", false}},
                                              .numbers = 3};

typedef struct history {
  const history_kind *kind;
  gf__csv csv;
  int layer_count, epoch_count;
  const char **layers;
  double *epochs, *values[MOST_NUMBERS]; /* (epoch_count), (epoch_count, layer_count) */
} history;

/* Cuts the suffix from the names; those without it become NULL, unless they are of weights. Returns
 * how many are kept. weights: of the file, or empty. */
static size_t keep_names(const history *h, const gf__csv *weights) {
  size_t count = 0, tail = strlen(h->kind->suffix);
  for (size_t i = 0; i < h->csv.rows; i++) {
    char *name = h->csv.texts[NAME][i];
    size_t length = strlen(name);
    bool has_suffix = length > tail && strcmp(name + length - tail, h->kind->suffix) == 0;
    bool counts = i < weights->rows ? weights->numbers[0][i] != 0 : has_suffix;
    if (!counts)
      h->csv.texts[NAME][i] = NULL;
    else if (has_suffix)
      name[length - tail] = 0;
    count += counts;
  }
  return count;
}

/* The rows of one record begin at start; returns where they end. */
static size_t record_end(const gf__csv *csv, size_t start) {
  const double *epochs = csv->numbers[EPOCH], *steps = csv->numbers[STEP];
  size_t end = start + 1;
  while (end < csv->rows && epochs[end] == epochs[start] && steps[end] == steps[start]) end++;
  return end;
}

static int find_layer(const history *h, int expected, const char *name) {
  for (int i = 0; i < h->layer_count; i++) {
    int layer = (expected + i) % h->layer_count;
    if (strcmp(h->layers[layer], name) == 0) return layer;
  }
  return -1;
}

/* Where the values of the epoch stand; a run that was resumed may write an epoch twice. */
static size_t line_of(history *h, double epoch) {
  int line = h->epoch_count;
  while (line > 0 && h->epochs[line - 1] != epoch) line--;
  if (line == 0) {
    line = ++h->epoch_count;
    h->epochs[line - 1] = epoch;
  }
  return (size_t)(line - 1) * (size_t)h->layer_count;
}

static gf_status read_record(history *h, const char *path, size_t start, size_t end) {
  size_t line = line_of(h, h->csv.numbers[EPOCH][start]);
  int expected = 0;
  for (int n = 0; n < h->kind->numbers; n++)
    for (int i = 0; i < h->layer_count; i++) h->values[n][line + (size_t)i] = NAN;
  for (size_t row = start; row < end; row++) {
    const char *name = h->csv.texts[NAME][row];
    if (!name) continue;
    int layer = find_layer(h, expected, name);
    if (layer < 0)
      return gf__fail(GF_ERROR_DATA, "%s:%zu: the %s '%s%s' is not in the first record", path,
                      row + 2, h->kind->record_of, name, h->kind->suffix);
    for (int n = 0; n < h->kind->numbers; n++)
      h->values[n][line + (size_t)layer] = h->csv.numbers[FIRST_NUMBER + n][row];
    expected = layer + 1;
  }
  return GF_OK;
}

static int layers_in(const gf__csv *csv, size_t start, size_t end) {
  int count = 0;
  for (size_t row = start; row < end; row++) count += csv->texts[NAME][row] != NULL;
  return count;
}

/* Names the layers by the first record, and makes room for the epochs. */
static gf_status allocate_lines(history *h) {
  const gf__csv *csv = &h->csv;
  size_t end = record_end(csv, 0), lines = 1;
  for (size_t i = 1; i < csv->rows; i++)
    lines += csv->numbers[EPOCH][i] != csv->numbers[EPOCH][i - 1];
  size_t count = (size_t)layers_in(csv, 0, end);
  if (count == 0) return GF_OK;
  h->layers = malloc(count * sizeof *h->layers);
  h->epochs = malloc(lines * sizeof *h->epochs);
  bool whole = h->layers && h->epochs;
  for (int n = 0; n < h->kind->numbers; n++) {
    h->values[n] = malloc(lines * count * sizeof *h->values[n]);
    whole = whole && h->values[n];
  }
  if (!whole) return gf__fail_host_memory(lines * count * sizeof *h->values[0]);
  for (size_t row = 0; row < end; row++)
    if (csv->texts[NAME][row]) h->layers[h->layer_count++] = csv->texts[NAME][row];
  return GF_OK;
}

/* After a failure h is to be freed all the same. */
static gf_status load_history(history *h, const char *folder) {
  char path[GF__PATH_SIZE];
  GF_TRY(gf__path_join(path, sizeof path, folder, h->kind->file));
  if (!gf__path_exists(path)) return GF_OK;
  GF_TRY(gf__csv_read(&h->csv, path, h->kind->columns, FIRST_NUMBER + h->kind->numbers));
  const gf__csv *csv = &h->csv;
  gf__csv weights;
  GF_TRY(gf__weight_rows_read(&weights, path));
  size_t kept = keep_names(h, &weights);
  gf__csv_free(&weights);
  if (kept == 0) return GF_OK;
  GF_TRY(allocate_lines(h));
  for (size_t start = 0, end; start < csv->rows && h->layer_count; start = end) {
    end = record_end(csv, start);
    /* The last record of a run that is still being written may lack its end. */
    if (start && end == csv->rows && layers_in(csv, start, end) < h->layer_count) break;
    GF_TRY(read_record(h, path, start, end));
  }
  return GF_OK;
}

static gf_status load_gradients(gf__run *run) {
  history h = {.kind = &gradients_kind};
  gf_status status = load_history(&h, run->folder);
  run->gradients = h.csv;
  run->layer_count = h.layer_count;
  run->layers = h.layers;
  run->epoch_count = h.epoch_count;
  run->epochs = h.epochs;
  run->mean_gradients = h.values[0];
  run->l2_norms = h.values[1];
  run->zeros = h.values[2];
  run->update_ratios = h.values[3];
  return status;
}

static gf_status load_activations(gf__run *run) {
  history h = {.kind = &activations_kind};
  gf_status status = load_history(&h, run->folder);
  run->activations = (gf__run_activations){.csv = h.csv,
                                           .layer_count = h.layer_count,
                                           .layers = h.layers,
                                           .epoch_count = h.epoch_count,
                                           .epochs = h.epochs,
                                           .means = h.values[0],
                                           .deviations = h.values[1],
                                           .dead = h.values[2]};
  return status;
}

/* Without a network.json, as older programs left a run, the config says what the optimizer is. */
static gf_status load_thresholds(gf__run *run) {
  char path[GF__PATH_SIZE];
  gf_config *config;
  gf__network network;
  run->vanishing = gf__vanishing_of(NULL, NAN);
  GF_TRY(gf__path_join(path, sizeof path, run->folder, "network.json"));
  if (gf__path_exists(path)) {
    gf_status status = gf__network_read(&network, run->folder);
    if (status == GF_OK) run->vanishing = gf__vanishing_of(network.optimizer, network.eps);
    gf__network_free(&network);
    return status;
  }
  GF_TRY(gf__path_join(path, sizeof path, run->folder, "config.yaml"));
  if (!gf__path_exists(path)) return GF_OK;
  GF_TRY(gf_config_load(&config, path));
  run->vanishing = gf__vanishing_of_config(config);
  gf_config_free(&config);
  return GF_OK;
}

gf_status gf__run_load(gf__run *out, const char *folder) {
  *out = (gf__run){.folder = folder};
  gf_status status = base_name(folder, &out->name);
  if (status == GF_OK) status = load_metrics(out);
  if (status == GF_OK) status = load_gradients(out);
  if (status == GF_OK) status = load_activations(out);
  if (status == GF_OK) status = load_thresholds(out);
  if (status != GF_OK) gf__run_free(out);
  return status;
}

const char *gf__runs_threshold(const gf__run *runs, int count) {
  for (int i = 1; i < count; i++)
    if (!gf__vanishing_is_same(&runs[i].vanishing, &runs[0].vanishing)) return NULL;
  return count ? runs[0].vanishing.label : NULL;
}

void gf__run_free(gf__run *run) {
  gf__run_activations *a = &run->activations;
  void *const owned[] = {run->name,     run->layers, run->epochs, run->mean_gradients,
                         run->l2_norms, run->zeros,  a->layers,   run->update_ratios,
                         a->epochs,     a->means,    a->dead,     a->deviations};
  for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) free(owned[i]);
  gf__csv_free(&run->metrics);
  gf__csv_free(&run->gradients);
  gf__csv_free(&a->csv);
  *run = (gf__run){0};
}
