#include "reference.h"

void ref_linear_forward(int n, int inputs, int outputs, const double *x, const double *weight,
                        const double *bias, double *y) {
  for (int row = 0; row < n; row++)
    for (int o = 0; o < outputs; o++) {
      double sum = bias ? bias[o] : 0;
      for (int i = 0; i < inputs; i++)
        sum += weight[(size_t)o * inputs + i] * x[(size_t)row * inputs + i];
      y[(size_t)row * outputs + o] = sum;
    }
}

void ref_linear_backward(int n, int inputs, int outputs, const double *x, const double *weight,
                         const double *dy, double *dx, double *dweight, double *dbias) {
  for (int row = 0; dx && row < n; row++)
    for (int i = 0; i < inputs; i++) {
      double sum = 0;
      for (int o = 0; o < outputs; o++)
        sum += weight[(size_t)o * inputs + i] * dy[(size_t)row * outputs + o];
      dx[(size_t)row * inputs + i] = sum;
    }
  for (int o = 0; dweight && o < outputs; o++)
    for (int i = 0; i < inputs; i++) {
      double sum = 0;
      for (int row = 0; row < n; row++)
        sum += dy[(size_t)row * outputs + o] * x[(size_t)row * inputs + i];
      dweight[(size_t)o * inputs + i] = sum;
    }
  for (int o = 0; dbias && o < outputs; o++) {
    dbias[o] = 0;
    for (int row = 0; row < n; row++) dbias[o] += dy[(size_t)row * outputs + o];
  }
}
