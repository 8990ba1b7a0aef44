/* Depthwise convolution of images on every device, one filter per channel (cl/conv2d_depthwise.cl).
 */
#include "ops/conv/options.h"
#include "ops/reduce.h"

enum {
  MOST_TAPS = 7, /* along an axis: with more, what is unrolled leaves the registers */
  MOST_STRIDE = 2,
  MOST_SPAN = 40,        /* pixels that a tile reads along the width */
  MOST_TILE = 8,         /* pixels along the width, with the taps of a row in the registers */
  WEIGHT_TILE = 4,       /* the same of the weight gradient, whose sums fill the rest */
  WEIGHT_TAPS = 9,       /* with more, a work-item sums the gradient of one row of taps alone */
  MOST_PARTIAL = 4 << 20 /* floats of a weight gradient's partial sums */
};

static bool depthwise_accepts(const gf__conv_algorithm *self, const gf_device *device,
                              const gf__conv_shape *s, gf__conv_direction direction) {
  (void)self, (void)device, (void)direction;
  const gf__window *w = &s->window;
  for (int a = 1; a < 3; a++)
    if (w->kernel[a] > MOST_TAPS || w->stride[a] > MOST_STRIDE) return false;
  int span = (MOST_TILE - 1) * w->stride[2] + (w->kernel[2] - 1) * w->dilation[2] + 1;
  return gf__window_is_flat(w) && s->groups > 1 && s->groups == s->c && s->filters == s->c &&
         span <= MOST_SPAN;
}

static int depthwise_priority(const gf__conv_algorithm *self, const gf_device *device,
                              const gf__conv_shape *s) {
  (void)self, (void)device, (void)s;
  return 1;
}

/* Pixels of a tile, of which a row of width takes the fewest and wastes the least. */
static int depthwise_tile(int width, int stride) {
  int tiles = (width + MOST_TILE - 1) / MOST_TILE, tile = (width + tiles - 1) / tiles;
  return (tile + stride - 1) / stride * stride;
}

static int depthwise_vectors(const gf_device *device, const gf__conv_shape *s) {
  return s->c / gf__vector_width(device, s->c);
}

/* Rows of taps that a work-item of the weight gradient sums. */
static int depthwise_rows(const gf__conv_shape *s) {
  return gf__window_taps(&s->window) <= WEIGHT_TAPS ? s->window.kernel[1] : 1;
}

static int depthwise_partials(const gf_device *device, const gf__conv_shape *s) {
  int most = MOST_PARTIAL / (int)gf__conv_weights(s);
  int partials = 4 * gf__device_parallelism(device);
  if (partials > most) partials = most;
  return partials > 1 ? partials : 1;
}

static size_t depthwise_workspace(const gf__conv_algorithm *self, const gf_device *device,
                                  const gf__conv_shape *s, gf__conv_direction direction,
                                  int batch) {
  (void)self, (void)batch;
  if (direction != GF__CONV_BACKWARD_WEIGHT) return 0;
  size_t partial = gf__conv_weights(s) * sizeof(float) * (size_t)depthwise_partials(device, s);
  size_t bias = gf__column_sums_workspace(device, s->filters);
  return partial > bias ? partial : bias;
}

static gf_status depthwise_kernel(gf_device *device, const gf__conv_shape *s, const char *name,
                                  int tile, gf__kernel **out) {
  char options[GF__CONV_OPTIONS_SIZE];
  gf__conv_options(options, s, "-DVEC=%d -DTILE=%d -DROWS=%d", gf__vector_width(device, s->c), tile,
                   depthwise_rows(s));
  return gf__kernel_get(out, device, "conv2d_depthwise.cl", name, options);
}

static gf__grid depthwise_grid(const gf_device *device, const gf__conv_shape *s, int n, int count) {
  gf__grid grid = gf__grid_flat(device, (size_t)count);
  grid.flops = gf__conv_flops(s, n);
  grid.bytes = gf__conv_bytes(s, n);
  return grid;
}

/* One of the two kernels that read one image and write another; size is that of what is written. */
static gf_status depthwise_convolve(gf_device *device, const gf__conv_shape *s,
                                    const gf__conv_operands *o, const char *name, const int *size,
                                    int tile, const gf_buffer *from) {
  gf__kernel *kernel;
  GF_TRY(depthwise_kernel(device, s, name, tile, &kernel));
  int tiles = (size[GF__WINDOW_WIDTH] + tile - 1) / tile;
  int count = o->n * size[GF__WINDOW_HEIGHT] * tiles * depthwise_vectors(device, s);
  return GF_LAUNCH(kernel, depthwise_grid(device, s, o->n, count), GF_BUFFER(from), GF_BUFFER(o->w),
                   GF_BUFFER(o->out), GF_INT(count), GF_EPILOGUE(&o->epilogue));
}

static gf_status depthwise_forward(const gf__conv_algorithm *self, gf_device *device,
                                   const gf__conv_shape *s, const gf__conv_operands *o) {
  (void)self;
  const int *size = s->window.out;
  return depthwise_convolve(device, s, o, "depthwise", size,
                            depthwise_tile(size[GF__WINDOW_WIDTH], 1), o->x);
}

static gf_status depthwise_backward_data(const gf__conv_algorithm *self, gf_device *device,
                                         const gf__conv_shape *s, const gf__conv_operands *o) {
  (void)self;
  const int *size = s->window.size;
  int tile = depthwise_tile(size[GF__WINDOW_WIDTH], s->window.stride[GF__WINDOW_WIDTH]);
  return depthwise_convolve(device, s, o, "depthwise_data", size, tile, o->dy);
}

static gf_status depthwise_backward_weight(const gf__conv_algorithm *self, gf_device *device,
                                           const gf__conv_shape *s, const gf__conv_operands *o) {
  (void)self;
  gf__kernel *kernel;
  int weights = (int)gf__conv_weights(s), partials = depthwise_partials(device, s);
  int count = s->window.kernel[1] / depthwise_rows(s) * depthwise_vectors(device, s);
  GF_TRY(depthwise_kernel(device, s, "depthwise_weight", WEIGHT_TILE, &kernel));
  gf__grid grid = depthwise_grid(device, s, o->n, count);
  grid.global[1] = (size_t)partials;
  GF_TRY(GF_LAUNCH(kernel, grid, GF_BUFFER(o->x), GF_BUFFER(o->dy), GF_BUFFER(o->workspace),
                   GF_INT(count), GF_INT(o->n * s->window.out[1]), GF_INT(partials)));
  GF_TRY(gf__sum_partials(device, weights, weights, partials, o->workspace, o->out));
  if (!o->bias_out) return GF_OK;
  return gf__column_sums(device, o->n * (int)gf__window_outputs(&s->window), s->filters, o->dy,
                         o->bias_out, o->workspace);
}

const gf__conv_algorithm gf__conv_depthwise = {
    .name = "depthwise",
    .accepts = depthwise_accepts,
    .priority = depthwise_priority,
    .workspace = depthwise_workspace,
    .run = {depthwise_forward, depthwise_backward_data, depthwise_backward_weight},
};
