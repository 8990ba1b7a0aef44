/* One training of a trial: a candidate with a seed, for some steps. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/index.h"
#include "run/thresholds.h"
#include "train/lsuv.h"
#include "trial/trial.h"

/* Reports are for people: a few a second. */
static const double report_seconds = 0.2;

typedef struct trainee {
  gf__trial_state *trial;
  const gf__candidate *candidate;
  gf_config *config; /* of the candidate */
  gf__training t;    /* without a run folder; the data sets are the trial's */
  int steps;         /* of its own batches, as many images as those of the trial's steps */
  int done;          /* queued or read from a checkpoint */
  double *losses;    /* (steps) */
  double reported;   /* seconds on the clock */
  gf__loss_sums sums;
} trainee;

double gf__trial_seconds_left(const gf__trial_state *trial) {
  return trial->options.seconds - (gf__seconds() - trial->begun);
}

/* ---- opening ---- */

static gf_status open_loader(gf_loader **out, const gf_dataset *dataset, int batch_size,
                             unsigned long long seed, bool training) {
  gf_loader_options options = gf_loader_options_default();
  options.batch_size = batch_size;
  options.seed = seed;
  options.training = training;
  return gf_loader_open(out, dataset, &options);
}

/* As many images as the steps of the config as it is have, rounded up. */
static int own_steps(const gf__trial_state *trial, const gf__training *t, int steps) {
  int batch = gf__training_batch(t);
  return (int)(((long)steps * trial->batch_size + batch - 1) / batch);
}

static gf_status open_network(trainee *x, unsigned long long seed) {
  gf__training *t = &x->t;
  int launches;
  GF_TRY(gf__trial_candidate_config(x->trial, x->candidate, seed, &x->config));
  GF_TRY(gf__train_config_read(&t->config, x->config));
  GF_TRY(gf__ranks_open_networks(t, x->config, NULL));
  GF_TRY(open_loader(&t->train_loader, t->train, t->config.batch_size, seed, true));
  GF_TRY(gf__trainer_prepare(t->trainer, seed, &launches));
  return GF_OK;
}

/* As a run of its own begins. */
static gf_status start_weights(trainee *x) {
  gf__training *t = &x->t;
  if (*gf__train_config_weights(&t->config)) return gf__training_load_weights(t->model, &t->config);
  return gf__lsuv_start(t->model, x->config, t->train_loader, t->config.seed);
}

static void close_trainee(trainee *x) {
  gf_loader_free(&x->t.train_loader);
  gf_loader_free(&x->t.validation_loader);
  gf__training_close_network(&x->t);
  free(x->t.shard_bounds);
  free(x->losses);
  gf_config_free(&x->config);
}

static trainee new_trainee(gf__trial_state *trial, const gf__candidate *candidate) {
  return (trainee){.trial = trial,
                   .candidate = candidate,
                   .t = {.device = trial->device,
                         .train = trial->train,
                         .validation = trial->validation,
                         .writes = true}};
}

static gf_status allocate_losses(trainee *x, int steps) {
  x->steps = own_steps(x->trial, &x->t, steps);
  size_t bytes = (size_t)x->steps * sizeof *x->losses;
  x->losses = malloc(bytes);
  if (!x->losses) return gf__fail_host_memory(bytes);
  for (int i = 0; i < x->steps; i++) x->losses[i] = NAN;
  return GF_OK;
}

/* ---- checkpoints ---- */

/* FOLDER/checkpoints/HASH-seed-N, by the settings. */
static gf_status checkpoint_folder(const trainee *x, char out[GF__PATH_SIZE]) {
  char name[96];
  uint64_t hash = gf__hash(x->candidate->id, strlen(x->candidate->id));
  snprintf(name, sizeof name, "checkpoints/%016llx-seed-%llu", (unsigned long long)hash,
           (unsigned long long)x->t.config.seed);
  return gf__path_join(out, GF__PATH_SIZE, x->trial->folder, name);
}

static gf__checkpoint_tensors tensors_of(const trainee *x) {
  return gf__checkpoint_tensors_of(x->t.model, gf__trainer_state(x->t.trainer, 0),
                                   gf__trainer_state(x->t.trainer, 1));
}

/* The losses of the steps before a checkpoint, or NULL. */
static const gf__trial_result *result_before(const trainee *x, long steps) {
  for (int i = 0; i < x->trial->result_count; i++) {
    const gf__trial_result *r = &x->trial->results[i];
    if (!strcmp(r->id, x->candidate->id) && r->seed == x->t.config.seed && r->loss_count == steps)
      return r;
  }
  return NULL;
}

/* Goes on after an earlier rung, where its checkpoint is there; else from the beginning. */
static gf_status resume_trainee(trainee *x) {
  char folder[GF__PATH_SIZE];
  gf__checkpoints found;
  GF_TRY(checkpoint_folder(x, folder));
  if (!gf__path_exists(folder)) return start_weights(x);
  gf__checkpoints_find(&found, folder);
  long steps = found.count ? found.v[0].position.steps : -1;
  int index = found.count ? found.v[0].index : -1;
  gf__checkpoints_free(&found);
  const gf__trial_result *before = steps < 0 ? NULL : result_before(x, steps);
  if (!before || steps > x->steps) return start_weights(x);
  gf__checkpoint_tensors tensors = tensors_of(x);
  GF_TRY(gf__checkpoint_load(folder, index, &tensors));
  memcpy(x->losses, before->losses, (size_t)before->loss_count * sizeof *x->losses);
  x->done = (int)steps;
  gf__trainer_set_steps(x->t.trainer, x->done);
  return GF_OK;
}

static gf_status save_trainee(const trainee *x) {
  char folder[GF__PATH_SIZE];
  gf__position position = {.epoch = 1, .steps = x->done, .stop = gf__stop_begin()};
  gf__origin origin = {.config = ""};
  gf__checkpoint_tensors tensors = tensors_of(x);
  GF_TRY(checkpoint_folder(x, folder));
  GF_TRY(gf__make_folder(folder));
  return gf__checkpoint_write(folder, 0, &tensors, &position, &origin);
}

/* ---- steps ---- */

static void note_loss(void *user, int later, double loss, double accuracy) {
  trainee *x = user;
  (void)accuracy;
  x->losses[x->done - 1 - later] = loss;
}

static void report_step(trainee *x) {
  const gf__trial_state *trial = x->trial;
  const gf_trial_events *events = &trial->options.events;
  if (!events->progress) return;
  gf_trial_progress row = {.done = trial->result_count,
                           .trials = trial->expected,
                           .remedy = x->candidate->name,
                           .seed = x->t.config.seed,
                           .step = x->done,
                           .steps = x->steps,
                           .loss = x->done ? x->losses[x->done - 1] : (double)NAN,
                           .seconds_left = fmax(0, gf__trial_seconds_left(trial))};
  events->progress(events->user, &row);
}

/* The schedule of the config, and the weight of its auxiliary losses, as if the steps that a
 * training of the trial has at most were a run: a longer training begins as a shorter one. */
static double set_rates(const trainee *x, int step) {
  const gf__training *t = &x->t;
  double all = own_steps(x->trial, t, x->trial->options.steps), progress = fmin(step / all, 1);
  enum { SUBSTEPS = 1000 }; /* of an epoch, in place of its batches */
  long last = (long)t->config.epochs * SUBSTEPS - 1, index = (long)(progress * (double)(last + 1));
  gf__model_weigh_auxiliaries(t->model, 1 - progress);
  return gf__schedule_step_rate(&t->config.schedule,
                                gf__trainer_optimizer(t->trainer)->learning_rate,
                                index < last ? index : last, SUBSTEPS, t->config.epochs);
}

static gf_status train_step(trainee *x, gf__results *results, gf__measure measure) {
  gf__training *t = &x->t;
  int batches = gf_loader_batches(t->train_loader), epoch = x->done / batches,
      first = x->done % batches;
  gf_batch batch;
  if (first == 0) GF_TRY(gf_loader_start(t->train_loader, epoch, 0));
  GF_TRY(gf_loader_next(t->train_loader, &batch));
  int row = gf__results_row(results, batch.whole);
  GF_TRY(gf__trainer_queue_step(t->trainer, &batch, set_rates(x, x->done), row, measure));
  x->done++;
  return gf__results_poll(results);
}

static gf_status check_stop(const trainee *x) {
  const gf_trial_events *events = &x->trial->options.events;
  if (!events->stop || !events->stop(events->user)) return GF_OK;
  return gf__fail(GF_ERROR_INTERRUPTED,
                  "stopped after %d trainings of the trial in %s; the same command goes on with it",
                  x->trial->result_count, x->trial->folder);
}

static gf_status train_steps(trainee *x, gf__measure last, bool *has_diverged, bool *is_late) {
  gf__results results;
  gf__results_begin(&results, gf__trainer_alone(x->t.trainer), &x->sums);
  results.step = note_loss;
  results.user = x;
  results.skips = x->t.config.on_nonfinite == GF__SKIP_NONFINITE;
  int batches = gf_loader_batches(x->t.train_loader);
  if (x->done % batches)
    GF_TRY(gf_loader_start(x->t.train_loader, x->done / batches, x->done % batches));
  while (x->done < x->steps && results.first_nonfinite < 0) {
    GF_TRY(check_stop(x));
    if (gf__trial_seconds_left(x->trial) <= 0) {
      *is_late = true;
      return gf_device_finish(x->t.device);
    }
    GF_TRY(train_step(x, &results, x->done + 1 == x->steps ? last : GF__MEASURE_NOTHING));
    bool is_due = gf__seconds() - x->reported >= report_seconds;
    if (!is_due && x->done < x->steps) continue;
    GF_TRY(gf__results_read(&results));
    x->reported = gf__seconds();
    report_step(x);
  }
  *has_diverged = results.first_nonfinite >= 0;
  return GF_OK;
}

/* ---- what came of it ---- */

/* The smallest mean |g| of a weight tensor by the largest; auxiliary classifiers do not count. */
static gf_status read_flow(const trainee *x, double *out) {
  int count = gf_trainer_gradient_count(x->t.trainer);
  double least = INFINITY, most = 0;
  size_t bytes = (size_t)count * sizeof(gf_gradient_stats);
  gf_gradient_stats *rows = malloc(bytes);
  if (!rows) return gf__fail_host_memory(bytes);
  gf_status status = gf__trainer_read_gradients(x->t.trainer, rows);
  for (int i = 0; i < count && status == GF_OK; i++) {
    if (!rows[i].is_weight || gf__layer_is_auxiliary(rows[i].layer)) continue;
    least = fmin(least, rows[i].mean_abs);
    most = fmax(most, rows[i].mean_abs);
  }
  free(rows);
  *out = most > 0 ? least / most : (double)NAN;
  return status;
}

/* In pieces that the model has room for. */
static gf_status validate_batch(trainee *x, const gf_batch *batch, double *loss, double *correct) {
  gf_model *model = x->t.model;
  size_t pixels = gf__tensor_size(&model->graph.input);
  float sums[2];
  for (int first = 0; first < batch->count; first += model->batch) {
    int left = batch->count - first, count = left < model->batch ? left : model->batch;
    GF_TRY(gf__model_upload(model, batch->images + (size_t)first * pixels, batch->labels + first,
                            count));
    GF_TRY(gf__model_queue_forward(model, false, 0));
    GF_TRY(gf__model_read_results(model, 0, 1, sums));
    *loss += (double)sums[0];
    *correct += (double)sums[1];
  }
  return GF_OK;
}

/* Batches at equal distances, as the images of some data sets are in the order of their classes;
 * the same ones for every candidate. */
static gf_status validate_trainee(trainee *x, gf__trial_result *out) {
  gf__trial_state *trial = x->trial;
  gf_loader **loader = &x->t.validation_loader;
  int wanted = trial->plan.validation_images / trial->batch_size, images = 0;
  double loss = 0, correct = 0;
  GF_TRY(open_loader(loader, trial->validation, trial->batch_size, 0, false));
  int all = gf_loader_batches(*loader), count = wanted < 1 ? 1 : wanted < all ? wanted : all;
  for (int i = 0; i < count; i++) {
    gf_batch batch;
    GF_TRY(check_stop(x));
    GF_TRY(gf_loader_start(*loader, 0, (int)((long)i * all / count)));
    GF_TRY(gf_loader_next(*loader, &batch));
    GF_TRY(validate_batch(x, &batch, &loss, &correct));
    images += batch.count;
  }
  out->loss = loss / images;
  out->accuracy = correct / images;
  out->has_diverged = !isfinite(out->loss);
  return GF_OK;
}

/* Without validation images: the mean of the last tenth of the steps. */
static void judge_by_training(const trainee *x, gf__trial_result *out) {
  int first = x->steps - (x->steps + 9) / 10;
  double sum = 0;
  for (int i = first; i < x->steps; i++) sum += x->losses[i];
  out->loss = sum / (x->steps - first);
}

static gf_status finish_result(trainee *x, gf__trial_result *out) {
  out->losses = x->losses;
  out->loss_count = x->done;
  x->losses = NULL;
  if (out->has_diverged) return GF_OK;
  GF_TRY(read_flow(x, &out->flow));
  x->losses = out->losses; /* which judge_by_training reads */
  gf_status status = GF_OK;
  if (gf_dataset_describe(x->trial->validation).count > 0)
    status = validate_trainee(x, out);
  else
    judge_by_training(x, out);
  x->losses = NULL;
  return status == GF_OK ? save_trainee(x) : status;
}

/* What says something of the candidate and not of the device. */
static bool is_own_failure(gf_status status) {
  return status == GF_ERROR_CONFIG || status == GF_ERROR_SHAPE || status == GF_ERROR_ARGUMENT ||
         status == GF_ERROR_DEVICE_MEMORY;
}

static gf_status note_failure(gf__trial_result *out) {
  gf__text message = {0};
  gf__text_add(&message, "%s", gf_error_message());
  out->failure = message.data;
  return gf__text_status(&message);
}

static gf_status start_result(const gf__candidate *candidate, unsigned long long seed, int steps,
                              gf__trial_result *out) {
  gf__text id = {0};
  gf__text_add(&id, "%s", candidate->id);
  *out = (gf__trial_result){
      .id = id.data, .seed = seed, .steps = steps, .loss = NAN, .accuracy = NAN, .flow = NAN};
  return gf__text_status(&id);
}

gf_status gf__trainee_train(gf__trial_state *trial, const gf__candidate *candidate,
                            unsigned long long seed, int steps, gf__trial_result *out,
                            bool *is_late) {
  trainee x = new_trainee(trial, candidate);
  *is_late = false;
  GF_TRY(start_result(candidate, seed, steps, out));
  x.t.config.seed = seed;
  report_step(&x);
  double begin = gf__seconds();
  gf_status status = open_network(&x, seed);
  if (status == GF_OK) status = allocate_losses(&x, steps);
  if (is_own_failure(status) && candidate->setting_count > 0) {
    close_trainee(&x);
    return note_failure(out);
  }
  if (status == GF_OK) status = resume_trainee(&x);
  double opened = gf__seconds();
  int before = x.done;
  if (status == GF_OK) status = train_steps(&x, GF__MEASURE_GRADIENTS, &out->has_diverged, is_late);
  if (status == GF_OK && !*is_late) {
    if (!trial->opened || opened - begin < trial->opening) trial->opening = opened - begin;
    trial->opened++;
    trial->stepping += gf__seconds() - opened;
    trial->stepped += x.steps > 0 ? (int)((long)steps * (x.done - before) / x.steps) : 0;
    status = finish_result(&x, out);
  }
  close_trainee(&x);
  if (status != GF_OK || *is_late) gf__trial_result_free(out);
  return status;
}

/* ---- the probe ---- */

static gf_status read_activations(const trainee *x, gf_activation_stats **out, int *count) {
  gf_model *model = x->t.model;
  *count = gf__model_activation_count(model);
  size_t bytes = ((size_t)*count + 1) * sizeof **out;
  *out = malloc(bytes);
  if (!*out) return gf__fail_host_memory(bytes);
  GF_TRY(gf__model_read_activations(model, NULL, *out));
  for (int i = 0; i < *count; i++) { /* the model will be gone */
    gf__text name = {0};
    gf__text_add(&name, "%s", (*out)[i].layer);
    GF_TRY(gf__text_status(&name));
    (*out)[i].layer = name.data;
  }
  return GF_OK;
}

gf_status gf__trainee_probe(gf__trial_state *trial, gf_activation_stats **activations, int *count) {
  enum { STEPS = 3 };
  gf__candidate as_it_is = {.name = "as it is", .id = ""};
  trainee x = new_trainee(trial, &as_it_is);
  bool has_diverged = false, is_late = false;
  double begin = gf__seconds();
  *activations = NULL;
  *count = 0;
  x.t.config.seed = trial->seed;
  gf_status status = open_network(&x, trial->seed);
  trial->open_seconds = gf__seconds() - begin;
  if (status == GF_OK) status = allocate_losses(&x, STEPS);
  if (status == GF_OK) status = start_weights(&x);
  begin = gf__seconds();
  if (status == GF_OK) status = train_steps(&x, GF__MEASURE_ACTIVATIONS, &has_diverged, &is_late);
  trial->step_seconds = (gf__seconds() - begin) / (x.done > 0 ? x.done : 1);
  if (status == GF_OK && !is_late) status = read_activations(&x, activations, count);
  close_trainee(&x);
  return status;
}
