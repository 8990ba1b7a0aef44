#include "peaks.h"

#include <math.h>
#include <stdio.h>

#include "base/os.h"
#include "ops/epilogue.h"

enum { RUNS = 7, COPY_BYTES = 256 << 20, CHAINS = 16 /* as in the kernel */ };

static gf_status best_of(gf_device *device, gf__kernel *kernel, gf__grid grid, const gf__arg *args,
                         size_t count, double *seconds) {
  *seconds = INFINITY;
  for (int i = 0; i < RUNS; i++) {
    double begun = gf__seconds();
    GF_TRY(gf__launch(kernel, grid, args, count));
    GF_TRY(gf_device_finish(device));
    *seconds = fmin(*seconds, gf__seconds() - begun);
  }
  return GF_OK;
}

static gf_status measure_flops(gf_device *device, int vector, gf__buffer *out, double *rate) {
  gf__kernel *kernel;
  char options[32];
  bool cpu = gf_device_describe(device)->type == GF_DEVICE_CPU;
  int items = cpu ? 8 * gf_device_describe(device)->compute_units : 1 << 18;
  int iterations = cpu ? 400000 : 4000;
  double seconds;
  snprintf(options, sizeof options, "-DVEC=%d", vector);
  GF_TRY(gf__kernel_get(&kernel, device, "peak.cl", "peak_fma", options));
  gf__grid grid = cpu ? gf__grid_single((size_t)items, 1, 1) : gf__grid_flat(device, (size_t)items);
  const gf__arg args[] = {GF_BUFFER(out), GF_INT(iterations), GF_FLOAT(0.5)};
  GF_TRY(best_of(device, kernel, grid, args, 3, &seconds));
  *rate = 2.0 * CHAINS * vector * items * (double)iterations / seconds;
  return GF_OK;
}

static gf_status measure_bytes(gf_device *device, int vector, gf__buffer *from, gf__buffer *to,
                               double *rate) {
  gf__kernel *kernel;
  char options[32];
  double seconds;
  snprintf(options, sizeof options, "-DVEC=%d", vector);
  GF_TRY(gf__kernel_get(&kernel, device, "peak.cl", "peak_copy", options));
  gf__grid grid = gf__grid_flat(device, COPY_BYTES / sizeof(float) / (size_t)vector);
  const gf__arg args[] = {GF_BUFFER(from), GF_BUFFER(to)};
  GF_TRY(best_of(device, kernel, grid, args, 2, &seconds));
  *rate = 2.0 * COPY_BYTES / seconds;
  return GF_OK;
}

gf_status peaks_measure(gf_device *device, peaks *out) {
  gf__buffer *from = NULL, *to = NULL;
  int vector = gf__vector_width(device, 16);
  gf_status status = gf__buffer_new(&from, device, COPY_BYTES, "a copy");
  if (status == GF_OK) status = gf__buffer_new(&to, device, COPY_BYTES, "a copy");
  if (status == GF_OK) status = gf__buffer_zero(from);
  if (status == GF_OK) status = measure_flops(device, vector, to, &out->flops);
  if (status == GF_OK) status = measure_bytes(device, vector, from, to, &out->bytes);
  gf__buffer_free(&from);
  gf__buffer_free(&to);
  return status;
}
