/* Results in the shape of Google Benchmark's JSON, so that its tools read them. */
#ifndef BENCH_JSON_H
#define BENCH_JSON_H

#include <gradflow.h>
#include <jansson.h>

#include "bench/timing.h"

/* {"context": {…}, "benchmarks": []} with the device, driver, versions and date. */
json_t *bench_open(const char *executable, const gf_device_info *device);
/* Adds a row, which the results own; items: of one repetition. */
json_t *bench_add(json_t *results, const char *name, const gf__bench_timing *timing, double items);
/* Writes to path, or to stdout if path is NULL, and frees. Returns an exit code. */
int bench_close(json_t *results, const char *path);

#endif
