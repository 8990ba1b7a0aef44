/* One step of an optimizer over flat buffers, in one launch. */
#ifndef GF_OPS_OPTIMIZER_H
#define GF_OPS_OPTIMIZER_H

#include "device/device.h"

/* The step's operands, of count floats each. first and second are the optimizer's state, NULL where
 * it has none. The gradient is multiplied by clip_scale as it is read, each element is then limited
 * to +-clip_value, and the buffer is left as it is. */
typedef struct gf__optimizer_step {
  int t; /* number of the step, from 1 */
  int count;
  gf_buffer *w;
  const gf_buffer *gradient;
  gf_buffer *first, *second;
  double learning_rate, weight_decay;
  const gf_buffer *clip_scale; /* 1 float, or NULL: 1 */
  double clip_value;           /* 0: no limit */
} gf__optimizer_step;

/* Kingma and Ba, 2015, as PyTorch's. Decoupled weight decay removes rate * decay of the weights
 * (AdamW: Loshchilov and Hutter, 2019) instead of adding decay * w to the gradient. */
typedef struct gf__adam {
  double beta1, beta2, eps;
  bool decoupled;
} gf__adam;
gf_status gf__adam_step(gf_device *device, const gf__optimizer_step *step,
                        const gf__adam *adam) GF_MUST_USE;

/* Momentum as PyTorch's: v = momentum v + g, w -= rate v; with nesterov,
 * w -= rate (g + momentum v). first is v. */
typedef struct gf__sgd {
  double momentum;
  bool nesterov;
} gf__sgd;
gf_status gf__sgd_step(gf_device *device, const gf__optimizer_step *step,
                       const gf__sgd *sgd) GF_MUST_USE;

/* Tieleman and Hinton, 2012, as PyTorch's, not centered: s = alpha s + (1 - alpha) g^2,
 * v = momentum v + g / (sqrt(s) + eps), w -= rate v. first is s, second is v. */
typedef struct gf__rmsprop {
  double alpha, eps, momentum;
} gf__rmsprop;
gf_status gf__rmsprop_step(gf_device *device, const gf__optimizer_step *step,
                           const gf__rmsprop *rmsprop) GF_MUST_USE;

#endif
