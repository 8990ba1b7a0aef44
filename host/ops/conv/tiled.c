/* Implicit matrix product with tiles in local memory, of images, for GPUs (cl/conv2d_tiled.cl). */
#include "ops/conv/options.h"
#include "ops/reduce.h"

/* The sizes in the kernel. */
enum { THREADS = 128, ROWS = 64, DEPTH = 16, MOST_COLUMNS = 64 };

static bool tiled_accepts(const gf__conv_algorithm *self, const gf_device *device,
                          const gf__conv_shape *s, gf__conv_direction direction) {
  (void)self, (void)direction;
  const gf_device_info *info = gf_device_describe(device);
  size_t local = DEPTH * (ROWS + 1 + MOST_COLUMNS + 1) * sizeof(float);
  return gf__window_is_flat(&s->window) && s->groups == 1 && info->work_group_size >= THREADS &&
         info->local_memory >= local;
}

static int tiled_priority(const gf__conv_algorithm *self, const gf_device *device,
                          const gf__conv_shape *s) {
  (void)self, (void)s;
  return gf_device_describe(device)->type == GF_DEVICE_CPU ? -1 : 1;
}

static size_t tiles_over(size_t count, size_t tile) { return (count + tile - 1) / tile; }

static size_t tiled_columns(int n) { return n <= 32 ? 32 : MOST_COLUMNS; }

/* Ranges that the depth of the weight gradient is cut into, so that the few tiles of its result
 * occupy the device. */
static size_t tiled_partials(const gf_device *device, const gf__conv_shape *s) {
  size_t tiles = tiles_over(gf__conv_weights(s) / (size_t)s->filters, ROWS) *
                 tiles_over((size_t)s->filters, tiled_columns(s->filters));
  return tiles_over((size_t)gf__device_parallelism(device), tiles);
}

static size_t tiled_workspace(const gf__conv_algorithm *self, const gf_device *device,
                              const gf__conv_shape *s, gf__conv_direction direction, int batch) {
  (void)self, (void)batch;
  if (direction != GF__CONV_BACKWARD_WEIGHT) return 0;
  size_t partial = tiled_partials(device, s) * gf__conv_weights(s) * sizeof(float);
  size_t sums = gf__column_sums_workspace(device, s->filters);
  return partial > sums ? partial : sums;
}

static gf_status tiled_get_kernel(gf_device *device, const gf__conv_shape *s,
                                  gf__conv_direction direction, int n, const char *name,
                                  gf__kernel **out) {
  char options[GF__CONV_OPTIONS_SIZE];
  gf__conv_options(options, s, "-DPASS=%d -DCOLUMNS=%zu", (int)direction, tiled_columns(n));
  return gf__kernel_get(out, device, "conv2d_tiled.cl", name, options);
}

static gf__grid tiled_grid(const gf__conv_shape *s, int images, size_t rows, int n, size_t depth) {
  return (gf__grid){
      .global = {tiles_over(rows, ROWS) * THREADS, tiles_over((size_t)n, tiled_columns(n)), depth},
      .local = {THREADS, 1, 1},
      .flops = gf__conv_flops(s, images),
      .bytes = gf__conv_bytes(s, images)};
}

static gf_status tiled_multiply(gf_device *device, const gf__conv_shape *s,
                                const gf__conv_operands *o, gf__conv_direction direction,
                                const gf_buffer *left, size_t rows, int n) {
  gf__kernel *kernel;
  GF_TRY(tiled_get_kernel(device, s, direction, n, "conv2d_tiled", &kernel));
  return GF_LAUNCH(kernel, tiled_grid(s, o->n, rows, n, 1), GF_BUFFER(left), GF_BUFFER(o->w),
                   GF_BUFFER(o->out), GF_INT((int)rows), GF_EPILOGUE(&o->epilogue));
}

static gf_status tiled_forward(const gf__conv_algorithm *self, gf_device *device,
                               const gf__conv_shape *s, const gf__conv_operands *o) {
  (void)self;
  size_t rows = (size_t)o->n * gf__window_outputs(&s->window);
  return tiled_multiply(device, s, o, GF__CONV_FORWARD, o->x, rows, s->filters);
}

static gf_status tiled_backward_data(const gf__conv_algorithm *self, gf_device *device,
                                     const gf__conv_shape *s, const gf__conv_operands *o) {
  (void)self;
  size_t rows = (size_t)o->n * gf__window_inputs(&s->window);
  return tiled_multiply(device, s, o, GF__CONV_BACKWARD_DATA, o->dy, rows, s->c);
}

static gf_status tiled_backward_weight(const gf__conv_algorithm *self, gf_device *device,
                                       const gf__conv_shape *s, const gf__conv_operands *o) {
  (void)self;
  gf__kernel *kernel;
  size_t rows = gf__conv_weights(s) / (size_t)s->filters, partials = tiled_partials(device, s);
  int depth = o->n * (int)gf__window_outputs(&s->window), all = (int)gf__conv_weights(s);
  GF_TRY(tiled_get_kernel(device, s, GF__CONV_BACKWARD_WEIGHT, s->filters, "conv2d_tiled_weight",
                          &kernel));
  GF_TRY(GF_LAUNCH(kernel, tiled_grid(s, o->n, rows, s->filters, partials), GF_BUFFER(o->x),
                   GF_BUFFER(o->dy), GF_BUFFER(o->workspace), GF_INT(depth)));
  GF_TRY(gf__sum_partials(device, all, all, (int)partials, o->workspace, o->out));
  if (!o->bias_out) return GF_OK;
  return gf__column_sums(device, depth, s->filters, o->dy, o->bias_out, o->workspace);
}

const gf__conv_algorithm gf__conv_tiled = {
    .name = "tiled",
    .needs = "work-groups of 128 work-items and 8.2 KiB of local memory",
    .accepts = tiled_accepts,
    .priority = tiled_priority,
    .workspace = tiled_workspace,
    .run = {tiled_forward, tiled_backward_data, tiled_backward_weight},
};
