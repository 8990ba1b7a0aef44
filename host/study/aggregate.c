#include "study/aggregate.h"

#include <math.h>

gf__aggregate gf__aggregate_values(const double *values, int count) {
  gf__aggregate out = {.mean = NAN, .deviation = NAN};
  double sum = 0, squares = 0, rest = 0;
  for (int i = 0; i < count; i++) {
    if (!isfinite(values[i])) continue;
    sum += values[i];
    out.n++;
  }
  if (out.n == 0) return out;
  out.mean = sum / out.n;
  for (int i = 0; i < count; i++) {
    if (!isfinite(values[i])) continue;
    double d = values[i] - out.mean;
    squares += d * d;
    rest += d;
  }
  if (out.n > 1) out.deviation = sqrt(fmax(squares - rest * rest / out.n, 0) / (out.n - 1));
  return out;
}
