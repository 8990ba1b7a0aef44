/* Winograd convolution on CPUs (cl/conv2d_winograd.cl), F(4x4, 3x3) and F(2x2, 3x3). */
#include "ops/conv2d/shape_options.h"

enum { MOST_CHANNELS = 256 }; /* beyond, the scratch of a work-item leaves the caches */

static int vector_of(const gf_device *device) {
  int native = gf_device_describe(device)->vector_width_float;
  return native >= 16 ? 16 : 8; /* backward_weight's register tile has 8 channels */
}

static bool accepts(const gf_device *device, const gf__conv2d_shape *s, gf__conv2d_pass pass) {
  (void)pass; /* the data gradient's padding is 2 - padding */
  int vector = vector_of(device);
  for (int d = 0; d < 2; d++)
    if (s->kernel[d] != 3 || s->stride[d] != 1 || s->dilation[d] != 1 || s->padding[d] > 2)
      return false;
  return gf_device_describe(device)->type == GF_DEVICE_CPU && s->c % vector == 0 &&
         s->filters % vector == 0 && s->c <= MOST_CHANNELS && s->filters <= MOST_CHANNELS;
}

static int tiles_of(const gf__conv2d_shape *s, int m) {
  return (s->out_h + m - 1) / m * ((s->out_w + m - 1) / m);
}

/* Multiplications of an image, by channel and filter: tiles times points. */
static int work(const gf__conv2d_shape *s, int m) { return tiles_of(s, m) * (m + 2) * (m + 2); }

/* Prefer the tile that multiplies less; a transform costs about what it saves
 * where tiles are mostly padding. */
static int rank4(const gf_device *device, const gf__conv2d_shape *s) {
  (void)device;
  return work(s, 4) <= work(s, 2) ? 3 : 2;
}

static int rank2(const gf_device *device, const gf__conv2d_shape *s) {
  return 5 - rank4(device, s);
}

/* Tiles of a work-item: a scratch of 8 stays near the first cache, and where
 * there are few tiles, all units are to find work. backward_weight reads and
 * writes its sums once a block, so it wants longer ones. */
static int tiles_at_once(const gf__conv2d_shape *s, int m, gf__conv2d_pass pass) {
  if (pass == GF__CONV2D_BACKWARD_WEIGHT) return 16;
  return tiles_of(s, m) >= 4 ? 8 : 4;
}

static size_t weights_floats(const gf__conv2d_shape *s, int m) {
  return (size_t)((m + 2) * (m + 2)) * (size_t)s->c * (size_t)s->filters;
}

static size_t workspace(const gf_device *device, const gf__conv2d_shape *s, gf__conv2d_pass pass,
                        int m) {
  size_t floats = weights_floats(s, m);
  if (pass == GF__CONV2D_BACKWARD_WEIGHT)
    floats = (size_t)gf__conv2d_weight_parts(device) * (floats + (size_t)s->filters);
  return floats * sizeof(float);
}

static void options_of(char out[GF__SHAPE_OPTIONS_SIZE], const gf_device *device,
                       const gf__conv2d_shape *s, int m, gf__conv2d_pass pass) {
  int vector = vector_of(device);
  gf__conv2d_options(out, s, "-DVEC=%d -DBLOCK=%d -DM=%d -DTILES=%d -DPASS=%d", vector,
                     s->filters % (2 * vector) ? 1 : 2, m, tiles_at_once(s, m, pass), pass);
}

/* The forward pass of a shape; transform names the kernel that transforms r->w. */
static gf_status convolve(gf_device *device, const gf__conv2d_shape *s, const gf__conv2d_run *r,
                          int m, const gf_buffer *x, const char *transform) {
  gf__kernel *weights, *kernel;
  char options[GF__SHAPE_OPTIONS_SIZE];
  /* The data gradient is the forward pass of another shape, often of the same one. */
  int at_once = tiles_at_once(s, m, GF__CONV2D_FORWARD), tiles = r->n * tiles_of(s, m);
  options_of(options, device, s, m, GF__CONV2D_FORWARD);
  GF_TRY(gf__kernel_get(&weights, device, "conv2d_winograd.cl", transform, options));
  GF_TRY(gf__kernel_get(&kernel, device, "conv2d_winograd.cl", "conv2d_winograd", options));
  gf__grid all = gf__grid_single((size_t)s->c, (size_t)(s->filters / vector_of(device)), 1);
  GF_TRY(GF_LAUNCH(weights, all, GF_BUFFER(r->w), GF_BUFFER(r->workspace)));
  gf__grid grid = gf__grid_single((size_t)((tiles + at_once - 1) / at_once), 1, 1);
  grid.flops = gf__conv2d_flops(s, r->n);
  grid.bytes = gf__conv2d_bytes(s, r->n);
  return GF_LAUNCH(kernel, grid, GF_BUFFER(x), GF_BUFFER(r->workspace), GF_BUFFER(r->out),
                   GF_INT(tiles), GF_EPILOGUE(&r->epilogue));
}

static gf_status forward(gf_device *device, const gf__conv2d_shape *s, const gf__conv2d_run *r,
                         int m) {
  return convolve(device, s, r, m, r->x, "winograd_weights");
}

static gf_status backward_data(gf_device *device, const gf__conv2d_shape *s,
                               const gf__conv2d_run *r, int m) {
  gf__conv2d_shape flipped = gf__conv2d_flipped(s);
  return convolve(device, &flipped, r, m, r->dy, "winograd_flipped_weights");
}

static gf_status backward_weight(gf_device *device, const gf__conv2d_shape *s,
                                 const gf__conv2d_run *r, int m) {
  gf__kernel *kernel, *join;
  char options[GF__SHAPE_OPTIONS_SIZE];
  options_of(options, device, s, m, GF__CONV2D_BACKWARD_WEIGHT);
  GF_TRY(gf__kernel_get(&kernel, device, "conv2d_winograd.cl", "conv2d_winograd_weight", options));
  GF_TRY(gf__kernel_get(&join, device, "conv2d_winograd.cl", "winograd_join_weights", options));
  gf__grid grid = gf__grid_single((size_t)gf__conv2d_weight_parts(device), 1, 1);
  grid.flops = gf__conv2d_flops(s, r->n);
  grid.bytes = gf__conv2d_bytes(s, r->n);
  GF_TRY(GF_LAUNCH(kernel, grid, GF_BUFFER(r->x), GF_BUFFER(r->dy), GF_BUFFER(r->workspace),
                   GF_INT(r->n * tiles_of(s, m))));
  gf__grid all = gf__grid_single((size_t)s->c + 1, (size_t)(s->filters / vector_of(device)), 1);
  return GF_LAUNCH(join, all, GF_BUFFER(r->workspace), GF_BUFFER(r->out), GF_BUFFER(r->bias_out),
                   GF_INT(gf__conv2d_weight_parts(device)));
}

/* The table's functions for one size of tile. */
#define WINOGRAD(M)                                                                 \
  static size_t workspace##M(const gf_device *device, const gf__conv2d_shape *s,    \
                             gf__conv2d_pass pass, int batch) {                     \
    (void)batch;                                                                    \
    return workspace(device, s, pass, M);                                           \
  }                                                                                 \
  static gf_status forward##M(gf_device *device, const gf__conv2d_shape *s,         \
                              const gf__conv2d_run *r) {                            \
    return forward(device, s, r, M);                                                \
  }                                                                                 \
  static gf_status backward_data##M(gf_device *device, const gf__conv2d_shape *s,   \
                                    const gf__conv2d_run *r) {                      \
    return backward_data(device, s, r, M);                                          \
  }                                                                                 \
  static gf_status backward_weight##M(gf_device *device, const gf__conv2d_shape *s, \
                                      const gf__conv2d_run *r) {                    \
    return backward_weight(device, s, r, M);                                        \
  }                                                                                 \
  const gf__conv2d_algorithm gf__conv2d_winograd##M = {                             \
      .name = "winograd" #M,                                                        \
      .needs = "a CPU",                                                             \
      .accepts = accepts,                                                           \
      .rank = rank##M,                                                              \
      .workspace = workspace##M,                                                    \
      .run = {forward##M, backward_data##M, backward_weight##M},                    \
  };

WINOGRAD(2)
WINOGRAD(4)
