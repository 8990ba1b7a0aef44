#include <math.h>

#include "reference.h"

double ref_clip_scale(size_t count, const double *gradient, double most) {
  double squares = 0;
  for (size_t i = 0; i < count; i++) squares += gradient[i] * gradient[i];
  double scale = most / (sqrt(squares) + 1e-6);
  return scale < 1 ? scale : 1;
}
