/* The records of a run folder as events of TensorBoard, for runs that wrote none. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <gradflow/report.h>

#include "base/csv.h"
#include "base/file.h"
#include "base/os.h"
#include "run/run_folder.h"
#include "run/tensorboard.h"

/* Other than that of a run, so that neither takes the place of the other. */
static const char file_name[] = "tensorboard/events.out.tfevents.1.gradflow",
                  own_name[] = "tensorboard/events.out.tfevents.0.gradflow";

enum { EPOCH, RATE, TRAIN_LOSS, TRAIN_ACCURACY, VALIDATION_LOSS, VALIDATION_ACCURACY, METRICS };
enum { GRADIENT_EPOCH, STEP, PARAMETER, MEAN_ABS, GRADIENTS };

typedef struct records {
  gf__csv metrics, gradients;
} records;

static gf_status read_records(records *r, const char *folder) {
  static const gf__csv_column metrics[METRICS] = {
      [EPOCH] = {.name = "epoch"},
      [RATE] = {.name = "learning_rate"},
      [TRAIN_LOSS] = {.name = "train_loss"},
      [TRAIN_ACCURACY] = {.name = "train_accuracy"},
      [VALIDATION_LOSS] = {.name = "validation_loss"},
      [VALIDATION_ACCURACY] = {.name = "validation_accuracy"}};
  static const gf__csv_column gradients[GRADIENTS] = {[GRADIENT_EPOCH] = {.name = "epoch"},
                                                      [STEP] = {.name = "step"},
                                                      [PARAMETER] = {"parameter", true},
                                                      [MEAN_ABS] = {.name = "mean_abs"}};
  char path[GF__PATH_SIZE];
  GF_TRY(gf__run_path(path, folder, "metrics.csv"));
  GF_TRY(gf__csv_read(&r->metrics, path, metrics, METRICS));
  GF_TRY(gf__run_path(path, folder, "gradients.csv"));
  return gf__path_exists(path) ? gf__csv_read(&r->gradients, path, gradients, GRADIENTS) : GF_OK;
}

/* ---- events ---- */

typedef struct events {
  gf__text file;
  double time;
  long step; /* of the last record */
} events;

static void add_scalar(gf__text *summary, const char *tag, double value) {
  if (!isnan(value)) gf__summary_add_scalar(summary, tag, value);
}

/* The step of an epoch's last record stands for its end; without any, the epoch itself. */
static long last_step(const records *r, double epoch) {
  double step = 0;
  for (size_t i = 0; i < r->gradients.rows; i++)
    if (r->gradients.numbers[GRADIENT_EPOCH][i] <= epoch)
      step = fmax(step, r->gradients.numbers[STEP][i]);
  return step > 0 ? (long)step : (long)epoch;
}

static void add_epochs(events *e, const records *r) {
  static const char *const tags[METRICS] = {"epoch",           "learning_rate",
                                            "loss/train",      "accuracy/train",
                                            "loss/validation", "accuracy/validation"};
  for (size_t row = 0; row < r->metrics.rows; row++) {
    gf__text summary = {0};
    for (int i = 0; i < METRICS; i++) add_scalar(&summary, tags[i], r->metrics.numbers[i][row]);
    e->step = last_step(r, r->metrics.numbers[EPOCH][row]);
    gf__events_add(&e->file, e->time, e->step, &summary);
  }
}

/* One event per record, in their order. */
static void add_gradients(events *e, const gf__csv *csv) {
  for (size_t row = 0; row < csv->rows;) {
    gf__text summary = {0};
    double step = csv->numbers[STEP][row];
    for (; row < csv->rows && csv->numbers[STEP][row] == step; row++) {
      gf__text tag = {0};
      gf__text_add(&tag, "mean_abs_gradient/%s", csv->texts[PARAMETER][row]);
      if (tag.data) add_scalar(&summary, tag.data, csv->numbers[MEAN_ABS][row]);
      summary.failed |= tag.failed;
      gf__text_free(&tag);
    }
    gf__events_add(&e->file, e->time, (long)step, &summary);
  }
}

static gf_status add_picture(events *e, const char *folder, const char *name) {
  char path[GF__PATH_SIZE], *bytes;
  size_t size, length = strlen(name);
  gf__text summary = {0}, tag = {0};
  if (length < 4 || strcmp(name + length - 4, ".png") != 0) return GF_OK;
  GF_TRY(gf__run_path(path, folder, name));
  GF_TRY(gf__file_read(path, &bytes, &size));
  gf__text_add(&tag, "charts/%.*s", (int)length - 4, name);
  if (tag.data) gf__summary_add_image(&summary, tag.data, bytes, size);
  summary.failed |= tag.failed;
  gf__events_add(&e->file, e->time, e->step, &summary);
  gf__text_free(&tag);
  free(bytes);
  return GF_OK;
}

static gf_status add_pictures(events *e, const char *folder) {
  gf__names names;
  GF_TRY(gf__list_folder(folder, &names));
  gf_status status = GF_OK;
  for (size_t i = 0; i < names.count && status == GF_OK; i++)
    status = add_picture(e, folder, names.v[i]);
  gf__names_free(&names);
  return status;
}

/* ---- the file ---- */

static gf_status make_events(events *e, const char *folder) {
  records r = {0};
  gf_status status = read_records(&r, folder);
  if (status == GF_OK) {
    gf__events_begin(&e->file, e->time);
    add_gradients(e, &r.gradients);
    add_epochs(e, &r);
    status = add_pictures(e, folder);
  }
  gf__csv_free(&r.metrics);
  gf__csv_free(&r.gradients);
  return status == GF_OK ? gf__text_status(&e->file) : status;
}

static gf_status write_events(const gf__text *file, const char *folder, char **out) {
  char path[GF__PATH_SIZE], parent[GF__PATH_SIZE];
  gf__text copy = {0};
  GF_TRY(gf__run_path(path, folder, file_name));
  GF_TRY(gf__run_path(parent, folder, "tensorboard"));
  GF_TRY(gf__make_folder(parent));
  GF_TRY(gf__file_write(path, file->data, file->size));
  gf__text_add(&copy, "%s", path);
  *out = copy.data;
  return gf__text_status(&copy);
}

gf_status gf_events_write(const char *run_folder, char **path) {
  char own[GF__PATH_SIZE];
  events e = {.time = (double)time(NULL)};
  *path = NULL;
  GF_TRY(gf__run_path(own, run_folder, own_name));
  if (gf__path_exists(own))
    return gf__fail(GF_ERROR_FILE,
                    "%s is there: the run has written events while it trained, and with "
                    "histograms; show these with tensorboard --logdir %s",
                    own, run_folder);
  gf_status status = make_events(&e, run_folder);
  if (status == GF_OK) status = write_events(&e.file, run_folder, path);
  gf__text_free(&e.file);
  return status;
}
