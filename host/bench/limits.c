#include "bench/limits.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/os.h"
#include "ops/epilogue.h"

/* A limit is the best of at least so many runs, and of as many as take so long: something else that
 * runs meanwhile must not lower it. */
enum { RUNS = 7 };
static const double LEAST_SECONDS = 0.5;
enum { CHAINS = 16 /* as in the kernel */, LAUNCHES = 200 };
/* More than caches hold, less than small devices have; transfers are slower. */
enum { COPY_BYTES = 256 << 20, TRANSFER_BYTES = 64 << 20 };

const char *gf_bound_name(gf_bound bound) {
  static const char *const names[GF_BOUND_COUNT] = {"compute", "memory", "launch", "transfer"};
  return (unsigned)bound < GF_BOUND_COUNT ? names[bound] : "unknown";
}

void gf__bench_judge(gf_bench_row *row, const gf_bench_limits *limits) {
  const double seconds[GF_BOUND_COUNT] = {
      [GF_BOUND_COMPUTE] = row->flops / limits->flops,
      [GF_BOUND_MEMORY] = row->bytes / limits->bytes,
      [GF_BOUND_LAUNCH] = row->launches * limits->launch_seconds,
      [GF_BOUND_TRANSFER] = row->upload_bytes / limits->upload};
  row->bound = GF_BOUND_COMPUTE;
  for (gf_bound b = GF_BOUND_COMPUTE; b < GF_BOUND_COUNT; b++)
    if (seconds[b] > seconds[row->bound]) row->bound = b;
  row->fraction = seconds[row->bound] / row->seconds;
}

/* ---- one limit each ---- */

/* Bytes of which the device holds three or more: whole groups of the widest vectors. */
static size_t fitting(const gf_device *device, size_t wanted) {
  const gf_device_info *info = gf_device_describe(device);
  enum { MULTIPLE = 1024 * 16 * sizeof(float) };
  unsigned long long most = info->memory / 4;
  if (info->max_allocation < most) most = info->max_allocation;
  size_t bytes = most < wanted ? (size_t)most : wanted;
  return bytes > MULTIPLE ? bytes / MULTIPLE * MULTIPLE : MULTIPLE;
}

typedef struct launch {
  gf__kernel *kernel;
  gf__grid grid;
  const gf__arg *args;
  size_t arg_count;
} launch;

/* Seconds of a launch among count of them, at best. */
static gf_status best_of(gf_device *device, const launch *l, int count, double *seconds) {
  double first = gf__seconds();
  *seconds = INFINITY;
  for (int i = 0; i < RUNS || gf__seconds() - first < LEAST_SECONDS; i++) {
    double start = gf__seconds();
    for (int k = 0; k < count; k++) GF_TRY(gf__launch(l->kernel, l->grid, l->args, l->arg_count));
    GF_TRY(gf_device_finish(device));
    *seconds = fmin(*seconds, (gf__seconds() - start) / count);
  }
  return GF_OK;
}

static gf_status measure_flops(gf_device *device, int vector, gf_buffer *out, double *rate) {
  char options[32];
  bool cpu = gf_device_describe(device)->type == GF_DEVICE_CPU;
  int items = cpu ? 8 * gf_device_describe(device)->compute_units : 1 << 18;
  int room = (int)(gf__buffer_size(out) / sizeof(float) / (size_t)vector);
  if (items > room) items = room;
  int iterations = cpu ? 400000 : 4000;
  double seconds;
  launch l;
  snprintf(options, sizeof options, "-DVEC=%d", vector);
  GF_TRY(gf__kernel_get(&l.kernel, device, "peak.cl", "peak_fma", options));
  l.grid = cpu ? gf__grid_single((size_t)items, 1, 1) : gf__grid_flat(device, (size_t)items);
  l.args = (const gf__arg[]){GF_BUFFER(out), GF_INT(iterations), GF_FLOAT(0.5)};
  l.arg_count = 3;
  GF_TRY(best_of(device, &l, 1, &seconds));
  *rate = 2.0 * CHAINS * vector * (double)l.grid.global[0] * (double)iterations / seconds;
  return GF_OK;
}

static gf_status measure_bytes(gf_device *device, int vector, gf_buffer *from, gf_buffer *to,
                               double *rate) {
  char options[32];
  size_t size = gf__buffer_size(from);
  double seconds;
  launch l;
  snprintf(options, sizeof options, "-DVEC=%d", vector);
  GF_TRY(gf__kernel_get(&l.kernel, device, "peak.cl", "peak_copy", options));
  l.grid = gf__grid_flat(device, size / sizeof(float) / (size_t)vector);
  l.args = (const gf__arg[]){GF_BUFFER(from), GF_BUFFER(to)};
  l.arg_count = 2;
  GF_TRY(best_of(device, &l, 1, &seconds));
  *rate = 2.0 * (double)size / seconds;
  return GF_OK;
}

gf_status gf__bench_peaks(gf_device *device, double *flops, double *bytes) {
  gf_buffer *from = NULL, *to = NULL;
  int vector = gf__vector_width(device, 16);
  size_t size = fitting(device, COPY_BYTES);
  gf_status status = gf__buffer_new(&from, device, size, "a copy");
  if (status == GF_OK) status = gf__buffer_new(&to, device, size, "a copy");
  if (status == GF_OK) status = gf__buffer_zero(from);
  if (status == GF_OK) status = measure_flops(device, vector, to, flops);
  if (status == GF_OK) status = measure_bytes(device, vector, from, to, bytes);
  gf__buffer_free(&from);
  gf__buffer_free(&to);
  return status;
}

/* One work-item that stores a number. */
static gf_status measure_launches(gf_device *device, gf_bench_limits *out) {
  gf_buffer *buffer = NULL;
  launch l = {.grid = gf__grid_single(1, 1, 1), .arg_count = 3};
  gf_status status = gf__buffer_new(&buffer, device, sizeof(float), "a number");
  l.args = (const gf__arg[]){GF_BUFFER(buffer), GF_INT(0), GF_FLOAT(0)};
  if (status == GF_OK) status = gf__kernel_get(&l.kernel, device, "peak.cl", "peak_fma", "-DVEC=1");
  if (status == GF_OK) status = best_of(device, &l, LAUNCHES, &out->launch_seconds);
  if (status == GF_OK) status = best_of(device, &l, 1, &out->round_trip_seconds);
  gf__buffer_free(&buffer);
  return status;
}

static gf_status time_transfers(gf_device *device, gf_buffer *buffer, void *memory,
                                gf_bench_limits *out) {
  size_t size = gf__buffer_size(buffer);
  double up = INFINITY, down = INFINITY, first = gf__seconds();
  for (int i = 0; i < RUNS || gf__seconds() - first < LEAST_SECONDS; i++) {
    double start = gf__seconds();
    GF_TRY(gf__buffer_write(buffer, 0, size, memory));
    GF_TRY(gf_device_finish(device));
    double between = gf__seconds();
    GF_TRY(gf__buffer_read(buffer, 0, size, memory));
    up = fmin(up, between - start);
    down = fmin(down, gf__seconds() - between);
  }
  out->upload = (double)size / up;
  out->download = (double)size / down;
  return GF_OK;
}

static gf_status measure_transfers(gf_device *device, gf_bench_limits *out) {
  gf_buffer *buffer = NULL;
  size_t size = fitting(device, TRANSFER_BYTES);
  void *memory = calloc(1, size);
  if (!memory) return gf__fail_host_memory(size);
  gf_status status = gf__buffer_new(&buffer, device, size, "a transfer");
  if (status == GF_OK) status = time_transfers(device, buffer, memory, out);
  gf__buffer_free(&buffer);
  free(memory);
  return status;
}

gf_status gf__bench_measure_limits(gf_device *device, gf_bench_limits *out) {
  GF_TRY(gf__bench_peaks(device, &out->flops, &out->bytes));
  GF_TRY(measure_launches(device, out));
  return measure_transfers(device, out);
}
