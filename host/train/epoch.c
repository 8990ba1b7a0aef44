/* One epoch of a run: training, validation, records, weights and checkpoints. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/os.h"
#include "data/dataset.h"
#include "run/early_steps.h"
#include "train/training.h"

/* Reports are for people: a few a second. */
static const double report_seconds = 0.2, watch_seconds = 0.5;

gf_status gf__training_save(gf__training *t, const char *name) {
  char path[GF__PATH_SIZE];
  if (!t->writes) return GF_OK;
  GF_TRY(gf__run_path(path, t->folder.path, name));
  return gf_model_save(t->model, path);
}

gf__checkpoint_tensors gf__training_tensors(const gf__training *t) {
  return gf__checkpoint_tensors_of(t->model, gf__trainer_state(t->trainer, 0),
                                   gf__trainer_state(t->trainer, 1));
}

/* By the run, in all processes that took it up. */
static double seconds_spent(const gf__training *t) {
  return t->spent_before + gf__seconds() - t->started;
}

gf_status gf__training_checkpoint(gf__training *t) {
  int kept = t->options.keep_checkpoints;
  if (!t->writes) return GF_OK;
  GF_TRY(gf__run_folder_flush(&t->folder));
  for (int i = 0; i < GF__LOGS; i++) t->position.marks[i] = gf__record_log_mark(&t->folder.logs[i]);
  t->position.seconds = gf__seconds() - t->epoch_started;
  t->position.stop.seconds = seconds_spent(t);
  gf__checkpoint_tensors tensors = gf__training_tensors(t);
  int index = t->next_checkpoint % kept;
  gf__origin origin = {.config = t->resolved.data, .splits = {t->splits[0], t->splits[1]}};
  t->position.number++;
  GF_TRY(gf__checkpoint_write(t->folder.path, index, &tensors, &t->position, &origin));
  t->next_checkpoint = (index + 1) % kept;
  t->checkpointed = gf__seconds();
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

/* The end of every message of a loss or a statistic that is not finite. */
static gf_status fail_nonfinite(const gf__training *t, const char *what) {
  int epoch = t->position.epoch;
  return gf__fail(GF_ERROR_NONFINITE, "%s. %s%s%s. Try a lower optimizer.learning_rate", what,
                  epoch > 1 ? "The weights of the epoch before are in " : "No epoch was finished",
                  epoch > 1 ? t->folder.path : "", epoch > 1 ? "/last.safetensors" : "");
}

static gf_status check_finite(gf__training *t, const gf__results *results) {
  char what[GF__NAME_SIZE + 200];
  if (results->first_nonfinite < 0) return GF_OK;
  const char *where = first_nonfinite(t->model);
  snprintf(what, sizeof what,
           "the loss is not finite in epoch %d at step %d of it (learning rate %g); the first "
           "gradient from the input that is not finite now: %s",
           t->position.epoch, results->first_nonfinite + 1, t->rate, where ? where : "none");
  return fail_nonfinite(t, what);
}

/* Training normalises by the batch, so that a running statistic that is not finite shows in the
 * validation alone, and there only where there are images for it. */
static gf_status check_running(gf__training *t) {
  const char *name;
  char what[GF__NAME_SIZE + 200];
  GF_TRY(gf__model_find_nonfinite_running(t->model, &name));
  if (!name) return GF_OK;
  snprintf(what, sizeof what,
           "the running statistics of a batch norm are not finite after epoch %d (learning rate "
           "%g); the first from the input: %s",
           t->position.epoch, t->rate, name);
  return fail_nonfinite(t, what);
}

static gf_status check_validation(const gf__training *t, const gf__loss_sums *validated) {
  char what[120];
  if (isfinite(validated->losses)) return GF_OK;
  snprintf(what, sizeof what, "the validation loss is not finite in epoch %d (learning rate %g)",
           t->position.epoch, t->rate);
  if (t->config.on_nonfinite == GF__STOP_AT_NONFINITE) return fail_nonfinite(t, what);
  gf__log(GF_LOG_WARNING, "%s", what);
  return GF_OK;
}

/* steps: of this epoch, that were made since it began or was taken up again. */
static gf_status check_skipped(const gf__training *t, long skipped, int steps) {
  const gf__position *p = &t->position;
  bool is_whole = steps == p->batch;
  if (skipped == 0) return GF_OK;
  if ((is_whole && skipped == steps) || p->trained.images == 0) {
    char what[120];
    snprintf(what, sizeof what,
             "all %d steps of epoch %d were not finite and have been skipped (learning rate %g)",
             p->batch, p->epoch, t->rate);
    return fail_nonfinite(t, what);
  }
  gf__log(GF_LOG_WARNING, "epoch %d: %ld steps were not finite and have been skipped", p->epoch,
          skipped);
  return GF_OK;
}

/* Whether the run stops here, as the caller wants on this rank or another, or with by_time as its
 * time is over by the first rank's clock. */
static bool run_stops(gf__training *t, bool by_time) {
  const gf_train_events *events = &t->options.events;
  bool is_late = by_time && t->writes && t->position.batch > 0 &&
                 gf__stop_is_late(&t->config.stop, seconds_spent(t));
  bool is_wanted = events->stop && events->stop(events->user);
  if (is_late && !is_wanted) gf__stop_by_time(&t->config.stop, &t->stop);
  return gf__allreduce_stops(gf__trainer_allreduce(t->trainer), is_wanted || is_late);
}

/* What ends the run before its last epoch is known to the first rank. */
static gf_status broadcast_stop(gf__training *t) {
  if (!gf__stop_has_rules(&t->config.stop)) return GF_OK;
  return gf__communicator_broadcast(t->communicator, &t->stop, sizeof t->stop);
}

/* Saves what is needed to go on; the caller finds in t->stop whether a rule is the reason. */
static gf_status fail_interrupted(gf__training *t) {
  GF_TRY(broadcast_stop(t));
  GF_TRY(gf__results_read(&t->trained));
  GF_TRY(check_finite(t, &t->trained));
  GF_TRY(gf__training_save(t, "last.safetensors"));
  GF_TRY(gf__training_checkpoint(t));
  return gf__fail(GF_ERROR_INTERRUPTED,
                  "stopped in epoch %d of %d after batch %d of %d; continue with: gradflow train "
                  "--resume %s",
                  t->position.epoch, t->config.epochs, t->position.batch,
                  gf_loader_batches(t->train_loader), t->folder.path);
}

/* ---- progress ---- */

/* Training is most of an epoch's time: forward and backward against forward. */
static double progress_at(const gf__training *t, double trained, double validated) {
  double train = 3.0 * gf_dataset_describe(t->train).count;
  double validation = gf_dataset_describe(t->validation).count;
  double done = (train * trained + validation * validated) / (train + validation);
  return (t->position.epoch - 1 + done) / t->config.epochs;
}

double gf__training_progress(const gf__training *t) {
  return progress_at(t, (double)t->position.batch / gf_loader_batches(t->train_loader), 0);
}

/* Reports where the run is, if it is time to. */
static gf_status report_progress(gf__training *t, gf__results *results, const char *phase,
                                 int batch, int batches, double progress) {
  double now = gf__seconds();
  const gf_train_events *events = &t->options.events;
  bool is_heard = events->progress || events->step;
  if (!is_heard || (now - t->reported < report_seconds && batch != batches)) return GF_OK;
  GF_TRY(gf__results_read(results));
  t->reported = now = gf__seconds();
  const gf__loss_sums *sums = results->sums;
  double done = progress - t->done_before;
  gf_progress row = {.phase = phase,
                     .epoch = t->position.epoch,
                     .epochs = t->config.epochs,
                     .batch = batch,
                     .batches = batches,
                     .loss = sums->images ? sums->losses / (double)sums->images : NAN,
                     .accuracy = sums->images ? sums->correct / (double)sums->images : NAN,
                     .images_per_second = (double)sums->images / (now - results->started),
                     .seconds_left = done > 0 ? (now - t->started) * (1 - progress) / done : NAN};
  if (events->progress) events->progress(events->user, &row);
  return GF_OK;
}

/* ---- training ---- */

/* Of a step of this epoch, from 0; after its last one the rate is that of the last. */
static double rate_of_step(const gf__training *t, int batch) {
  const gf__schedule_config *schedule = &t->config.schedule;
  double base = gf__trainer_optimizer(t->trainer)->learning_rate;
  int batches = gf_loader_batches(t->train_loader), epoch = t->position.epoch - 1;
  long index = (long)epoch * batches + (batch < batches ? batch : batches - 1);
  double rate = gf__schedule_step_rate(schedule, base, index, batches, t->config.epochs);
  bool waits = gf__schedule_is_plateau(schedule) && epoch >= schedule->warmup_epochs;
  return waits ? gf__plateau_rate(&t->plateau, schedule, rate) : rate;
}

/* later: steps that were made since. */
static void record_step(void *training, int later, double loss, double accuracy) {
  gf__training *t = training;
  const gf_train_events *events = &t->options.events;
  gf_step_event step = {.epoch = t->position.epoch,
                        .step = t->position.steps - later,
                        .loss = loss,
                        .accuracy = accuracy,
                        .learning_rate = rate_of_step(t, t->position.batch - later - 1)};
  t->step_loss = loss;
  gf__run_events_add_step(&t->folder, &step);
  if (events->step) events->step(events->user, &step);
}

/* The number of batches in an epoch that have all their images. The smaller batch after them is
 * trained, but statistics are not taken on it: a single image, which the network may know already,
 * has a gradient near 0 and leaves most channels without an activation. */
static int whole_batches(const gf__training *t) {
  int count = gf_dataset_describe(t->train).count / t->config.batch_size;
  return count > 0 ? count : 1;
}

/* Whether the statistics of the next step belong into the records. */
static bool is_recorded(const gf__training *t) {
  int batch = t->position.batch + 1, whole = whole_batches(t), every = t->config.gradients_every;
  return batch == whole || (batch < whole && every && (t->position.steps + 1) % every == 0);
}

/* Whether somebody wants to see the statistics of the next step. */
static bool is_watched(const gf__training *t) {
  return t->options.events.gradients && t->position.batch < whole_batches(t) &&
         gf__seconds() - t->watched >= watch_seconds;
}

/* Whether the next step is one of early_steps.csv. */
static bool is_early(const gf__training *t) {
  return gf__early_steps_has(t->position.steps) && t->position.batch < whole_batches(t);
}

/* The weights were updated once since. */
static void record_early_step(gf__training *t, int gradients) {
  gf__early_step step = {.step = t->position.steps - 1,
                         .loss = t->step_loss,
                         .activations = t->activations,
                         .gradients = t->gradients,
                         .activation_count = gf__model_activation_count(t->model),
                         .gradient_count = gradients};
  gf__early_steps_add(&t->folder, &step);
  if (step.step == 0) gf__early_steps_log(&step, &t->vanishing);
}

static gf_status record_statistics(gf__training *t, bool recorded, bool early) {
  const gf_train_events *events = &t->options.events;
  int count = gf_trainer_gradient_count(t->trainer), epoch = t->position.epoch;
  long step = t->position.steps;
  const gf__whole_batch *whole = gf__allreduce_whole_batch(gf__trainer_allreduce(t->trainer));
  if (recorded || early) GF_TRY(gf__model_read_activations(t->model, whole, t->activations));
  if (!t->writes) return GF_OK;
  GF_TRY(gf__trainer_read_gradients(t->trainer, t->gradients));
  if (recorded || !early) { /* else nobody has asked for them */
    if (events->gradients) events->gradients(events->user, epoch, step, t->gradients, count);
    t->watched = gf__seconds();
  }
  if (!recorded && !early) return GF_OK;
  GF_TRY(gf__results_read(&t->trained)); /* events are in the order of steps */
  if (early) record_early_step(t, count);
  if (!recorded) return GF_OK;
  GF_TRY(gf__run_events_add_gradients(&t->folder, step, t->model, gf__trainer_gradient(t->trainer),
                                      t->gradients));
  gf__run_folder_add_gradients(&t->folder, epoch, step, t->gradients, count);
  gf__run_folder_add_activations(&t->folder, epoch, step, t->activations,
                                 gf__model_activation_count(t->model));
  return GF_OK;
}

/* data.json with what the network gets to see, of which the first batch is a sample. */
static gf_status record_input(const gf__training *t, const gf_batch *batch) {
  gf__data_record record;
  const gf_dataset_info data = gf_dataset_describe(t->train);
  long pixels = (long)data.height * data.width;
  gf_status status = gf__data_record_read(&record, t->folder.path);
  if (status == GF_OK)
    status = gf__input_statistics_make(&record.input, batch->images, batch->count, pixels,
                                       data.channels);
  if (status == GF_OK) status = gf__data_record_write(t->folder.path, &record);
  gf__data_record_free(&record);
  return status;
}

static gf_status train_batch(gf__training *t) {
  gf_batch batch;
  t->rate = rate_of_step(t, t->position.batch);
  GF_TRY(gf_loader_next(t->train_loader, &batch));
  if (t->writes && t->position.steps == 0) GF_TRY(record_input(t, &batch));
  int row = gf__results_row(&t->trained, batch.whole);
  bool recorded = is_recorded(t), early = is_early(t), watched = is_watched(t);
  gf__measure measure = recorded || early ? GF__MEASURE_ACTIVATIONS
                        : watched         ? GF__MEASURE_GRADIENTS
                                          : GF__MEASURE_NOTHING;
  t->step_loss = NAN;
  GF_TRY(gf__trainer_queue_step(t->trainer, &batch, t->rate, row, measure));
  t->position.steps++;
  t->position.batch++;
  t->position.images += batch.whole;
  GF_TRY(gf__results_poll(&t->trained));
  return measure ? record_statistics(t, recorded, early) : GF_OK;
}

static bool is_checkpoint_due(const gf__training *t, int batches) {
  long every = t->options.checkpoint_steps;
  double minutes = t->options.checkpoint_minutes;
  if (t->position.batch == batches) return false; /* that of the epoch follows */
  return (every && t->position.steps % every == 0) ||
         (minutes > 0 && gf__seconds() - t->checkpointed >= 60 * minutes);
}

static gf_status train_batches(gf__training *t) {
  int batches = gf_loader_batches(t->train_loader);
  gf__results *results = &t->trained;
  GF_TRY(gf__loader_start_after(t->train_loader, t->position.epoch - 1, t->position.images));
  while (t->position.batch < batches) {
    if (run_stops(t, true)) return fail_interrupted(t);
    GF_TRY(train_batch(t));
    GF_TRY(
        report_progress(t, results, "train", t->position.batch, batches, gf__training_progress(t)));
    if (is_checkpoint_due(t, batches)) {
      GF_TRY(gf__results_read(results));
      GF_TRY(check_finite(t, results));
      GF_TRY(gf__training_checkpoint(t));
    }
    GF_TRY(check_finite(t, results));
  }
  GF_TRY(gf__results_read(results));
  return check_finite(t, results);
}

static gf_status validate_batch(gf__training *t, gf__results *results) {
  gf_batch batch;
  GF_TRY(gf_loader_next(t->validation_loader, &batch));
  GF_TRY(gf__model_upload(t->model, batch.images, batch.labels, batch.count));
  int row = gf__results_row(results, batch.count);
  GF_TRY(gf__model_queue_forward(t->model, false, row));
  GF_TRY(gf__predictions_add(&t->predictions, t->model));
  return gf__results_poll(results);
}

/* Each rank its shard of the split, which may be empty: it stops where the others stop. */
static gf_status validate(gf__training *t, gf__loss_sums *sums) {
  int batches = gf_loader_batches(t->validation_loader), b = 0;
  gf__results results;
  gf__results_begin(&results, gf__trainer_alone(t->trainer), sums);
  GF_TRY(gf_loader_start(t->validation_loader, 0, 0));
  GF_TRY(gf__predictions_begin(&t->predictions, t->model));
  do {
    if (run_stops(t, false)) return fail_interrupted(t);
    if (b == batches) break;
    GF_TRY(validate_batch(t, &results));
    b++;
    GF_TRY(report_progress(t, &results, "validate", b, batches,
                           progress_at(t, 1, (double)b / batches)));
  } while (b < batches);
  GF_TRY(gf__results_read(&results));
  GF_TRY(gf__ranks_sum_validation(t, sums));
  bool stops = gf__allreduce_stops(gf__trainer_allreduce(t->trainer), false);
  return stops ? fail_interrupted(t) : gf__predictions_sum(&t->predictions, t->communicator);
}

/* ---- the epoch ---- */

static gf_epoch epoch_row(const gf__training *t, double train_seconds,
                          const gf__loss_sums *validated) {
  const gf__loss_sums *trained = &t->position.trained;
  gf_epoch row = {.epoch = t->position.epoch,
                  .epochs = t->config.epochs,
                  .learning_rate = t->rate,
                  .train_loss = trained->losses / (double)trained->images,
                  .train_accuracy = trained->correct / (double)trained->images,
                  .validation_loss = NAN,
                  .validation_accuracy = NAN,
                  .seconds = gf__seconds() - t->epoch_started,
                  .images_per_second = (double)trained->images / train_seconds,
                  .predicted_classes = gf__predictions_classes(&t->predictions),
                  .most_predicted = gf__predictions_most(&t->predictions)};
  if (validated->images) {
    row.validation_loss = validated->losses / (double)validated->images;
    row.validation_accuracy = validated->correct / (double)validated->images;
  }
  return row;
}

/* The rules of train.stop, where they could end the run before its last epoch. */
static gf_status judge_epoch(gf__training *t, const gf_epoch *row) {
  const gf__stop_config *stop = &t->config.stop;
  gf_status status = GF_OK;
  if (!gf__stop_has_rules(stop) || row->epoch == row->epochs) return GF_OK;
  if (t->writes) {
    status = gf__run_folder_flush(&t->folder);
    if (status == GF_OK)
      status = gf__stop_judge(stop, row, t->folder.path, &t->position.stop, &t->stop);
    if (!*t->stop.by && gf__stop_is_late(stop, seconds_spent(t))) gf__stop_by_time(stop, &t->stop);
  }
  GF_TRY(gf_communicator_agree(t->communicator, status));
  return broadcast_stop(t);
}

gf_status gf__training_epoch(gf__training *t) {
  gf__position *p = &t->position;
  gf__loss_sums validated = {0};
  t->rate = rate_of_step(t, t->position.batch);
  gf__model_weigh_auxiliaries(t->model, 1 - (double)(p->epoch - 1) / t->config.epochs);
  GF_TRY(gf__ranks_align(t));
  gf__results_begin(&t->trained, gf__trainer_allreduce(t->trainer), &p->trained);
  t->trained.step = record_step;
  t->trained.user = t;
  t->trained.skips = t->config.on_nonfinite == GF__SKIP_NONFINITE;
  long skipped = gf__trainer_skipped(t->trainer);
  int first = p->batch;
  t->epoch_started = t->trained.started = gf__seconds() - p->seconds;
  GF_TRY(train_batches(t));
  GF_TRY(check_skipped(t, gf__trainer_skipped(t->trainer) - skipped, p->batch - first));
  GF_TRY(check_running(t));
  double train_seconds = gf__seconds() - t->epoch_started;
  GF_TRY(validate(t, &validated));
  GF_TRY(check_validation(t, &validated));
  gf_epoch row = epoch_row(t, train_seconds, &validated);
  GF_TRY(gf__training_save(t, "last.safetensors"));
  if (row.validation_accuracy > p->best_accuracy) {
    p->best_accuracy = row.validation_accuracy;
    GF_TRY(gf__training_save(t, "best.safetensors"));
  }
  if (t->writes) gf__run_folder_add_epoch(&t->folder, &row);
  gf__run_events_add_epoch(&t->folder, p->steps, &row);
  gf__plateau_add(&t->plateau, &t->config.schedule,
                  gf__trainer_optimizer(t->trainer)->learning_rate, p->epoch - 1,
                  row.validation_loss, row.validation_accuracy);
  GF_TRY(judge_epoch(t, &row));
  p->epoch++;
  p->batch = p->images = 0;
  p->trained = (gf__loss_sums){0};
  t->epoch_started = gf__seconds();
  GF_TRY(gf__training_checkpoint(t));
  p->seconds = 0;
  if (t->options.events.epoch) t->options.events.epoch(t->options.events.user, &row);
  return GF_OK;
}
