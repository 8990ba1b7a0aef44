#include "study/plan.h"

#include <gradflow/data.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "model/model.h"
#include "train/train_config.h"

/* ---- the runs of a shard ---- */

static gf_status check_options(const gf_study_options *o) {
  if (o->shards < 1 || o->shard < 1 || o->shard > o->shards)
    return gf__fail(GF_ERROR_ARGUMENT, "shard %d of %d: must be 1 of 1 to N of N", o->shard,
                    o->shards);
  if (o->jobs < 1) return gf__fail(GF_ERROR_ARGUMENT, "%d jobs: must be at least 1", o->jobs);
  return GF_OK;
}

static gf_status add_item(const gf_study *study, const gf__setting *setting, uint64_t seed,
                          gf_study_item *out) {
  char folder[GF__PATH_SIZE];
  gf__train_config run;
  *out = (gf_study_item){.setting = setting->name, .seed = seed, .seconds_left = NAN};
  GF_TRY(gf__study_run_folder(folder, study, setting, seed));
  out->folder = gf__text_copy(folder);
  if (!out->folder) return gf__fail_host_memory(strlen(folder) + 1);
  GF_TRY(gf_run_read_state(folder, &out->state));
  GF_TRY(gf__train_config_read(&run, setting->config));
  out->state.epochs = run.epochs;
  return GF_OK;
}

static gf_status list_items(const gf_study *study, const gf_study_options *options,
                            gf_study_item *items, int *count) {
  int index = 0;
  for (int i = 0; i < study->setting_count; i++) {
    const gf__setting *setting = &study->settings[i];
    for (int k = 0; k < setting->seed_count; k++)
      if (index++ % options->shards == options->shard - 1)
        GF_TRY(add_item(study, setting, setting->seeds[k], &items[(*count)++]));
  }
  return GF_OK;
}

void gf_study_items_free(gf_study_item **items, int count) {
  for (int i = 0; *items && i < count; i++) free((*items)[i].folder);
  free(*items);
  *items = NULL;
}

int gf__item_setting(const gf_study *study, const gf_study_item *item) {
  int i = 0;
  while (study->settings[i].name != item->setting) i++;
  return i;
}

int gf__item_epochs_left(const gf_study_item *item) {
  bool ended = item->state.status == GF_RUN_FINISHED || item->state.status == GF_RUN_DIVERGED;
  return ended ? 0 : item->state.epochs - item->state.epochs_done;
}

gf_status gf__item_config(const gf_study *study, const gf_study_item *item, gf_config **out) {
  gf__text text = {0};
  char seed[64];
  *out = NULL;
  gf__value_write(&text, 0, gf__config_root(study->settings[gf__item_setting(study, item)].config));
  gf_status status = gf__text_status(&text);
  if (status == GF_OK) status = gf_config_parse(out, item->setting, text.data);
  gf__text_free(&text);
  snprintf(seed, sizeof seed, "train.seed=%llu", item->seed);
  if (status == GF_OK) status = gf_config_set(*out, seed);
  if (status != GF_OK) gf_config_free(out);
  return status;
}

/* ---- times ---- */

gf_status gf__study_epoch_seconds(const gf_study *study, const gf_study_item *items, int count,
                                  double **out) {
  size_t settings = (size_t)study->setting_count;
  double *seconds = calloc(settings, sizeof *seconds);
  int *epochs = calloc(settings, sizeof *epochs);
  gf_status status = seconds && epochs ? GF_OK : gf__fail_host_memory(settings * sizeof *seconds);
  for (int i = 0; i < count && status == GF_OK; i++) {
    int setting = gf__item_setting(study, &items[i]);
    seconds[setting] += items[i].state.seconds;
    epochs[setting] += items[i].state.epochs_done;
  }
  for (size_t i = 0; i < settings && status == GF_OK; i++)
    seconds[i] = epochs[i] && seconds[i] > 0 ? seconds[i] / epochs[i] : NAN;
  free(epochs);
  if (status != GF_OK) free(seconds);
  *out = status == GF_OK ? seconds : NULL;
  return status;
}

/* What a measurement of a setting opens. */
typedef struct probe {
  gf_config *config;
  gf_dataset *train, *validation;
  gf_model *model;
  gf_trainer *trainer;
  float *images;
  int *labels;
} probe;

static gf_status open_probe(probe *p, gf_device *device, int *batch) {
  gf__train_config run;
  GF_TRY(gf__train_config_read(&run, p->config));
  GF_TRY(gf_dataset_open(&p->train, p->config, GF_SPLIT_TRAIN));
  GF_TRY(gf_dataset_open(&p->validation, p->config, GF_SPLIT_VALIDATION));
  gf_dataset_info info = gf_dataset_describe(p->train);
  gf_image_shape image = {info.height, info.width, info.channels};
  *batch = run.batch_size < info.count ? run.batch_size : info.count;
  size_t floats = (size_t)*batch * (size_t)(info.height * info.width * info.channels);
  GF_TRY(gf__model_open_with(&p->model, device, p->config, image, info.classes, *batch, run.seed,
                             &(gf__model_options){.measures_nothing = true}));
  GF_TRY(gf_trainer_open(&p->trainer, p->model, p->config));
  p->images = calloc(floats, sizeof *p->images);
  p->labels = calloc((size_t)*batch, sizeof *p->labels);
  return p->images && p->labels ? GF_OK : gf__fail_host_memory(floats * sizeof *p->images);
}

static void close_probe(probe *p) {
  gf_trainer_free(&p->trainer);
  gf_model_free(&p->model);
  gf_dataset_free(&p->train);
  gf_dataset_free(&p->validation);
  gf_config_free(&p->config);
  free(p->images);
  free(p->labels);
}

/* Seconds of a step on zeros, after one that compiles. */
static gf_status time_steps(const probe *p, int batch, double *seconds) {
  enum { STEPS = 3 };
  gf_loss loss;
  double begin = 0;
  for (int i = 0; i <= STEPS; i++) {
    if (i == 1) begin = gf__seconds();
    GF_TRY(gf_trainer_step(p->trainer, p->images, p->labels, batch, 0, &loss, NULL));
  }
  *seconds = (gf__seconds() - begin) / STEPS;
  return GF_OK;
}

/* Seconds of an epoch; a validation image costs about a third of a training one. */
static gf_status time_item(const gf_study *study, const gf_study_item *item, gf_device *device,
                           double *out) {
  probe p = {0};
  int batch;
  double step;
  gf_status status = gf__item_config(study, item, &p.config);
  if (status == GF_OK) status = open_probe(&p, device, &batch);
  if (status == GF_OK) status = time_steps(&p, batch, &step);
  if (status == GF_OK)
    *out = step *
           (gf_dataset_describe(p.train).count + gf_dataset_describe(p.validation).count / 3.0) /
           batch;
  close_probe(&p);
  return status;
}

/* Settings, one after the other, whose time is unknown for the same reason. */
typedef struct unknown {
  const char *first; /* NULL: none */
  int more;
  char reason[1024];
} unknown;

static void say_unknown(unknown *u) {
  char others[32] = "";
  if (!u->first) return;
  if (u->more) snprintf(others, sizeof others, " and %d more", u->more);
  gf__log(GF_LOG_WARNING, "the time of %s%s is unknown: %s", u->first, others, u->reason);
  u->first = NULL;
}

static void add_unknown(unknown *u, const char *setting) {
  if (u->first && !strcmp(u->reason, gf_error_message())) {
    u->more++;
    return;
  }
  say_unknown(u);
  u->first = setting;
  u->more = 0;
  snprintf(u->reason, sizeof u->reason, "%s", gf_error_message());
}

static gf_status estimate(const gf_study *study, const char *selector, gf_study_item *items,
                          int count) {
  gf_device *device = NULL;
  double *seconds;
  unknown untimed = {NULL, 0, ""};
  GF_TRY(gf__study_epoch_seconds(study, items, count, &seconds));
  bool *tried = calloc((size_t)study->setting_count, sizeof *tried);
  gf_status status = tried ? GF_OK : gf__fail_host_memory((size_t)study->setting_count);
  for (int i = 0; i < count && status == GF_OK; i++) {
    int setting = gf__item_setting(study, &items[i]), left = gf__item_epochs_left(&items[i]);
    if (left > 0 && isnan(seconds[setting]) && !tried[setting]) {
      tried[setting] = true;
      if (!device) status = gf_device_open(&device, selector);
      if (status == GF_OK && time_item(study, &items[i], device, &seconds[setting]) != GF_OK)
        add_unknown(&untimed, items[i].setting);
    }
    items[i].seconds_left = left > 0 ? left * seconds[setting] : 0;
  }
  say_unknown(&untimed);
  gf_device_free(&device);
  free(tried);
  free(seconds);
  return status;
}

gf_status gf_study_plan(const gf_study *study, const gf_study_options *options, bool wants_estimate,
                        gf_study_item **out, int *count) {
  size_t most = 0;
  *out = NULL;
  *count = 0;
  GF_TRY(check_options(options));
  for (int i = 0; i < study->setting_count; i++) most += (size_t)study->settings[i].seed_count;
  *out = calloc(most, sizeof **out);
  if (!*out) return gf__fail_host_memory(most * sizeof **out);
  gf_status status = list_items(study, options, *out, count);
  if (status == GF_OK && wants_estimate) status = estimate(study, options->device, *out, *count);
  if (status != GF_OK) {
    gf_study_items_free(out, *count);
    *count = 0;
  }
  return status;
}
