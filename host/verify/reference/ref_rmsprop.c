#include <math.h>

#include "reference.h"

void ref_rmsprop_step(const ref_rmsprop *rmsprop, size_t count, const double *gradient, double *w,
                      double *s, double *velocity) {
  for (size_t i = 0; i < count; i++) {
    double g = gradient[i] + rmsprop->weight_decay * w[i];
    s[i] = rmsprop->alpha * s[i] + (1 - rmsprop->alpha) * g * g;
    velocity[i] = rmsprop->momentum * velocity[i] + g / (sqrt(s[i]) + rmsprop->eps);
    w[i] -= rmsprop->lr * velocity[i];
  }
}
