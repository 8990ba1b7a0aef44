#include <math.h>

#include "reference.h"

double ref_softmax_cross_entropy(int n, int classes, const double *logits, const int *labels,
                                 int *correct, double *dlogits) {
  double loss = 0;
  int right = 0;
  for (int i = 0; i < n; i++) {
    const double *row = logits + (size_t)i * classes;
    int best = 0;
    for (int k = 1; k < classes; k++)
      if (row[k] > row[best]) best = k;
    double sum = 0; /* of exp(logit - largest), which cannot overflow */
    for (int k = 0; k < classes; k++) sum += exp(row[k] - row[best]);
    double own = log(sum) + row[best] - row[labels[i]];
    loss += own;
    right += best == labels[i] && !isnan(own); /* a score that is no number makes no class */
    for (int k = 0; dlogits && k < classes; k++)
      dlogits[(size_t)i * classes + k] = (exp(row[k] - row[best]) / sum - (k == labels[i])) / n;
  }
  if (correct) *correct = right;
  return loss / n;
}
