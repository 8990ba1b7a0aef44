#include <math.h>

#include "reference.h"

ref_activation_statistics ref_activation_statistics_of(size_t rows, int c, const double *y,
                                                       const double *derivative) {
  double sum = 0, squares = 0;
  size_t count = rows * (size_t)c;
  int dead = 0;
  for (size_t i = 0; i < count; i++) sum += y[i];
  double mean = sum / (double)count;
  for (size_t i = 0; i < count; i++) squares += (y[i] - mean) * (y[i] - mean);
  for (int k = 0; derivative && k < c; k++) {
    int alive = 0;
    for (size_t r = 0; r < rows; r++) alive += derivative[r * (size_t)c + (size_t)k] > 0.01;
    dead += alive == 0;
  }
  return (ref_activation_statistics){mean, sqrt(squares / (double)count),
                                     derivative ? (double)dead / c : NAN};
}

double ref_contrast_of(int images, size_t units, const double *y) {
  double all = 0, apart = 0;
  for (size_t u = 0; u < units; u++) {
    double mean = 0;
    for (int b = 0; b < images; b++) mean += y[(size_t)b * units + u] / images;
    for (int b = 0; b < images; b++) {
      double v = y[(size_t)b * units + u];
      all += v * v;
      apart += (v - mean) * (v - mean);
    }
  }
  return all > 0 ? apart / all : 0;
}
