#include "reference.h"

void ref_sgd_step(const ref_sgd *sgd, size_t count, const double *gradient, double *w,
                  double *velocity) {
  for (size_t i = 0; i < count; i++) {
    double g = gradient[i] + sgd->weight_decay * w[i];
    velocity[i] = sgd->momentum * velocity[i] + g;
    w[i] -= sgd->lr * (sgd->nesterov ? g + sgd->momentum * velocity[i] : velocity[i]);
  }
}
