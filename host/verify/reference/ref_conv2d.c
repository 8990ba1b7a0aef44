#include "reference.h"

int ref_output_size(int size, int kernel, int stride, int padding, int dilation) {
  int room = size + 2 * padding - dilation * (kernel - 1) - 1;
  return room < 0 ? 0 : room / stride + 1;
}

int ref_conv2d_outputs(const ref_conv2d *v, int axis) {
  return ref_output_size((axis == 0 ? v->h : v->w) + v->extra[axis], v->kernel[axis],
                         v->stride[axis], v->padding[axis], v->dilation[axis]);
}

/* The pixel along one axis that output position p reads at kernel position r. */
static int source(const ref_conv2d *v, int axis, int p, int r) {
  return p * v->stride[axis] - v->padding[axis] + r * v->dilation[axis];
}

static size_t x_at(const ref_conv2d *v, int n, int i, int j, int c) {
  return (((size_t)n * v->h + i) * v->w + j) * v->c + c;
}

static size_t weight_at(const ref_conv2d *v, int k, int c, int r, int s) {
  return (((size_t)k * (v->c / v->groups) + c) * v->kernel[0] + r) * v->kernel[1] + s;
}

/* The first channel that filter k reads. */
static int first_channel(const ref_conv2d *v, int k) {
  return k / (v->filters / v->groups) * (v->c / v->groups);
}

void ref_conv2d_forward(const ref_conv2d *conv, const double *x, const double *weight,
                        const double *bias, double *y) {
  const ref_conv2d *v = conv;
  int ph = ref_conv2d_outputs(v, 0), qw = ref_conv2d_outputs(v, 1);
  for (int n = 0; n < v->n; n++)
    for (int p = 0; p < ph; p++)
      for (int q = 0; q < qw; q++)
        for (int k = 0; k < v->filters; k++) {
          double sum = bias ? bias[k] : 0;
          for (int r = 0; r < v->kernel[0]; r++)
            for (int s = 0; s < v->kernel[1]; s++) {
              int i = source(v, 0, p, r), j = source(v, 1, q, s);
              if (i < 0 || i >= v->h || j < 0 || j >= v->w) continue;
              for (int c = 0; c < v->c / v->groups; c++)
                sum +=
                    weight[weight_at(v, k, c, r, s)] * x[x_at(v, n, i, j, first_channel(v, k) + c)];
            }
          y[(((size_t)n * ph + p) * qw + q) * v->filters + k] = sum;
        }
}

static void clear(double *values, size_t count) {
  for (size_t i = 0; values && i < count; i++) values[i] = 0;
}

void ref_conv2d_backward(const ref_conv2d *conv, const double *x, const double *weight,
                         const double *dy, double *dx, double *dweight, double *dbias) {
  const ref_conv2d *v = conv;
  int ph = ref_conv2d_outputs(v, 0), qw = ref_conv2d_outputs(v, 1);
  clear(dx, x_at(v, v->n, 0, 0, 0));
  clear(dweight, weight_at(v, v->filters, 0, 0, 0));
  clear(dbias, (size_t)v->filters);
  for (int n = 0; n < v->n; n++)
    for (int p = 0; p < ph; p++)
      for (int q = 0; q < qw; q++)
        for (int k = 0; k < v->filters; k++) {
          double d = dy[(((size_t)n * ph + p) * qw + q) * v->filters + k];
          if (dbias) dbias[k] += d;
          for (int r = 0; r < v->kernel[0]; r++)
            for (int s = 0; s < v->kernel[1]; s++) {
              int i = source(v, 0, p, r), j = source(v, 1, q, s);
              if (i < 0 || i >= v->h || j < 0 || j >= v->w) continue;
              for (int c = 0; c < v->c / v->groups; c++) {
                size_t at = x_at(v, n, i, j, first_channel(v, k) + c),
                       tap = weight_at(v, k, c, r, s);
                if (dx) dx[at] += weight[tap] * d;
                if (dweight) dweight[tap] += x[at] * d;
              }
            }
        }
}
