/* A run from its beginning, or from a checkpoint, to its end. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <gradflow/report.h>

#include "data/dataset.h"
#include "layers/layer.h"
#include "run/network.h"
#include "train/lsuv.h"
#include "train/training.h"

static gf_status open_loader(gf_loader **out, const gf__training *t, const gf_dataset *dataset,
                             bool training) {
  int rank = gf__communicator_rank(t->communicator);
  gf_loader_options options = gf_loader_options_default();
  options.batch_size = training ? t->config.batch_size : t->model->batch;
  options.seed = t->config.seed;
  options.training = training;
  options.from = t->shard_bounds[rank];
  options.to = t->shard_bounds[rank + 1];
  return gf_loader_open(out, dataset, &options);
}

static gf_status warn_of_schedule(const gf__training *t, const gf_config *config) {
  gf__optimizer_config optimizer;
  GF_TRY(gf__optimizer_config_read(&optimizer, config));
  if (t->writes) gf__schedule_config_warn(&t->config.schedule, optimizer.learning_rate);
  gf__optimizer_config_free(&optimizer);
  return GF_OK;
}

static gf_memory planned_memory(const gf__training *t) {
  gf_memory memory = gf__model_memory(t->model, t->model->batch);
  memory.optimizer = gf__trainer_memory(t->trainer);
  return memory;
}

/* Compiling takes seconds on a cold cache, so report it. */
static gf_status prepare_trainer(gf__training *t) {
  const gf_train_events *events = &t->options.events;
  gf_progress progress = {.phase = "prepare",
                          .epochs = t->config.epochs,
                          .loss = NAN,
                          .accuracy = NAN,
                          .images_per_second = NAN,
                          .seconds_left = NAN};
  if (events->progress) events->progress(events->user, &progress);
  int launches;
  GF_TRY(gf__trainer_prepare(t->trainer, t->config.seed, &launches));
  gf_memory memory = planned_memory(t);
  gf__log(GF_LOG_INFO, "%d training and %d validation images", gf_dataset_describe(t->train).count,
          gf_dataset_describe(t->validation).count);
  gf__log(GF_LOG_INFO, "%zu parameters, %.0f MiB on the device, %d launches a step",
          gf_model_parameter_total(t->model), (double)gf__memory_total(&memory) / 0x1p20, launches);
  return GF_OK;
}

static gf_status open_data(gf__training *t, const gf_config *config) {
  GF_TRY(gf_dataset_open(&t->train, config, GF_SPLIT_TRAIN));
  GF_TRY(gf_dataset_open(&t->validation, config, GF_SPLIT_VALIDATION));
  if (t->writes) gf__dataset_warn(t->train, t->validation);
  if (!gf__schedule_is_plateau(&t->config.schedule) || gf_dataset_describe(t->validation).count > 0)
    return GF_OK;
  return gf__fail(GF_ERROR_CONFIG,
                  "schedule.name plateau waits for the validation to improve, and there are no "
                  "validation images; set data.validation, or take another schedule");
}

static gf_status digest_data(gf__training *t) {
  GF_TRY(gf__dataset_digest(t->train, &t->splits[0]));
  return gf__dataset_digest(t->validation, &t->splits[1]);
}

int gf__training_batch(const gf__training *t) {
  int count = gf_dataset_describe(t->train).count;
  return t->config.batch_size < count ? t->config.batch_size : count;
}

/* The network and its trainer for shards of shard images, in micro-batches. */
static gf_status open_micro_network(gf__training *t, const gf_config *config,
                                    const char *algorithms, int shard, int micro) {
  gf_dataset_info info = gf_dataset_describe(t->train);
  gf_image_shape image = {info.height, info.width, info.channels};
  gf__model_options options = {.algorithms = algorithms};
  gf__trainer_options trainer = {.adds_micro_batches = micro < shard,
                                 .skips_nonfinite = t->config.on_nonfinite == GF__SKIP_NONFINITE,
                                 .communicator = t->communicator,
                                 .shard_bounds = t->shard_bounds};
  gf_status status = gf__model_open_with(&t->model, t->device, config, image, info.classes, micro,
                                         t->config.seed, &options);
  if (status == GF_OK) status = gf__trainer_open_with(&t->trainer, t->model, config, &trainer);
  if (status != GF_OK) gf__training_close_network(t);
  return status;
}

gf_status gf__training_open_network(gf__training *t, const gf_config *config,
                                    const char *algorithms) {
  int shard = gf__ranks_largest_shard(t, gf__training_batch(t)), micro = shard;
  gf_status status;
  /* Half of the shard, a quarter, …: whole fours, as the draws of dropout come in fours. */
  while ((status = open_micro_network(t, config, algorithms, shard, micro)) ==
             GF_ERROR_DEVICE_MEMORY &&
         micro > 4)
    micro = (micro / 2 + 3) / 4 * 4;
  if (status != GF_OK || micro == shard) return status;
  gf__log(GF_LOG_WARNING,
          "the device has no memory for a batch of %d: its gradient is added up over micro-batches "
          "of %d images; batch norm sees one of them at a time",
          shard, micro);
  /* Ranks of other devices might have other micro-batches, and would wait for each other in vain.
   */
  if (gf__communicator_ranks(t->communicator) > 1 && t->model->joins_batch_norms)
    return gf__fail(GF_ERROR_DEVICE_MEMORY,
                    "model.batch_norm sync needs memory for all %d images that this rank has of a "
                    "batch; use more ranks or a smaller train.batch_size",
                    shard);
  return GF_OK;
}

void gf__training_close_network(gf__training *t) {
  gf_trainer_free(&t->trainer);
  gf_model_free(&t->model);
}

static gf_status open_loop(gf__training *t) {
  GF_TRY(open_loader(&t->train_loader, t, t->train, 1));
  GF_TRY(open_loader(&t->validation_loader, t, t->validation, 0));
  size_t gradients = (size_t)gf_trainer_gradient_count(t->trainer) * sizeof *t->gradients;
  size_t activations = ((size_t)gf__model_activation_count(t->model) + 1) * sizeof *t->activations;
  t->gradients = malloc(gradients);
  t->activations = malloc(activations);
  if (!t->gradients || !t->activations) return gf__fail_host_memory(gradients + activations);
  return prepare_trainer(t);
}

static void close_run(gf__training *t) {
  gf_loader_free(&t->train_loader);
  gf_loader_free(&t->validation_loader);
  gf__training_close_network(t);
  gf_dataset_free(&t->train);
  gf_dataset_free(&t->validation);
  gf__run_folder_free(&t->folder);
  gf__predictions_free(&t->predictions);
  gf__checkpoints_free(&t->found);
  gf__text_free(&t->resolved);
  free(t->gradients);
  free(t->activations);
  free(t->shard_bounds);
}

/* ---- the run folder ---- */

gf_status gf__training_load_weights(gf_model *model, const gf__train_config *config) {
  const char *path = gf__train_config_weights(config);
  char best[GF__PATH_SIZE];
  if (!*path) return GF_OK;
  if (!gf__path_is_folder(path)) return gf__model_load_finite(model, path);
  GF_TRY(gf__run_weights(best, path));
  return gf__model_load_finite(model, best);
}

gf_status gf__training_start_weights(gf_model *model, const gf__train_config *train,
                                     const gf_config *config, gf_loader *loader) {
  if (*gf__train_config_weights(train)) return gf__training_load_weights(model, train);
  return gf__lsuv_start(model, config, loader, train->seed);
}

static gf_status start_weights(gf__training *t) {
  gf_config *config;
  GF_TRY(gf_config_parse(&config, "the resolved config", t->resolved.data));
  gf_status status = gf__training_start_weights(t->model, &t->config, config, t->train_loader);
  gf_config_free(&config);
  return status;
}

/* replaces: what a run has left in the folder goes. */
static gf_status create_folder(gf__training *t, bool replaces) {
  GF_TRY(start_weights(t));
  t->position = (gf__position){.epoch = 1, .best_accuracy = -1, .stop = gf__stop_begin()};
  return gf__run_folder_create(&t->folder, t->options.out, replaces, GF__RUN_TRAINED, &t->resolved,
                               gf_device_describe(t->device));
}

/* Activations that are measured are those of a batch's last micro-batch, which is the whole batch
 * unless the device has no memory for it. */
static gf__record_images record_images(const gf__training *t) {
  int batch = gf__training_batch(t), micro = t->model->batch;
  int norms = gf__ranks_norm_images(t);
  if (t->communicator) return (gf__record_images){batch, 0, norms};
  return (gf__record_images){batch, batch - (batch - 1) / micro * micro, norms};
}

/* network.json, which readers of the run need from its first record on. */
static gf_status write_network(const gf__training *t, const gf_config *config) {
  gf_dataset_info data = gf_dataset_describe(t->train);
  return gf__network_write(t->options.out, config, &data, record_images(t));
}

/* data.json; its first batch follows with the run's first step. */
static gf_status write_data(const gf__training *t) {
  gf__data_record record = {.classes = gf_dataset_describe(t->train).classes};
  gf_status status = gf__class_counts_make(&record.train, t->train->labels,
                                           gf_dataset_describe(t->train).count, record.classes);
  if (status == GF_OK)
    status = gf__class_counts_make(&record.validation, t->validation->labels,
                                   gf_dataset_describe(t->validation).count, record.classes);
  if (status == GF_OK) status = gf__data_record_write(t->options.out, &record);
  gf__data_record_free(&record);
  return status;
}

/* What was forced is in a checkpoint at once, so that the run can go on without force from here. */
static gf_status keep_change(gf__training *t) {
  if (!t->has_changed || !t->found.count) return GF_OK;
  t->epoch_started = gf__seconds() - t->position.seconds;
  return gf__training_checkpoint(t);
}

static gf_status open_folder(gf__training *t, const gf_config *config, bool resumes) {
  char path[GF__PATH_SIZE];
  if (!t->writes) return GF_OK;
  GF_TRY(t->found.count ? gf__resume_folder(t) : create_folder(t, resumes || t->options.overwrite));
  GF_TRY(write_network(t, config));
  if (t->position.steps == 0) GF_TRY(write_data(t));
  if (t->config.tensorboard)
    GF_TRY(gf__run_events_open(&t->folder, &t->position.marks[GF__LOG_EVENTS]));
  GF_TRY(gf__run_path(path, t->options.out, "algorithms.json"));
  GF_TRY(gf__algorithms_write(path, t->model->algorithms, gf_device_describe(t->device)));
  return keep_change(t);
}

/* ---- the run ---- */

/* What the first rank finds where the run folder is to be. */
typedef struct found_run {
  bool resumes, has_ended, cuts_batch;
} found_run;

/* A folder that is replaced has nothing in it that the run reads. */
static gf_status find_folder(const gf__training *t, const gf_config *config, found_run *out) {
  char path[GF__PATH_SIZE];
  const gf__value *data = gf__value_get(gf__config_root(config), "data");
  const char *needed[] = {gf__config_path(config), gf__scalar_words(gf__value_get(data, "path")),
                          gf__train_config_weights(&t->config), NULL};
  GF_TRY(gf__run_path(path, t->options.out, "config.yaml"));
  out->resumes = t->options.resume && gf__path_exists(path);
  if (out->resumes) return GF_OK;
  return gf__run_folder_check(t->options.out, t->options.overwrite, needed);
}

static gf_status check_folder(gf__training *t, found_run *out) {
  if (!out->resumes) return GF_OK;
  GF_TRY(gf__resume_check(t, &out->has_ended));
  out->cuts_batch = t->cuts_batch;
  return GF_OK;
}

/* What this rank can check of the run. */
static gf_status check_own(gf__training *t, const gf_config *config, found_run *out) {
  GF_TRY(gf__train_config_read(&t->config, config));
  t->vanishing = gf__vanishing_of_config(config);
  if (t->writes) GF_TRY(find_folder(t, config, out));
  GF_TRY(open_data(t, config));
  GF_TRY(digest_data(t));
  GF_TRY(gf__stop_config_check(&t->config.stop, gf_dataset_describe(t->validation).count));
  GF_TRY(gf__config_resolve(&t->resolved, config, t->train));
  GF_TRY(warn_of_schedule(t, config));
  return t->writes ? check_folder(t, out) : GF_OK;
}

/* Everything that can be wrong is found before a folder is made or changed. */
static gf_status check_run(gf__training *t, const gf_config *config, found_run *out) {
  GF_TRY(gf_communicator_agree(t->communicator, check_own(t, config, out)));
  GF_TRY(gf__communicator_broadcast(t->communicator, out, sizeof *out));
  t->cuts_batch = out->cuts_batch;
  return out->has_ended ? GF_OK : gf__ranks_compare(t);
}

/* The algorithms that the run has taken so far; NULL where they are not known, which is said. The
 * caller frees them. */
static char *read_algorithms(const gf__training *t) {
  char path[GF__PATH_SIZE];
  if (gf__run_path(path, t->options.out, "algorithms.json") != GF_OK) return NULL;
  if (t->writes && t->found.count && !gf__path_exists(path))
    gf__log(GF_LOG_WARNING,
            "%s is gone: the algorithms of the convolutions are chosen anew, and last digits may "
            "differ from those of a run that was never stopped",
            path);
  return gf__algorithms_read(path, gf_device_describe(t->device));
}

static gf_status open_networks(gf__training *t, const gf_config *config, bool resumes) {
  char *algorithms = resumes ? read_algorithms(t) : NULL;
  gf_status status = gf__ranks_open_networks(t, config, algorithms);
  free(algorithms);
  return status;
}

/* A norm over a single value leaves nothing of it, and such a network learns nothing. */
static void warn_of_norms(const gf__training *t) {
  int images = gf__ranks_norm_images(t), ranks = gf__communicator_ranks(t->communicator);
  for (int i = 0; i < t->model->graph.count && t->writes; i++) {
    const gf_node *node = t->model->graph.nodes[i];
    const gf__tensor *out = &node->out;
    if (node->layer != &gf__layer_batch_norm || (long)out->d * out->h * out->w * images != 1)
      continue;
    gf__log(GF_LOG_WARNING,
            "the batch norm '%s' sees one value of each channel at a time, of which it leaves "
            "nothing: the network cannot learn through it; %s",
            node->name,
            ranks > 1 ? "set model.batch_norm to sync, so that it sees the images of all ranks"
                      : "use a larger train.batch_size, or a network without that norm");
    return;
  }
}

/* What the epochs before a resumption have decided about the rate; rank 0 has their records. */
static gf_status join_plateau(gf__training *t) {
  const gf__schedule_config *schedule = &t->config.schedule;
  bool is_plateau = gf__schedule_is_plateau(schedule);
  gf_status status = GF_OK;
  gf__plateau_begin(&t->plateau);
  if (is_plateau && t->writes && t->position.epoch > 1)
    status =
        gf__plateau_replay(&t->plateau, schedule, gf__trainer_optimizer(t->trainer)->learning_rate,
                           t->options.out, t->position.epoch);
  GF_TRY(gf_communicator_agree(t->communicator, status));
  return is_plateau ? gf__communicator_broadcast(t->communicator, &t->plateau, sizeof t->plateau)
                    : GF_OK;
}

static gf_status open_run(gf__training *t, const gf_config *config, bool resumes) {
  GF_TRY(open_networks(t, config, resumes));
  warn_of_norms(t);
  GF_TRY(gf_communicator_agree(t->communicator, open_loop(t)));
  GF_TRY(gf_communicator_agree(t->communicator, open_folder(t, config, resumes)));
  GF_TRY(gf__ranks_write(t));
  GF_TRY(gf__ranks_join(t));
  return join_plateau(t);
}

/* ---- the pictures ---- */

typedef struct gallery {
  gf__training *training;
  bool reports; /* each picture to the caller */
  gf_status status;
} gallery;

static void add_picture(void *user, const char *path) {
  gallery *g = user;
  const gf_train_events *events = &g->training->options.events;
  if (g->status == GF_OK)
    g->status = gf__run_events_add_picture(&g->training->folder, g->training->position.steps, path);
  if (g->reports && events->written) events->written(events->user, path);
}

static gf_status draw_pictures(gf__training *t, bool reports) {
  gallery g = {.training = t, .reports = reports};
  GF_TRY(gf_plot_runs(&t->options.out, 1, NULL, add_picture, &g));
  GF_TRY(g.status);
  return gf__record_log_flush(&t->folder.logs[GF__LOG_EVENTS]);
}

/* What there is of a run that has ended before its time; the message stays that of the end. */
static void draw_ended(gf__training *t, gf_status status) {
  const gf_train_events *events = &t->options.events;
  gf__text message = {0};
  gf__text_add(&message, "%s", gf_error_message());
  if (status == GF_ERROR_NONFINITE &&
      gf__run_folder_end(t->options.out, GF_RUN_DIVERGED, message.data) != GF_OK)
    gf__log(GF_LOG_WARNING, "%s", gf_error_message());
  if (events->ended) events->ended(events->user, status, message.data ? message.data : "");
  if (draw_pictures(t, false) != GF_OK)
    gf__log(GF_LOG_WARNING, "no pictures: %s", gf_error_message());
  (void)gf__fail(status, "%s", message.data ? message.data : "");
  gf__text_free(&message);
}

/* The lock is held until the pictures are drawn and the end is written. */
static gf_status end_run(gf__training *t, gf_status status) {
  bool is_ended = status == GF_ERROR_INTERRUPTED || status == GF_ERROR_NONFINITE;
  if (is_ended) gf__communicator_set_agreed(t->communicator);
  if (is_ended && t->writes) draw_ended(t, status);
  if (status != GF_OK || !t->writes) return status;
  /* There is nothing to draw of a run without an epoch. */
  if (t->position.epoch > 1) GF_TRY(draw_pictures(t, true));
  if (!*t->stop.by) return gf__run_folder_end(t->options.out, GF_RUN_FINISHED, NULL);
  int epoch = t->position.epoch - (t->position.batch == 0);
  gf__log(GF_LOG_INFO, "train.stop ends the run in epoch %d of %d: %s", epoch, t->config.epochs,
          t->stop.message);
  return gf__run_folder_end_early(t->options.out, t->stop.by, epoch, t->stop.message);
}

static gf_status make_run(gf__training *t) {
  gf_status status = GF_OK;
  t->started = t->checkpointed = gf__seconds();
  t->done_before = gf__training_progress(t);
  t->spent_before = t->position.stop.seconds;
  while (status == GF_OK && !*t->stop.by && t->position.epoch <= t->config.epochs)
    status = gf__training_epoch(t);
  /* The epoch that time has ended is an interrupted one, whose checkpoint is there. */
  if (status == GF_ERROR_INTERRUPTED && *t->stop.by) status = GF_OK;
  return end_run(t, status);
}

gf_train_options gf_train_options_default(void) {
  return (gf_train_options){.keep_checkpoints = 2};
}

static gf_status check_options(const gf_train_options *o) {
  if (!o->out || !*o->out)
    return gf__fail(GF_ERROR_ARGUMENT, "gf_train_options.out is missing: it names the run folder");
  if (o->keep_checkpoints >= 1) return GF_OK;
  return gf__fail(GF_ERROR_ARGUMENT,
                  "%d checkpoints kept: must be at least 1, and is 2 by gf_train_options_default()",
                  o->keep_checkpoints);
}

gf_status gf_train(gf_device *device, const gf_config *config, const gf_train_options *options) {
  gf__training t = {.device = device,
                    .options = *options,
                    .communicator = options->communicator,
                    .writes = gf__communicator_rank(options->communicator) == 0};
  found_run found = {0};
  gf_status status = check_options(options);
  if (status == GF_OK) status = check_run(&t, config, &found);
  bool goes_on = status == GF_OK && !found.has_ended;
  if (goes_on) status = open_run(&t, config, found.resumes);
  if (goes_on && status == GF_OK) status = make_run(&t);
  close_run(&t);
  return status;
}

gf_status gf_train_dry_run(gf_device *device, const gf_config *config, gf_dry_run *out) {
  gf__training t = {.device = device, .writes = true};
  size_t before = gf__device_allocated(device);
  gf_status status = gf__train_config_read(&t.config, config);
  if (status == GF_OK) status = open_data(&t, config);
  if (status == GF_OK) status = gf__ranks_open_networks(&t, config, NULL);
  if (status == GF_OK) {
    gf__schedule_config_warn(&t.config.schedule, gf__trainer_optimizer(t.trainer)->learning_rate);
    gf_memory memory = planned_memory(&t);
    *out = (gf_dry_run){.memory = memory,
                        .planned = gf__memory_total(&memory),
                        .allocated = gf__device_allocated(device) - before,
                        .parameters = gf_model_parameter_total(t.model),
                        .training_images = gf_dataset_describe(t.train).count,
                        .validation_images = gf_dataset_describe(t.validation).count,
                        .batch_size = gf__training_batch(&t),
                        .micro_batch = t.model->batch,
                        .epochs = t.config.epochs};
  }
  close_run(&t);
  return status;
}
