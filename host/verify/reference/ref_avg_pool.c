#include "reference.h"

int ref_pool_outputs(const ref_pool *pool, int axis) {
  const ref_pool *v = pool;
  int size = axis == 0 ? v->h : v->w;
  int end = size + 2 * v->padding[axis] + v->extra[axis], count = 0;
  for (int o = 0; o * v->stride[axis] + v->kernel[axis] <= end; o++) count++;
  if (!v->ceil_mode || count == 0) return count;
  int begin = count * v->stride[axis]; /* of one window more */
  bool is_all_read = begin - v->stride[axis] + v->kernel[axis] == end;
  return !is_all_read && begin < size + v->padding[axis] ? count + 1 : count;
}

/* How many pixels, or pixels and zeros, window o has along an axis. */
static int counted(const ref_pool *v, int axis, int o) {
  int size = axis == 0 ? v->h : v->w, count = 0;
  for (int t = 0; t < v->kernel[axis]; t++) {
    int i = o * v->stride[axis] - v->padding[axis] + t;
    if (v->pixels_only ? i >= 0 && i < size : i < size + v->padding[axis] + v->extra[axis]) count++;
  }
  return count;
}

void ref_avg_pool_forward(const ref_pool *pool, const double *x, double *y) {
  const ref_pool *v = pool;
  int ph = ref_pool_outputs(v, 0), qw = ref_pool_outputs(v, 1);
  for (int n = 0; n < v->n; n++)
    for (int p = 0; p < ph; p++)
      for (int q = 0; q < qw; q++)
        for (int c = 0; c < v->c; c++) {
          double sum = 0;
          for (int r = 0; r < v->kernel[0]; r++)
            for (int s = 0; s < v->kernel[1]; s++) {
              int i = p * v->stride[0] - v->padding[0] + r;
              int j = q * v->stride[1] - v->padding[1] + s;
              if (i >= 0 && i < v->h && j >= 0 && j < v->w)
                sum += x[(((size_t)n * v->h + i) * v->w + j) * v->c + c];
            }
          y[(((size_t)n * ph + p) * qw + q) * v->c + c] =
              sum / (counted(v, 0, p) * counted(v, 1, q));
        }
}

void ref_avg_pool_backward(const ref_pool *pool, const double *dy, double *dx) {
  const ref_pool *v = pool;
  int ph = ref_pool_outputs(v, 0), qw = ref_pool_outputs(v, 1);
  for (size_t i = 0; i < (size_t)v->n * v->h * v->w * v->c; i++) dx[i] = 0;
  for (int n = 0; n < v->n; n++)
    for (int p = 0; p < ph; p++)
      for (int q = 0; q < qw; q++)
        for (int c = 0; c < v->c; c++) {
          double d = dy[(((size_t)n * ph + p) * qw + q) * v->c + c];
          for (int r = 0; r < v->kernel[0]; r++)
            for (int s = 0; s < v->kernel[1]; s++) {
              int i = p * v->stride[0] - v->padding[0] + r;
              int j = q * v->stride[1] - v->padding[1] + s;
              if (i >= 0 && i < v->h && j >= 0 && j < v->w)
                dx[(((size_t)n * v->h + i) * v->w + j) * v->c + c] +=
                    d / (counted(v, 0, p) * counted(v, 1, q));
            }
        }
}
