/* The runs of a study, one after another or several at a time. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "distributed/communicator.h"
#include "study/outcome.h"
#include "study/plan.h"
#include "study/spread.h"

/* The state of all jobs, under the lock. */
typedef struct queue {
  const gf_study *study;
  const gf_study_options *options;
  gf__lock *lock;
  gf_study_item *items;
  double *epoch_seconds; /* of each setting; NaN unknown */
  int *order;            /* of the items, in which they are run */
  int count, next;
  int done;        /* of all ranks, as far as this one knows */
  gf__tally tally; /* of this one */
} queue;

/* One thread, and the run that it is at. */
typedef struct job {
  queue *queue;
  gf_device *device;
  gf__thread *thread;
  gf_study_item *item;
  char name[256];
  double begin; /* seconds */
} job;

/* ---- times ---- */

/* The seconds of an epoch of the other settings, for a setting that has no epochs yet. */
static double usual_epoch(const queue *q) {
  double sum = 0;
  int known = 0;
  for (int i = 0; i < q->study->setting_count; i++) {
    if (isnan(q->epoch_seconds[i])) continue;
    sum += q->epoch_seconds[i];
    known++;
  }
  return known ? sum / known : NAN;
}

static double seconds_left(const job *j, const gf_progress *progress) {
  const queue *q = j->queue;
  int jobs = q->options->jobs, own_epochs = gf__item_epochs_left(j->item);
  double usual = usual_epoch(q), others = 0, own = progress->seconds_left;
  if (isnan(usual) && own_epochs > 0) usual = own / own_epochs;
  for (int i = 0; i < q->count; i++) {
    int left = gf__item_epochs_left(&q->items[i]);
    double epoch = q->epoch_seconds[gf__item_setting(q->study, &q->items[i])];
    if (&q->items[i] != j->item && left > 0) others += left * (isnan(epoch) ? usual : epoch);
  }
  if (isnan(own)) own = own_epochs * usual;
  return fmax(own, (own + others) / jobs);
}

/* ---- events of a run ---- */

static void on_progress(void *user, const gf_progress *progress) {
  job *j = user;
  queue *q = j->queue;
  const gf_study_events *events = &q->options->events;
  if (!events->progress) return;
  gf__lock_take(q->lock);
  gf_study_progress event = {.done = q->done,
                             .runs = q->count,
                             .run = j->name,
                             .training = progress,
                             .seconds_left = seconds_left(j, progress)};
  events->progress(events->user, &event);
  gf__lock_release(q->lock);
}

static void on_epoch(void *user, const gf_epoch *epoch) {
  job *j = user;
  gf__lock_take(j->queue->lock);
  j->item->state.epochs_done = epoch->epoch;
  j->queue->epoch_seconds[gf__item_setting(j->queue->study, j->item)] = epoch->seconds;
  gf__lock_release(j->queue->lock);
}

static bool on_stop(void *user) {
  queue *q = ((job *)user)->queue;
  const gf_study_events *events = &q->options->events;
  gf__lock_take(q->lock);
  if (events->stop && events->stop(events->user)) q->tally.stopped = true;
  bool stopped = q->tally.stopped;
  gf__lock_release(q->lock);
  return stopped;
}

/* ---- one run ---- */

static gf_status train(job *j) {
  const gf_study_options *options = j->queue->options;
  gf_train_options training = gf_train_options_default();
  training.out = j->item->folder;
  training.overwrite = options->overwrite;
  training.resume = !options->overwrite;
  training.events =
      (gf_train_events){.user = j, .progress = on_progress, .epoch = on_epoch, .stop = on_stop};
  gf_config *config;
  GF_TRY(gf__item_config(j->queue->study, j->item, &config));
  gf_status status = gf_train(j->device, config, &training);
  gf_config_free(&config);
  if (status == GF_OK) status = gf__outcome_test(j->device, j->item->folder);
  return status;
}

/* A rank that cannot ask knows of its own runs. */
static void count_done(queue *q) {
  long before = q->done;
  if (q->options->communicator &&
      gf__communicator_next(q->options->communicator, GF__ROLL_DONE, &before) != GF_OK)
    before = q->done;
  q->done = (int)before + 1;
}

/* Counts the run and reports it; the lock is held. */
static void end_run(job *j, gf_status status, const gf__outcome *outcome) {
  queue *q = j->queue;
  const gf_study_events *events = &q->options->events;
  bool failed = status != GF_OK && status != GF_ERROR_NONFINITE;
  gf_run_status end = status == GF_OK ? GF_RUN_FINISHED : GF_RUN_DIVERGED;
  j->item->state.status = failed ? GF_RUN_STARTED : end;
  if (failed) {
    if (q->tally.failed++ == 0) q->tally.status = status;
    gf__text_add(&q->tally.failures, "\n  %s: %s", j->name, gf_error_message());
    j->item->state.epochs_done = j->item->state.epochs; /* nothing of it is waited for */
  } else {
    q->tally.done++;
    count_done(q);
  }
  gf_study_event event = {.done = q->done,
                          .runs = q->count,
                          .run = j->name,
                          .status = j->item->state.status,
                          .stopped_by = outcome->state.stopped_by,
                          .failure = failed ? gf_error_message() : NULL,
                          .seconds = gf__seconds() - j->begin,
                          .train_accuracy = outcome->values[GF__COLUMN_TRAIN_ACCURACY],
                          .validation_accuracy = outcome->values[GF__COLUMN_VALIDATION_ACCURACY],
                          .test_accuracy = outcome->values[GF__COLUMN_TEST_ACCURACY]};
  if (events->run) events->run(events->user, &event);
}

static void do_run(job *j) {
  queue *q = j->queue;
  gf__outcome outcome = gf__outcome_none();
  snprintf(j->name, sizeof j->name, "%s/seed-%llu", j->item->setting, j->item->seed);
  j->begin = gf__seconds();
  gf_status status = train(j);
  if (status == GF_OK || status == GF_ERROR_NONFINITE) {
    gf_status loaded = gf__outcome_load(&outcome, j->item->folder);
    if (loaded != GF_OK) status = loaded;
  }
  gf__lock_take(q->lock);
  if (status == GF_ERROR_INTERRUPTED)
    q->tally.stopped = true;
  else
    end_run(j, status, &outcome);
  gf__lock_release(q->lock);
}

/* ---- all ---- */

static bool take_run(job *j) {
  queue *q = j->queue;
  if (on_stop(j)) return false;
  gf__lock_take(q->lock);
  long next = q->next++;
  gf_communicator *communicator = q->options->communicator;
  bool found = !communicator || gf__communicator_next(communicator, GF__ROLL_RUNS, &next) == GF_OK;
  found = found && next < q->count;
  if (found) j->item = &q->items[q->order[next]];
  gf__lock_release(q->lock);
  return found;
}

static void work(void *argument) {
  job *j = argument;
  while (take_run(j)) do_run(j);
}

static void stop(queue *q) {
  gf__lock_take(q->lock);
  q->tally.stopped = true;
  gf__lock_release(q->lock);
}

/* The first job is the calling thread's. */
static gf_status work_all(job *jobs, int count) {
  const gf_study_options *options = jobs[0].queue->options;
  gf_status status = GF_OK;
  for (int i = 0; i < count && status == GF_OK; i++)
    status =
        gf_communicator_open_device(&jobs[i].device, options->communicator, options->device, true);
  for (int i = 1; i < count && status == GF_OK; i++)
    status = gf__thread_start(&jobs[i].thread, work, &jobs[i]);
  if (status == GF_OK)
    work(&jobs[0]);
  else
    stop(jobs[0].queue);
  for (int i = 0; i < count; i++) gf__thread_join(&jobs[i].thread);
  for (int i = 0; i < count; i++) gf_device_free(&jobs[i].device);
  return status;
}

static gf_status run_jobs(queue *q) {
  int count = q->options->jobs;
  if (count > q->count) count = q->count;
  if (count < 1) count = 1;
  job *jobs = calloc((size_t)count, sizeof *jobs);
  if (!jobs) return gf__fail_host_memory((size_t)count * sizeof *jobs);
  for (int i = 0; i < count; i++) jobs[i].queue = q;
  gf_status status = work_all(jobs, count);
  free(jobs);
  return status;
}

static gf_status report_end(const queue *q) {
  const gf__tally *t = &q->tally;
  const char *failures = t->failures.data ? t->failures.data : "";
  if (t->stopped)
    return gf__fail(
        GF_ERROR_INTERRUPTED,
        "stopped; %d of %d runs are at their end. The same command goes on from here%s%s", t->done,
        q->count, t->failed ? ", and tries again what failed:" : "", failures);
  if (t->failed == 0) return GF_OK;
  return gf__fail(t->status, "%d of %d runs failed:%s", t->failed, q->count, failures);
}

static gf_status open_queue(queue *q) {
  const gf_study_options *options = q->options;
  if (options->communicator && options->jobs > 1)
    return gf__fail(GF_ERROR_ARGUMENT,
                    "%d jobs: with several ranks each of them is a job; start more ranks",
                    options->jobs);
  GF_TRY(gf_study_plan(q->study, options, false, &q->items, &q->count));
  for (int i = 0; options->overwrite && i < q->count; i++)
    q->items[i].state = (gf_run_state){.epochs = q->items[i].state.epochs};
  q->order = calloc((size_t)q->count + 1, sizeof *q->order);
  if (!q->order) return gf__fail_host_memory((size_t)q->count * sizeof *q->order);
  GF_TRY(gf__study_epoch_seconds(q->study, q->items, q->count, &q->epoch_seconds));
  return gf__lock_new(&q->lock);
}

gf_study_options gf_study_options_default(void) {
  return (gf_study_options){.shard = 1, .shards = 1, .jobs = 1};
}

gf_status gf_study_run(const gf_study *study, const gf_study_options *options) {
  queue q = {.study = study, .options = options};
  gf_status status = gf_communicator_agree(options->communicator, open_queue(&q));
  if (status == GF_OK) status = gf__spread_order(study, options, q.count, q.order);
  if (status == GF_OK) status = run_jobs(&q);
  if (status == GF_OK) status = gf__spread_join(options->communicator, &q.tally);
  if (status == GF_OK) status = report_end(&q);
  gf__lock_free(&q.lock);
  gf_study_items_free(&q.items, q.count);
  gf__text_free(&q.tally.failures);
  free(q.epoch_seconds);
  free(q.order);
  return status;
}
