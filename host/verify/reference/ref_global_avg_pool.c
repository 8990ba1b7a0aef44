#include "reference.h"

void ref_global_avg_pool_forward(int n, int h, int w, int c, const double *x, double *y) {
  int pixels = h * w;
  for (int i = 0; i < n; i++)
    for (int k = 0; k < c; k++) {
      double sum = 0;
      for (int p = 0; p < pixels; p++) sum += x[((size_t)i * pixels + p) * c + k];
      y[(size_t)i * c + k] = sum / pixels;
    }
}

void ref_global_avg_pool_backward(int n, int h, int w, int c, const double *dy, double *dx) {
  int pixels = h * w;
  for (int i = 0; i < n; i++)
    for (int p = 0; p < pixels; p++)
      for (int k = 0; k < c; k++)
        dx[((size_t)i * pixels + p) * c + k] = dy[(size_t)i * c + k] / pixels;
}
