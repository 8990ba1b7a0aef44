#include <math.h>

#include "reference.h"

double ref_smoothed_cross_entropy(int n, int classes, double smoothing, const double *logits,
                                  const int *labels, double *dlogits) {
  double loss = 0;
  for (int i = 0; i < n; i++) {
    const double *row = logits + (size_t)i * classes;
    double most = row[0], sum = 0;
    for (int k = 1; k < classes; k++) most = fmax(most, row[k]);
    for (int k = 0; k < classes; k++) sum += exp(row[k] - most);
    for (int k = 0; k < classes; k++) {
      double target = (1 - smoothing) * (k == labels[i]) + smoothing / classes;
      loss -= target * (row[k] - most - log(sum)) / n;
      if (dlogits) dlogits[(size_t)i * classes + k] = (exp(row[k] - most) / sum - target) / n;
    }
  }
  return loss;
}
