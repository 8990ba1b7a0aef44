/* Times of something that is repeated: the median and the quartiles. */
#ifndef GF_BENCH_TIMING_H
#define GF_BENCH_TIMING_H

#include "device/device.h"

enum { GF__BENCH_MOST_SAMPLES = 4096 };

/* How long is measured: until there are least samples and either most of them or seconds are over.
 * A sample is as many repetitions as take sample_seconds, at least one. */
typedef struct gf__bench_effort {
  int least, most; /* at most GF__BENCH_MOST_SAMPLES */
  double sample_seconds, seconds;
} gf__bench_effort;

typedef struct gf__bench_timing {
  int samples, repeats;
  double seconds, low, high; /* of one repetition: the median and the quartiles */
  double fastest;
  double first;    /* of the very first one */
  double launches; /* of one */
} gf__bench_timing;

/* Queues one repetition; it may wait for it. */
typedef gf_status gf__bench_work(void *user);

gf_status gf__bench_time(gf_device *device, gf__bench_work *work, void *user,
                         const gf__bench_effort *effort, gf__bench_timing *out) GF_MUST_USE;

/* Into ascending order. */
void gf__bench_sort(double *values, int count);
/* The value below which that fraction of count >= 1 sorted values lies, between two of them where
 * it falls there (Hyndman and Fan, 1996, type 7). */
double gf__bench_quantile(const double *sorted, int count, double fraction);

#endif
