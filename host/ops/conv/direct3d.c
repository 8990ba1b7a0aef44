/* Direct convolution on every device (cl/conv3d.cl): of volumes, and of images and volumes in
 * groups. */
#include <stdio.h>

#include "ops/conv/conv.h"
#include "ops/reduce.h"

enum {
  MOST_TILE = 8,         /* accumulators that fill a CPU's registers with their operands */
  MOST_PARTIAL = 4 << 20 /* floats of a weight gradient's partial sums */
};

static bool direct3d_accepts(const gf__conv_algorithm *self, const gf_device *device,
                             const gf__conv_shape *s, gf__conv_direction direction) {
  (void)self, (void)device, (void)direction;
  const int *dilation = s->window.dilation;
  return s->groups == 1 && dilation[0] == 1 && dilation[1] == 1 && dilation[2] == 1;
}

static bool grouped_accepts(const gf__conv_algorithm *self, const gf_device *device,
                            const gf__conv_shape *s, gf__conv_direction direction) {
  (void)self, (void)device, (void)direction;
  return s->groups > 1;
}

static int grouped_priority(const gf__conv_algorithm *self, const gf_device *device,
                            const gf__conv_shape *s) {
  (void)self, (void)device, (void)s;
  return 0;
}

/* For images there are faster ones. */
static int direct3d_priority(const gf__conv_algorithm *self, const gf_device *device,
                             const gf__conv_shape *s) {
  (void)self, (void)device;
  return gf__window_is_flat(&s->window) ? -1 : 1;
}

/* Each partial sum is one work-item's, so a GPU wants many of them. */
static int direct3d_partials(const gf_device *device, const gf__conv_shape *s) {
  int most = MOST_PARTIAL / (int)gf__conv_weights(s);
  int partials = 4 * gf__device_parallelism(device);
  if (partials > most) partials = most;
  return partials > 1 ? partials : 1;
}

static size_t direct3d_workspace(const gf__conv_algorithm *self, const gf_device *device,
                                 const gf__conv_shape *s, gf__conv_direction direction, int batch) {
  (void)self, (void)batch;
  size_t weights = gf__conv_weights(s) * sizeof(float);
  if (direction == GF__CONV_FORWARD) return 0;
  if (direction == GF__CONV_BACKWARD_DATA) return weights;
  size_t partial = weights * (size_t)direct3d_partials(device, s);
  size_t bias = gf__column_sums_workspace(device, s->filters);
  return partial > bias ? partial : bias;
}

/* The largest number up to most that divides count. */
static int divisor_of(int count, int most) {
  while (count % most) most--;
  return most;
}

/* What a kernel reads, or what it writes. */
typedef struct side {
  const int *size;
  int c, group; /* channels: all, and of a group */
} side;

static side input_of(const gf__conv_shape *s) {
  return (side){s->window.size, s->c, gf__conv_group_channels(s)};
}

static side output_of(const gf__conv_shape *s) {
  return (side){s->window.out, s->filters, s->filters / s->groups};
}

/* A vector of channels is of one group or, where both sides have as many, of whole ones. */
static int width_of(const gf_device *device, side from, side to) {
  int width = gf__vector_width(device, to.c);
  bool is_whole = from.group == to.group && width % to.group == 0;
  return is_whole ? width : gf__vector_width(device, to.group);
}

static gf_status direct3d_kernel(gf_device *device, const gf__conv_shape *s, side from, side to,
                                 const char *name, gf__kernel **out) {
  char options[512];
  const gf__window *w = &s->window;
  snprintf(options, sizeof options,
           "-DFD=%d -DFH=%d -DFW=%d -DC=%d -DTD=%d -DTH=%d -DTW=%d -DF=%d -DKD=%d -DKH=%d -DKW=%d "
           "-DSD=%d -DSH=%d -DSW=%d -DPD=%d -DPH=%d -DPW=%d -DDD=%d -DDH=%d -DDW=%d -DCG=%d "
           "-DFG=%d -DVEC=%d -DTILE=%d -DCHANNELS=%d -DBACKWARD=%d",
           from.size[0], from.size[1], from.size[2], from.c, to.size[0], to.size[1], to.size[2],
           to.c, w->kernel[0], w->kernel[1], w->kernel[2], w->stride[0], w->stride[1], w->stride[2],
           w->padding[0], w->padding[1], w->padding[2], w->dilation[0], w->dilation[1],
           w->dilation[2], from.group, to.group, width_of(device, from, to),
           divisor_of(to.size[2], MOST_TILE), divisor_of(from.group, MOST_TILE),
           from.size == w->out);
  return gf__kernel_get(out, device, "conv3d.cl", name, options);
}

static gf__grid direct3d_grid(const gf_device *device, const gf__conv_shape *s, int n, int count) {
  gf__grid grid = gf__grid_flat(device, (size_t)count);
  grid.flops = gf__conv_flops(s, n);
  grid.bytes = gf__conv_bytes(s, n);
  return grid;
}

static gf_status direct3d_convolve(gf_device *device, const gf__conv_shape *s,
                                   const gf__conv_operands *o, side from, side to,
                                   const gf_buffer *x, const gf_buffer *weights) {
  gf__kernel *kernel;
  GF_TRY(direct3d_kernel(device, s, from, to, "conv3d", &kernel));
  int tiles = to.size[0] * to.size[1] * (to.size[2] / divisor_of(to.size[2], MOST_TILE));
  int count = o->n * tiles * (to.c / width_of(device, from, to));
  return GF_LAUNCH(kernel, direct3d_grid(device, s, o->n, count), GF_BUFFER(x), GF_BUFFER(weights),
                   GF_BUFFER(o->out), GF_INT(count), GF_EPILOGUE(&o->epilogue));
}

static gf_status direct3d_forward(const gf__conv_algorithm *self, gf_device *device,
                                  const gf__conv_shape *s, const gf__conv_operands *o) {
  (void)self;
  return direct3d_convolve(device, s, o, input_of(s), output_of(s), o->x, o->w);
}

static gf_status direct3d_backward_data(const gf__conv_algorithm *self, gf_device *device,
                                        const gf__conv_shape *s, const gf__conv_operands *o) {
  (void)self;
  gf__kernel *kernel;
  side from = output_of(s), to = input_of(s);
  int weights = (int)gf__conv_weights(s);
  GF_TRY(direct3d_kernel(device, s, from, to, "transpose_weights", &kernel));
  GF_TRY(GF_LAUNCH(kernel, gf__grid_flat(device, (size_t)weights), GF_BUFFER(o->w),
                   GF_BUFFER(o->workspace), GF_INT(weights)));
  return direct3d_convolve(device, s, o, from, to, o->dy, o->workspace);
}

static gf_status direct3d_backward_weight(const gf__conv_algorithm *self, gf_device *device,
                                          const gf__conv_shape *s, const gf__conv_operands *o) {
  (void)self;
  gf__kernel *kernel;
  int weights = (int)gf__conv_weights(s), partials = direct3d_partials(device, s);
  side from = input_of(s), to = output_of(s);
  int count = weights / width_of(device, from, to) / divisor_of(from.group, MOST_TILE);
  GF_TRY(direct3d_kernel(device, s, from, to, "conv3d_weight", &kernel));
  gf__grid grid = direct3d_grid(device, s, o->n, count);
  grid.global[1] = (size_t)partials;
  GF_TRY(GF_LAUNCH(kernel, grid, GF_BUFFER(o->x), GF_BUFFER(o->dy), GF_BUFFER(o->workspace),
                   GF_INT(count), GF_INT(o->n), GF_INT(partials)));
  GF_TRY(gf__sum_partials(device, weights, weights, partials, o->workspace, o->out));
  if (!o->bias_out) return GF_OK;
  return gf__column_sums(device, o->n * (int)gf__window_outputs(&s->window), s->filters, o->dy,
                         o->bias_out, o->workspace);
}

#define DIRECT3D                   \
  .workspace = direct3d_workspace, \
  .run = {direct3d_forward, direct3d_backward_data, direct3d_backward_weight}

const gf__conv_algorithm gf__conv_direct3d = {
    .name = "direct3d", .accepts = direct3d_accepts, .priority = direct3d_priority, DIRECT3D};
const gf__conv_algorithm gf__conv_grouped = {
    .name = "grouped", .accepts = grouped_accepts, .priority = grouped_priority, DIRECT3D};
