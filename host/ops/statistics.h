/* Statistics of gradients, tensor by tensor, over the flat buffers. */
#ifndef GF_OPS_STATISTICS_H
#define GF_OPS_STATISTICS_H

#include "device/device.h"

/* What the kernels leave for one tensor, in this order (cl/statistics.cl). */
typedef struct gf__statistics_sums {
  float absolute, squares;
  float small_squares; /* of the gradients below 2^-40, times 2^120 */
  float maximum;
  float zeros, nonfinite; /* elements */
  float weight_squares, update_squares;
} gf__statistics_sums;

size_t gf__statistics_workspace(int tensors); /* bytes */

/* For tensors ranges of the flat buffers, ranges (tensors, 2) ints: first float
 * and number of floats. old is w before the optimizer's step. out holds
 * tensors gf__statistics_sums. */
gf_status gf__statistics(gf_device *device, int tensors, const gf_buffer *gradient,
                         const gf_buffer *w, const gf_buffer *old, const gf_buffer *ranges,
                         gf_buffer *workspace, gf_buffer *out) GF_MUST_USE;

#endif
