#include "reference.h"

void ref_layer_scale_forward(int rows, int c, const double *x, const double *factor, double *y) {
  for (int r = 0; r < rows; r++)
    for (int k = 0; k < c; k++) {
      size_t at = (size_t)r * (size_t)c + (size_t)k;
      y[at] = factor[k] * x[at];
    }
}

void ref_layer_scale_backward(int rows, int c, const double *x, const double *factor,
                              const double *dy, double *dx, double *dfactor) {
  for (int k = 0; k < c; k++) {
    dfactor[k] = 0;
    for (int r = 0; r < rows; r++) {
      size_t at = (size_t)r * (size_t)c + (size_t)k;
      dfactor[k] += dy[at] * x[at];
      dx[at] = dy[at] * factor[k];
    }
  }
}
