#include "ops/conv3d.h"

#include <stdio.h>

#include "ops/reduce.h"

enum {
  MOST_TILE = 8,         /* accumulators that fill a CPU's registers with their operands */
  MOST_PARTIAL = 4 << 20 /* floats of a weight gradient's parts */
};

gf_status gf__conv3d_infer(gf__conv3d_shape *s) {
  for (int a = 0; a < 3; a++) {
    int room = s->size[a] + 2 * s->padding[a] - s->kernel[a];
    if (room < 0)
      return gf__fail(GF_ERROR_SHAPE,
                      "a %dx%dx%d kernel does not fit a %dx%dx%d volume with padding %dx%dx%d",
                      s->kernel[0], s->kernel[1], s->kernel[2], s->size[0], s->size[1], s->size[2],
                      s->padding[0], s->padding[1], s->padding[2]);
    s->out[a] = room / s->stride[a] + 1;
  }
  return GF_OK;
}

static int product(const int v[3]) { return v[0] * v[1] * v[2]; }

static int weights_of(const gf__conv3d_shape *s) { return product(s->kernel) * s->c * s->filters; }

/* Each part's sum is one work-item's, so a GPU wants many of them. */
static int parts_of(const gf_device *device, const gf__conv3d_shape *s) {
  int most = MOST_PARTIAL / weights_of(s), parts = 4 * gf__device_parallelism(device);
  if (parts > most) parts = most;
  return parts > 1 ? parts : 1;
}

size_t gf__conv3d_workspace(const gf_device *device, const gf__conv3d_shape *s) {
  size_t floats = (size_t)weights_of(s) * (size_t)parts_of(device, s);
  size_t bytes = floats * sizeof(float), bias = gf__column_sums_workspace(device, s->filters);
  return bytes > bias ? bytes : bias;
}

static int divisor_of(int count, int most) {
  while (count % most) most--;
  return most;
}

double gf__conv3d_flops(const gf__conv3d_shape *s) {
  return 2.0 * product(s->out) * (double)weights_of(s);
}

static void describe(gf__grid *grid, const gf__conv3d_shape *s, int n) {
  grid->flops = n * gf__conv3d_flops(s);
  grid->bytes = 4.0 * n * ((double)product(s->size) * s->c + (double)product(s->out) * s->filters);
}

/* What the kernels read and what they write. */
typedef struct side {
  const int *size;
  int c;
} side;

static gf_status get_kernel(gf_device *device, const gf__conv3d_shape *s, side from, side to,
                            const char *name, gf__kernel **out) {
  char options[512];
  snprintf(options, sizeof options,
           "-DFD=%d -DFH=%d -DFW=%d -DC=%d -DTD=%d -DTH=%d -DTW=%d -DF=%d -DKD=%d -DKH=%d -DKW=%d "
           "-DSD=%d -DSH=%d -DSW=%d -DPD=%d -DPH=%d -DPW=%d -DVEC=%d -DTILE=%d -DCHANNELS=%d "
           "-DBACKWARD=%d",
           from.size[0], from.size[1], from.size[2], from.c, to.size[0], to.size[1], to.size[2],
           to.c, s->kernel[0], s->kernel[1], s->kernel[2], s->stride[0], s->stride[1], s->stride[2],
           s->padding[0], s->padding[1], s->padding[2], gf__vector_width(device, to.c),
           divisor_of(to.size[2], MOST_TILE), divisor_of(from.c, MOST_TILE), from.size == s->out);
  return gf__kernel_get(out, device, "conv3d.cl", name, options);
}

static gf_status convolve(gf_device *device, const gf__conv3d_shape *s, const gf__conv3d_run *r,
                          side from, side to, const gf_buffer *x, const gf_buffer *weights) {
  gf__kernel *kernel;
  GF_TRY(get_kernel(device, s, from, to, "conv3d", &kernel));
  int tiles = product(to.size) / divisor_of(to.size[2], MOST_TILE);
  int count = r->n * tiles * (to.c / gf__vector_width(device, to.c));
  gf__grid grid = gf__grid_flat(device, (size_t)count);
  describe(&grid, s, r->n);
  return GF_LAUNCH(kernel, grid, GF_BUFFER(x), GF_BUFFER(weights), GF_BUFFER(r->out), GF_INT(count),
                   GF_EPILOGUE(&r->epilogue));
}

gf_status gf__conv3d(gf_device *device, const gf__conv3d_shape *s, const gf__conv3d_run *r) {
  return convolve(device, s, r, (side){s->size, s->c}, (side){s->out, s->filters}, r->x, r->w);
}

gf_status gf__conv3d_backward_data(gf_device *device, const gf__conv3d_shape *s,
                                   const gf__conv3d_run *r) {
  gf__kernel *kernel;
  side from = {s->out, s->filters}, to = {s->size, s->c};
  int weights = weights_of(s);
  GF_TRY(get_kernel(device, s, from, to, "transpose_weights", &kernel));
  GF_TRY(GF_LAUNCH(kernel, gf__grid_flat(device, (size_t)weights), GF_BUFFER(r->w),
                   GF_BUFFER(r->workspace), GF_INT(weights)));
  return convolve(device, s, r, from, to, r->dy, r->workspace);
}

gf_status gf__conv3d_backward_weight(gf_device *device, const gf__conv3d_shape *s,
                                     const gf__conv3d_run *r) {
  gf__kernel *kernel;
  side from = {s->size, s->c}, to = {s->out, s->filters};
  int weights = weights_of(s), parts = parts_of(device, s);
  int count = weights / gf__vector_width(device, s->filters) / divisor_of(s->c, MOST_TILE);
  GF_TRY(get_kernel(device, s, from, to, "conv3d_weight", &kernel));
  gf__grid grid = gf__grid_flat(device, (size_t)count);
  grid.global[1] = (size_t)parts;
  describe(&grid, s, r->n);
  GF_TRY(GF_LAUNCH(kernel, grid, GF_BUFFER(r->x), GF_BUFFER(r->dy), GF_BUFFER(r->workspace),
                   GF_INT(count), GF_INT(r->n), GF_INT(parts)));
  GF_TRY(gf__sum_parts(device, weights, weights, parts, r->workspace, r->out));
  if (!r->bias_out) return GF_OK;
  return gf__column_sums(device, r->n * product(s->out), s->filters, r->dy, r->bias_out,
                         r->workspace);
}
