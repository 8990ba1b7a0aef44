#include "trial/trial.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/network.h"
#include "run/run_folder.h"

/* What the caller gets, with the memory that it points into. */
typedef struct owned {
  gf_trial public;
  gf__trial_state trial;
  gf_trial_row *rows;
  char picture[GF__PATH_SIZE], study[GF__PATH_SIZE], report[GF__PATH_SIZE];
} owned;

/* ---- the folder ---- */

/* A trial never writes into a run: neither its folder nor one below it. */
static gf_status check_folder(const char *folder) {
  char above[GF__PATH_SIZE];
  size_t length = strlen(folder);
  while (length > 1 && folder[length - 1] == '/') length--;
  if (gf__run_folder_has_run(folder))
    return gf__fail(GF_ERROR_ARGUMENT,
                    "%s is the folder of a run, which a trial never touches; choose another --out",
                    folder);
  snprintf(above, sizeof above, "%.*s", (int)length, folder);
  for (char *slash; (slash = strrchr(above, '/')) && slash > above;) {
    *slash = 0;
    if (gf__run_folder_has_run(above))
      return gf__fail(GF_ERROR_ARGUMENT,
                      "%s lies in %s, the folder of a run, which a trial never touches; choose "
                      "another --out",
                      folder, above);
  }
  return GF_OK;
}

/* Writes config.yaml, or finds the same there. */
static gf_status claim_folder(gf__trial_state *trial) {
  char *before = NULL;
  size_t size;
  if (!gf__path_exists(trial->config_path))
    return gf__file_write(trial->config_path, trial->config.data, trial->config.size);
  GF_TRY(gf__file_read(trial->config_path, &before, &size));
  bool same = size == trial->config.size && !memcmp(before, trial->config.data, size);
  free(before);
  if (same) return GF_OK;
  return gf__fail(GF_ERROR_CONFIG,
                  "%s has the trial of another config; remove it, or choose another --out",
                  trial->folder);
}

static gf_status open_folder(gf__trial_state *trial) {
  char path[GF__PATH_SIZE];
  GF_TRY(check_folder(trial->folder));
  GF_TRY(gf__make_folder(trial->folder));
  GF_TRY(gf__path_join(path, sizeof path, trial->folder, ".lock"));
  GF_TRY(gf__file_lock_take(&trial->lock, path));
  return claim_folder(trial);
}

/* ---- the config ---- */

/* As "gradflow train" has it where the config says nothing; trainings of a trial do not measure. */
static gf_status set_tune(gf_config *config) {
  const gf__value *model = gf__value_get(gf__config_root(config), "model");
  return gf__value_get(model, "tune") ? GF_OK : gf_config_set(config, "model.tune=fast");
}

/* Opens the data sets, and resolves the config with what they tell. */
static gf_status read_config(gf__trial_state *trial, const gf_config *config) {
  gf__train_config train;
  GF_TRY(gf__train_config_read(&train, config));
  GF_TRY(gf_dataset_open(&trial->train, config, GF_SPLIT_TRAIN));
  GF_TRY(gf_dataset_open(&trial->validation, config, GF_SPLIT_VALIDATION));
  GF_TRY(gf__config_resolve(&trial->config, config, trial->train));
  int images = gf_dataset_describe(trial->train).count;
  trial->batch_size = train.batch_size < images ? train.batch_size : images;
  trial->seed = train.seed;
  return GF_OK;
}

static gf_status open_config(gf__trial_state *trial, const gf_config *given) {
  gf_config *config = NULL;
  gf_status status = gf__config_copy(&config, given);
  if (status == GF_OK) status = set_tune(config);
  if (status == GF_OK) status = read_config(trial, config);
  if (status == GF_OK) status = open_folder(trial);
  if (status == GF_OK) {
    gf_dataset_info data = gf_dataset_describe(trial->train);
    status = gf__network_write(
        trial->folder, config, &data,
        (gf__record_images){trial->batch_size, trial->batch_size, trial->batch_size});
  }
  gf_config_free(&config);
  return status;
}

/* ---- the trial ---- */

static gf_status find_candidates(gf__trial_state *trial) {
  gf_activation_stats *activations;
  int count;
  gf_status status = gf__trainee_probe(trial, &activations, &count);
  if (status == GF_OK) status = gf__trial_candidates_find(trial, activations, count);
  for (int i = 0; i < count; i++) free((char *)activations[i].layer);
  free(activations);
  if (status == GF_OK && trial->candidate_count < 2)
    return gf__fail(GF_ERROR_CONFIG,
                    "%s: there is no remedy to try: the config has all of them, or a graph of its "
                    "own that they do not fit",
                    trial->config_path);
  return status;
}

/* What the trainings have needed to go on; nothing needs it once all are done. */
static void remove_checkpoints(const gf__trial_state *trial) {
  char path[GF__PATH_SIZE];
  if (gf__path_join(path, sizeof path, trial->folder, "checkpoints") != GF_OK ||
      !gf__path_exists(path))
    return;
  if (gf__remove_folder(path) != GF_OK) gf__log(GF_LOG_WARNING, "%s", gf_error_message());
}

static gf_status fill_public(owned *o) {
  gf__trial_state *trial = &o->trial;
  gf_trial *out = &o->public;
  int images = gf_dataset_describe(trial->validation).count;
  GF_TRY(gf__path_join(o->picture, sizeof o->picture, trial->folder, "trial.png"));
  GF_TRY(gf__path_join(o->study, sizeof o->study, trial->folder, "study.yaml"));
  GF_TRY(gf__path_join(o->report, sizeof o->report, trial->folder, "report.json"));
  GF_TRY(gf__trial_rows(trial, &o->rows));
  out->rows = o->rows;
  out->row_count = trial->candidate_count;
  out->best = gf__trial_best(o->rows, out->row_count);
  out->is_validated = images > 0;
  out->images = images > 0 ? trial->plan.validation_images : 0;
  out->margin = gf__trial_margin(trial);
  out->guessing = log(gf_dataset_describe(trial->train).classes);
  out->config = trial->config_path;
  out->picture = o->picture;
  out->study = o->study;
  out->report = o->report;
  return GF_OK;
}

static gf_status write_files(owned *o) {
  GF_TRY(gf__trial_draw(&o->trial, &o->public));
  GF_TRY(gf__trial_write_study(&o->trial, &o->public));
  return gf__trial_write_report(&o->trial, &o->public);
}

static gf_status run_trial(owned *o, const gf_config *config) {
  gf__trial_state *trial = &o->trial;
  GF_TRY(gf__path_join(trial->folder, sizeof trial->folder, trial->options.out, ""));
  size_t length = strlen(trial->folder);
  while (length > 1 && trial->folder[length - 1] == '/') trial->folder[--length] = 0;
  GF_TRY(
      gf__path_join(trial->config_path, sizeof trial->config_path, trial->folder, "config.yaml"));
  GF_TRY(open_config(trial, config));
  GF_TRY(gf__trial_read(trial));
  GF_TRY(find_candidates(trial));
  GF_TRY(gf__trial_make_plan(trial));
  GF_TRY(gf__trial_halve(trial, &o->public.is_complete));
  GF_TRY(fill_public(o));
  if (o->public.is_complete) remove_checkpoints(trial);
  return write_files(o);
}

gf_trial_options gf_trial_options_default(void) {
  return (gf_trial_options){.seconds = 300, .steps = 300, .seeds = 3};
}

static gf_status check_options(const gf_trial_options *o) {
  if (!o->out || !*o->out) return gf__fail(GF_ERROR_ARGUMENT, "a trial needs a folder, out");
  if (!(o->seconds > 0) || o->steps < 1 || o->seeds < 1 || o->seeds > GF__TRIAL_MOST_SEEDS)
    return gf__fail(GF_ERROR_ARGUMENT,
                    "a trial needs some seconds, at least one step, and 1 to %d seeds",
                    GF__TRIAL_MOST_SEEDS);
  return GF_OK;
}

gf_status gf_trial_run(gf_trial **out, gf_device *device, const gf_config *config,
                       const gf_trial_options *options) {
  *out = NULL;
  GF_TRY(check_options(options));
  owned *o = calloc(1, sizeof *o);
  if (!o) return gf__fail_host_memory(sizeof *o);
  o->public.owner = o;
  o->trial.device = device;
  o->trial.options = *options;
  o->trial.begun = gf__seconds();
  *out = &o->public;
  gf_status status = run_trial(o, config);
  if (status != GF_OK) gf_trial_free(out);
  return status;
}

void gf_trial_free(gf_trial **trial) {
  if (!*trial) return;
  owned *o = (*trial)->owner;
  for (int i = 0; i < o->trial.result_count; i++) gf__trial_result_free(&o->trial.results[i]);
  free(o->trial.results);
  gf__trial_candidates_free(&o->trial);
  gf_dataset_free(&o->trial.train);
  gf_dataset_free(&o->trial.validation);
  gf__text_free(&o->trial.config);
  gf__file_lock_release(&o->trial.lock);
  free(o->rows);
  free(o);
  *trial = NULL;
}
