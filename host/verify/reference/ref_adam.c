#include <math.h>

#include "reference.h"

void ref_adam_step(const ref_adam *adam, int t, size_t count, const double *gradient, double *w,
                   double *m, double *v) {
  double correction1 = 1 - pow(adam->beta1, t), correction2 = 1 - pow(adam->beta2, t);
  for (size_t i = 0; i < count; i++) {
    double g = gradient[i] + adam->weight_decay * w[i];
    m[i] = adam->beta1 * m[i] + (1 - adam->beta1) * g;
    v[i] = adam->beta2 * v[i] + (1 - adam->beta2) * g * g;
    w[i] -= adam->lr / correction1 * m[i] / (sqrt(v[i]) / sqrt(correction2) + adam->eps);
  }
}
