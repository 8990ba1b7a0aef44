/* Implicit matrix product with tiles in local memory, for GPUs (cl/conv2d_tiled.cl). */
#include "ops/conv2d/shape_options.h"
#include "ops/reduce.h"

/* As in the kernel. */
enum { THREADS = 128, ROWS = 64, DEPTH = 16, MOST_COLUMNS = 64 };

static bool accepts(const gf_device *device, const gf__conv2d_shape *s, gf__conv2d_pass pass) {
  (void)s, (void)pass;
  const gf_device_info *info = gf_device_describe(device);
  size_t local = DEPTH * (ROWS + 1 + MOST_COLUMNS + 1) * sizeof(float);
  return info->work_group_size >= THREADS && info->local_memory >= local;
}

static int rank(const gf_device *device, const gf__conv2d_shape *s) {
  (void)s;
  return gf_device_describe(device)->type == GF_DEVICE_CPU ? -1 : 1;
}

static size_t groups(size_t count, size_t tile) { return (count + tile - 1) / tile; }

static size_t columns(int n) { return n <= 32 ? 32 : MOST_COLUMNS; }

static size_t weights(const gf__conv2d_shape *s) {
  return (size_t)(s->kernel[0] * s->kernel[1] * s->c) * (size_t)s->filters;
}

/* Parts that the depth of the weight gradient is cut into, so that the few
 * tiles of its result occupy the device. */
static size_t parts(const gf_device *device, const gf__conv2d_shape *s) {
  size_t tiles = groups(weights(s) / (size_t)s->filters, ROWS) *
                 groups((size_t)s->filters, columns(s->filters));
  return groups((size_t)gf__device_parallelism(device), tiles);
}

static size_t workspace(const gf_device *device, const gf__conv2d_shape *s, gf__conv2d_pass pass,
                        int batch) {
  (void)batch;
  if (pass != GF__CONV2D_BACKWARD_WEIGHT) return 0;
  size_t partial = parts(device, s) * weights(s) * sizeof(float);
  size_t sums = gf__column_sums_workspace(device, s->filters);
  return partial > sums ? partial : sums;
}

static gf_status get_kernel(gf_device *device, const gf__conv2d_shape *s, gf__conv2d_pass pass,
                            int n, const char *name, gf__kernel **out) {
  char options[GF__SHAPE_OPTIONS_SIZE];
  gf__conv2d_options(options, s, "-DPASS=%d -DCOLUMNS=%zu", (int)pass, columns(n));
  return gf__kernel_get(out, device, "conv2d_tiled.cl", name, options);
}

static gf__grid tiles_grid(const gf__conv2d_shape *s, int images, size_t rows, int n,
                           size_t depth) {
  return (gf__grid){.global = {groups(rows, ROWS) * THREADS, groups((size_t)n, columns(n)), depth},
                    .local = {THREADS, 1, 1},
                    .flops = gf__conv2d_flops(s, images),
                    .bytes = gf__conv2d_bytes(s, images)};
}

static gf_status multiply(gf_device *device, const gf__conv2d_shape *s, const gf__conv2d_run *r,
                          gf__conv2d_pass pass, const gf_buffer *left, size_t rows, int n) {
  gf__kernel *kernel;
  GF_TRY(get_kernel(device, s, pass, n, "conv2d_tiled", &kernel));
  return GF_LAUNCH(kernel, tiles_grid(s, r->n, rows, n, 1), GF_BUFFER(left), GF_BUFFER(r->w),
                   GF_BUFFER(r->out), GF_INT((int)rows), GF_EPILOGUE(&r->epilogue));
}

static gf_status forward(gf_device *device, const gf__conv2d_shape *s, const gf__conv2d_run *r) {
  size_t rows = (size_t)r->n * (size_t)s->out_h * (size_t)s->out_w;
  return multiply(device, s, r, GF__CONV2D_FORWARD, r->x, rows, s->filters);
}

static gf_status backward_data(gf_device *device, const gf__conv2d_shape *s,
                               const gf__conv2d_run *r) {
  size_t rows = (size_t)r->n * (size_t)s->h * (size_t)s->w;
  return multiply(device, s, r, GF__CONV2D_BACKWARD_DATA, r->dy, rows, s->c);
}

static gf_status backward_weight(gf_device *device, const gf__conv2d_shape *s,
                                 const gf__conv2d_run *r) {
  gf__kernel *kernel;
  size_t rows = weights(s) / (size_t)s->filters, part_count = parts(device, s);
  int depth = r->n * s->out_h * s->out_w, all = (int)weights(s);
  GF_TRY(get_kernel(device, s, GF__CONV2D_BACKWARD_WEIGHT, s->filters, "conv2d_tiled_weight",
                    &kernel));
  GF_TRY(GF_LAUNCH(kernel, tiles_grid(s, r->n, rows, s->filters, part_count), GF_BUFFER(r->x),
                   GF_BUFFER(r->dy), GF_BUFFER(r->workspace), GF_INT(depth)));
  GF_TRY(gf__sum_parts(device, all, all, (int)part_count, r->workspace, r->out));
  if (!r->bias_out) return GF_OK;
  return gf__column_sums(device, depth, s->filters, r->dy, r->bias_out, r->workspace);
}

const gf__conv2d_algorithm gf__conv2d_tiled = {
    .name = "tiled",
    .needs = "work-groups of 128 work-items and 8.2 KiB of local memory",
    .accepts = accepts,
    .rank = rank,
    .workspace = workspace,
    .run = {forward, backward_data, backward_weight},
};
