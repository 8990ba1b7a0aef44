/* Images a second of the study's networks, in training and in inference, with
 * one constant batch in host memory, or with the loader on. */
#include <popt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "bench/step.h"
#include "bench_json.h"

static char *networks = "plain7,plain37,residual37,plain37_batch_norm", *selector = NULL,
            *out = NULL, *settings = NULL, *data = NULL;
static int batch = 100, statistics = 0;
static double seconds = 5;

static const struct poptOption options[] = {
    {"networks", 'n', POPT_ARG_STRING | POPT_ARGFLAG_SHOW_DEFAULT, &networks, 0,
     "configs to run, by name", "NAME,…"},
    {"batch", 'b', POPT_ARG_INT | POPT_ARGFLAG_SHOW_DEFAULT, &batch, 0, "images of a step", "N"},
    {"seconds", 's', POPT_ARG_DOUBLE | POPT_ARGFLAG_SHOW_DEFAULT, &seconds, 0,
     "how long to repeat each", "S"},
    {"set", 0, POPT_ARG_STRING, &settings, 0, "a setting for every config", "KEY=VALUE"},
    {"data", 0, POPT_ARG_STRING, &data, 0, "train on the loader's batches of this CIFAR-100",
     "FOLDER"},
    {"statistics", 0, POPT_ARG_NONE, &statistics, 0, "gradient statistics in every step", NULL},
    {"device", 'd', POPT_ARG_STRING, &selector, 0, "as of gradflow train", "D"},
    {"out", 'o', POPT_ARG_STRING, &out, 0, "JSON file; standard output if absent", "FILE"},
    POPT_AUTOHELP POPT_TABLEEND};

typedef struct subject {
  gf_device *device;
  gf_config *config;
  gf__bench_step step;
  gf_gradient_stats *gradients; /* NULL: no statistics */
  gf_dataset *dataset;          /* NULL: the constant batch */
  gf_loader *loader;
  int epoch;
} subject;

/* The next whole batch of the loader, or the constant one. */
static gf_status next_batch(subject *s, gf_batch *next) {
  *next = s->step.batch;
  if (!s->loader) return GF_OK;
  GF_TRY(gf_loader_next(s->loader, next));
  if (next->count == batch) return GF_OK;
  GF_TRY(gf_loader_start(s->loader, ++s->epoch, 0));
  return gf_loader_next(s->loader, next);
}

static gf_status training_step(void *user) {
  subject *s = user;
  gf_batch next;
  GF_TRY(next_batch(s, &next));
  return gf_trainer_step(s->step.trainer, next.images, next.labels, batch, 1e-3, NULL,
                         s->gradients);
}

static gf_status inference_step(void *user) {
  subject *s = user;
  return gf_model_forward(s->step.model, s->step.images, s->step.labels, batch, 0, NULL);
}

/* first_step: seconds, or 0 if that was not this mode. */
static gf_status measure(subject *s, gf__bench_work *step, const char *mode, const char *network,
                         double first_step, json_t *results) {
  gf__bench_effort effort = {.least = 5, .most = GF__BENCH_MOST_SAMPLES, .seconds = seconds};
  gf__bench_timing timing;
  char name[128];
  GF_TRY(gf__bench_time(s->device, step, s, &effort, &timing));
  snprintf(name, sizeof name, "%s/%s/batch:%d", mode, network, batch);
  json_t *row = bench_add(results, name, &timing, batch);
  json_object_set_new(row, "host_bytes", json_integer((json_int_t)gf__peak_memory()));
  json_object_set_new(row, "device_bytes",
                      json_integer((json_int_t)gf__device_allocated_peak(s->device)));
  if (first_step > 0) json_object_set_new(row, "first_step_seconds", json_real(first_step));
  fprintf(stderr, "%-40s %8.1f images/s\n", name, batch / timing.seconds);
  return GF_OK;
}

static gf_status open_loader(subject *s) {
  char assignment[512];
  snprintf(assignment, sizeof assignment, "data.path=%s", data);
  GF_TRY(gf_config_set(s->config, assignment));
  GF_TRY(gf_dataset_open(&s->dataset, s->config, GF_SPLIT_TRAIN));
  gf_loader_options loading = {.batch_size = batch, .training = 1};
  GF_TRY(gf_loader_open(&s->loader, s->dataset, &loading));
  return gf_loader_start(s->loader, 0, 0);
}

static gf_status prepare(subject *s, const char *network, double *first_step) {
  char path[512];
  double begun = gf__seconds();
  snprintf(path, sizeof path, "%s/configs/%s.yaml", SOURCE_FOLDER, network);
  GF_TRY(gf_config_load(&s->config, path));
  if (settings) GF_TRY(gf_config_set(s->config, settings));
  GF_TRY(gf_device_open(&s->device, selector));
  GF_TRY(gf__bench_step_open(&s->step, s->device, s->config, batch));
  size_t tensors = (size_t)gf_trainer_gradient_count(s->step.trainer);
  if (statistics && !(s->gradients = calloc(tensors, sizeof *s->gradients)))
    return gf__fail_host_memory(tensors * sizeof *s->gradients);
  if (data) GF_TRY(open_loader(s));
  GF_TRY(training_step(s));
  *first_step = gf__seconds() - begun;
  return GF_OK;
}

static gf_status run_network(const char *network, json_t **results) {
  subject s = {0};
  double first_step = 0;
  gf_status status = prepare(&s, network, &first_step);
  if (status == GF_OK && !*results)
    *results = bench_open("bench_train", gf_device_describe(s.device));
  if (status == GF_OK)
    status = measure(&s, training_step, "training", network, first_step, *results);
  if (status == GF_OK) status = measure(&s, inference_step, "inference", network, 0, *results);
  free(s.gradients);
  gf_loader_free(&s.loader);
  gf_dataset_free(&s.dataset);
  gf__bench_step_free(&s.step);
  gf_device_free(&s.device);
  gf_config_free(&s.config);
  return status;
}

int main(int argc, const char **argv) {
  poptContext context = poptGetContext("bench_train", argc, argv, options, 0);
  int code = poptGetNextOpt(context);
  if (code < -1 || batch < 1) {
    fprintf(stderr, "bench_train: %s: %s\n", poptBadOption(context, 0), poptStrerror(code));
    return 2;
  }
  json_t *results = NULL;
  gf_status status = GF_OK;
  char *list = strdup(networks);
  for (char *at = list, *name; status == GF_OK && (name = strsep(&at, ","));)
    status = run_network(name, &results);
  free(list);
  poptFreeContext(context);
  if (status == GF_OK) return bench_close(results, out);
  fprintf(stderr, "bench_train: %s\n", gf_error_message());
  json_decref(results);
  return 1;
}
