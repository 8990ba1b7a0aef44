#ifndef GF_OPS_SOFTMAX_CROSS_ENTROPY_H
#define GF_OPS_SOFTMAX_CROSS_ENTROPY_H

#include "ops/epilogue.h"

/* The distribution that a softmax is compared with. With mix < 1 (mixup), the first label has mix
 * and a second label the rest. Smoothing s (Szegedy et al., 2016) leaves 1 - s of that and gives s
 * / classes to every class, the label's included, as PyTorch does. */
typedef struct gf__target {
  const gf_buffer *labels; /* n ints, or, with mix < 1, (2, n) */
  double mix, smoothing;
} gf__target;

/* Writes the sums of the losses and of the correct of logits (n, classes) into a row of results
 * (rows, 2). per_image (2, n) floats hold what each image gives. With two labels, a correct one
 * counts as much as it has of the target. */
gf_status gf__softmax_cross_entropy(gf_device *device, int n, int classes, const gf_buffer *logits,
                                    gf__target target, gf_buffer *per_image, gf_buffer *results,
                                    int row) GF_MUST_USE;
/* dlogits (n, classes) of the mean loss. */
gf_status gf__softmax_cross_entropy_backward(gf_device *device, int n, int classes,
                                             const gf_buffer *logits, gf__target target,
                                             gf_buffer *dlogits,
                                             const gf__epilogue *epilogue) GF_MUST_USE;

#endif
