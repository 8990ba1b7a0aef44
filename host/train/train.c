/* The loop of a run: epochs of training, validation, records and weights. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <gradflow/data.h>
#include <gradflow/report.h>

#include "base/os.h"
#include "data/dataset.h"
#include "model/network_config.h"
#include "train/results.h"
#include "train/run_config.h"
#include "train/run_folder.h"
#include "train/trainer.h"

/* Reports are for people: a few a second. */
static const double report_seconds = 0.2;

typedef struct run {
  gf__run_config config;
  gf_device *device;
  gf_dataset *train, *validation;
  gf_loader *train_loader, *validation_loader;
  gf_model *model;
  gf_trainer *trainer;
  gf_gradient *gradients; /* a row a trainable tensor */
  gf__run_folder folder;
  gf_train_events events;
  double started, reported; /* seconds */
  long steps;
  int epochs; /* finished */
  double best_accuracy;
} run;

static gf_status open_loader(gf_loader **out, const run *r, const gf_dataset *dataset,
                             int training) {
  gf_loader_options options = {
      .batch_size = r->config.batch_size, .seed = r->config.seed, .training = training};
  return gf_loader_open(out, dataset, &options);
}

static gf_status write_config(gf__text *out, const run *r, const gf_config *config) {
  gf__network_config network;
  GF_TRY(gf__network_config_read(&network, config));
  gf__text_add(out, "data:\n");
  gf__data_write(out, 2, r->train);
  gf__network_config_write(out, &network);
  gf__network_config_free(&network);
  gf__optimizer_config_write(out, gf__trainer_optimizer(r->trainer));
  gf__run_config_write(out, &r->config);
  return gf__text_status(out);
}

static gf_memory planned_memory(const run *r) {
  gf_memory memory = gf__model_memory(r->model, r->model->batch);
  memory.optimizer = gf__trainer_memory(r->trainer);
  return memory;
}

/* Compiling takes seconds when the device is new to the cache, so it is told. */
static gf_status prepare(run *r) {
  gf_progress progress = {.phase = "prepare",
                          .epochs = r->config.epochs,
                          .loss = NAN,
                          .accuracy = NAN,
                          .images_per_second = NAN,
                          .seconds_left = NAN};
  if (r->events.progress) r->events.progress(r->events.user, &progress);
  int launches;
  GF_TRY(gf__trainer_prepare(r->trainer, r->config.seed, &launches));
  gf_memory memory = planned_memory(r);
  gf__log(GF_LOG_INFO, "%d training and %d validation images", gf_dataset_describe(r->train).count,
          gf_dataset_describe(r->validation).count);
  gf__log(GF_LOG_INFO, "%zu parameters, %.0f MiB on the device, %d launches a step",
          gf_model_parameter_total(r->model), (double)gf__memory_total(&memory) / 0x1p20, launches);
  return GF_OK;
}

static gf_status open_network(run *r, const gf_config *config) {
  GF_TRY(gf_dataset_open(&r->train, config, GF_SPLIT_TRAIN));
  GF_TRY(gf_dataset_open(&r->validation, config, GF_SPLIT_VALIDATION));
  gf_dataset_info info = gf_dataset_describe(r->train);
  gf_image_shape image = {info.height, info.width, info.channels};
  int batch = r->config.batch_size < info.count ? r->config.batch_size : info.count;
  GF_TRY(gf_model_open(&r->model, r->device, config, image, info.classes, batch, r->config.seed));
  return gf_trainer_open(&r->trainer, r->model, config);
}

/* Everything that can be wrong is found before the folder is made. */
static gf_status open_run(run *r, const gf_config *config, const gf_train_options *options) {
  GF_TRY(gf__run_config_read(&r->config, config));
  GF_TRY(gf__run_folder_check(options->out, options->overwrite));
  GF_TRY(open_network(r, config));
  GF_TRY(open_loader(&r->train_loader, r, r->train, 1));
  GF_TRY(open_loader(&r->validation_loader, r, r->validation, 0));
  size_t bytes = (size_t)gf_trainer_gradient_count(r->trainer) * sizeof *r->gradients;
  r->gradients = malloc(bytes);
  if (!r->gradients) return gf__fail_host_memory(bytes);
  GF_TRY(prepare(r));
  gf__text text = {0};
  gf_status status = write_config(&text, r, config);
  if (status == GF_OK)
    status = gf__run_folder_create(&r->folder, options->out, options->overwrite, &text,
                                   gf_device_describe(r->device));
  gf__text_free(&text);
  return status;
}

static void close_run(run *r) {
  gf_loader_free(&r->train_loader);
  gf_loader_free(&r->validation_loader);
  gf_trainer_free(&r->trainer);
  gf_model_free(&r->model);
  gf_dataset_free(&r->train);
  gf_dataset_free(&r->validation);
  gf__run_folder_free(&r->folder);
  free(r->gradients);
}

static gf_status save_weights(run *r, const char *name) {
  char path[GF__RUN_PATH_SIZE];
  GF_TRY(gf__run_path(path, r->folder.path, name));
  return gf_model_save(r->model, path);
}

/* The first parameter from the input whose gradient is not finite now, or NULL. */
static const char *first_nonfinite(gf_model *model) {
  const char *found = NULL;
  for (int i = 0; i < model->trainable_count && !found; i++) {
    const gf__parameter *p = model->parameters[i];
    float *values = malloc(p->count * sizeof *values);
    if (!values || gf_model_read_gradient(model, i, values) != GF_OK) {
      free(values);
      return NULL;
    }
    for (size_t k = 0; k < p->count && !found; k++)
      if (!isfinite(values[k])) found = p->name;
    free(values);
  }
  return found;
}

static gf_status check_finite(run *r, const gf__results *results, int epoch, double rate) {
  if (results->first_nonfinite < 0) return GF_OK;
  const char *where = first_nonfinite(r->model);
  return gf__fail(GF_ERROR_NONFINITE,
                  "the loss is not finite in epoch %d at step %d of it (learning rate %g); the "
                  "first gradient from the input that is not finite now: %s. %s%s%s. Try a lower "
                  "optimizer.learning_rate",
                  epoch, results->first_nonfinite + 1, rate, where ? where : "none",
                  epoch > 1 ? "The weights of the epoch before are in " : "No epoch was finished",
                  epoch > 1 ? r->folder.path : "", epoch > 1 ? "/last.safetensors" : "");
}

/* Tells where the run is, if it is time to. share: of this epoch's work that is done. */
static gf_status report(run *r, gf__results *results, const char *phase, int epoch, int batch,
                        int batches, double share) {
  double now = gf__seconds();
  bool is_last = batch == batches;
  if (!r->events.progress || (now - r->reported < report_seconds && !is_last)) return GF_OK;
  GF_TRY(gf__results_read(results));
  r->reported = now = gf__seconds();
  double elapsed = now - r->started, done = (epoch - 1 + share) / r->config.epochs;
  gf_progress progress = {
      .phase = phase,
      .epoch = epoch,
      .epochs = r->config.epochs,
      .batch = batch,
      .batches = batches,
      .loss = results->steps ? results->batch_losses / results->steps : NAN,
      .accuracy = results->steps ? results->batch_accuracies / results->steps : NAN,
      .seconds_left = done > 0 ? elapsed / done - elapsed : NAN};
  progress.images_per_second = results->images / (now - results->started);
  r->events.progress(r->events.user, &progress);
  return GF_OK;
}

static bool wants_stop(const run *r) { return r->events.stop && r->events.stop(r->events.user); }

static gf_status fail_interrupted(run *r, int epoch, int batch, int batches) {
  GF_TRY(save_weights(r, "last.safetensors"));
  return gf__fail(GF_ERROR_INTERRUPTED,
                  "stopped in epoch %d of %d after batch %d of %d; the weights are in "
                  "%s/last.safetensors",
                  epoch, r->config.epochs, batch, batches, r->folder.path);
}

/* Training is most of an epoch's time: forward and backward against forward. */
static double epoch_share(const run *r, bool training, double part) {
  double train = 3.0 * gf_dataset_describe(r->train).count;
  double all = train + gf_dataset_describe(r->validation).count;
  return training ? part * train / all : (train + part * (all - train)) / all;
}

static gf_status train_epoch(run *r, int epoch, double rate, gf__results *results) {
  int batches = gf_loader_batches(r->train_loader);
  gf__results_begin(results, r->model);
  GF_TRY(gf_loader_start(r->train_loader, epoch - 1, 0));
  for (int b = 1; b <= batches; b++) {
    gf_batch batch;
    int slot;
    if (wants_stop(r)) return fail_interrupted(r, epoch, b - 1, batches);
    GF_TRY(gf_loader_next(r->train_loader, &batch));
    GF_TRY(gf__model_upload(r->model, batch.images, batch.labels, batch.count));
    GF_TRY(gf__results_slot(results, batch.count, &slot));
    int every = r->config.gradients_every;
    bool statistics = b == batches || (every && (r->steps + 1) % every == 0);
    GF_TRY(gf__trainer_queue_step(r->trainer, rate, slot, statistics));
    r->steps++;
    if (statistics) {
      GF_TRY(gf__trainer_read_gradients(r->trainer, r->gradients));
      GF_TRY(gf__run_folder_add_gradients(&r->folder, epoch, r->steps, r->gradients,
                                          gf_trainer_gradient_count(r->trainer)));
    }
    GF_TRY(
        report(r, results, "train", epoch, b, batches, epoch_share(r, true, (double)b / batches)));
    GF_TRY(check_finite(r, results, epoch, rate));
  }
  GF_TRY(gf__results_read(results));
  return check_finite(r, results, epoch, rate);
}

static gf_status validate(run *r, int epoch, gf__results *results) {
  int batches = gf_loader_batches(r->validation_loader);
  gf__results_begin(results, r->model);
  GF_TRY(gf_loader_start(r->validation_loader, 0, 0));
  for (int b = 1; b <= batches; b++) {
    gf_batch batch;
    int slot;
    GF_TRY(gf_loader_next(r->validation_loader, &batch));
    GF_TRY(gf__model_upload(r->model, batch.images, batch.labels, batch.count));
    GF_TRY(gf__results_slot(results, batch.count, &slot));
    GF_TRY(gf__model_queue_forward(r->model, false, slot));
    GF_TRY(report(r, results, "validate", epoch, b, batches,
                  epoch_share(r, false, (double)b / batches)));
  }
  return gf__results_read(results);
}

static gf_status run_epoch(run *r, int epoch) {
  gf__results trained, validated;
  double rate =
      gf__schedule_rate(&r->config.schedule, gf__trainer_optimizer(r->trainer)->learning_rate,
                        epoch - 1, r->config.epochs);
  double begin = gf__seconds();
  GF_TRY(train_epoch(r, epoch, rate, &trained));
  double train_seconds = gf__seconds() - begin;
  GF_TRY(validate(r, epoch, &validated));
  gf_epoch row = {.epoch = epoch,
                  .epochs = r->config.epochs,
                  .learning_rate = rate,
                  .train_loss = trained.batch_losses / trained.steps,
                  .train_accuracy = trained.batch_accuracies / trained.steps,
                  .validation_loss = NAN,
                  .validation_accuracy = NAN,
                  .seconds = gf__seconds() - begin,
                  .images_per_second = (double)trained.images / train_seconds};
  if (validated.images) {
    row.validation_loss = validated.losses / (double)validated.images;
    row.validation_accuracy = validated.correct / (double)validated.images;
  }
  GF_TRY(save_weights(r, "last.safetensors"));
  if (row.validation_accuracy > r->best_accuracy) {
    r->best_accuracy = row.validation_accuracy;
    GF_TRY(save_weights(r, "best.safetensors"));
  }
  GF_TRY(gf__run_folder_add_epoch(&r->folder, &row));
  r->epochs++;
  if (r->events.epoch) r->events.epoch(r->events.user, &row);
  return GF_OK;
}

/* What there is of a run that was stopped; the message stays that of the stop. */
static void draw_interrupted(const gf_train_options *options) {
  char message[GF__RUN_PATH_SIZE + 256];
  snprintf(message, sizeof message, "%s", gf_error_message());
  if (gf_plot_runs(&options->out, 1, NULL, NULL, NULL) != GF_OK)
    gf__log(GF_LOG_WARNING, "no pictures: %s", gf_error_message());
  (void)gf__fail(GF_ERROR_INTERRUPTED, "%s", message);
}

gf_status gf_train(gf_device *device, const gf_config *config, const gf_train_options *options) {
  run r = {.device = device, .events = options->events, .best_accuracy = -1};
  gf_status status = open_run(&r, config, options);
  r.started = gf__seconds();
  for (int epoch = 1; status == GF_OK && epoch <= r.config.epochs; epoch++)
    status = run_epoch(&r, epoch);
  bool has_epochs = r.epochs > 0;
  close_run(&r);
  if (status == GF_ERROR_INTERRUPTED && has_epochs) draw_interrupted(options);
  if (status != GF_OK) return status;
  return gf_plot_runs(&options->out, 1, NULL, options->events.written, options->events.user);
}

gf_status gf_train_dry_run(gf_device *device, const gf_config *config, gf_dry_run *out) {
  run r = {.device = device};
  size_t before = gf__device_allocated(device);
  gf_status status = gf__run_config_read(&r.config, config);
  if (status == GF_OK) status = open_network(&r, config);
  if (status == GF_OK) {
    gf_memory memory = planned_memory(&r);
    *out = (gf_dry_run){.memory = memory,
                        .planned = gf__memory_total(&memory),
                        .allocated = gf__device_allocated(device) - before,
                        .parameters = gf_model_parameter_total(r.model),
                        .training_images = gf_dataset_describe(r.train).count,
                        .validation_images = gf_dataset_describe(r.validation).count,
                        .batch_size = r.model->batch,
                        .epochs = r.config.epochs};
  }
  close_run(&r);
  return status;
}
