/* A device that is being measured: what the files of host/bench work on. */
#ifndef GF_BENCH_BENCH_H
#define GF_BENCH_BENCH_H

#include <gradflow/bench.h>

#include "bench/timing.h"

typedef struct gf__measurement {
  const gf_bench_options *options;
  const gf_bench_layer_options *layers; /* of gf_bench_layers; or NULL */
  const gf_bench_train_options *train;  /* of gf_bench_train; or NULL */
  gf_device *device;
  const char *selector; /* of the device */
  gf_bench_device *out;
  int done, count; /* measurements */
  double start;    /* when the device was opened, as of gf__seconds */
  gf_bench_form form;
  int batch;
  const char *tune;
  gf__bench_effort effort;
} gf__measurement;

/* Reports what is measured next; GF_ERROR_INTERRUPTED where the caller stops. */
gf_status gf__measurement_next(gf__measurement *m, const char *what) GF_MUST_USE;
/* Measures the device's limits. */
gf_status gf__measurement_limits(gf__measurement *m) GF_MUST_USE;
/* Adds the row of a timing to the device's results. */
gf_status gf__measurement_add(gf__measurement *m, const gf_bench_row *row,
                              const gf__bench_timing *timing) GF_MUST_USE;

/* How many measurements each of the next two makes, which are those of gf_bench_run. */
int gf__bench_count_operations(void);
int gf__bench_count_steps(const gf__measurement *m);
gf_status gf__bench_operations(gf__measurement *m) GF_MUST_USE;
gf_status gf__bench_steps(gf__measurement *m) GF_MUST_USE;
/* What gf_bench_layers and gf_bench_train measure, by m->layers and m->train. */
int gf__bench_count_layers(const gf__measurement *m);
int gf__bench_count_training(const gf__measurement *m);
gf_status gf__bench_layers(gf__measurement *m) GF_MUST_USE;
gf_status gf__bench_training(gf__measurement *m) GF_MUST_USE;

#endif
