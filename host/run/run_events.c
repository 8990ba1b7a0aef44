#include "run/run_events.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "run/tensorboard.h"

/* A constant name, so that a run that is resumed finds it; TensorBoard looks for "tfevents". */
static const char folder_name[] = "tensorboard",
                  file_name[] = "tensorboard/events.out.tfevents.0.gradflow";

static double now(void) {
  struct timespec time;
  timespec_get(&time, TIME_UTC);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

gf_status gf__run_events_open(gf__run_folder *folder, const gf__record_mark *mark) {
  char file[GF__PATH_SIZE], parent[GF__PATH_SIZE];
  gf__record_log *log = &folder->logs[GF__LOG_EVENTS];
  GF_TRY(gf__run_path(file, folder->path, file_name));
  GF_TRY(gf__run_path(parent, folder->path, folder_name));
  GF_TRY(gf__make_folder(parent));
  /* TensorBoard would read them. */
  GF_TRY(gf__run_files_remove_torn(folder->path));
  if (mark->size && gf__path_exists(file))
    return gf__record_log_resume(log, folder->path, file_name, mark);
  GF_TRY(gf__record_log_begin(log, folder->path, file_name, ""));
  gf__events_begin(&log->pending, now());
  return GF_OK;
}

gf_status gf__run_events_check(const char *folder, const gf__record_mark *mark) {
  char file[GF__PATH_SIZE];
  GF_TRY(gf__run_path(file, folder, file_name));
  return mark->size && gf__path_exists(file) ? gf__record_log_check(folder, file_name, mark)
                                             : GF_OK;
}

static bool is_open(const gf__run_folder *folder) {
  return folder->logs[GF__LOG_EVENTS].path[0] != 0;
}

static void add(gf__run_folder *folder, long step, gf__text *summary) {
  gf__events_add(&folder->logs[GF__LOG_EVENTS].pending, now(), step, summary);
}

void gf__run_events_add_step(gf__run_folder *folder, const gf_step_event *s) {
  gf__text summary = {0};
  if (!is_open(folder)) return;
  gf__summary_add_scalar(&summary, "loss/batch", s->loss);
  gf__summary_add_scalar(&summary, "accuracy/batch", s->accuracy);
  gf__summary_add_scalar(&summary, "learning_rate", s->learning_rate);
  add(folder, s->step, &summary);
}

void gf__run_events_add_epoch(gf__run_folder *folder, long step, const gf_epoch *e) {
  gf__text summary = {0};
  if (!is_open(folder)) return;
  gf__summary_add_scalar(&summary, "epoch", e->epoch);
  gf__summary_add_scalar(&summary, "loss/train", e->train_loss);
  gf__summary_add_scalar(&summary, "accuracy/train", e->train_accuracy);
  /* NaN without a validation split */
  if (!isnan(e->validation_accuracy)) {
    gf__summary_add_scalar(&summary, "loss/validation", e->validation_loss);
    gf__summary_add_scalar(&summary, "accuracy/validation", e->validation_accuracy);
  }
  add(folder, step, &summary);
}

static void add_tensors(gf__text *summary, const gf_model *model, const float *flat,
                        const gf_gradient_stats *statistics) {
  for (int i = 0; i < model->trainable_count; i++) {
    const gf__parameter *p = model->parameters[i];
    gf__text tag = {0};
    gf__text_add(&tag, "mean_abs_gradient/%s", p->name);
    if (tag.data) gf__summary_add_scalar(summary, tag.data, statistics[i].mean_abs);
    if (tag.data)
      gf__summary_add_histogram(summary, strchr(tag.data, 'g'), flat + p->offset, p->count);
    summary->failed |= tag.failed;
    gf__text_free(&tag);
  }
}

gf_status gf__run_events_add_gradients(gf__run_folder *folder, long step, const gf_model *model,
                                       gf_buffer *gradient, const gf_gradient_stats *statistics) {
  size_t bytes = model->flat_floats * sizeof(float);
  gf__text summary = {0};
  if (!is_open(folder)) return GF_OK;
  float *flat = malloc(bytes);
  if (!flat) return gf__fail_host_memory(bytes);
  gf_status status = gf__buffer_read(gradient, 0, bytes, flat);
  if (status == GF_OK) add_tensors(&summary, model, flat, statistics);
  free(flat);
  if (status == GF_OK) add(folder, step, &summary);
  return status;
}

gf_status gf__run_events_add_picture(gf__run_folder *folder, long step, const char *path) {
  gf__text summary = {0}, tag = {0};
  char *bytes;
  size_t size;
  if (!is_open(folder)) return GF_OK;
  GF_TRY(gf__file_read(path, &bytes, &size));
  const char *name = gf__path_base(path);
  gf__text_add(&tag, "charts/%.*s", (int)strcspn(name, "."), name);
  if (tag.data) gf__summary_add_image(&summary, tag.data, bytes, size);
  summary.failed |= tag.failed;
  free(bytes);
  gf__text_free(&tag);
  add(folder, step, &summary);
  return GF_OK;
}
