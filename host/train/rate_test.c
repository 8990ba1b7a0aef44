#include "train/rate_test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "train/training.h"

static const double kept = 0.9;        /* of the mean, from step to step */
static const double risen = 4;         /* times the lowest smoothed loss: it has diverged */
static const double least_fall = 0.01; /* of the loss, which noise alone may do as well */
enum { LEAST_STEPS = 10, MOST_STEPS = 100000, FIRST_OF = 10 };

typedef struct range_test {
  gf__train_config run;
  gf_dataset *dataset;
  gf_loader *loader;
  gf_model *model;
  gf_trainer *trainer;
  const gf_rate_test_options *options;
  gf_rate_test *result;
  double began; /* seconds on the clock */
} range_test;

gf_rate_test_options gf_rate_test_options_default(void) {
  return (gf_rate_test_options){.from = 1e-7, .to = 10, .steps = 100, .seconds = 120};
}

void gf_rate_test_free(gf_rate_test *test) {
  free(test->steps);
  *test = (gf_rate_test){0};
}

/* ---- rates and losses ---- */

double gf__rate_test_rate(const gf_rate_test_options *o, int i) {
  return o->from * pow(o->to / o->from, (double)i / (o->steps - 1));
}

static double lowest_so_far(const gf_rate_test *test, int *at) {
  double lowest = INFINITY;
  *at = -1;
  for (int i = 0; i < test->step_count; i++) {
    if (!(test->steps[i].smoothed < lowest)) continue;
    lowest = test->steps[i].smoothed;
    *at = i;
  }
  return lowest;
}

/* The mean is divided by the weights that it has so far, so that it does not begin at 0. */
bool gf__rate_test_add(gf_rate_test *test, double learning_rate, double loss) {
  int i = test->step_count++, lowest;
  double before = i ? test->steps[i - 1].smoothed * (1 - pow(kept, i)) : 0;
  double smoothed = (kept * before + (1 - kept) * loss) / (1 - pow(kept, i + 1));
  test->steps[i] = (gf_rate_test_step){learning_rate, loss, smoothed};
  test->diverged = !isfinite(smoothed) || smoothed > risen * lowest_so_far(test, &lowest);
  return test->diverged;
}

void gf__rate_test_judge(gf_rate_test *test) {
  int lowest, first = test->step_count / FIRST_OF, fastest = -1;
  double loss = lowest_so_far(test, &lowest), steepest = 0;
  test->fastest = test->lowest = test->lowest_loss = NAN;
  if (lowest < 0 || !(loss < (1 - least_fall) * test->steps[first].smoothed)) return;
  for (int i = 1; i < lowest; i++) {
    const gf_rate_test_step *s = &test->steps[i];
    double rise = log(s[1].learning_rate / s[-1].learning_rate);
    double slope = (s[1].smoothed - s[-1].smoothed) / rise;
    if (!(slope < steepest)) continue;
    steepest = slope;
    fastest = i;
  }
  if (fastest < 0) return;
  test->fastest = test->steps[fastest].learning_rate;
  test->lowest = test->steps[lowest].learning_rate;
  test->lowest_loss = loss;
}

/* ---- the steps ---- */

static gf_status check_options(const gf_rate_test_options *o) {
  if (!(o->from > 0) || !(o->to > o->from) || !isfinite(o->to))
    return gf__fail(GF_ERROR_ARGUMENT,
                    "rates from %g to %g: the first has to be above 0, and the last above it",
                    o->from, o->to);
  if (o->steps < LEAST_STEPS || o->steps > MOST_STEPS)
    return gf__fail(GF_ERROR_ARGUMENT, "%d steps: a range test has from %d to %d", o->steps,
                    LEAST_STEPS, MOST_STEPS);
  if (!(o->seconds >= 0))
    return gf__fail(GF_ERROR_ARGUMENT, "%g seconds: a range test takes 0 or more", o->seconds);
  return GF_OK;
}

static gf_status open_test(range_test *t, gf_device *device, const gf_config *config) {
  size_t bytes = (size_t)t->options->steps * sizeof *t->result->steps;
  GF_TRY(gf__train_config_read(&t->run, config));
  GF_TRY(gf_dataset_open(&t->dataset, config, GF_SPLIT_TRAIN));
  gf_dataset_info info = gf_dataset_describe(t->dataset);
  gf_loader_options options = gf_loader_options_default();
  options.batch_size = t->run.batch_size < info.count ? t->run.batch_size : info.count;
  options.seed = t->run.seed;
  options.training = true;
  GF_TRY(gf_loader_open(&t->loader, t->dataset, &options));
  gf_image_shape image = {info.height, info.width, info.channels};
  GF_TRY(gf_model_open(&t->model, device, config, image, info.classes, options.batch_size,
                       t->run.seed));
  GF_TRY(gf_trainer_open(&t->trainer, t->model, config));
  const gf__optimizer_config *optimizer = gf__trainer_optimizer(t->trainer);
  t->result->batch_size = options.batch_size;
  t->result->configured = optimizer->learning_rate;
  snprintf(t->result->optimizer, sizeof t->result->optimizer, "%s",
           gf__optimizers[optimizer->kind]->name);
  t->result->steps = calloc(1, bytes);
  if (!t->result->steps) return gf__fail_host_memory(bytes);
  return gf__training_start_weights(t->model, &t->run, config, t->loader);
}

static void close_test(range_test *t) {
  gf_trainer_free(&t->trainer);
  gf_model_free(&t->model);
  gf_loader_free(&t->loader);
  gf_dataset_free(&t->dataset);
}

/* The step on the batch; *is_over: it was the last one. */
static gf_status make_step(range_test *t, const gf_batch *batch, bool *is_over) {
  gf_rate_test *result = t->result;
  double rate = gf__rate_test_rate(t->options, result->step_count);
  float sums[2];
  GF_TRY(gf__trainer_queue_step(t->trainer, batch, rate, 0, GF__MEASURE_NOTHING));
  GF_TRY(gf__model_read_results(t->model, 0, 1, sums));
  *is_over = gf__rate_test_add(result, rate, (double)sums[0] / batch->count);
  if (t->options->step && t->options->step(t->options->user, result))
    return gf__fail(GF_ERROR_INTERRUPTED, "the range test was stopped after %d of %d steps",
                    result->step_count, t->options->steps);
  double seconds = t->options->seconds;
  result->out_of_time = !*is_over && result->step_count < t->options->steps && seconds > 0 &&
                        gf__seconds() - t->began > seconds;
  *is_over |= result->step_count == t->options->steps || result->out_of_time;
  return GF_OK;
}

/* Batches that are smaller, as the last one of an epoch may be, are left out: their losses vary
 * more. */
static gf_status make_steps(range_test *t) {
  bool is_over = false;
  for (int epoch = 0; !is_over; epoch++) {
    gf_batch batch;
    GF_TRY(gf_loader_start(t->loader, epoch, 0));
    GF_TRY(gf_loader_next(t->loader, &batch));
    while (batch.count == t->result->batch_size && !is_over) {
      GF_TRY(make_step(t, &batch, &is_over));
      if (!is_over) GF_TRY(gf_loader_next(t->loader, &batch));
    }
  }
  return GF_OK;
}

gf_status gf_rate_test_run(gf_rate_test *out, gf_device *device, const gf_config *config,
                           const gf_rate_test_options *options) {
  range_test test = {.options = options, .result = out};
  *out = (gf_rate_test){.fastest = NAN, .lowest = NAN, .lowest_loss = NAN};
  GF_TRY(check_options(options));
  gf_status status = open_test(&test, device, config);
  test.began = gf__seconds();
  if (status == GF_OK) status = make_steps(&test);
  if (status == GF_OK) gf__rate_test_judge(out);
  close_test(&test);
  return status;
}
