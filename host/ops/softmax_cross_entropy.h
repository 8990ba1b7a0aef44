#ifndef GF_OPS_SOFTMAX_CROSS_ENTROPY_H
#define GF_OPS_SOFTMAX_CROSS_ENTROPY_H

#include "ops/epilogue.h"

/* The distribution that a softmax is compared with. Of share < 1 (mixup), share
 * is the label's and the rest that of a second label. Smoothing s (Szegedy et
 * al., 2016) leaves 1 - s of that and gives s / classes to every class, the
 * label's as well, as PyTorch does. */
typedef struct gf__target {
  const gf_buffer *labels; /* n ints, or (2, n) of share < 1 */
  double share, smoothing;
} gf__target;

/* Of logits (n, classes): the sums of the losses and of the correct into results
 * (., 2) at slot. per_image (2, n) floats hold what each image gives. A hit
 * counts the share of the label that was hit. */
gf_status gf__softmax_cross_entropy(gf_device *device, int n, int classes, const gf_buffer *logits,
                                    gf__target target, gf_buffer *per_image, gf_buffer *results,
                                    int slot) GF_MUST_USE;
/* dlogits (n, classes) of the mean loss. */
gf_status gf__softmax_cross_entropy_backward(gf_device *device, int n, int classes,
                                             const gf_buffer *logits, gf__target target,
                                             gf_buffer *dlogits,
                                             const gf__epilogue *epilogue) GF_MUST_USE;

#endif
