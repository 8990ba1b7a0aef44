#include "reference.h"

double ref_squared_hinge(int n, int classes, const double *logits, const int *labels,
                         double *dlogits) {
  double loss = 0;
  for (int i = 0; i < n; i++) {
    const double *row = logits + (size_t)i * classes;
    double *d = dlogits + (size_t)i * classes;
    d[labels[i]] = 0;
    for (int k = 0; k < classes; k++) {
      if (k == labels[i]) continue;
      double lack = 1 - row[labels[i]] + row[k];
      if (!(lack > 0)) lack = 0;
      loss += lack * lack / n;
      d[k] = 2 * lack / n;
      d[labels[i]] -= d[k];
    }
  }
  return loss;
}
