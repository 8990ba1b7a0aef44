/* Direct convolution on CPUs (cl/conv2d_direct.cl). The data gradient is the
 * forward pass of the flipped weights, so it needs stride 1. */
#include "ops/conv2d/shape_options.h"

/* Register tiles: 8 pixels x 2 vectors keeps the FMA units
 * busy with 32 vector registers; 16 registers (AVX2, NEON) hold half of that. */
typedef struct tiling {
  int vec, block, tile, packed; /* of the forward kernel */
  int channels;                 /* of backward_weight's tile, which is channels x kernel width */
} tiling;

enum { STAGED_BYTES = 256 << 10, FORWARD_ROWS = 8, WEIGHT_ROWS = 4 };

static tiling choose_tiling(const gf_device *device, const gf__conv2d_shape *s) {
  int native = gf_device_describe(device)->vector_width_float;
  tiling t = {.vec = native >= 16 ? 16 : native >= 8 ? 8 : 4};
  int registers = native >= 16 ? 24 : 12; /* of accumulators */
  t.block = s->filters > t.vec ? 2 : 1;
  int lanes = t.vec * t.block;
  t.packed = (s->filters + lanes - 1) / lanes * lanes;
  t.tile = native >= 16 ? 8 : 4;
  t.channels = registers / (s->kernel[1] * t.block);
  if (t.channels > 4) t.channels = 4;
  while (t.channels > 1 && s->c % t.channels) t.channels--;
  return t;
}

static size_t staged_bytes(const gf__conv2d_shape *s, int rows) {
  size_t width = (size_t)((s->out_w - 1) * s->stride[1] + (s->kernel[1] - 1) * s->dilation[1] + 1);
  size_t height = (size_t)((rows - 1) * s->stride[0] + (s->kernel[0] - 1) * s->dilation[0] + 1);
  return width * height * (size_t)s->c * sizeof(float);
}

static bool accepts(const gf_device *device, const gf__conv2d_shape *s, gf__conv2d_pass pass) {
  if (gf_device_describe(device)->type != GF_DEVICE_CPU) return false;
  if (pass == GF__CONV2D_BACKWARD_DATA) {
    gf__conv2d_shape flipped = gf__conv2d_flipped(s);
    return s->stride[0] == 1 && s->stride[1] == 1 && flipped.padding[0] >= 0 &&
           flipped.padding[1] >= 0 && staged_bytes(&flipped, 1) <= STAGED_BYTES;
  }
  if (pass == GF__CONV2D_BACKWARD_WEIGHT)
    return choose_tiling(device, s).channels >= 1 &&
           staged_bytes(s, WEIGHT_ROWS) +
                   (size_t)(WEIGHT_ROWS * s->out_w * (s->filters + 32)) * sizeof(float) <=
               STAGED_BYTES;
  return staged_bytes(s, 1) <= STAGED_BYTES;
}

static int rank(const gf_device *device, const gf__conv2d_shape *shape) {
  (void)device, (void)shape;
  return 1;
}

static size_t packed_weights(const gf_device *device, const gf__conv2d_shape *s) {
  return (size_t)(s->kernel[0] * s->kernel[1] * s->c) * (size_t)choose_tiling(device, s).packed;
}

static size_t workspace(const gf_device *device, const gf__conv2d_shape *s, gf__conv2d_pass pass,
                        int batch) {
  (void)batch;
  gf__conv2d_shape flipped = gf__conv2d_flipped(s);
  size_t floats = packed_weights(device, pass == GF__CONV2D_BACKWARD_DATA ? &flipped : s);
  if (pass == GF__CONV2D_BACKWARD_WEIGHT)
    floats = (size_t)gf__conv2d_weight_parts(device) *
             (floats + (size_t)choose_tiling(device, s).packed);
  return floats * sizeof(float);
}

static void options_of(char out[GF__SHAPE_OPTIONS_SIZE], const gf__conv2d_shape *s, const tiling *t,
                       int rows, int channels) {
  gf__conv2d_options(out, s, "-DVEC=%d -DBLOCK=%d -DTILE=%d -DPACKED=%d -DROWS=%d -DCHANNELS=%d",
                     t->vec, t->block, t->tile, t->packed, rows, channels);
}

/* Runs the forward kernel for a shape on packed weights. pack names the kernel
 * that packs r->w; NULL where the weights already are as the kernel wants them. */
static gf_status convolve(gf_device *device, const gf__conv2d_shape *s, const gf__conv2d_run *r,
                          const gf_buffer *x, const char *pack) {
  tiling t = choose_tiling(device, s);
  char options[GF__SHAPE_OPTIONS_SIZE];
  options_of(options, s, &t, FORWARD_ROWS, 0);
  const gf_buffer *weights = r->w;
  gf__kernel *kernel;
  if (pack) {
    GF_TRY(gf__kernel_get(&kernel, device, "conv2d_direct.cl", pack, options));
    gf__grid grid = {.global = {(size_t)t.packed, (size_t)(s->kernel[0] * s->kernel[1] * s->c), 1}};
    GF_TRY(GF_LAUNCH(kernel, grid, GF_BUFFER(r->w), GF_BUFFER(r->workspace)));
    weights = r->workspace;
  }
  GF_TRY(gf__kernel_get(&kernel, device, "conv2d_direct.cl", "conv2d_direct", options));
  gf__grid grid =
      gf__grid_single((size_t)((s->out_h + FORWARD_ROWS - 1) / FORWARD_ROWS), (size_t)r->n, 1);
  grid.flops = gf__conv2d_flops(s, r->n);
  grid.bytes = gf__conv2d_bytes(s, r->n);
  return GF_LAUNCH(kernel, grid, GF_BUFFER(x), GF_BUFFER(weights), GF_BUFFER(r->out),
                   GF_EPILOGUE(&r->epilogue));
}

static gf_status forward(gf_device *device, const gf__conv2d_shape *s, const gf__conv2d_run *r) {
  bool packed = choose_tiling(device, s).packed == s->filters;
  return convolve(device, s, r, r->x, packed ? NULL : "pack_weights");
}

static gf_status backward_data(gf_device *device, const gf__conv2d_shape *s,
                               const gf__conv2d_run *r) {
  gf__conv2d_shape flipped = gf__conv2d_flipped(s);
  return convolve(device, &flipped, r, r->dy, "pack_flipped_weights");
}

static gf_status backward_weight(gf_device *device, const gf__conv2d_shape *s,
                                 const gf__conv2d_run *r) {
  tiling t = choose_tiling(device, s);
  char options[GF__SHAPE_OPTIONS_SIZE];
  gf__kernel *kernel, *sum;
  options_of(options, s, &t, s->out_h < WEIGHT_ROWS ? s->out_h : WEIGHT_ROWS, t.channels);
  GF_TRY(gf__kernel_get(&kernel, device, "conv2d_direct.cl", "conv2d_direct_weight", options));
  GF_TRY(gf__kernel_get(&sum, device, "conv2d_direct.cl", "sum_weight_partials", options));
  gf__grid grid = gf__grid_single((size_t)gf__conv2d_weight_parts(device), 1, 1);
  grid.flops = gf__conv2d_flops(s, r->n);
  grid.bytes = gf__conv2d_bytes(s, r->n);
  GF_TRY(GF_LAUNCH(kernel, grid, GF_BUFFER(r->x), GF_BUFFER(r->dy), GF_BUFFER(r->workspace),
                   GF_INT(r->n)));
  gf__grid all = {
      .global = {(size_t)s->filters, (size_t)(s->kernel[0] * s->kernel[1] * s->c + 1), 1}};
  return GF_LAUNCH(sum, all, GF_BUFFER(r->workspace), GF_BUFFER(r->out), GF_BUFFER(r->bias_out),
                   GF_INT(gf__conv2d_weight_parts(device)));
}

const gf__conv2d_algorithm gf__conv2d_direct = {
    .name = "direct",
    .needs = "a CPU",
    .accepts = accepts,
    .rank = rank,
    .workspace = workspace,
    .run = {forward, backward_data, backward_weight},
};
