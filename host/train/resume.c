/* The way back into a run: whether what is there is what it was, and where the run goes on. Until
 * all of it is accepted, nothing is written. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/numbers.h"
#include "data/dataset.h"
#include "run/config_diff.h"
#include "train/training.h"

/* ---- the config ---- */

/* The config that the run in the folder has had so far, its keys called as they are now and, if
 * this version can read it, with the defaults of those that it has not. found: NULL where there is
 * no checkpoint. */
static gf_status read_former_config(const gf__training *t, const gf__found_checkpoint *found,
                                    gf_config **out) {
  gf_config *resolved;
  if (found && found->config) {
    GF_TRY(gf_config_parse(out, "the checkpoint's config", found->config));
    GF_TRY(gf__run_config_rename(*out));
  } else {
    GF_TRY(gf__run_config_load(out, t->options.out));
  }
  if (gf__config_resolved(&resolved, *out) != GF_OK) return GF_OK;
  gf_config_free(out);
  *out = resolved;
  return GF_OK;
}

static gf_status compare_configs(const gf__training *t, const gf_config *before,
                                 gf__text *differences) {
  gf_config *now;
  GF_TRY(gf_config_parse(&now, "the resolved config", t->resolved.data));
  gf__config_diff(gf__config_root(now), gf__config_root(before), differences);
  gf_config_free(&now);
  return gf__text_status(differences);
}

/* ---- the images ---- */

/* Checkpoints of earlier versions do not know them. */
static gf_status compare_images(const gf__training *t, const gf__found_checkpoint *found,
                                gf__text *differences) {
  static const char *const names[GF__ORIGIN_SPLITS] = {"training", "validation"};
  for (int i = 0; found && i < GF__ORIGIN_SPLITS; i++) {
    const gf__split_digest *now = &t->splits[i], *before = &found->splits[i];
    if (!*before->sha256) continue;
    if (now->count != before->count)
      gf__text_add(differences, "\n  %s: %d images, were %d", names[i], now->count, before->count);
    else if (strcmp(now->sha256, before->sha256) != 0)
      gf__text_add(differences, "\n  %s: as many images, %d, but others, or with other labels",
                   names[i], now->count);
  }
  return gf__text_status(differences);
}

/* ---- both ---- */

static gf_status fail_changed(const gf__training *t, const char *what, const gf__text *text) {
  return gf__fail(GF_ERROR_CONFIG,
                  "%s of the run in %s:%s\nTo go on with it all the same, train --resume with "
                  "--force; else choose another folder, --out",
                  what, t->options.out, text->data);
}

/* With force what differs is logged, and *changed becomes true; else it is an error. */
static gf_status report_changed(const gf__training *t, const char *what, const gf__text *text,
                                bool *changed) {
  if (!text->size) return GF_OK;
  if (!t->options.force) return fail_changed(t, what, text);
  *changed = true;
  gf__log(GF_LOG_WARNING, "goes on by force, although %s of the run:%s", what, text->data);
  return GF_OK;
}

/* Whether the config and the images are those of the run so far. */
static gf_status check_origin(const gf__training *t, const gf__found_checkpoint *found,
                              bool *changed) {
  gf_config *before = NULL;
  gf__text differences = {0};
  gf_status status = read_former_config(t, found, &before);
  if (status == GF_OK) status = compare_configs(t, before, &differences);
  if (status == GF_OK) status = report_changed(t, "the config is not that", &differences, changed);
  gf__text_free(&differences);
  if (status == GF_OK) status = compare_images(t, found, &differences);
  if (status == GF_OK)
    status = report_changed(t, "the images are not those", &differences, changed);
  gf__text_free(&differences);
  gf_config_free(&before);
  return status;
}

/* ---- what there is ---- */

static const gf__value *stop_section(const gf_config *config) {
  return gf__value_get(gf__value_get(gf__config_root(config), "train"), "stop");
}

/* Whether train.stop is another one than that of the run in the folder. */
static bool has_other_stop(const gf__training *t) {
  gf_config *before = NULL, *now = NULL;
  gf__text differences = {0};
  bool loaded = gf__run_config_load(&before, t->options.out) == GF_OK &&
                gf_config_parse(&now, "the resolved config", t->resolved.data) == GF_OK;
  const gf__value *a = loaded ? stop_section(now) : NULL;
  const gf__value *b = loaded ? stop_section(before) : NULL;
  if (a || b) gf__config_diff(a, b, &differences);
  bool differs = differences.size > 0;
  gf__text_free(&differences);
  gf_config_free(&before);
  gf_config_free(&now);
  return differs;
}

/* A finished run has nothing left to do; but one that its rules have ended goes on with others. */
static bool check_finished(const gf__training *t, const char *message) {
  gf_run_state state;
  if (gf_run_read_state(t->options.out, &state) != GF_OK || !*state.stopped_by) {
    gf__log(GF_LOG_INFO, "%s is finished; nothing is left to do", t->options.out);
    return true;
  }
  if (has_other_stop(t)) return false;
  gf__log(GF_LOG_WARNING,
          "train.stop has ended the run in %s after %d of %d epochs: %s. Nothing is done; to go on "
          "all the same, train --resume with --force, or with another train.stop by --set",
          t->options.out, state.epochs_done, state.epochs, message ? message : state.stopped_by);
  return true;
}

/* Whether the run in the folder has ended; then nothing is left to do, and the status is that of
 * its end. */
static gf_status check_end(const gf__training *t, bool *has_ended) {
  char *message;
  gf_run_status result = gf__run_folder_result(t->options.out, &message);
  gf_status status = GF_OK;
  *has_ended = result != GF_RUN_STARTED;
  if (result == GF_RUN_FINISHED) *has_ended = check_finished(t, message);
  if (result == GF_RUN_DIVERGED)
    status = gf__fail(GF_ERROR_NONFINITE, "%s has diverged: %s", t->options.out,
                      message ? message : "the loss was not finite");
  free(message);
  return status;
}

/* Without a checkpoint a run begins anew, unless there are epochs to lose; one that was killed
 * before its first checkpoint has no more than one. */
static gf_status check_restart(const gf__training *t) {
  gf_run_state state;
  const char *folder = t->options.out;
  if (t->found.damaged)
    return gf__fail(GF_ERROR_DATA,
                    "%s cannot be continued: all of its %d checkpoints are damaged; train it anew "
                    "with --overwrite",
                    folder, t->found.damaged);
  GF_TRY(gf_run_read_state(folder, &state));
  if (state.epochs_done <= 1 && state.status == GF_RUN_STARTED) return GF_OK;
  return gf__fail(GF_ERROR_DATA,
                  "%s cannot be continued: it has %d epochs and no checkpoint; replace it with "
                  "--overwrite",
                  folder, state.epochs_done);
}

/* What can be gone on with is a run, and was trained. */
static gf_status check_kind(const gf__training *t) {
  gf__run_kind kind;
  const char *folder = t->options.out;
  GF_TRY(gf__run_kind_read(folder, &kind));
  if (kind == GF__RUN_IMPORTED)
    return gf__fail(GF_ERROR_CONFIG,
                    "%s has weights that were imported, and no training to go on with; begin one "
                    "with them: gradflow train CONFIG --set train.weights=%s",
                    folder, folder);
  if (kind != GF__RUN_NONE || t->found.count || t->found.damaged) return GF_OK;
  return gf__fail(
      GF_ERROR_FILE,
      "%s is not the folder of a run: it has neither run.json nor a checkpoint; nothing "
      "in it was touched",
      folder);
}

/* Earlier versions counted batches, of the size that the run's own config has. */
static gf_status count_images(gf__training *t) {
  gf_config *config;
  if (!t->found.count || t->found.v[t->found.count - 1].position.images >= 0) return GF_OK;
  GF_TRY(gf__run_config_load(&config, t->options.out));
  gf__train_config run;
  gf_status status = gf__train_config_read(&run, config);
  for (int i = 0; status == GF_OK && i < t->found.count; i++) {
    gf__position *p = &t->found.v[i].position;
    if (p->images < 0) p->images = (int)GF__MIN((long long)p->batch * run.batch_size, INT_MAX);
  }
  gf_config_free(&config);
  return status;
}

/* Of other images than before there may be fewer. */
static int images_done(const gf__training *t, const gf__position *position) {
  int count = gf_dataset_describe(t->train).count;
  return position->images < count ? position->images : count;
}

/* Whether a batch of the size that batches have now is cut in two where the run goes on. */
static bool cuts_batch(const gf__training *t) {
  int batch = gf__training_batch(t), count = gf_dataset_describe(t->train).count;
  for (int i = 0; i < t->found.count; i++) {
    int images = images_done(t, &t->found.v[i].position);
    if (images % batch && images < count) return true;
  }
  return false;
}

gf_status gf__resume_check(gf__training *t, bool *has_ended) {
  gf__checkpoints_find(&t->found, t->options.out);
  GF_TRY(check_kind(t));
  GF_TRY(count_images(t));
  GF_TRY(check_origin(t, t->found.count ? &t->found.v[0] : NULL, &t->has_changed));
  t->cuts_batch = cuts_batch(t);
  if (!t->options.force) GF_TRY(check_end(t, has_ended));
  return t->found.count || *has_ended ? GF_OK : check_restart(t);
}

/* ---- the way back ---- */

static gf_status accept_checkpoint(const gf__training *t, const gf__found_checkpoint *found,
                                   bool is_newest) {
  gf__checkpoint_tensors tensors = gf__training_tensors(t);
  bool unused = false;
  if (!is_newest) GF_TRY(check_origin(t, found, &unused));
  GF_TRY(gf__run_folder_check_logs(t->options.out, found->position.marks));
  if (t->config.tensorboard)
    GF_TRY(gf__run_events_check(t->options.out, &found->position.marks[GF__LOG_EVENTS]));
  return gf__checkpoint_load(t->options.out, found->index, &tensors);
}

static void report_older(const gf__found_checkpoint *found, const gf__text *failures) {
  if (failures->size) gf__log(GF_LOG_WARNING, "%s", failures->data);
  gf__log(GF_LOG_WARNING, "the run goes on from an older checkpoint: epoch %d, batch %d",
          found->position.epoch, found->position.batch);
}

/* The newest checkpoint that is accepted; NULL if none is, with the failure of the newest one. */
static const gf__found_checkpoint *choose_checkpoint(const gf__training *t, gf_status *status) {
  gf__text first = {0}, failures = {0};
  const gf__found_checkpoint *chosen = NULL;
  for (int i = 0; i < t->found.count && !chosen; i++) {
    gf_status tried = accept_checkpoint(t, &t->found.v[i], i == 0);
    if (i == 0) *status = tried;
    if (tried == GF_OK) chosen = &t->found.v[i];
    if (tried != GF_OK && i == 0) gf__text_add(&first, "%s", gf_error_message());
    if (tried != GF_OK) gf__text_add(&failures, "%s%s", i ? "\n" : "", gf_error_message());
  }
  if (chosen && (failures.size || t->found.damaged)) report_older(chosen, &failures);
  if (!chosen) *status = gf__fail(*status, "%s", first.data ? first.data : "");
  gf__text_free(&first);
  gf__text_free(&failures);
  return chosen;
}

/* What somebody has removed is made anew, which is no secret. */
static void report_removed(gf__training *t) {
  char path[GF__PATH_SIZE];
  if (t->position.best_accuracy < 0) return;
  if (gf__run_path(path, t->options.out, "best.safetensors") != GF_OK || gf__path_exists(path))
    return;
  gf__log(GF_LOG_WARNING,
          "%s is gone: the best weights so far are lost, and the best of the epochs from here on "
          "will be there",
          path);
  t->position.best_accuracy = -1;
}

gf_status gf__resume_folder(gf__training *t) {
  gf_status status = GF_ERROR_DATA; /* of a folder without checkpoints, in which nobody goes on */
  gf__position *p = &t->position;
  char stopped_by[32];
  GF_TRY(gf__run_folder_open(&t->folder, t->options.out));
  const gf__found_checkpoint *found = choose_checkpoint(t, &status);
  if (!found) return status;
  *p = found->position;
  p->images = images_done(t, p);
  bool is_end = p->images == gf_dataset_describe(t->train).count;
  p->batch = is_end ? gf_loader_batches(t->train_loader) : p->images / gf__training_batch(t);
  t->next_checkpoint = found->index + 1;
  gf__run_folder_stopped_by(t->options.out, stopped_by);
  if (*stopped_by) gf__stop_go_on(&t->config.stop, &p->stop);
  report_removed(t);
  gf__log(GF_LOG_INFO, "continues in epoch %d after batch %d", p->epoch, p->batch);
  return gf__run_folder_resume(&t->folder, p->marks, p->epoch, &t->resolved,
                               gf_device_describe(t->device));
}
