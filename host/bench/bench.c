/* gf_bench_run, gf_bench_layers and gf_bench_train: the devices one after another. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/os.h"
#include "base/text.h"
#include "bench/bench.h"
#include "bench/limits.h"

/* The standard ones: the limits, operations, steps. */
static gf_status measure_standard(gf__measurement *m) {
  GF_TRY(gf__measurement_limits(m));
  GF_TRY(gf__bench_operations(m));
  return gf__bench_steps(m);
}

static int count_standard(const gf__measurement *m) {
  return gf__bench_count_operations() + gf__bench_count_steps(m);
}

static const struct form {
  int batch;
  const char *tune;
  gf__bench_effort effort;
  int (*count)(const gf__measurement *m); /* of measurements besides the limits */
  gf_status (*measure)(gf__measurement *m);
} forms[] = {
    [GF_BENCH_QUICK] = {25,
                        "off",
                        {.least = 5, .most = 25, .sample_seconds = 0.01, .seconds = 0.6},
                        count_standard,
                        measure_standard},
    [GF_BENCH_FULL] = {100,
                       "fast",
                       {.least = 9, .most = 51, .sample_seconds = 0.02, .seconds = 3},
                       count_standard,
                       measure_standard},
    [GF_BENCH_LAYERS] = {.effort = {.least = 15, .most = 15},
                         .count = gf__bench_count_layers,
                         .measure = gf__bench_layers},
    [GF_BENCH_TRAIN] = {.count = gf__bench_count_training, .measure = gf__bench_training},
};

gf_status gf__measurement_next(gf__measurement *m, const char *what) {
  const gf_bench_options *o = m->options;
  if (o->stop && o->stop(o->user))
    return gf__fail(GF_ERROR_INTERRUPTED,
                    "stopped; nothing is kept of a benchmark that is cut off");
  if (o->progress)
    o->progress(o->user, &(gf_bench_progress){m->out->card.name, what, m->done, m->count});
  m->done++;
  return GF_OK;
}

gf_status gf__measurement_add(gf__measurement *m, const gf_bench_row *row,
                              const gf__bench_timing *timing) {
  gf_bench_device *out = m->out;
  GF_TRY(gf__grow(&out->rows, (size_t)out->row_count, sizeof *out->rows));
  gf_bench_row *added = &out->rows[out->row_count++];
  *added = *row;
  added->samples = timing->samples;
  added->repeats = timing->repeats;
  added->seconds = timing->seconds;
  added->low = timing->low;
  added->high = timing->high;
  added->first_seconds = timing->first;
  added->launches = timing->launches;
  if (out->limits.upload > 0) gf__bench_judge(added, &out->limits);
  return GF_OK;
}

gf_status gf__measurement_limits(gf__measurement *m) {
  GF_TRY(gf__measurement_next(m, "limits of the device"));
  return gf__bench_measure_limits(m->device, &m->out->limits);
}

static gf_status measure_opened(gf__measurement *m, const struct form *form) {
  m->start = gf__seconds();
  GF_TRY(gf_device_open(&m->device, m->selector));
  m->out->card = *gf_device_describe(m->device);
  m->count = 1 + form->count(m);
  return form->measure(m);
}

/* What to measure, of each device. */
typedef struct order {
  const gf_bench_options *options;
  const gf_bench_layer_options *layers;
  const gf_bench_train_options *train;
  gf_bench_form form;
} order;

static gf_status measure_device(const order *o, const char *selector, gf_bench_device *out) {
  const struct form *form = &forms[o->form];
  gf__measurement m = {.options = o->options,
                       .layers = o->layers,
                       .train = o->train,
                       .selector = selector,
                       .out = out,
                       .form = o->form,
                       .batch = form->batch,
                       .tune = form->tune,
                       .effort = form->effort};
  gf_status status = measure_opened(&m, form);
  if (m.device) {
    const gf__builds *b = gf__device_builds(m.device);
    out->builds.compiled = b->compiled;
    out->builds.loaded = b->loaded;
    out->builds.compile_seconds = b->compile_seconds;
    out->builds.load_seconds = b->load_seconds;
  }
  gf_device_free(&m.device);
  return status;
}

/* Keeps the message of a device that fails. */
static gf_status measure_one_of_all(const order *o, const gf_device_info *card,
                                    gf_bench_device *out) {
  char selector[32];
  snprintf(selector, sizeof selector, "%d:%d", card->platform, card->index);
  out->card = *card;
  gf_status status = measure_device(o, selector, out);
  if (status == GF_OK || status == GF_ERROR_INTERRUPTED) return status;
  out->failure = gf__text_copy(gf_error_message());
  if (!out->failure) return gf__fail_host_memory(strlen(gf_error_message()) + 1);
  return GF_OK;
}

static gf_status add_devices(gf_bench *bench, int count) {
  bench->devices = calloc((size_t)count, sizeof *bench->devices);
  if (!bench->devices) return gf__fail_host_memory((size_t)count * sizeof *bench->devices);
  bench->device_count = count;
  return GF_OK;
}

static gf_status measure_all(const order *o, gf_bench *bench) {
  gf_device_info *cards = NULL;
  int count = 0, platforms;
  gf_status status = gf_devices_list(&cards, &count, &platforms);
  if (status == GF_OK && count > 0) status = add_devices(bench, count);
  for (int i = 0; status == GF_OK && i < count; i++)
    status = measure_one_of_all(o, &cards[i], &bench->devices[i]);
  gf_devices_free(&cards);
  if (status != GF_OK || count > 0) return status;
  gf_device *none = NULL; /* whose opening says what to install */
  return gf_device_open(&none, NULL);
}

static gf_status measure_one(const order *o, gf_bench *bench) {
  GF_TRY(add_devices(bench, 1));
  return measure_device(o, o->options->device, &bench->devices[0]);
}

static void sign(gf_bench *bench, gf_bench_form form) {
  gf_versions v = gf_versions_get();
  gf__utc_now(bench->date);
  bench->form = form;
  snprintf(bench->program, sizeof bench->program, "%s", v.program);
  snprintf(bench->commit, sizeof bench->commit, "%s", v.commit);
  snprintf(bench->clblast, sizeof bench->clblast, "%s", v.clblast);
  snprintf(bench->opencl_loader, sizeof bench->opencl_loader, "%s", v.opencl_loader);
}

static gf_status measure_order(gf_bench **out, const order *o) {
  gf_bench *bench = *out = calloc(1, sizeof *bench);
  if (!bench) return gf__fail_host_memory(sizeof *bench);
  sign(bench, o->form);
  bool is_all = o->options->device && !strcmp(o->options->device, "all");
  gf_status status = is_all ? measure_all(o, bench) : measure_one(o, bench);
  if (status != GF_OK) gf_bench_free(out);
  return status;
}

gf_bench_options gf_bench_options_default(void) {
  return (gf_bench_options){.form = GF_BENCH_QUICK};
}

gf_status gf_bench_run(gf_bench **out, const gf_bench_options *options) {
  *out = NULL;
  if (options->form != GF_BENCH_QUICK && options->form != GF_BENCH_FULL)
    return gf__fail(GF_ERROR_ARGUMENT, "gf_bench_run takes the quick or the full form, not %d",
                    (int)options->form);
  return measure_order(out, &(order){.options = options, .form = options->form});
}

gf_bench_layer_options gf_bench_layer_options_default(void) {
  return (gf_bench_layer_options){.tune = "off"};
}

gf_status gf_bench_layers(gf_bench **out, const gf_bench_layer_options *what,
                          const gf_bench_options *options) {
  return measure_order(out, &(order){.options = options, .layers = what, .form = GF_BENCH_LAYERS});
}

gf_bench_train_options gf_bench_train_options_default(void) {
  return (gf_bench_train_options){.rounds = 3, .steps = 20};
}

gf_status gf_bench_train(gf_bench **out, const gf_bench_train_options *what,
                         const gf_bench_options *options) {
  *out = NULL;
  if (what->count < 1 || what->rounds < 1 || what->rounds > GF_BENCH_MOST_ROUNDS ||
      what->steps < 1 || what->steps > GF__BENCH_MOST_SAMPLES)
    return gf__fail(
        GF_ERROR_ARGUMENT,
        "%d networks in %d rounds of %d steps: must be at least one, 1 to %d and 1 to %d",
        what->count, what->rounds, what->steps, GF_BENCH_MOST_ROUNDS, GF__BENCH_MOST_SAMPLES);
  return measure_order(out, &(order){.options = options, .train = what, .form = GF_BENCH_TRAIN});
}

void gf_bench_free(gf_bench **bench_pointer) {
  gf_bench *bench = *bench_pointer;
  if (!bench) return;
  for (int i = 0; i < bench->device_count; i++) {
    free(bench->devices[i].rows);
    free(bench->devices[i].failure);
  }
  free(bench->devices);
  free(bench);
  *bench_pointer = NULL;
}
