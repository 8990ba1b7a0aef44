/* im2col and CLBlast's GEMM: accepts every image without groups, and volumes whose columns fit,
 * runs on every device, and is what the other algorithms are measured and checked against. An image
 * below is a volume of depth 1. */
#include "ops/conv/options.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"

enum {
  /* The matrix of patches is made for as many images at a time as keep it within this: with
   * twice as much im2col is no faster, with four times it is slower. */
  COLUMNS_BYTES = 8 << 20,
  MOST_FLOATS = 1 << 28 /* of a volume's columns, so that kernels can count them in an int */
};

static size_t im2col_patch(const gf__conv_shape *s) {
  return gf__window_taps(&s->window) * (size_t)s->c;
}

static size_t im2col_pixels(const gf__conv_shape *s) { return gf__window_outputs(&s->window); }

/* CLBlast's copies of both operands and of the result have to fit one allocation as well. */
static int images_at_once(const gf_device *device, const gf__conv_shape *s, int batch) {
  unsigned long long most = gf_device_describe(device)->max_allocation / 4;
  size_t bytes = most < COLUMNS_BYTES ? (size_t)most : COLUMNS_BYTES;
  size_t fit = bytes / (im2col_patch(s) * im2col_pixels(s) * sizeof(float));
  return fit < 1 ? 1 : fit < (size_t)batch ? (int)fit : batch;
}

static size_t columns_floats(const gf_device *device, const gf__conv_shape *s, int batch) {
  return (size_t)images_at_once(device, s, batch) * im2col_pixels(s) * im2col_patch(s);
}

/* A volume's columns have to fit an allocation, as CLBlast's copy of them has to; those of an image
 * are small. Nothing else accepts dilated volumes. */
static bool im2col_accepts(const gf__conv_algorithm *self, const gf_device *device,
                           const gf__conv_shape *s, gf__conv_direction direction) {
  (void)self, (void)direction;
  if (s->groups > 1) return false;
  const int *dilation = s->window.dilation;
  bool is_dilated = dilation[0] > 1 || dilation[1] > 1 || dilation[2] > 1;
  if (gf__window_is_flat(&s->window) || is_dilated) return true;
  double floats = (double)im2col_pixels(s) * (double)im2col_patch(s);
  double most = (double)gf_device_describe(device)->max_allocation / 4 / sizeof(float);
  return floats <= MOST_FLOATS && floats <= most;
}

static int im2col_priority(const gf__conv_algorithm *self, const gf_device *device,
                           const gf__conv_shape *shape) {
  (void)self, (void)device, (void)shape;
  return 0;
}

/* The columns, followed by the images channel by channel or by the transposed weights. The columns
 * come first because CLBlast copies operands that do not start with their buffer. Once they are
 * used, the workspace holds the partial sums of the bias's gradient. */
static size_t im2col_workspace(const gf__conv_algorithm *self, const gf_device *device,
                               const gf__conv_shape *s, gf__conv_direction direction, int batch) {
  (void)self;
  size_t floats = columns_floats(device, s, batch);
  size_t sums = gf__column_sums_workspace(device, s->filters);
  if (direction == GF__CONV_FORWARD)
    floats += (size_t)images_at_once(device, s, batch) * gf__conv_inputs(s);
  if (direction == GF__CONV_BACKWARD_DATA) floats += im2col_patch(s) * (size_t)s->filters;
  size_t bytes = floats * sizeof(float);
  return bytes > sums ? bytes : sums;
}

/* The patches of images first to first + n - 1, as (pixels, patch). */
static gf_status im2col_make_columns(gf_device *device, const gf__conv_shape *s,
                                     const gf__conv_operands *o, int first, int n) {
  gf__kernel *kernel;
  char options[GF__CONV_OPTIONS_SIZE];
  int width = gf__vector_width(device, s->c);
  gf__conv_options(options, s, "-DVEC=%d", width);
  GF_TRY(gf__kernel_get(&kernel, device, "im2col.cl", "im2col", options));
  size_t count = (size_t)n * im2col_pixels(s) * im2col_patch(s) / (size_t)width;
  gf__grid grid = gf__grid_flat(device, count);
  grid.bytes = 8.0 * (double)n * (double)im2col_pixels(s) * (double)im2col_patch(s);
  return GF_LAUNCH(kernel, grid, GF_BUFFER(o->x), GF_BUFFER(o->workspace), GF_INT(first),
                   GF_INT((int)count));
}

/* The patches as (patch, pixels), followed by the images channel by channel. */
static gf_status im2col_make_transposed(gf_device *device, const gf__conv_shape *s,
                                        const gf__conv_operands *o, int first, int n) {
  gf__kernel *split, *im2col;
  char options[GF__CONV_OPTIONS_SIZE];
  int width = gf__vector_width(device, s->c), count = n * (int)im2col_pixels(s);
  int in = n * (int)gf__window_inputs(&s->window);
  gf__conv_options(options, s, "-DVEC=%d", width);
  GF_TRY(gf__kernel_get(&split, device, "im2col.cl", "split_channels", options));
  GF_TRY(gf__kernel_get(&im2col, device, "im2col.cl", "im2col_transposed", options));
  gf__grid blocks = gf__grid_single((size_t)((in + width - 1) / width), (size_t)(s->c / width), 1);
  blocks.bytes = 8.0 * in * s->c;
  int columns = count * (int)im2col_patch(s);
  GF_TRY(GF_LAUNCH(split, blocks, GF_BUFFER(o->x), GF_BUFFER(o->workspace), GF_INT(columns),
                   GF_INT(first), GF_INT(in)));
  gf__grid rows = gf__grid_single((size_t)n, im2col_patch(s), 1);
  rows.bytes = 8.0 * count * (double)im2col_patch(s);
  return GF_LAUNCH(im2col, rows, GF_BUFFER(o->workspace), GF_INT(columns), GF_INT(count));
}

static gf_status im2col_forward(const gf__conv_algorithm *self, gf_device *device,
                                const gf__conv_shape *s, const gf__conv_operands *o) {
  (void)self;
  int step = images_at_once(device, s, o->n);
  size_t y_image = gf__conv_outputs(s);
  gf__epilogue left = o->epilogue; /* for after the product */
  bool accumulates = left.residual == o->out;
  if (accumulates) left.residual = NULL;
  for (int first = 0; first < o->n; first += step) {
    int n = o->n - first < step ? o->n - first : step;
    GF_TRY(im2col_make_transposed(device, s, o, first, n));
    GF_TRY(gf__gemm(device, &(gf__gemm_operands){.m = s->filters,
                                                 .n = n * (int)im2col_pixels(s),
                                                 .k = (int)im2col_patch(s),
                                                 .a = o->w,
                                                 .b = o->workspace,
                                                 .b_transposed = true,
                                                 .beta = accumulates,
                                                 .c = o->out,
                                                 .c_offset = (size_t)first * y_image}));
  }
  if (!left.bias && !left.residual && !left.mask && left.activation.kind == GF__ACTIVATION_NONE)
    return GF_OK;
  return gf__apply(device, (size_t)o->n * im2col_pixels(s), s->filters, o->out, o->out, &left);
}

static gf_status im2col_backward_data(const gf__conv_algorithm *self, gf_device *device,
                                      const gf__conv_shape *s, const gf__conv_operands *o) {
  (void)self;
  gf__kernel *transpose, *col2im;
  char options[GF__CONV_OPTIONS_SIZE];
  int width = gf__vector_width(device, s->c), step = images_at_once(device, s, o->n);
  size_t y_image = gf__conv_outputs(s), weights = columns_floats(device, s, o->n);
  gf__conv_options(options, s, "-DVEC=%d", width);
  GF_TRY(gf__kernel_get(&transpose, device, "im2col.cl", "transpose_weights", options));
  GF_TRY(gf__kernel_get(&col2im, device, "im2col.cl", "col2im", options));
  gf__grid all_weights = {.global = {im2col_patch(s), (size_t)s->filters, 1}};
  GF_TRY(GF_LAUNCH(transpose, all_weights, GF_BUFFER(o->w), GF_BUFFER(o->workspace),
                   GF_INT((int)weights)));
  for (int first = 0; first < o->n; first += step) {
    int n = o->n - first < step ? o->n - first : step;
    GF_TRY(gf__gemm(device, &(gf__gemm_operands){.m = (int)im2col_patch(s),
                                                 .n = n * (int)im2col_pixels(s),
                                                 .k = s->filters,
                                                 .a = o->workspace,
                                                 .a_offset = weights,
                                                 .b = o->dy,
                                                 .b_offset = (size_t)first * y_image,
                                                 .c = o->workspace}));
    size_t count = (size_t)n * gf__conv_inputs(s) / (size_t)width;
    gf__grid grid = gf__grid_flat(device, count);
    grid.bytes =
        4.0 * (double)n * (double)(im2col_pixels(s) * im2col_patch(s) + gf__conv_inputs(s));
    GF_TRY(GF_LAUNCH(col2im, grid, GF_BUFFER(o->workspace), GF_BUFFER(o->out), GF_INT(first),
                     GF_INT((int)count), GF_EPILOGUE(&o->epilogue)));
  }
  return GF_OK;
}

static gf_status im2col_backward_weight(const gf__conv_algorithm *self, gf_device *device,
                                        const gf__conv_shape *s, const gf__conv_operands *o) {
  (void)self;
  int step = images_at_once(device, s, o->n);
  size_t y_image = gf__conv_outputs(s);
  for (int first = 0; first < o->n; first += step) {
    int n = o->n - first < step ? o->n - first : step;
    GF_TRY(im2col_make_columns(device, s, o, first, n));
    GF_TRY(gf__gemm(device, &(gf__gemm_operands){.m = s->filters,
                                                 .n = (int)im2col_patch(s),
                                                 .k = n * (int)im2col_pixels(s),
                                                 .a = o->dy,
                                                 .a_offset = (size_t)first * y_image,
                                                 .b = o->workspace,
                                                 .b_transposed = true,
                                                 .beta = first > 0,
                                                 .c = o->out}));
  }
  if (!o->bias_out) return GF_OK;
  return gf__column_sums(device, o->n * (int)im2col_pixels(s), s->filters, o->dy, o->bias_out,
                         o->workspace);
}

const gf__conv_algorithm gf__conv_im2col = {
    .name = "im2col",
    .accepts = im2col_accepts,
    .priority = im2col_priority,
    .workspace = im2col_workspace,
    .run = {im2col_forward, im2col_backward_data, im2col_backward_weight},
};
