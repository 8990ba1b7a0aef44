#include "run/run_folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/csv.h"
#include "base/file.h"
#include "base/json.h"
#include "run/run_files.h"

gf_status gf__run_path(char out[GF__PATH_SIZE], const char *folder, const char *name) {
  return gf__path_join(out, GF__PATH_SIZE, folder, name);
}

/* Without a validation split a run has no best weights; else somebody has removed them. */
static void report_missing_best(const char *folder, const char *best) {
  gf_run_state state;
  if (gf_run_read_state(folder, &state) == GF_OK && state.best.epoch)
    gf__log(GF_LOG_WARNING, "%s, of epoch %d, is gone: the run's last weights are taken", best,
            state.best.epoch);
}

gf_status gf__run_weights(char out[GF__PATH_SIZE], const char *folder) {
  char best[GF__PATH_SIZE];
  GF_TRY(gf__run_path(out, folder, "best.safetensors"));
  if (gf__path_exists(out)) return GF_OK;
  strcpy(best, out);
  GF_TRY(gf__run_path(out, folder, "last.safetensors"));
  if (gf__path_exists(out)) {
    report_missing_best(folder, best);
    return GF_OK;
  }
  return gf__fail(GF_ERROR_FILE,
                  "%s has no weights: neither best.safetensors nor last.safetensors; train it "
                  "for an epoch at least",
                  folder);
}

gf_status gf__run_weights_digest(char out[SHA256_DIGEST_STRING_LENGTH], const char *folder) {
  char path[GF__PATH_SIZE];
  GF_TRY(gf__run_weights(path, folder));
  if (SHA256File(path, out)) return GF_OK;
  return gf__fail(GF_ERROR_FILE, "cannot read %s", path);
}

bool gf__run_folder_has_run(const char *folder) {
  static const char *const marks[] = {"run.json", "metrics.csv"};
  char path[GF__PATH_SIZE];
  for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
    if (gf__path_join(path, sizeof path, folder, marks[i]) == GF_OK && gf__path_exists(path))
      return true;
  return false;
}

gf_status gf__run_folder_check(const char *path, bool overwrite, const char *const *needed) {
  if (!gf__path_exists(path) || gf__run_is_bare(path)) return GF_OK;
  if (overwrite) return gf__run_files_check(path, needed);
  return gf__fail(GF_ERROR_FILE, "%s exists; choose another --out, or replace it with --overwrite",
                  path);
}

static const struct {
  const char *name, *header;
} log_files[] = {
    [GF__LOG_METRICS] = {"metrics.csv",
                         "epoch,learning_rate,train_loss,train_accuracy,validation_loss,"
                         "validation_accuracy,predicted_classes,most_predicted\n"},
    [GF__LOG_TIMING] = {"timing.csv", "epoch,seconds,images_per_second\n"},
    [GF__LOG_GRADIENTS] = {"gradients.csv",
                           "epoch,step,layer,parameter,mean_abs,l2,max_abs,zeros,update_ratio,"
                           "weight_l2\n"},
    [GF__LOG_ACTIVATIONS] = {"activations.csv", "epoch,step,layer,mean,deviation,dead,contrast\n"},
    [GF__LOG_EARLY_STEPS] = {"early_steps.csv", "step,layer,rms,contrast,dead,mean_abs,loss\n"},
};

static gf_status write_config(const char *folder, const gf__text *config) {
  char path[GF__PATH_SIZE];
  GF_TRY(gf__run_path(path, folder, "config.yaml"));
  return gf__file_write(path, config->data, config->size);
}

static gf_status lock_folder(gf__run_folder *folder) {
  char path[GF__PATH_SIZE];
  GF_TRY(gf__run_path(path, folder->path, ".lock"));
  return gf__file_lock_take(&folder->lock, path);
}

static gf_status begin_log(gf__run_folder *folder, int log) {
  if (!log_files[log].name) return GF_OK;
  return gf__record_log_begin(&folder->logs[log], folder->path, log_files[log].name,
                              log_files[log].header);
}

/* Whether the log has a header, but not today's. */
static bool has_old_header(const gf__record_log *log, const char *header) {
  char line[256] = "";
  FILE *file = fopen(log->path, "rb");
  bool is_old = file && fgets(line, sizeof line, file) && strcmp(line, header) != 0;
  if (file) fclose(file);
  return is_old;
}

/* A run of an older program goes on with an empty file where it had none. */
static gf_status resume_log(gf__run_folder *folder, int log, const gf__record_mark *mark) {
  if (log == GF__LOG_EARLY_STEPS && mark->size == 0) return begin_log(folder, log);
  return gf__record_log_resume(&folder->logs[log], folder->path, log_files[log].name, mark);
}

gf_status gf__run_folder_create(gf__run_folder *out, const char *path, bool replaces,
                                gf__run_kind kind, const gf__text *config,
                                const gf_device_info *device) {
  char environment[GF__PATH_SIZE];
  *out = (gf__run_folder){.path = path};
  GF_TRY(gf__make_folder(path));
  GF_TRY(lock_folder(out)); /* what is replaced must not be what another process writes into */
  if (!replaces) GF_TRY(gf__run_folder_check(path, false, NULL)); /* another may have been faster */
  GF_TRY(gf__run_files_remove(path));
  GF_TRY(gf__run_marker_write(path, kind));
  GF_TRY(write_config(path, config));
  GF_TRY(gf__run_path(environment, path, "environment.json"));
  if (device) GF_TRY(gf__environment_write(environment, device));
  for (int i = 0; i < GF__LOGS; i++) GF_TRY(begin_log(out, i));
  return GF_OK;
}

gf_status gf__run_folder_open(gf__run_folder *out, const char *path) {
  *out = (gf__run_folder){.path = path};
  return lock_folder(out);
}

gf_status gf__run_folder_check_logs(const char *path, const gf__record_mark marks[GF__LOGS]) {
  for (int i = 0; i < GF__LOGS; i++)
    if (log_files[i].name && marks[i].size)
      GF_TRY(gf__record_log_check(path, log_files[i].name, &marks[i]));
  return GF_OK;
}

/* The config comes last: until then the folder's own says how its records came about. */
gf_status gf__run_folder_resume(gf__run_folder *folder, const gf__record_mark marks[GF__LOGS],
                                int epoch, const gf__text *config, const gf_device_info *device) {
  char file[GF__PATH_SIZE];
  GF_TRY(gf__run_files_remove_torn(folder->path));
  for (int i = 0; i < GF__LOGS; i++)
    if (log_files[i].name) GF_TRY(resume_log(folder, i, &marks[i]));
  folder->lacks_contrast =
      has_old_header(&folder->logs[GF__LOG_ACTIVATIONS], log_files[GF__LOG_ACTIVATIONS].header);
  GF_TRY(gf__run_path(file, folder->path, "environment.json"));
  GF_TRY(gf__environment_resume(file, epoch, device));
  GF_TRY(gf__run_marker_write(folder->path, GF__RUN_TRAINED));
  GF_TRY(gf__run_path(file, folder->path, "result.json"));
  remove(file); /* mostly there is none */
  return write_config(folder->path, config);
}

void gf__run_folder_free(gf__run_folder *folder) {
  for (int i = 0; i < GF__LOGS; i++) gf__record_log_free(&folder->logs[i]);
  gf__file_lock_release(&folder->lock);
}

void gf__run_folder_add_epoch(gf__run_folder *folder, const gf_epoch *e) {
  gf__text_add(&folder->logs[GF__LOG_METRICS].pending, "%d,%.9g,%.9g,%.9g,%.9g,%.9g,%d,%.9g\n",
               e->epoch, e->learning_rate, e->train_loss, e->train_accuracy, e->validation_loss,
               e->validation_accuracy, e->predicted_classes, e->most_predicted);
  gf__text_add(&folder->logs[GF__LOG_TIMING].pending, "%d,%.3f,%.1f\n", e->epoch, e->seconds,
               e->images_per_second);
}

void gf__run_folder_add_gradients(gf__run_folder *folder, int epoch, long step,
                                  const gf_gradient_stats *gradients, int count) {
  gf__text *rows = &folder->logs[GF__LOG_GRADIENTS].pending;
  for (int i = 0; i < count; i++) {
    const gf_gradient_stats *g = &gradients[i];
    gf__text_add(rows, "%d,%ld,", epoch, step);
    gf__csv_add_text(rows, g->layer);
    gf__text_add(rows, ",");
    gf__csv_add_text(rows, g->parameter);
    gf__text_add(rows, ",%.6g,%.6g,%.6g,%.6g,%.6g,%.6g\n", g->mean_abs, g->l2, g->max_abs, g->zeros,
                 g->update_ratio, g->weight_l2);
  }
}

void gf__run_folder_add_activations(gf__run_folder *folder, int epoch, long step,
                                    const gf_activation_stats *activations, int count) {
  gf__text *rows = &folder->logs[GF__LOG_ACTIVATIONS].pending;
  for (int i = 0; i < count; i++) {
    const gf_activation_stats *a = &activations[i];
    gf__text_add(rows, "%d,%ld,", epoch, step);
    gf__csv_add_text(rows, a->layer);
    gf__text_add(rows, ",%.6g,%.6g,%.6g", a->mean, a->deviation, a->dead);
    if (!folder->lacks_contrast) gf__text_add(rows, ",%.6g", a->contrast);
    gf__text_add(rows, "\n");
  }
}

/* metrics.csv is written last, so an epoch that is in it has all its other rows. */
gf_status gf__run_folder_flush(gf__run_folder *folder) {
  for (int i = GF__LOGS - 1; i >= 0; i--) GF_TRY(gf__record_log_flush(&folder->logs[i]));
  return GF_OK;
}

/* ---- the end ---- */

static const char *const endings[] = {
    [GF_RUN_FINISHED] = "finished", [GF_RUN_DIVERGED] = "diverged"};

gf_status gf__run_folder_end(const char *folder, gf_run_status how, const char *message) {
  char path[GF__PATH_SIZE];
  GF_TRY(gf__run_path(path, folder, "result.json"));
  json_t *json = json_pack("{s:s, s:s*}", "status", endings[how], "message", message);
  return gf__json_write(path, json);
}

gf_status gf__run_folder_end_early(const char *folder, const char *stopped_by, int epoch,
                                   const char *message) {
  char path[GF__PATH_SIZE];
  GF_TRY(gf__run_path(path, folder, "result.json"));
  json_t *json = json_pack("{s:s, s:s, s:i, s:s}", "status", endings[GF_RUN_FINISHED], "stopped_by",
                           stopped_by, "epoch", epoch, "message", message);
  return gf__json_write(path, json);
}

void gf__run_folder_stopped_by(const char *folder, char out[32]) {
  char path[GF__PATH_SIZE];
  *out = 0;
  if (gf__run_path(path, folder, "result.json") != GF_OK || !gf__path_exists(path)) return;
  json_t *json = gf__json_read(path);
  const char *by = json_string_value(json_object_get(json, "stopped_by"));
  if (by) snprintf(out, 32, "%s", by);
  json_decref(json);
}

gf_run_status gf__run_folder_result(const char *folder, char **message) {
  char path[GF__PATH_SIZE];
  gf_run_status found = GF_RUN_STARTED;
  *message = NULL;
  if (gf__run_path(path, folder, "result.json") != GF_OK) return found;
  json_t *json = gf__json_read(path);
  const char *how = json_string_value(json_object_get(json, "status"));
  const char *text = json_string_value(json_object_get(json, "message"));
  for (gf_run_status s = GF_RUN_FINISHED; how && s <= GF_RUN_DIVERGED; s++)
    if (!strcmp(how, endings[s])) found = s;
  gf__text copy = {0};
  if (text) gf__text_add(&copy, "%s", text);
  *message = copy.data;
  json_decref(json);
  return found;
}
