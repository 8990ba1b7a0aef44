/* One epoch of a run: training, validation, records, weights and checkpoints. */
#include <math.h>
#include <stdlib.h>

#include "base/os.h"
#include "train/training.h"

/* Reports are for people: a few a second. */
static const double report_seconds = 0.2, watch_seconds = 0.5;

gf_status gf__training_save(gf__training *r, const char *name) {
  char path[GF__RUN_PATH_SIZE];
  if (!r->writes) return GF_OK;
  GF_TRY(gf__run_path(path, r->folder.path, name));
  return gf_model_save(r->model, path);
}

gf__checkpoint_tensors gf__training_tensors(const gf__training *r) {
  return gf__checkpoint_tensors_of(r->model, gf__trainer_state(r->trainer, 0),
                                   gf__trainer_state(r->trainer, 1));
}

gf_status gf__training_checkpoint(gf__training *r) {
  int kept = r->options.keep_checkpoints ? r->options.keep_checkpoints : 2;
  if (!r->writes) return GF_OK;
  GF_TRY(gf__run_folder_flush(&r->folder));
  for (int i = 0; i < GF__LOGS; i++) r->position.marks[i] = gf__record_log_mark(&r->folder.logs[i]);
  r->position.seconds = gf__seconds() - r->epoch_begun;
  gf__checkpoint_tensors tensors = gf__training_tensors(r);
  int index = r->next_checkpoint % kept;
  GF_TRY(gf__checkpoint_write(r->folder.path, index, &tensors, &r->position));
  r->next_checkpoint = (index + 1) % kept;
  r->checkpointed = gf__seconds();
  return GF_OK;
}

/* ---- what can go wrong ---- */

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

static gf_status check_finite(gf__training *r, const gf__results *results) {
  if (results->first_nonfinite < 0) return GF_OK;
  const char *where = first_nonfinite(r->model);
  int epoch = r->position.epoch;
  return gf__fail(GF_ERROR_NONFINITE,
                  "the loss is not finite in epoch %d at step %d of it (learning rate %g); the "
                  "first gradient from the input that is not finite now: %s. %s%s%s. Try a lower "
                  "optimizer.learning_rate",
                  epoch, results->first_nonfinite + 1, r->rate, where ? where : "none",
                  epoch > 1 ? "The weights of the epoch before are in " : "No epoch was finished",
                  epoch > 1 ? r->folder.path : "", epoch > 1 ? "/last.safetensors" : "");
}

/* With other ranks it is agreed upon in a step, and all of them stop after it. */
static bool wants_stop(gf__training *r) {
  bool wants = r->options.events.stop && r->options.events.stop(r->options.events.user);
  if (!r->cluster) return wants;
  if (wants) gf__trainer_want_stop(r->trainer);
  return r->stops;
}

static gf_status fail_interrupted(gf__training *r) {
  GF_TRY(gf__results_read(&r->trained));
  GF_TRY(check_finite(r, &r->trained));
  GF_TRY(gf__training_save(r, "last.safetensors"));
  GF_TRY(gf__training_checkpoint(r));
  return gf__fail(GF_ERROR_INTERRUPTED,
                  "stopped in epoch %d of %d after batch %d of %d; continue with: gradflow train "
                  "--resume %s",
                  r->position.epoch, r->config.epochs, r->position.batch,
                  gf_loader_batches(r->train_loader), r->folder.path);
}

/* ---- progress ---- */

/* Training is most of an epoch's time: forward and backward against forward. */
static double share_of(const gf__training *r, double trained, double validated) {
  double train = 3.0 * gf_dataset_describe(r->train).count;
  double validation = gf_dataset_describe(r->validation).count;
  double part = (train * trained + validation * validated) / (train + validation);
  return (r->position.epoch - 1 + part) / r->config.epochs;
}

double gf__training_share(const gf__training *r) {
  return share_of(r, (double)r->position.batch / gf_loader_batches(r->train_loader), 0);
}

/* Tells where the run is, if it is time to. share: of the run that is done. */
static gf_status report(gf__training *r, gf__results *results, const char *phase, int batch,
                        int batches, double share) {
  double now = gf__seconds();
  const gf_train_events *events = &r->options.events;
  bool is_heard = events->progress || events->step;
  if (!is_heard || (now - r->reported < report_seconds && batch != batches)) return GF_OK;
  GF_TRY(gf__results_read(results));
  r->reported = now = gf__seconds();
  const gf__loss_sums *sums = results->sums;
  double done = share - r->done_before;
  gf_progress progress = {.phase = phase,
                          .epoch = r->position.epoch,
                          .epochs = r->config.epochs,
                          .batch = batch,
                          .batches = batches,
                          .loss = sums->steps ? sums->batch_losses / sums->steps : NAN,
                          .accuracy = sums->steps ? sums->batch_accuracies / sums->steps : NAN,
                          .images_per_second = (double)sums->images / (now - results->started),
                          .seconds_left = done > 0 ? (now - r->started) * (1 - share) / done : NAN};
  if (events->progress) events->progress(events->user, &progress);
  return GF_OK;
}

/* ---- training ---- */

/* later: steps that were made since. */
static void add_step(void *training, int later, double loss, double accuracy) {
  gf__training *r = training;
  const gf_train_events *events = &r->options.events;
  gf_step_event step = {.epoch = r->position.epoch,
                        .step = r->position.steps - later,
                        .loss = loss,
                        .accuracy = accuracy,
                        .learning_rate = r->rate};
  gf__run_events_add_step(&r->folder, &step);
  if (events->step) events->step(events->user, &step);
}

/* Statistics of this step that belong into the records, or that someone watches. */
static bool is_recorded(const gf__training *r, int batches) {
  int every = r->config.gradients_every;
  return r->position.batch + 1 == batches || (every && (r->position.steps + 1) % every == 0);
}

static bool is_watched(const gf__training *r) {
  return r->options.events.gradients && gf__seconds() - r->watched >= watch_seconds;
}

static gf_status record(gf__training *r, bool recorded) {
  const gf_train_events *events = &r->options.events;
  int count = gf_trainer_gradient_count(r->trainer), epoch = r->position.epoch;
  long step = r->position.steps;
  const gf__peers *peers = r->exchange ? gf__allreduce_peers(r->exchange) : NULL;
  if (recorded) GF_TRY(gf__model_read_activations(r->model, peers, r->activations));
  if (!r->writes) return GF_OK;
  GF_TRY(gf__trainer_read_gradients(r->trainer, r->gradients));
  if (events->gradients) events->gradients(events->user, epoch, step, r->gradients, count);
  r->watched = gf__seconds();
  if (!recorded) return GF_OK;
  GF_TRY(gf__results_read(&r->trained)); /* so that events stand in the order of steps */
  GF_TRY(gf__run_events_add_gradients(&r->folder, step, r->model, gf__trainer_gradient(r->trainer),
                                      r->gradients));
  gf__run_folder_add_gradients(&r->folder, epoch, step, r->gradients, count);
  gf__run_folder_add_activations(&r->folder, epoch, step, r->activations,
                                 gf__model_activation_count(r->model));
  return GF_OK;
}

static gf_status train_batch(gf__training *r, int batches) {
  gf_batch batch;
  int slot;
  GF_TRY(gf_loader_next(r->train_loader, &batch));
  if (r->cluster)
    slot = 0;
  else
    GF_TRY(gf__results_slot(&r->trained, batch.count, &slot));
  bool recorded = is_recorded(r, batches), watched = is_watched(r);
  gf__measure measure = recorded  ? GF__MEASURE_ACTIVATIONS
                        : watched ? GF__MEASURE_GRADIENTS
                                  : GF__MEASURE_NOTHING;
  GF_TRY(gf__trainer_queue_step(r->trainer, &batch, r->rate, slot, measure));
  r->position.steps++;
  r->position.batch++;
  if (r->cluster) {
    gf__global_step all = gf__trainer_step_of_all(r->trainer);
    gf__results_add(&r->trained, all.losses, all.correct, batch.whole, 0);
    r->stops |= all.stops;
  }
  return recorded || watched ? record(r, recorded) : GF_OK;
}

static bool is_checkpoint_due(const gf__training *r, int batches) {
  long every = r->options.checkpoint_steps;
  double minutes = r->options.checkpoint_minutes;
  if (r->position.batch == batches) return false; /* that of the epoch follows */
  return (every && r->position.steps % every == 0) ||
         (minutes > 0 && gf__seconds() - r->checkpointed >= 60 * minutes);
}

static gf_status train_batches(gf__training *r) {
  int batches = gf_loader_batches(r->train_loader);
  gf__results *results = &r->trained;
  GF_TRY(gf_loader_start(r->train_loader, r->position.epoch - 1, r->position.batch));
  while (r->position.batch < batches) {
    if (wants_stop(r)) return fail_interrupted(r);
    GF_TRY(train_batch(r, batches));
    GF_TRY(report(r, results, "train", r->position.batch, batches, gf__training_share(r)));
    if (is_checkpoint_due(r, batches)) {
      GF_TRY(gf__results_read(results));
      GF_TRY(check_finite(r, results));
      GF_TRY(gf__training_checkpoint(r));
    }
    GF_TRY(check_finite(r, results));
  }
  GF_TRY(gf__results_read(results));
  return check_finite(r, results);
}

static gf_status validate(gf__training *r, gf__loss_sums *sums) {
  gf__results results;
  gf__results_begin(&results, r->model, sums);
  int batches = gf_loader_batches(r->validation_loader);
  GF_TRY(gf_loader_start(r->validation_loader, 0, 0));
  if (r->cluster && wants_stop(r)) return fail_interrupted(r);
  for (int b = 1; b <= batches; b++) {
    gf_batch batch;
    int slot;
    if (!r->cluster && wants_stop(r)) return fail_interrupted(r);
    GF_TRY(gf_loader_next(r->validation_loader, &batch));
    GF_TRY(gf__model_upload(r->model, batch.images, batch.labels, batch.count));
    GF_TRY(gf__results_slot(&results, batch.count, &slot));
    GF_TRY(gf__model_queue_forward(r->model, false, slot));
    GF_TRY(report(r, &results, "validate", b, batches, share_of(r, 1, (double)b / batches)));
  }
  GF_TRY(gf__results_read(&results));
  GF_TRY(gf__ranks_sum_results(r, sums));
  return r->stops ? fail_interrupted(r) : GF_OK;
}

/* ---- the epoch ---- */

static gf_epoch row_of(const gf__training *r, double train_seconds,
                       const gf__loss_sums *validated) {
  const gf__loss_sums *trained = &r->position.trained;
  gf_epoch row = {.epoch = r->position.epoch,
                  .epochs = r->config.epochs,
                  .learning_rate = r->rate,
                  .train_loss = trained->batch_losses / trained->steps,
                  .train_accuracy = trained->batch_accuracies / trained->steps,
                  .validation_loss = NAN,
                  .validation_accuracy = NAN,
                  .seconds = gf__seconds() - r->epoch_begun,
                  .images_per_second = (double)trained->images / train_seconds};
  if (validated->images) {
    row.validation_loss = validated->losses / (double)validated->images;
    row.validation_accuracy = validated->correct / (double)validated->images;
  }
  return row;
}

gf_status gf__training_epoch(gf__training *r) {
  gf__position *p = &r->position;
  gf__loss_sums validated = {0};
  r->rate = gf__schedule_rate(&r->config.schedule, gf__trainer_optimizer(r->trainer)->learning_rate,
                              p->epoch - 1, r->config.epochs);
  gf__model_weigh_auxiliaries(r->model, 1 - (double)(p->epoch - 1) / r->config.epochs);
  GF_TRY(gf__ranks_align(r));
  gf__results_begin(&r->trained, r->model, &p->trained);
  r->trained.step = add_step;
  r->trained.user = r;
  r->trained.skips = r->config.on_nonfinite == GF__SKIP_NONFINITE;
  long skipped = gf__trainer_skipped(r->trainer);
  r->epoch_begun = r->trained.started = gf__seconds() - p->seconds;
  GF_TRY(train_batches(r));
  skipped = gf__trainer_skipped(r->trainer) - skipped;
  if (skipped)
    gf__log(GF_LOG_WARNING, "epoch %d: %ld steps were not finite and have been skipped", p->epoch,
            skipped);
  double train_seconds = gf__seconds() - r->epoch_begun;
  GF_TRY(validate(r, &validated));
  gf_epoch row = row_of(r, train_seconds, &validated);
  GF_TRY(gf__training_save(r, "last.safetensors"));
  if (row.validation_accuracy > p->best_accuracy) {
    p->best_accuracy = row.validation_accuracy;
    GF_TRY(gf__training_save(r, "best.safetensors"));
  }
  if (r->writes) gf__run_folder_add_epoch(&r->folder, &row);
  gf__run_events_add_epoch(&r->folder, p->steps, &row);
  p->epoch++;
  p->batch = 0;
  p->trained = (gf__loss_sums){0};
  r->epoch_begun = gf__seconds();
  GF_TRY(gf__training_checkpoint(r));
  p->seconds = 0;
  if (r->options.events.epoch) r->options.events.epoch(r->options.events.user, &row);
  return GF_OK;
}
