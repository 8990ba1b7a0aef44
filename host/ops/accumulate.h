/* The gradient of a batch from those of its micro-batches. */
#ifndef GF_OPS_ACCUMULATE_H
#define GF_OPS_ACCUMULATE_H

#include "device/device.h"

/* sum = weight * gradient, plus what sum holds unless this is the first micro-batch, for count
 * floats. In results (rows, 2), micro_row, the micro-batch's loss and correct, is added to row, the
 * batch's. */
gf_status gf__accumulate(gf_device *device, int count, const gf_buffer *gradient, gf_buffer *sum,
                         double weight, bool first, gf_buffer *results, int row,
                         int micro_row) GF_MUST_USE;

#endif
