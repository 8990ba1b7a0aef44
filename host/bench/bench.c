/* gf_bench_run: the devices one after another. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "bench/bench.h"
#include "bench/limits.h"

static const struct {
  int batch;
  const char *tune;
  gf__bench_effort effort;
} forms[] = {
    [GF_BENCH_QUICK] = {25,
                        "off",
                        {.least = 5, .most = 25, .sample_seconds = 0.01, .seconds = 0.6}},
    [GF_BENCH_FULL] = {100, "fast", {.least = 9, .most = 51, .sample_seconds = 0.02, .seconds = 3}},
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
  size_t bytes = (size_t)(out->row_count + 1) * sizeof *out->rows;
  gf_bench_row *rows = realloc(out->rows, bytes);
  if (!rows) return gf__fail_host_memory(bytes);
  out->rows = rows;
  gf_bench_row *added = &rows[out->row_count++];
  *added = *row;
  added->samples = timing->samples;
  added->repeats = timing->repeats;
  added->seconds = timing->seconds;
  added->low = timing->low;
  added->high = timing->high;
  added->first_seconds = timing->first;
  added->launches = timing->launches;
  gf__bench_judge(added, &out->limits);
  return GF_OK;
}

static gf_status measure(gf__measurement *m) {
  GF_TRY(gf_device_open(&m->device, m->selector));
  m->out->card = *gf_device_describe(m->device);
  m->count = 1 + gf__bench_count_operations() + gf__bench_count_steps(m);
  GF_TRY(gf__measurement_next(m, "limits of the device"));
  GF_TRY(gf__bench_measure_limits(m->device, &m->out->limits));
  GF_TRY(gf__bench_operations(m));
  return gf__bench_steps(m);
}

static gf_status measure_device(const gf_bench_options *options, const char *selector,
                                gf_bench_device *out) {
  gf__measurement m = {.options = options,
                       .selector = selector,
                       .out = out,
                       .batch = forms[options->form].batch,
                       .tune = forms[options->form].tune,
                       .effort = forms[options->form].effort};
  gf_status status = measure(&m);
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
static gf_status measure_one_of_all(const gf_bench_options *options, const gf_device_info *card,
                                    gf_bench_device *out) {
  char selector[32];
  snprintf(selector, sizeof selector, "%d:%d", card->platform, card->index);
  out->card = *card;
  gf_status status = measure_device(options, selector, out);
  if (status == GF_OK || status == GF_ERROR_INTERRUPTED) return status;
  const char *message = gf_error_message();
  out->failure = malloc(strlen(message) + 1);
  if (!out->failure) return gf__fail_host_memory(strlen(message) + 1);
  strcpy(out->failure, message);
  return GF_OK;
}

static gf_status add_devices(gf_bench *bench, int count) {
  bench->devices = calloc((size_t)count, sizeof *bench->devices);
  if (!bench->devices) return gf__fail_host_memory((size_t)count * sizeof *bench->devices);
  bench->device_count = count;
  return GF_OK;
}

static gf_status measure_all(const gf_bench_options *options, gf_bench *bench) {
  gf_device_info *cards = NULL;
  int count = 0, platforms;
  gf_status status = gf_devices_list(&cards, &count, &platforms);
  if (status == GF_OK && count > 0) status = add_devices(bench, count);
  for (int i = 0; status == GF_OK && i < count; i++)
    status = measure_one_of_all(options, &cards[i], &bench->devices[i]);
  gf_devices_free(&cards);
  if (status != GF_OK || count > 0) return status;
  gf_device *none = NULL; /* whose opening says what to install */
  return gf_device_open(&none, NULL);
}

static gf_status measure_one(const gf_bench_options *options, gf_bench *bench) {
  GF_TRY(add_devices(bench, 1));
  return measure_device(options, options->device, &bench->devices[0]);
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

gf_status gf_bench_run(gf_bench **out, const gf_bench_options *options) {
  gf_bench *bench = *out = calloc(1, sizeof *bench);
  if (!bench) return gf__fail_host_memory(sizeof *bench);
  sign(bench, options->form);
  bool is_all = options->device && !strcmp(options->device, "all");
  gf_status status = is_all ? measure_all(options, bench) : measure_one(options, bench);
  if (status != GF_OK) gf_bench_free(out);
  return status;
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
