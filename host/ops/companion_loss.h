/* Losses of companion classifiers: Lee et al., "Deeply-supervised nets", 2015. */
#ifndef GF_OPS_COMPANION_LOSS_H
#define GF_OPS_COMPANION_LOSS_H

#include "ops/epilogue.h"

typedef enum gf__companion_kind {
  GF__COMPANION_SOFTMAX_CROSS_ENTROPY,
  GF__COMPANION_SQUARED_HINGE /* sum over k of max(0, 1 - logit[label] + logit[k])^2, k not label */
} gf__companion_kind;

typedef struct gf__companion_target {
  const gf__buffer *labels; /* n ints, or (2, n) of share < 1: the second ones have the rest */
  double share;
} gf__companion_target;

/* dlogits (n, classes) = epilogue(weight * the gradient of the mean loss). */
gf_status gf__companion_loss_backward(gf_device *device, gf__companion_kind kind, int n,
                                      int classes, const gf__buffer *logits,
                                      gf__companion_target target, double weight,
                                      gf__buffer *dlogits,
                                      const gf__epilogue *epilogue) GF_MUST_USE;

#endif
