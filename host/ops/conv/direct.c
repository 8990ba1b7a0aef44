/* Direct convolution of images on CPUs (cl/conv2d_direct.cl). The data gradient is the forward
 * direction with flipped weights, so it needs stride 1. */
#include "ops/conv/options.h"

/* Register tiles: 8 pixels x 2 vectors keep the FMA units busy with 32 vector registers; 16
 * registers (AVX2, NEON) hold half of that. */
typedef struct tiling {
  int vec, block, tile, packed; /* of the forward kernel */
  int channels;                 /* of backward_weight's tile, which is channels x kernel width */
} tiling;

/* The input of so many output rows is staged; weights are read once for so many rows, so that short
 * ones want more of them. */
enum { STAGED_BYTES = 256 << 10, FORWARD_ROWS = 8, WEIGHT_ROWS = 4, WEIGHT_PIXELS = 256 };

static tiling choose_tiling(const gf_device *device, const gf__conv_shape *s) {
  int native = gf_device_describe(device)->vector_width_float;
  tiling t = {.vec = native >= 16 ? 16 : native >= 8 ? 8 : 4};
  int registers = native >= 16 ? 24 : 12; /* of accumulators */
  t.block = s->filters > t.vec ? 2 : 1;
  int lanes = t.vec * t.block;
  t.packed = (s->filters + lanes - 1) / lanes * lanes;
  t.tile = native >= 16 ? 8 : 4;
  t.channels = registers / (s->window.kernel[2] * t.block);
  if (t.channels > 8) t.channels = 8;
  while (t.channels > 1 && s->c % t.channels) t.channels--;
  return t;
}

/* Filter taps times input channels. */
static size_t direct_patch(const gf__conv_shape *s) {
  return gf__window_taps(&s->window) * (size_t)s->c;
}

/* A kernel of one tap reads the image as it is. */
static bool is_pointwise(const gf__conv_shape *s) {
  const gf__window *w = &s->window;
  return w->kernel[1] == 1 && w->kernel[2] == 1 && w->padding[1] == 0 && w->padding[2] == 0 &&
         (w->out[1] - 1) * w->stride[1] < w->size[1] && (w->out[2] - 1) * w->stride[2] < w->size[2];
}

static size_t staged_bytes(const gf__conv_shape *s, int rows) {
  const gf__window *w = &s->window;
  if (is_pointwise(s)) return 0;
  size_t width = (size_t)((w->out[2] - 1) * w->stride[2] + (w->kernel[2] - 1) * w->dilation[2] + 1);
  size_t height = (size_t)((rows - 1) * w->stride[1] + (w->kernel[1] - 1) * w->dilation[1] + 1);
  return width * height * (size_t)s->c * sizeof(float);
}

static bool accepts_data(const gf__conv_shape *s) {
  gf__conv_shape flipped = gf__conv_flipped(s);
  const gf__window *w = &flipped.window;
  return w->stride[1] == 1 && w->stride[2] == 1 && w->padding[1] >= 0 && w->padding[2] >= 0 &&
         staged_bytes(&flipped, 1) <= STAGED_BYTES;
}

/* What backward_weight stages, and its copy of dy where the filters fill no vector. */
static size_t weight_bytes(const gf__conv_shape *s, int rows) {
  size_t padded = (size_t)(rows * s->window.out[2] * (s->filters + 32)) * sizeof(float);
  return staged_bytes(s, rows) + padded;
}

static bool accepts_weight(const gf_device *device, const gf__conv_shape *s) {
  return choose_tiling(device, s).channels >= 1 && weight_bytes(s, WEIGHT_ROWS) <= STAGED_BYTES;
}

static int forward_rows(const gf__conv_shape *s) {
  int rows = FORWARD_ROWS;
  while (rows > 1 && staged_bytes(s, rows) > STAGED_BYTES) rows /= 2;
  return rows;
}

static int weight_rows(const gf__conv_shape *s) {
  const int *out = s->window.out;
  int rows = WEIGHT_ROWS < out[1] ? WEIGHT_ROWS : out[1];
  while (rows < out[1] && rows * out[2] < WEIGHT_PIXELS &&
         weight_bytes(s, rows + 1) <= STAGED_BYTES)
    rows++;
  return rows;
}

static bool direct_accepts(const gf__conv_algorithm *self, const gf_device *device,
                           const gf__conv_shape *s, gf__conv_direction direction) {
  (void)self;
  if (gf_device_describe(device)->type != GF_DEVICE_CPU || !gf__window_is_flat(&s->window) ||
      s->groups > 1)
    return false;
  if (direction == GF__CONV_BACKWARD_DATA) return accepts_data(s);
  if (direction == GF__CONV_BACKWARD_WEIGHT) return accepts_weight(device, s);
  return staged_bytes(s, 1) <= STAGED_BYTES;
}

static int direct_priority(const gf__conv_algorithm *self, const gf_device *device,
                           const gf__conv_shape *shape) {
  (void)self, (void)device, (void)shape;
  return 1;
}

static size_t packed_weights(const gf_device *device, const gf__conv_shape *s) {
  return direct_patch(s) * (size_t)choose_tiling(device, s).packed;
}

static size_t direct_workspace(const gf__conv_algorithm *self, const gf_device *device,
                               const gf__conv_shape *s, gf__conv_direction direction, int batch) {
  (void)self, (void)batch;
  gf__conv_shape flipped = gf__conv_flipped(s);
  size_t floats = packed_weights(device, direction == GF__CONV_BACKWARD_DATA ? &flipped : s);
  if (direction == GF__CONV_BACKWARD_WEIGHT)
    floats = (size_t)gf__conv_weight_partials(device) *
             (floats + (size_t)choose_tiling(device, s).packed);
  return floats * sizeof(float);
}

static void direct_options(char out[GF__CONV_OPTIONS_SIZE], const gf__conv_shape *s,
                           const tiling *t, int rows, int channels) {
  gf__conv_options(out, s, "-DVEC=%d -DBLOCK=%d -DTILE=%d -DPACKED=%d -DROWS=%d -DCHANNELS=%d",
                   t->vec, t->block, t->tile, t->packed, rows, channels);
}

/* Runs the forward kernel for a shape on packed weights. pack names the kernel that packs o->w; it
 * is NULL where the weights already are as the kernel wants them. */
static gf_status direct_convolve(gf_device *device, const gf__conv_shape *s,
                                 const gf__conv_operands *o, const gf_buffer *x, const char *pack) {
  tiling t = choose_tiling(device, s);
  char options[GF__CONV_OPTIONS_SIZE];
  int rows = forward_rows(s);
  direct_options(options, s, &t, rows, 0);
  const gf_buffer *weights = o->w;
  gf__kernel *kernel;
  if (pack) {
    GF_TRY(gf__kernel_get(&kernel, device, "conv2d_direct.cl", pack, options));
    gf__grid grid = {.global = {(size_t)t.packed, direct_patch(s), 1}};
    GF_TRY(GF_LAUNCH(kernel, grid, GF_BUFFER(o->w), GF_BUFFER(o->workspace)));
    weights = o->workspace;
  }
  GF_TRY(gf__kernel_get(&kernel, device, "conv2d_direct.cl", "conv2d_direct", options));
  gf__grid grid = gf__grid_single((size_t)((s->window.out[1] + rows - 1) / rows), (size_t)o->n, 1);
  grid.flops = gf__conv_flops(s, o->n);
  grid.bytes = gf__conv_bytes(s, o->n);
  return GF_LAUNCH(kernel, grid, GF_BUFFER(x), GF_BUFFER(weights), GF_BUFFER(o->out),
                   GF_EPILOGUE(&o->epilogue));
}

static gf_status direct_forward(const gf__conv_algorithm *self, gf_device *device,
                                const gf__conv_shape *s, const gf__conv_operands *o) {
  (void)self;
  tiling t = choose_tiling(device, s);
  bool packed = t.packed == s->filters && t.packed == t.vec * t.block; /* in one block */
  return direct_convolve(device, s, o, o->x, packed ? NULL : "pack_weights");
}

static gf_status direct_backward_data(const gf__conv_algorithm *self, gf_device *device,
                                      const gf__conv_shape *s, const gf__conv_operands *o) {
  (void)self;
  gf__conv_shape flipped = gf__conv_flipped(s);
  return direct_convolve(device, &flipped, o, o->dy, "pack_flipped_weights");
}

static gf_status direct_backward_weight(const gf__conv_algorithm *self, gf_device *device,
                                        const gf__conv_shape *s, const gf__conv_operands *o) {
  (void)self;
  tiling t = choose_tiling(device, s);
  char options[GF__CONV_OPTIONS_SIZE];
  gf__kernel *kernel, *sum;
  direct_options(options, s, &t, weight_rows(s), t.channels);
  GF_TRY(gf__kernel_get(&kernel, device, "conv2d_direct.cl", "conv2d_direct_weight", options));
  GF_TRY(gf__kernel_get(&sum, device, "conv2d_direct.cl", "sum_weight_partials", options));
  gf__grid grid = gf__grid_single((size_t)gf__conv_weight_partials(device), 1, 1);
  grid.flops = gf__conv_flops(s, o->n);
  grid.bytes = gf__conv_bytes(s, o->n);
  GF_TRY(GF_LAUNCH(kernel, grid, GF_BUFFER(o->x), GF_BUFFER(o->dy), GF_BUFFER(o->workspace),
                   GF_INT(o->n)));
  gf__grid all = {.global = {(size_t)s->filters, direct_patch(s) + 1, 1}};
  return GF_LAUNCH(sum, all, GF_BUFFER(o->workspace), GF_BUFFER(o->out), GF_BUFFER(o->bias_out),
                   GF_INT(gf__conv_weight_partials(device)));
}

const gf__conv_algorithm gf__conv_direct = {
    .name = "direct",
    .needs = "a CPU",
    .accepts = direct_accepts,
    .priority = direct_priority,
    .workspace = direct_workspace,
    .run = {direct_forward, direct_backward_data, direct_backward_weight},
};
