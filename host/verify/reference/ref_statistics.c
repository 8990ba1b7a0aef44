#include <math.h>

#include "reference.h"

ref_statistics ref_statistics_of(size_t count, const double *x) {
  double sum = 0, squares = 0, largest = 0, zeros = 0;
  for (size_t i = 0; i < count; i++) {
    sum += fabs(x[i]);
    squares += x[i] * x[i];
    largest = fmax(largest, fabs(x[i]));
    zeros += x[i] == 0;
  }
  return (ref_statistics){sum / count, sqrt(squares), largest, zeros / count};
}
