/* The gradient of a batch from those of its parts. */
#ifndef GF_OPS_ACCUMULATE_H
#define GF_OPS_ACCUMULATE_H

#include "device/device.h"

/* sum = share * gradient, plus what sum has unless first, for count floats. results (slots, 2):
 * likewise the row part_slot, the part's loss and correct, is added to the row slot, the batch's.
 */
gf_status gf__accumulate(gf_device *device, int count, const gf_buffer *gradient, gf_buffer *sum,
                         double share, bool first, gf_buffer *results, int slot,
                         int part_slot) GF_MUST_USE;

#endif
