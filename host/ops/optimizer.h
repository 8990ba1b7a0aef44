/* One step of an optimizer over flat buffers, in one launch. */
#ifndef GF_OPS_OPTIMIZER_H
#define GF_OPS_OPTIMIZER_H

#include "device/device.h"

/* The step's operands: count floats each. first and second are the optimizer's
 * state, NULL where it has none. The gradient is read as clip_scale times it,
 * each element then limited to +-clip_value, and is left as it is. */
typedef struct gf__optimizer_step {
  int count;
  gf_buffer *w;
  const gf_buffer *gradient;
  gf_buffer *first, *second;
  double learning_rate, weight_decay;
  const gf_buffer *clip_scale; /* 1 float, or NULL: 1 */
  double clip_value;           /* 0: no limit */
} gf__optimizer_step;

/* Kingma and Ba, 2015, as PyTorch's; t counts steps from 1. decoupled: weight
 * decay takes rate * decay of the weights (AdamW: Loshchilov and Hutter, 2019)
 * instead of adding decay * w to the gradient. */
gf_status gf__adam_step(gf_device *device, const gf__optimizer_step *step, int t, double beta1,
                        double beta2, double eps, bool decoupled) GF_MUST_USE;
/* Momentum as PyTorch's: v = momentum v + g, w -= rate v; with nesterov,
 * w -= rate (g + momentum v). first is v. */
gf_status gf__sgd_step(gf_device *device, const gf__optimizer_step *step, double momentum,
                       bool nesterov) GF_MUST_USE;
/* Tieleman and Hinton, 2012, as PyTorch's, not centered: s = alpha s + (1 - alpha) g^2,
 * v = momentum v + g / (sqrt(s) + eps), w -= rate v. first is s, second is v. */
gf_status gf__rmsprop_step(gf_device *device, const gf__optimizer_step *step, double alpha,
                           double eps, double momentum) GF_MUST_USE;

#endif
