#include "reference.h"

void ref_flatten_forward(int n, int h, int w, int c, const double *x, double *y) {
  for (int row = 0; row < n; row++)
    for (int i = 0; i < h; i++)
      for (int j = 0; j < w; j++)
        for (int k = 0; k < c; k++)
          y[(((size_t)row * c + k) * h + i) * w + j] = x[(((size_t)row * h + i) * w + j) * c + k];
}

void ref_flatten_backward(int n, int h, int w, int c, const double *dy, double *dx) {
  for (int row = 0; row < n; row++)
    for (int i = 0; i < h; i++)
      for (int j = 0; j < w; j++)
        for (int k = 0; k < c; k++)
          dx[(((size_t)row * h + i) * w + j) * c + k] = dy[(((size_t)row * c + k) * h + i) * w + j];
}
