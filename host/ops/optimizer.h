/* One step of an optimizer over flat buffers, in one launch. */
#ifndef GF_OPS_OPTIMIZER_H
#define GF_OPS_OPTIMIZER_H

#include "device/device.h"

/* The step's operands: count floats each. first and second are the optimizer's
 * state, NULL where it has none. */
typedef struct gf__optimizer_step {
  int count;
  gf__buffer *w;
  const gf__buffer *gradient;
  gf__buffer *first, *second;
  double learning_rate, weight_decay;
} gf__optimizer_step;

/* Kingma and Ba, 2015, as PyTorch's; t counts steps from 1. */
gf_status gf__adam_step(gf_device *device, const gf__optimizer_step *step, int t, double beta1,
                        double beta2, double eps) GF_MUST_USE;
/* Momentum as PyTorch's: v = momentum v + g, w -= rate v. */
gf_status gf__sgd_step(gf_device *device, const gf__optimizer_step *step,
                       double momentum) GF_MUST_USE;

#endif
