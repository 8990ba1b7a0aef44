#include "reference.h"

void ref_dropout_forward(size_t count, double p, const unsigned char *mask, const double *x,
                         double *y) {
  for (size_t i = 0; i < count; i++) y[i] = mask[i] ? x[i] / (1 - p) : 0;
}

void ref_dropout_backward(size_t count, double p, const unsigned char *mask, const double *dy,
                          double *dx) {
  for (size_t i = 0; i < count; i++) dx[i] = mask[i] ? dy[i] / (1 - p) : 0;
}
