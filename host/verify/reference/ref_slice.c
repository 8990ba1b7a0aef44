#include "reference.h"

void ref_slice_forward(int rows, int c, int first, int channels, const double *x, double *y) {
  for (int r = 0; r < rows; r++)
    for (int k = 0; k < channels; k++)
      y[(size_t)r * (size_t)channels + (size_t)k] = x[(size_t)r * (size_t)c + (size_t)(first + k)];
}

void ref_slice_backward(int rows, int c, int first, int channels, const double *dy, double *dx) {
  for (size_t i = 0; i < (size_t)rows * (size_t)c; i++) dx[i] = 0;
  for (int r = 0; r < rows; r++)
    for (int k = 0; k < channels; k++)
      dx[(size_t)r * (size_t)c + (size_t)(first + k)] =
          dy[(size_t)r * (size_t)channels + (size_t)k];
}
