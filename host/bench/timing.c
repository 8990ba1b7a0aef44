#include "bench/timing.h"

#include <math.h>
#include <stdlib.h>

#include "base/os.h"

/* So that a kernel of microseconds does not fill the queue for long. */
enum { MOST_REPEATS = 2000 };

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

void gf__bench_sort(double *values, int count) {
  qsort(values, (size_t)count, sizeof *values, by_size);
}

double gf__bench_quantile(const double *sorted, int count, double fraction) {
  double place = fraction * (count - 1);
  int below = (int)place;
  if (below >= count - 1) return sorted[count - 1];
  return sorted[below] + (place - below) * (sorted[below + 1] - sorted[below]);
}

static gf_status time_sample(gf_device *device, gf__bench_work *work, void *user, int repeats,
                             double *seconds) {
  double start = gf__seconds();
  for (int i = 0; i < repeats; i++) GF_TRY(work(user));
  GF_TRY(gf_device_finish(device));
  *seconds = (gf__seconds() - start) / repeats;
  return GF_OK;
}

gf_status gf__bench_time(gf_device *device, gf__bench_work *work, void *user,
                         const gf__bench_effort *effort, gf__bench_timing *out) {
  double times[GF__BENCH_MOST_SAMPLES], once;
  *out = (gf__bench_timing){.repeats = 1};
  GF_TRY(time_sample(device, work, user, 1, &out->first));
  long before = gf__device_launches(device);
  GF_TRY(time_sample(device, work, user, 1, &once));
  out->launches = (double)(gf__device_launches(device) - before);
  if (once < effort->sample_seconds)
    out->repeats = (int)fmin(MOST_REPEATS, ceil(effort->sample_seconds / fmax(once, 1e-9)));
  double start = gf__seconds();
  while (out->samples < effort->least ||
         (out->samples < effort->most && gf__seconds() - start < effort->seconds))
    GF_TRY(time_sample(device, work, user, out->repeats, &times[out->samples++]));
  gf__bench_sort(times, out->samples);
  out->fastest = times[0];
  out->seconds = gf__bench_quantile(times, out->samples, 0.5);
  out->low = gf__bench_quantile(times, out->samples, 0.25);
  out->high = gf__bench_quantile(times, out->samples, 0.75);
  return GF_OK;
}
