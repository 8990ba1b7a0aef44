#ifndef GF_OPS_SOFTMAX_CROSS_ENTROPY_H
#define GF_OPS_SOFTMAX_CROSS_ENTROPY_H

#include "ops/epilogue.h"

/* Of logits (n, classes) and labels (n ints): the sums of the losses and of the
 * hits into results (., 2) at slot. per_image
 * (2, n) floats hold what each image gives. */
gf_status gf__softmax_cross_entropy(gf_device *device, int n, int classes, const gf__buffer *logits,
                                    const gf__buffer *labels, gf__buffer *per_image,
                                    gf__buffer *results, int slot) GF_MUST_USE;
/* dlogits (n, classes) of the mean loss. */
gf_status gf__softmax_cross_entropy_backward(gf_device *device, int n, int classes,
                                             const gf__buffer *logits, const gf__buffer *labels,
                                             gf__buffer *dlogits,
                                             const gf__epilogue *epilogue) GF_MUST_USE;

#endif
