#include "reference.h"

void ref_avg_pool_forward(const ref_pool *pool, const double *x, double *y) {
  const ref_pool *v = pool;
  int ph = ref_output_size(v->h, v->kernel[0], v->stride[0], v->padding[0], 1);
  int qw = ref_output_size(v->w, v->kernel[1], v->stride[1], v->padding[1], 1);
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
          y[(((size_t)n * ph + p) * qw + q) * v->c + c] = sum / (v->kernel[0] * v->kernel[1]);
        }
}

void ref_avg_pool_backward(const ref_pool *pool, const double *dy, double *dx) {
  const ref_pool *v = pool;
  int ph = ref_output_size(v->h, v->kernel[0], v->stride[0], v->padding[0], 1);
  int qw = ref_output_size(v->w, v->kernel[1], v->stride[1], v->padding[1], 1);
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
                    d / (v->kernel[0] * v->kernel[1]);
            }
        }
}
