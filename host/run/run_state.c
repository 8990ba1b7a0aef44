/* How far the run of a folder is. */
#include <limits.h>
#include <math.h>
#include <stdlib.h>

#include "base/config.h"
#include "base/csv.h"
#include "run/run_folder.h"

static gf_status read_columns(const char *folder, const char *name, const gf__csv_column *columns,
                              int count, gf__csv *out) {
  char path[GF__PATH_SIZE];
  GF_TRY(gf__run_path(path, folder, name));
  *out = (gf__csv){0};
  return gf__path_exists(path) ? gf__csv_read(out, path, columns, count) : GF_OK;
}

static gf_status read_metrics(const char *folder, gf_run_state *out) {
  enum { EPOCH, RATE, TRAIN_LOSS, TRAIN_ACCURACY, VALIDATION_LOSS, VALIDATION_ACCURACY, COLUMNS };
  static const gf__csv_column columns[COLUMNS] = {
      [EPOCH] = {"epoch", false},
      [RATE] = {"learning_rate", false},
      [TRAIN_LOSS] = {"train_loss", false},
      [TRAIN_ACCURACY] = {"train_accuracy", false},
      [VALIDATION_LOSS] = {"validation_loss", false},
      [VALIDATION_ACCURACY] = {"validation_accuracy", false},
  };
  gf__csv csv;
  GF_TRY(read_columns(folder, "metrics.csv", columns, COLUMNS, &csv));
  out->epochs_done = (int)csv.rows;
  for (size_t i = 0; i < csv.rows; i++) {
    out->last = (gf_epoch){.epoch = (int)csv.numbers[EPOCH][i],
                           .epochs = out->epochs,
                           .learning_rate = csv.numbers[RATE][i],
                           .train_loss = csv.numbers[TRAIN_LOSS][i],
                           .train_accuracy = csv.numbers[TRAIN_ACCURACY][i],
                           .validation_loss = csv.numbers[VALIDATION_LOSS][i],
                           .validation_accuracy = csv.numbers[VALIDATION_ACCURACY][i],
                           .seconds = NAN,
                           .images_per_second = NAN,
                           .most_predicted = NAN};
    if (out->last.validation_accuracy > (out->best.epoch ? out->best.validation_accuracy : -1))
      out->best = out->last;
  }
  gf__csv_free(&csv);
  return GF_OK;
}

static gf_status read_seconds(const char *folder, double *out) {
  static const gf__csv_column column = {"seconds", false};
  gf__csv csv;
  GF_TRY(read_columns(folder, "timing.csv", &column, 1, &csv));
  for (size_t i = 0; i < csv.rows; i++) *out += csv.numbers[0][i];
  gf__csv_free(&csv);
  return GF_OK;
}

static gf_status read_epochs(const char *config_path, int *out) {
  gf_config *config;
  GF_TRY(gf_config_load(&config, config_path));
  const gf__value *train = gf__value_get(gf__config_root(config), "train");
  const gf__value *epochs = gf__value_get(train, "epochs");
  long number = epochs && epochs->kind == GF__SCALAR ? strtol(epochs->text, NULL, 10) : 0;
  *out = number > 0 && number <= INT_MAX ? (int)number : 0;
  gf_config_free(&config);
  return GF_OK;
}

gf_status gf_run_read_state(const char *folder, gf_run_state *out) {
  char path[GF__PATH_SIZE], *message;
  *out = (gf_run_state){.status = GF_RUN_ABSENT};
  GF_TRY(gf__run_path(path, folder, "config.yaml"));
  if (!gf__path_exists(path)) return GF_OK;
  GF_TRY(read_epochs(path, &out->epochs));
  GF_TRY(read_metrics(folder, out));
  GF_TRY(read_seconds(folder, &out->seconds));
  out->status = gf__run_folder_result(folder, &message);
  free(message);
  gf__run_folder_stopped_by(folder, out->stopped_by);
  return GF_OK;
}
