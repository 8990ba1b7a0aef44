/* What the files of host/bench share: a device that is being measured. */
#ifndef GF_BENCH_BENCH_H
#define GF_BENCH_BENCH_H

#include <gradflow/bench.h>

#include "bench/timing.h"

typedef struct gf__bench_run {
  const gf_bench_options *options;
  gf_device *device;
  const char *selector; /* of the device */
  gf_bench_device *out;
  int done, count; /* measurements */
  int batch;
  const char *tune;
  gf__bench_effort effort;
} gf__bench_run;

/* Before each measurement; GF_ERROR_INTERRUPTED where the caller stops. */
gf_status gf__bench_begin(gf__bench_run *run, const char *what) GF_MUST_USE;
/* Adds the row of a timing. The run owns it until the next one is added. */
gf_status gf__bench_add(gf__bench_run *run, const gf_bench_row *row,
                        const gf__bench_timing *timing) GF_MUST_USE;

/* Measurements that each of these makes. */
int gf__bench_count_operations(void);
int gf__bench_count_steps(const gf__bench_run *run);
gf_status gf__bench_operations(gf__bench_run *run) GF_MUST_USE;
gf_status gf__bench_steps(gf__bench_run *run) GF_MUST_USE;

#endif
