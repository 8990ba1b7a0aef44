#include "reference.h"

/* The index of the factor of value i. */
static size_t factor_of(int pixels, int c, size_t i) {
  size_t image = i / ((size_t)pixels * (size_t)c);
  return image * (size_t)c + i % (size_t)c;
}

void ref_multiply_forward(int n, int pixels, int c, const double *x, const double *factor,
                          double *y) {
  size_t count = (size_t)n * (size_t)pixels * (size_t)c;
  for (size_t i = 0; i < count; i++) y[i] = x[i] * factor[factor_of(pixels, c, i)];
}

void ref_multiply_backward(int n, int pixels, int c, const double *x, const double *factor,
                           const double *dy, double *dx, double *dfactor) {
  size_t count = (size_t)n * (size_t)pixels * (size_t)c;
  for (size_t i = 0; i < (size_t)n * (size_t)c; i++) dfactor[i] = 0;
  for (size_t i = 0; i < count; i++) {
    size_t at = factor_of(pixels, c, i);
    dx[i] = dy[i] * factor[at];
    dfactor[at] += dy[i] * x[i];
  }
}
