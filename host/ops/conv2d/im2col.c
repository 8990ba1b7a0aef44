/* im2col and CLBlast's GEMM: takes every shape and runs on every device, and is
 * what the other algorithms are measured and checked against. */
#include "ops/conv2d/shape_options.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"

/* The matrix of patches is made for so many images at a time that it stays
 * within this: with twice as much im2col is no faster, with four times it is slower. */
enum { COLUMNS_BYTES = 8 << 20 };

static size_t patch(const gf__conv2d_shape *s) {
  return (size_t)s->kernel[0] * (size_t)s->kernel[1] * (size_t)s->c;
}

static size_t pixels(const gf__conv2d_shape *s) { return (size_t)s->out_h * (size_t)s->out_w; }

static size_t image(const gf__conv2d_shape *s) { return (size_t)(s->h * s->w * s->c); }

/* CLBlast's copies of both operands and of the result have to fit one allocation too. */
static int images_at_once(const gf_device *device, const gf__conv2d_shape *s, int batch) {
  unsigned long long most = gf_device_describe(device)->max_allocation / 4;
  size_t bytes = most < COLUMNS_BYTES ? (size_t)most : COLUMNS_BYTES;
  size_t fit = bytes / (patch(s) * pixels(s) * sizeof(float));
  return fit < 1 ? 1 : fit < (size_t)batch ? (int)fit : batch;
}

static size_t columns_floats(const gf_device *device, const gf__conv2d_shape *s, int batch) {
  return (size_t)images_at_once(device, s, batch) * pixels(s) * patch(s);
}

static bool accepts(const gf_device *device, const gf__conv2d_shape *shape, gf__conv2d_pass pass) {
  (void)device, (void)shape, (void)pass;
  return true;
}

static int rank(const gf_device *device, const gf__conv2d_shape *shape) {
  (void)device, (void)shape;
  return 0;
}

/* The columns, and what each pass has behind them: images channel by channel or
 * transposed weights. Operands of CLBlast that do not begin at the start of
 * their buffer are copied first, so the columns do. Later it holds the parts of
 * the bias's sum. */
static size_t workspace(const gf_device *device, const gf__conv2d_shape *s, gf__conv2d_pass pass,
                        int batch) {
  size_t floats = columns_floats(device, s, batch);
  size_t sums = gf__column_sums_workspace(device, s->filters);
  if (pass == GF__CONV2D_FORWARD) floats += (size_t)images_at_once(device, s, batch) * image(s);
  if (pass == GF__CONV2D_BACKWARD_DATA) floats += patch(s) * (size_t)s->filters;
  size_t bytes = floats * sizeof(float);
  return bytes > sums ? bytes : sums;
}

/* The patches of images first to first + n - 1, as (pixels, patch). */
static gf_status make_columns(gf_device *device, const gf__conv2d_shape *s, const gf__conv2d_run *r,
                              int first, int n) {
  gf__kernel *kernel;
  char options[GF__SHAPE_OPTIONS_SIZE];
  int width = gf__vector_width(device, s->c);
  gf__conv2d_options(options, s, "-DVEC=%d", width);
  GF_TRY(gf__kernel_get(&kernel, device, "im2col.cl", "im2col", options));
  size_t count = (size_t)n * pixels(s) * patch(s) / (size_t)width;
  gf__grid grid = gf__grid_flat(device, count);
  grid.bytes = 8.0 * (double)n * (double)pixels(s) * (double)patch(s);
  return GF_LAUNCH(kernel, grid, GF_BUFFER(r->x), GF_BUFFER(r->workspace), GF_INT(first),
                   GF_INT((int)count));
}

/* The same as (patch, pixels); the images channel by channel lie behind it. */
static gf_status make_transposed(gf_device *device, const gf__conv2d_shape *s,
                                 const gf__conv2d_run *r, int first, int n) {
  gf__kernel *split, *im2col;
  char options[GF__SHAPE_OPTIONS_SIZE];
  int width = gf__vector_width(device, s->c), in = n * s->h * s->w, count = n * (int)pixels(s);
  gf__conv2d_options(options, s, "-DVEC=%d", width);
  GF_TRY(gf__kernel_get(&split, device, "im2col.cl", "split_channels", options));
  GF_TRY(gf__kernel_get(&im2col, device, "im2col.cl", "im2col_transposed", options));
  gf__grid blocks = gf__grid_single((size_t)((in + width - 1) / width), (size_t)(s->c / width), 1);
  blocks.bytes = 8.0 * in * s->c;
  int columns = count * (int)patch(s);
  GF_TRY(GF_LAUNCH(split, blocks, GF_BUFFER(r->x), GF_BUFFER(r->workspace), GF_INT(columns),
                   GF_INT(first), GF_INT(in)));
  gf__grid rows = gf__grid_single((size_t)n, patch(s), 1);
  rows.bytes = 8.0 * count * (double)patch(s);
  return GF_LAUNCH(im2col, rows, GF_BUFFER(r->workspace), GF_INT(columns), GF_INT(count));
}

static gf_status forward(gf_device *device, const gf__conv2d_shape *s, const gf__conv2d_run *r) {
  int step = images_at_once(device, s, r->n), k = s->filters;
  for (int first = 0; first < r->n; first += step) {
    int n = r->n - first < step ? r->n - first : step;
    GF_TRY(make_transposed(device, s, r, first, n));
    GF_TRY(gf__gemm(device, k, n * (int)pixels(s), (int)patch(s), r->w, 0, r->workspace, 0, true, 0,
                    r->out, (size_t)first * pixels(s) * (size_t)k));
  }
  const gf__epilogue *e = &r->epilogue;
  if (!e->bias && !e->residual && !e->mask && e->activation.kind == GF__ACTIVATION_NONE)
    return GF_OK;
  return gf__apply(device, (size_t)r->n * pixels(s), k, r->out, r->out, e);
}

static gf_status backward_data(gf_device *device, const gf__conv2d_shape *s,
                               const gf__conv2d_run *r) {
  gf__kernel *transpose, *col2im;
  char options[GF__SHAPE_OPTIONS_SIZE];
  int width = gf__vector_width(device, s->c), step = images_at_once(device, s, r->n);
  size_t dy_image = pixels(s) * (size_t)s->filters, weights = columns_floats(device, s, r->n);
  gf__conv2d_options(options, s, "-DVEC=%d", width);
  GF_TRY(gf__kernel_get(&transpose, device, "im2col.cl", "transpose_weights", options));
  GF_TRY(gf__kernel_get(&col2im, device, "im2col.cl", "col2im", options));
  gf__grid all_weights = {.global = {patch(s), (size_t)s->filters, 1}};
  GF_TRY(GF_LAUNCH(transpose, all_weights, GF_BUFFER(r->w), GF_BUFFER(r->workspace),
                   GF_INT((int)weights)));
  for (int first = 0; first < r->n; first += step) {
    int n = r->n - first < step ? r->n - first : step;
    GF_TRY(gf__gemm(device, (int)patch(s), n * (int)pixels(s), s->filters, r->workspace, weights,
                    r->dy, (size_t)first * dy_image, false, 0, r->workspace, 0));
    size_t count = (size_t)n * (size_t)s->h * (size_t)s->w * (size_t)(s->c / width);
    gf__grid grid = gf__grid_flat(device, count);
    grid.bytes = 4.0 * (double)n * (double)(pixels(s) * patch(s) + (size_t)(s->h * s->w * s->c));
    GF_TRY(GF_LAUNCH(col2im, grid, GF_BUFFER(r->workspace), GF_BUFFER(r->out), GF_INT(first),
                     GF_INT((int)count), GF_EPILOGUE(&r->epilogue)));
  }
  return GF_OK;
}

static gf_status backward_weight(gf_device *device, const gf__conv2d_shape *s,
                                 const gf__conv2d_run *r) {
  int step = images_at_once(device, s, r->n);
  size_t dy_image = pixels(s) * (size_t)s->filters;
  for (int first = 0; first < r->n; first += step) {
    int n = r->n - first < step ? r->n - first : step;
    GF_TRY(make_columns(device, s, r, first, n));
    GF_TRY(gf__gemm(device, s->filters, (int)patch(s), n * (int)pixels(s), r->dy,
                    (size_t)first * dy_image, r->workspace, 0, true, first > 0, r->out, 0));
  }
  if (!r->bias_out) return GF_OK;
  return gf__column_sums(device, r->n * (int)pixels(s), s->filters, r->dy, r->bias_out,
                         r->workspace);
}

const gf__conv2d_algorithm gf__conv2d_im2col = {
    .name = "im2col",
    .accepts = accepts,
    .rank = rank,
    .workspace = workspace,
    .run = {forward, backward_data, backward_weight},
};
