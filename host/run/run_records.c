#include "run/run_records.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/index.h"
#include "base/os.h"
#include "run/network.h"
#include "run/weight_rows.h"

/* The columns of a CSV of layers; its numbers come behind these. */
enum { EPOCH, STEP, NAME, FIRST_NUMBER, MOST_NUMBERS = 5 };

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
      [GF__LEARNING_RATE] = {"learning_rate", GF__CSV_OPTIONAL},
      [GF__PREDICTED_CLASSES] = {"predicted_classes", GF__CSV_OPTIONAL},
      [GF__MOST_PREDICTED] = {"most_predicted", GF__CSV_OPTIONAL},
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
                                                        {"update_ratio", false},
                                                        {"weight_l2", GF__CSV_OPTIONAL}},
                                            .numbers = 5};

static const history_kind activations_kind = {.file = "activations.csv",
                                              .record_of = "layer",
                                              .suffix = "",
                                              .columns = {{"epoch", false},
                                                          {"step", false},
                                                          {"layer", true},
                                                          {"mean", false},
                                                          {"deviation", false},
                                                          {"dead", false},
                                                          {"contrast", GF__CSV_OPTIONAL}},
                                              .numbers = 4};

typedef struct history {
  const history_kind *kind;
  int by; /* EPOCH, or STEP for a line per record */
  gf__csv csv;
  int layer_count, epoch_count;
  const char **layers;
  double *epochs, *values[MOST_NUMBERS]; /* (epoch_count), (epoch_count, layer_count) */
  gf__index layer_index, epoch_index;    /* of names, and of numbers of epochs */
} history;

/* Versions before the first release called an auxiliary classifier's layers companion_NODE_pool,
 * _linear and _loss; a run of theirs that was resumed since has both. */
static void update_name(char *name) {
  static const char then[] = "companion_", now[] = "auxiliary_"; /* of equal length */
  static const char *const ends[] = {"_pool", "_linear", "_loss"};
  size_t length = strlen(name);
  if (strncmp(name, then, sizeof then - 1) != 0) return;
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
    if (length > strlen(ends[i]) && !strcmp(name + length - strlen(ends[i]), ends[i]))
      memcpy(name, now, sizeof now - 1);
}

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
    if (counts) update_name(name);
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

/* Records have the layers in one order, so that the expected one comes first. */
static int find_layer(const history *h, int expected, const char *name) {
  size_t layer;
  if (expected < h->layer_count && strcmp(h->layers[expected], name) == 0) return expected;
  return gf__index_find(&h->layer_index, name, strlen(name), &layer) ? (int)layer : -1;
}

/* Where the values of the epoch stand; a run that was resumed may write an epoch twice. */
static gf_status find_line(history *h, double epoch, size_t *out) {
  size_t line;
  if (!gf__index_find(&h->epoch_index, &epoch, sizeof epoch, &line)) {
    line = (size_t)h->epoch_count++;
    h->epochs[line] = epoch;
    GF_TRY(gf__index_set(&h->epoch_index, &h->epochs[line], sizeof epoch, line));
  }
  *out = line * (size_t)h->layer_count;
  return GF_OK;
}

static gf_status read_record(history *h, const char *path, size_t start, size_t end) {
  size_t line;
  int expected = 0;
  GF_TRY(find_line(h, h->csv.numbers[h->by][start], &line));
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

/* A record has all layers, so that room for epochs times layers is room for the rows; a file whose
 * records lack most of theirs would ask for more, up to the square of its size. */
static gf_status check_room(const history *h, const char *path, size_t lines, size_t count) {
  enum { FACTOR = 16, SMALL = 1 << 16 };
  if (lines <= (FACTOR * h->csv.rows + SMALL) / count) return GF_OK;
  return gf__fail(GF_ERROR_DATA,
                  "%s has %zu rows, which are too few for %zu epochs of %zu %ss: most records lack "
                  "most of theirs; it is damaged",
                  path, h->csv.rows, lines, count, h->kind->record_of);
}

/* Names the layers by the first record, and makes room for the epochs. */
static gf_status allocate_lines(history *h, const char *path) {
  const gf__csv *csv = &h->csv;
  size_t end = record_end(csv, 0), lines = 1;
  for (size_t i = 1; i < csv->rows; i++)
    lines += csv->numbers[h->by][i] != csv->numbers[h->by][i - 1];
  size_t count = (size_t)layers_in(csv, 0, end);
  if (count == 0) return GF_OK;
  GF_TRY(check_room(h, path, lines, count));
  h->layers = malloc(count * sizeof *h->layers);
  h->epochs = malloc(lines * sizeof *h->epochs);
  bool whole = h->layers && h->epochs;
  for (int n = 0; n < h->kind->numbers; n++) {
    h->values[n] = malloc(lines * count * sizeof *h->values[n]);
    whole = whole && h->values[n];
  }
  if (!whole) return gf__fail_host_memory(lines * count * sizeof *h->values[0]);
  for (size_t row = 0; row < end; row++) {
    const char *name = csv->texts[NAME][row];
    if (!name) continue;
    GF_TRY(gf__index_set(&h->layer_index, name, strlen(name), (size_t)h->layer_count));
    h->layers[h->layer_count++] = name;
  }
  return GF_OK;
}

static gf_status load_all(history *h, const char *folder) {
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
  GF_TRY(allocate_lines(h, path));
  for (size_t start = 0, end; start < csv->rows && h->layer_count; start = end) {
    end = record_end(csv, start);
    /* The last record of a run that is still being written may lack its end. */
    if (start && end == csv->rows && layers_in(csv, start, end) < h->layer_count) break;
    GF_TRY(read_record(h, path, start, end));
  }
  return GF_OK;
}

/* After a failure h is to be freed all the same. */
static gf_status load_history(history *h, const char *folder) {
  gf_status status = load_all(h, folder);
  gf__index_free(&h->layer_index);
  gf__index_free(&h->epoch_index);
  return status;
}

static gf_status load_gradients(gf__run *run) {
  history h = {.kind = &gradients_kind, .by = run->counts_steps ? STEP : EPOCH};
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
  run->weight_norms = h.values[4];
  return status;
}

static gf_status load_activations(gf__run *run) {
  history h = {.kind = &activations_kind, .by = run->counts_steps ? STEP : EPOCH};
  gf_status status = load_history(&h, run->folder);
  run->activations = (gf__run_activations){.csv = h.csv,
                                           .layer_count = h.layer_count,
                                           .layers = h.layers,
                                           .epoch_count = h.epoch_count,
                                           .epochs = h.epochs,
                                           .means = h.values[0],
                                           .deviations = h.values[1],
                                           .dead = h.values[2],
                                           .contrasts = h.values[3]};
  return status;
}

/* Of a run that did not record how many images it trains: from the steps of its epochs. */
static long estimate_images(const gf__run *run, int batch) {
  size_t rows = run->gradients.rows;
  if (rows == 0 || batch == 0) return 0;
  double epoch = run->gradients.numbers[EPOCH][rows - 1],
         images = run->gradients.numbers[STEP][rows - 1] / epoch * batch;
  return images >= 1 && images < 1e12 ? (long)images : 0;
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
    if (status == GF_OK) {
      run->vanishing = gf__vanishing_of(network.optimizer, network.eps);
      run->guess =
          gf__guess_of(network.classes, &run->data, estimate_images(run, network.images.gradients));
    }
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

/* The epochs of metrics become the steps of their last records. */
static void count_steps(gf__run *run) {
  const gf__csv *g = &run->gradients;
  for (size_t e = 0; e < run->metrics.rows && g->rows; e++) {
    double epoch = run->metrics.numbers[GF__EPOCH][e], step = (double)NAN;
    for (size_t i = 0; i < g->rows; i++)
      if (g->numbers[EPOCH][i] == epoch) step = g->numbers[STEP][i];
    run->metrics.numbers[GF__EPOCH][e] = step;
  }
}

static gf_status load_run(gf__run *out, const char *folder, size_t fewest_epochs) {
  *out = (gf__run){.folder = folder};
  gf_status status = base_name(folder, &out->name);
  if (status == GF_OK) status = load_metrics(out);
  out->counts_steps = out->metrics.rows < fewest_epochs;
  if (status == GF_OK) status = load_gradients(out);
  if (status == GF_OK) status = load_activations(out);
  if (status == GF_OK) status = gf__early_steps_load(&out->early, folder);
  if (status == GF_OK) status = gf__data_record_read(&out->data, folder);
  if (status == GF_OK) status = load_thresholds(out);
  out->counts_steps = out->counts_steps && out->gradients.rows > 0;
  if (status == GF_OK && out->counts_steps) count_steps(out);
  if (status != GF_OK) gf__run_free(out);
  return status;
}

gf_status gf__run_load(gf__run *out, const char *folder) { return load_run(out, folder, 0); }

gf_status gf__run_load_for_charts(gf__run *out, const char *folder) {
  enum { FEWEST_EPOCHS = 3 };
  return load_run(out, folder, FEWEST_EPOCHS);
}

double gf__run_steps(const gf__run *run) {
  size_t rows = run->gradients.rows;
  return rows ? run->gradients.numbers[STEP][rows - 1] : (double)NAN;
}

const char *gf__runs_threshold(const gf__run *runs, int count) {
  for (int i = 1; i < count; i++)
    if (!gf__vanishing_is_same(&runs[i].vanishing, &runs[0].vanishing)) return NULL;
  return count ? runs[0].vanishing.label : NULL;
}

void gf__run_free(gf__run *run) {
  gf__run_activations *a = &run->activations;
  void *const owned[] = {run->name,         run->layers, run->epochs, run->mean_gradients,
                         run->l2_norms,     run->zeros,  a->layers,   run->update_ratios,
                         a->epochs,         a->means,    a->dead,     a->deviations,
                         run->weight_norms, a->contrasts};
  for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) free(owned[i]);
  gf__csv_free(&run->metrics);
  gf__csv_free(&run->gradients);
  gf__csv_free(&a->csv);
  gf__early_steps_free(&run->early);
  gf__data_record_free(&run->data);
  *run = (gf__run){0};
}
