#include "reference.h"

void ref_adamw_step(const ref_adam *adam, int t, size_t count, const double *gradient, double *w,
                    double *m, double *v) {
  ref_adam plain = *adam;
  plain.weight_decay = 0;
  for (size_t i = 0; i < count; i++) w[i] -= adam->lr * adam->weight_decay * w[i];
  ref_adam_step(&plain, t, count, gradient, w, m, v);
}
