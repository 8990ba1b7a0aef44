/* Losses of auxiliary classifiers: Lee et al., "Deeply-supervised nets", 2015. */
#ifndef GF_OPS_AUXILIARY_LOSS_H
#define GF_OPS_AUXILIARY_LOSS_H

#include "ops/epilogue.h"

typedef enum gf__auxiliary_kind {
  GF__AUXILIARY_SOFTMAX_CROSS_ENTROPY,
  GF__AUXILIARY_SQUARED_HINGE /* sum over k of max(0, 1 - logit[label] + logit[k])^2, k not label */
} gf__auxiliary_kind;

typedef struct gf__auxiliary_target {
  const gf_buffer *labels; /* n ints, or, with mix < 1, (2, n): first and second labels */
  double mix;              /* of the first labels in the target; the second ones have the rest */
} gf__auxiliary_target;

/* dlogits (n, classes) = epilogue(weight * the gradient of the mean loss). */
gf_status gf__auxiliary_loss_backward(gf_device *device, gf__auxiliary_kind kind, int n,
                                      int classes, const gf_buffer *logits,
                                      gf__auxiliary_target target, double weight,
                                      gf_buffer *dlogits, const gf__epilogue *epilogue) GF_MUST_USE;

#endif
