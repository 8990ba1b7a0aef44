#include "reference.h"

/* By its own definition and not as some convolution's gradient: each pixel of the image is spread
 * over the output. */

int ref_conv_transpose2d_outputs(const ref_conv_transpose2d *v, int axis) {
  int size = axis == 0 ? v->h : v->w;
  return (size - 1) * v->stride[axis] + v->dilation[axis] * (v->kernel[axis] - 1) + 1 +
         v->output_padding[axis] - v->begin[axis] - v->end[axis];
}

/* What is done with a product: indices into x, weight and y. */
typedef void product(void *user, size_t x, size_t weight, size_t y);

static void each_tap(const ref_conv_transpose2d *v, int n, int i, int j, int c, product *visit,
                     void *user) {
  int height = ref_conv_transpose2d_outputs(v, 0), width = ref_conv_transpose2d_outputs(v, 1);
  int filters = v->filters / v->groups, first = c / (v->c / v->groups) * filters;
  size_t x = (((size_t)n * v->h + i) * v->w + j) * v->c + c;
  for (int k = 0; k < filters; k++)
    for (int r = 0; r < v->kernel[0]; r++)
      for (int s = 0; s < v->kernel[1]; s++) {
        int p = i * v->stride[0] + r * v->dilation[0] - v->begin[0];
        int q = j * v->stride[1] + s * v->dilation[1] - v->begin[1];
        if (p < 0 || p >= height || q < 0 || q >= width) continue;
        size_t weight = (((size_t)c * filters + k) * v->kernel[0] + r) * v->kernel[1] + s;
        size_t y = (((size_t)n * height + p) * width + q) * v->filters + first + k;
        visit(user, x, weight, y);
      }
}

static void each_product(const ref_conv_transpose2d *v, product *visit, void *user) {
  for (int n = 0; n < v->n; n++)
    for (int i = 0; i < v->h; i++)
      for (int j = 0; j < v->w; j++)
        for (int c = 0; c < v->c; c++) each_tap(v, n, i, j, c, visit, user);
}

typedef struct arrays {
  const double *x, *weight, *dy;
  double *y, *dx, *dweight;
} arrays;

static void add_forward(void *user, size_t x, size_t weight, size_t y) {
  const arrays *a = user;
  a->y[y] += a->x[x] * a->weight[weight];
}

static void add_backward(void *user, size_t x, size_t weight, size_t y) {
  const arrays *a = user;
  a->dx[x] += a->weight[weight] * a->dy[y];
  a->dweight[weight] += a->x[x] * a->dy[y];
}

static size_t pixels_of(const ref_conv_transpose2d *v) {
  return (size_t)v->n * ref_conv_transpose2d_outputs(v, 0) * ref_conv_transpose2d_outputs(v, 1);
}

void ref_conv_transpose2d_forward(const ref_conv_transpose2d *v, const double *x,
                                  const double *weight, const double *bias, double *y) {
  size_t count = pixels_of(v) * v->filters;
  for (size_t i = 0; i < count; i++) y[i] = bias ? bias[i % v->filters] : 0;
  each_product(v, add_forward, &(arrays){.x = x, .weight = weight, .y = y});
}

void ref_conv_transpose2d_backward(const ref_conv_transpose2d *v, const double *x,
                                   const double *weight, const double *dy, double *dx,
                                   double *dweight, double *dbias) {
  size_t inputs = (size_t)v->n * v->h * v->w * v->c;
  size_t weights = (size_t)v->c * (v->filters / v->groups) * v->kernel[0] * v->kernel[1];
  for (size_t i = 0; i < inputs; i++) dx[i] = 0;
  for (size_t i = 0; i < weights; i++) dweight[i] = 0;
  for (int k = 0; dbias && k < v->filters; k++) dbias[k] = 0;
  for (size_t i = 0; dbias && i < pixels_of(v) * v->filters; i++) dbias[i % v->filters] += dy[i];
  each_product(v, add_backward,
               &(arrays){.x = x, .weight = weight, .dy = dy, .dx = dx, .dweight = dweight});
}
