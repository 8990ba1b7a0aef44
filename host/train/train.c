/* A run from its beginning, or from a checkpoint, to its end. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <gradflow/report.h>

#include "data/dataset.h"
#include "model/network_config.h"
#include "run/config_diff.h"
#include "train/training.h"

static gf_status open_loader(gf_loader **out, const gf__training *r, const gf_dataset *dataset,
                             int training) {
  gf_loader_options options = {.batch_size = training ? r->config.batch_size : r->model->batch,
                               .seed = r->config.seed,
                               .training = training};
  gf__ranks_part(r, &options.from, &options.to);
  return gf_loader_open(out, dataset, &options);
}

static gf_status write_config(gf__text *out, const gf__training *r, const gf_config *config) {
  gf__network_config network;
  gf__optimizer_config optimizer;
  GF_TRY(gf__network_config_read(&network, config));
  gf_status status = gf__optimizer_config_read(&optimizer, config);
  if (status == GF_OK) {
    gf__text_add(out, "data:\n");
    gf__data_write(out, 2, r->train);
    gf__network_config_write(out, &network);
    gf__optimizer_config_write(out, &optimizer);
    gf__train_config_write(out, &r->config);
    gf__optimizer_config_free(&optimizer);
    status = gf__text_status(out);
  }
  gf__network_config_free(&network);
  return status;
}

static gf_memory planned_memory(const gf__training *r) {
  gf_memory memory = gf__model_memory(r->model, r->model->batch);
  memory.optimizer = gf__trainer_memory(r->trainer);
  return memory;
}

/* Compiling takes seconds when the device is new to the cache, so it is told. */
static gf_status prepare(gf__training *r) {
  const gf_train_events *events = &r->options.events;
  gf_progress progress = {.phase = "prepare",
                          .epochs = r->config.epochs,
                          .loss = NAN,
                          .accuracy = NAN,
                          .images_per_second = NAN,
                          .seconds_left = NAN};
  if (events->progress) events->progress(events->user, &progress);
  int launches;
  GF_TRY(gf__trainer_prepare(r->trainer, r->config.seed, &launches));
  gf_memory memory = planned_memory(r);
  gf__log(GF_LOG_INFO, "%d training and %d validation images", gf_dataset_describe(r->train).count,
          gf_dataset_describe(r->validation).count);
  gf__log(GF_LOG_INFO, "%zu parameters, %.0f MiB on the device, %d launches a step",
          gf_model_parameter_total(r->model), (double)gf__memory_total(&memory) / 0x1p20, launches);
  return GF_OK;
}

static gf_status open_data(gf__training *r, const gf_config *config) {
  GF_TRY(gf__train_config_read(&r->config, config));
  GF_TRY(gf_dataset_open(&r->train, config, GF_SPLIT_TRAIN));
  return gf_dataset_open(&r->validation, config, GF_SPLIT_VALIDATION);
}

static int batch_size(const gf__training *r) {
  int count = gf_dataset_describe(r->train).count;
  return r->config.batch_size < count ? r->config.batch_size : count;
}

/* The network for parts of so many images, and its trainer. */
static gf_status open_network_of(gf__training *r, const gf_config *config, const char *algorithms,
                                 int part) {
  gf_dataset_info info = gf_dataset_describe(r->train);
  gf_image_shape image = {info.height, info.width, info.channels};
  gf__model_options options = {.algorithms = algorithms};
  gf_status status = gf__model_open_with(&r->model, r->device, config, image, info.classes, part,
                                         r->config.seed, &options);
  if (status == GF_OK) status = gf_trainer_open(&r->trainer, r->model, config);
  if (status != GF_OK) gf_model_free(&r->model);
  return status;
}

gf_status gf__training_open_network(gf__training *r, const gf_config *config,
                                    const char *algorithms) {
  int batch = gf__ranks_batch(r, batch_size(r)), part = batch;
  gf_status status;
  /* Half the batch, a quarter, …: parts of whole fours, as the draws of dropout come in fours. */
  while ((status = open_network_of(r, config, algorithms, part)) == GF_ERROR_DEVICE_MEMORY &&
         part > 4)
    part = (part / 2 + 3) / 4 * 4;
  GF_TRY(status);
  if (r->config.on_nonfinite == GF__SKIP_NONFINITE) gf__trainer_skip_nonfinite(r->trainer);
  if (part == batch) return GF_OK;
  gf__log(GF_LOG_WARNING,
          "the device has no memory for a batch of %d: its gradient is added up over parts of %d "
          "images; batch norm sees a part at a time",
          batch, part);
  /* Ranks of other devices might have other parts, and would wait for each other in vain. */
  if (r->cluster && r->model->joins_batch_norms)
    return gf__fail(GF_ERROR_DEVICE_MEMORY,
                    "model.batch_norm sync needs memory for all %d images that this rank has of a "
                    "batch; use more ranks or a smaller train.batch_size",
                    batch);
  return gf__trainer_split_batches(r->trainer);
}

void gf__training_close_network(gf__training *r) {
  gf_trainer_free(&r->trainer);
  gf_model_free(&r->model);
}

static gf_status open_loop(gf__training *r) {
  GF_TRY(open_loader(&r->train_loader, r, r->train, 1));
  GF_TRY(open_loader(&r->validation_loader, r, r->validation, 0));
  size_t gradients = (size_t)gf_trainer_gradient_count(r->trainer) * sizeof *r->gradients;
  size_t activations = ((size_t)gf__model_activation_count(r->model) + 1) * sizeof *r->activations;
  r->gradients = malloc(gradients);
  r->activations = malloc(activations);
  if (!r->gradients || !r->activations) return gf__fail_host_memory(gradients + activations);
  return prepare(r);
}

static void close_run(gf__training *r) {
  gf_loader_free(&r->train_loader);
  gf_loader_free(&r->validation_loader);
  gf__allreduce_free(&r->exchange);
  gf__training_close_network(r);
  gf_dataset_free(&r->train);
  gf_dataset_free(&r->validation);
  gf__run_folder_free(&r->folder);
  free(r->gradients);
  free(r->activations);
  free(r->edges);
}

/* ---- a run that is there already ---- */

/* Whether there is a checkpoint to go on from; GF_ERROR_CONFIG, with what differs, where the
 * folder's run is of another config. */
static gf_status check_config(const gf__training *r, const gf__text *config) {
  char path[GF__RUN_PATH_SIZE];
  gf_config *before = NULL, *now = NULL;
  gf__text differences = {0};
  GF_TRY(gf__run_path(path, r->options.out, "config.yaml"));
  gf_status status = gf_config_load(&before, path);
  if (status == GF_OK) status = gf_config_parse(&now, "the resolved config", config->data);
  if (status == GF_OK) {
    gf__config_diff(gf__config_root(now), gf__config_root(before), &differences);
    status = gf__text_status(&differences);
  }
  if (status == GF_OK && differences.size)
    status = gf__fail(GF_ERROR_CONFIG,
                      "the config is not that of the run in %s:%s\nTo go on with it all the same, "
                      "train --resume with --force; else choose another folder, --out",
                      r->options.out, differences.data);
  gf__text_free(&differences);
  gf_config_free(&before);
  gf_config_free(&now);
  return status;
}

/* Whether the run in the folder has ended; then nothing is left to do, and the status is that of
 * its end. */
static gf_status look_for_end(const gf__training *r, bool *has_ended) {
  char *message;
  gf_run_status result = gf__run_folder_result(r->options.out, &message);
  gf_status status = GF_OK;
  *has_ended = result != GF_RUN_STARTED;
  if (result == GF_RUN_FINISHED)
    gf__log(GF_LOG_INFO, "%s is finished; nothing is left to do", r->options.out);
  if (result == GF_RUN_DIVERGED)
    status = gf__fail(GF_ERROR_NONFINITE, "%s has diverged: %s", r->options.out,
                      message ? message : "the loss was not finite");
  free(message);
  return status;
}

/* A run that was killed before its first checkpoint, which its first epoch ends with, has no more
 * than that epoch to lose; one whose checkpoints were removed has more. */
static gf_status check_is_empty(const gf__training *r) {
  gf_run_state state;
  GF_TRY(gf_run_look(r->options.out, &state));
  if (state.epochs_done <= 1) return GF_OK;
  return gf__fail(GF_ERROR_DATA,
                  "%s cannot be continued: it has %d epochs and no checkpoint; replace it with "
                  "--overwrite",
                  r->options.out, state.epochs_done);
}

gf_status gf__training_load_weights(gf_model *model, const gf__train_config *config) {
  const char *path = gf__train_config_weights(config);
  char best[GF__RUN_PATH_SIZE];
  if (!*path) return GF_OK;
  if (!gf__path_is_folder(path)) return gf_model_load(model, path);
  GF_TRY(gf__run_weights(best, path));
  return gf_model_load(model, best);
}

/* Creates the folder, or goes on in it. */
static gf_status open_folder(gf__training *r, const gf__text *config, bool resumes) {
  const gf_device_info *device = gf_device_describe(r->device);
  const char *out = r->options.out;
  gf__checkpoint_tensors tensors = gf__training_tensors(r);
  int newest = -1;
  if (resumes) GF_TRY(gf__checkpoint_read(out, &tensors, &r->position, &newest));
  if (newest < 0) {
    if (resumes) GF_TRY(check_is_empty(r));
    GF_TRY(gf__training_load_weights(r->model, &r->config));
    r->position = (gf__position){.epoch = 1, .best_accuracy = -1};
    return gf__run_folder_create(&r->folder, out, resumes || r->options.overwrite, config, device);
  }
  r->next_checkpoint = newest + 1;
  gf__trainer_set_steps(r->trainer, (int)r->position.steps);
  gf__log(GF_LOG_INFO, "continues in epoch %d after batch %d", r->position.epoch,
          r->position.batch);
  return gf__run_folder_resume(&r->folder, out, r->position.marks, r->position.epoch, config,
                               device);
}

/* ---- the run ---- */

static gf_status open_parts(gf__training *r, const gf_config *config, const gf__text *resolved,
                            bool resumes) {
  char path[GF__RUN_PATH_SIZE];
  const gf_device_info *device = gf_device_describe(r->device);
  GF_TRY(gf__run_path(path, r->options.out, "algorithms.json"));
  char *algorithms = resumes ? gf__algorithms_read(path, device) : NULL;
  gf_status status = gf__ranks_open_network(r, config, algorithms);
  free(algorithms);
  GF_TRY(status);
  GF_TRY(gf_cluster_agree(r->cluster, open_loop(r)));
  if (r->writes) status = open_folder(r, resolved, resumes);
  if (r->writes && status == GF_OK && r->config.tensorboard)
    status = gf__run_events_open(&r->folder, &r->position.marks[GF__LOG_EVENTS]);
  if (r->writes && status == GF_OK)
    status = gf__algorithms_write(path, r->model->algorithms, device);
  GF_TRY(gf_cluster_agree(r->cluster, status));
  GF_TRY(gf__ranks_write(r));
  return gf__ranks_join(r);
}

/* What the first rank finds in the folder. */
typedef struct finding {
  bool resumes, has_ended;
} finding;

static gf_status look_for_folder(gf__training *r, finding *out) {
  char path[GF__RUN_PATH_SIZE];
  GF_TRY(gf__run_path(path, r->options.out, "config.yaml"));
  out->resumes = r->options.resume && gf__path_exists(path);
  return gf__run_folder_check(r->options.out, out->resumes || r->options.overwrite);
}

static gf_status look_into_folder(gf__training *r, const gf__text *config, finding *out) {
  if (!out->resumes || r->options.force) return GF_OK;
  GF_TRY(check_config(r, config));
  return look_for_end(r, &out->has_ended);
}

/* Everything that can be wrong is found before a folder is made or changed. */
static gf_status open_checked(gf__training *r, const gf_config *config, gf__text *resolved,
                              bool *has_ended) {
  finding found = {0};
  gf_status status = gf__train_config_read(&r->config, config);
  if (status == GF_OK && r->writes) status = look_for_folder(r, &found);
  if (status == GF_OK) status = open_data(r, config);
  if (status == GF_OK) status = write_config(resolved, r, config);
  if (status == GF_OK && r->writes) status = look_into_folder(r, resolved, &found);
  GF_TRY(gf_cluster_agree(r->cluster, status));
  GF_TRY(gf__cluster_broadcast(r->cluster, &found, sizeof found));
  *has_ended = found.has_ended;
  if (found.has_ended) return GF_OK;
  GF_TRY(gf__ranks_compare(r, resolved));
  return open_parts(r, config, resolved, found.resumes);
}

static gf_status open_run(gf__training *r, const gf_config *config, bool *has_ended) {
  gf__text resolved = {0};
  gf_status status = open_checked(r, config, &resolved, has_ended);
  gf__text_free(&resolved);
  return status;
}

/* ---- the pictures ---- */

typedef struct gallery {
  gf__training *training;
  bool tells; /* the caller */
  gf_status status;
} gallery;

static void add_picture(void *user, const char *path) {
  gallery *g = user;
  const gf_train_events *events = &g->training->options.events;
  if (g->status == GF_OK)
    g->status = gf__run_events_add_picture(&g->training->folder, g->training->position.steps, path);
  if (g->tells && events->written) events->written(events->user, path);
}

static gf_status draw(gf__training *r, bool tells) {
  gallery g = {.training = r, .tells = tells};
  GF_TRY(gf_plot_runs(&r->options.out, 1, NULL, add_picture, &g));
  GF_TRY(g.status);
  return gf__record_log_flush(&r->folder.logs[GF__LOG_EVENTS]);
}

/* What there is of a run that has ended before its time; the message stays that of the end. */
static void draw_ended(gf__training *r, gf_status status) {
  gf__text message = {0};
  gf__text_add(&message, "%s", gf_error_message());
  if (status == GF_ERROR_NONFINITE &&
      gf__run_folder_end(r->options.out, GF_RUN_DIVERGED, message.data) != GF_OK)
    gf__log(GF_LOG_WARNING, "%s", gf_error_message());
  if (draw(r, false) != GF_OK) gf__log(GF_LOG_WARNING, "no pictures: %s", gf_error_message());
  (void)gf__fail(status, "%s", message.data ? message.data : "");
  gf__text_free(&message);
}

gf_status gf_train(gf_device *device, const gf_config *config, const gf_train_options *options) {
  gf__training r = {.device = device,
                    .options = *options,
                    .cluster = options->cluster,
                    .writes = gf__cluster_rank(options->cluster) == 0};
  bool has_ended = false;
  gf_status status = open_run(&r, config, &has_ended);
  r.started = r.checkpointed = gf__seconds();
  if (status == GF_OK && !has_ended) r.done_before = gf__training_share(&r);
  bool is_open = status == GF_OK && !has_ended;
  while (is_open && status == GF_OK && r.position.epoch <= r.config.epochs)
    status = gf__training_epoch(&r);
  bool is_ended = is_open && (status == GF_ERROR_INTERRUPTED || status == GF_ERROR_NONFINITE);
  if (is_ended) gf__cluster_set_agreed(r.cluster);
  /* The lock is held until the pictures are drawn and the end is written. */
  if (is_ended && r.writes) draw_ended(&r, status);
  is_open = is_open && r.writes;
  if (is_open && status == GF_OK) status = draw(&r, true);
  if (is_open && status == GF_OK) status = gf__run_folder_end(options->out, GF_RUN_FINISHED, NULL);
  close_run(&r);
  return status;
}

gf_status gf_train_dry_run(gf_device *device, const gf_config *config, gf_dry_run *out) {
  gf__training r = {.device = device, .writes = true};
  size_t before = gf__device_allocated(device);
  gf_status status = open_data(&r, config);
  if (status == GF_OK) status = gf__ranks_open_network(&r, config, NULL);
  if (status == GF_OK) {
    gf_memory memory = planned_memory(&r);
    *out = (gf_dry_run){.memory = memory,
                        .planned = gf__memory_total(&memory),
                        .allocated = gf__device_allocated(device) - before,
                        .parameters = gf_model_parameter_total(r.model),
                        .training_images = gf_dataset_describe(r.train).count,
                        .validation_images = gf_dataset_describe(r.validation).count,
                        .batch_size = batch_size(&r),
                        .part_size = r.model->batch,
                        .epochs = r.config.epochs};
  }
  close_run(&r);
  return status;
}
