/* Winograd convolution of images on CPUs (cl/conv2d_winograd.cl), F(4x4, 3x3) and F(2x2, 3x3). */
#include "ops/conv/options.h"

enum { MOST_CHANNELS = 256 }; /* with more, the scratch of a work-item leaves the caches */

static int vector_of(const gf_device *device) {
  int native = gf_device_describe(device)->vector_width_float;
  return native >= 16 ? 16 : 8; /* backward_weight's register tile has 8 channels */
}

static bool winograd_accepts(const gf__conv_algorithm *self, const gf_device *device,
                             const gf__conv_shape *s, gf__conv_direction direction) {
  (void)self, (void)direction; /* the data gradient's padding is 2 - padding */
  const gf__window *w = &s->window;
  int vector = vector_of(device);
  for (int a = 1; a < 3; a++)
    if (w->kernel[a] != 3 || w->stride[a] != 1 || w->dilation[a] != 1 || w->padding[a] > 2)
      return false;
  return gf_device_describe(device)->type == GF_DEVICE_CPU && gf__window_is_flat(w) &&
         s->groups == 1 && s->c % vector == 0 && s->filters % vector == 0 &&
         s->c <= MOST_CHANNELS && s->filters <= MOST_CHANNELS;
}

/* Tiles of m x m outputs in an image. */
static int tiles_of(const gf__conv_shape *s, int m) {
  return (s->window.out[1] + m - 1) / m * ((s->window.out[2] + m - 1) / m);
}

static int points_of(int m) { return (m + 2) * (m + 2); }

/* The tile that multiplies less per image, channel and filter comes first; a transform costs about
 * what it saves where tiles are mostly padding. */
static int winograd_priority(const gf__conv_algorithm *self, const gf_device *device,
                             const gf__conv_shape *s) {
  (void)device;
  bool prefers_4 = tiles_of(s, 4) * points_of(4) <= tiles_of(s, 2) * points_of(2);
  return (self->tile == 4) == prefers_4 ? 3 : 2;
}

/* From so many channels on, the transformed weights of a point are read from a farther cache for
 * each register tile, so that a work-item does better with more tiles for them. */
enum { WIDE_CHANNELS = 128, WIDE_TILES = 32, ITEMS_PER_UNIT = 4 };

/* Tiles per work-item of n images: a scratch of 8 stays near the first cache, and where there are
 * few tiles, all units are to find work. backward_weight reads and writes its sums once per block,
 * so longer blocks suit it. */
static int tiles_at_once(const gf_device *device, const gf__conv_shape *s, int m,
                         gf__conv_direction direction, int n) {
  if (direction == GF__CONV_BACKWARD_WEIGHT) return 16;
  if (tiles_of(s, m) < 4) return 4;
  int tiles = 8, items = ITEMS_PER_UNIT * gf_device_describe(device)->compute_units;
  if (s->c < WIDE_CHANNELS && s->filters < WIDE_CHANNELS) return tiles;
  while (tiles < WIDE_TILES && (long)n * tiles_of(s, m) >= 2L * tiles * items) tiles *= 2;
  return tiles;
}

static size_t winograd_workspace(const gf__conv_algorithm *self, const gf_device *device,
                                 const gf__conv_shape *s, gf__conv_direction direction, int batch) {
  (void)batch;
  size_t floats = (size_t)points_of(self->tile) * (size_t)s->c * (size_t)s->filters;
  if (direction == GF__CONV_BACKWARD_WEIGHT)
    floats = (size_t)gf__conv_weight_partials(device) * (floats + (size_t)s->filters);
  return floats * sizeof(float);
}

static void winograd_options(char out[GF__CONV_OPTIONS_SIZE], const gf_device *device,
                             const gf__conv_shape *s, int m, gf__conv_direction direction, int n) {
  int vector = vector_of(device);
  gf__conv_options(out, s, "-DVEC=%d -DBLOCK=%d -DM=%d -DTILES=%d -DPASS=%d", vector,
                   s->filters % (2 * vector) ? 1 : 2, m, tiles_at_once(device, s, m, direction, n),
                   direction);
}

/* The forward direction of a shape; transform names the kernel that transforms o->w. */
static gf_status winograd_convolve(gf_device *device, const gf__conv_shape *s,
                                   const gf__conv_operands *o, int m, const gf_buffer *x,
                                   const char *transform) {
  gf__kernel *weights, *kernel;
  char options[GF__CONV_OPTIONS_SIZE];
  /* The data gradient is the forward direction of another shape, often of the same one. */
  int at_once = tiles_at_once(device, s, m, GF__CONV_FORWARD, o->n), tiles = o->n * tiles_of(s, m);
  winograd_options(options, device, s, m, GF__CONV_FORWARD, o->n);
  GF_TRY(gf__kernel_get(&weights, device, "conv2d_winograd.cl", transform, options));
  GF_TRY(gf__kernel_get(&kernel, device, "conv2d_winograd.cl", "conv2d_winograd", options));
  gf__grid all = gf__grid_single((size_t)s->c, (size_t)(s->filters / vector_of(device)), 1);
  GF_TRY(GF_LAUNCH(weights, all, GF_BUFFER(o->w), GF_BUFFER(o->workspace)));
  gf__grid grid = gf__grid_single((size_t)((tiles + at_once - 1) / at_once), 1, 1);
  grid.flops = gf__conv_flops(s, o->n);
  grid.bytes = gf__conv_bytes(s, o->n);
  return GF_LAUNCH(kernel, grid, GF_BUFFER(x), GF_BUFFER(o->workspace), GF_BUFFER(o->out),
                   GF_INT(tiles), GF_EPILOGUE(&o->epilogue));
}

static gf_status winograd_forward(const gf__conv_algorithm *self, gf_device *device,
                                  const gf__conv_shape *s, const gf__conv_operands *o) {
  return winograd_convolve(device, s, o, self->tile, o->x, "winograd_weights");
}

static gf_status winograd_backward_data(const gf__conv_algorithm *self, gf_device *device,
                                        const gf__conv_shape *s, const gf__conv_operands *o) {
  gf__conv_shape flipped = gf__conv_flipped(s);
  return winograd_convolve(device, &flipped, o, self->tile, o->dy, "winograd_flipped_weights");
}

static gf_status winograd_backward_weight(const gf__conv_algorithm *self, gf_device *device,
                                          const gf__conv_shape *s, const gf__conv_operands *o) {
  gf__kernel *kernel, *join;
  char options[GF__CONV_OPTIONS_SIZE];
  winograd_options(options, device, s, self->tile, GF__CONV_BACKWARD_WEIGHT, o->n);
  GF_TRY(gf__kernel_get(&kernel, device, "conv2d_winograd.cl", "conv2d_winograd_weight", options));
  GF_TRY(gf__kernel_get(&join, device, "conv2d_winograd.cl", "winograd_join_weights", options));
  gf__grid grid = gf__grid_single((size_t)gf__conv_weight_partials(device), 1, 1);
  grid.flops = gf__conv_flops(s, o->n);
  grid.bytes = gf__conv_bytes(s, o->n);
  GF_TRY(GF_LAUNCH(kernel, grid, GF_BUFFER(o->x), GF_BUFFER(o->dy), GF_BUFFER(o->workspace),
                   GF_INT(o->n * tiles_of(s, self->tile))));
  gf__grid all = gf__grid_single((size_t)s->c + 1, (size_t)(s->filters / vector_of(device)), 1);
  return GF_LAUNCH(join, all, GF_BUFFER(o->workspace), GF_BUFFER(o->out), GF_BUFFER(o->bias_out),
                   GF_INT(gf__conv_weight_partials(device)));
}

#define WINOGRAD                                                                \
  .needs = "a CPU", .accepts = winograd_accepts, .priority = winograd_priority, \
  .workspace = winograd_workspace,                                              \
  .run = {winograd_forward, winograd_backward_data, winograd_backward_weight}

const gf__conv_algorithm gf__conv_winograd2 = {.name = "winograd2", .tile = 2, WINOGRAD};
const gf__conv_algorithm gf__conv_winograd4 = {.name = "winograd4", .tile = 4, WINOGRAD};
