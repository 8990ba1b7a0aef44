#include <math.h>

#include "reference.h"

double ref_cosine(double lr0, double minimum, int epoch, int epochs) {
  const double pi = acos(-1);
  return minimum + (lr0 - minimum) * (1 + cos(pi * epoch / epochs)) / 2;
}
