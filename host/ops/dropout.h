#ifndef GF_OPS_DROPOUT_H
#define GF_OPS_DROPOUT_H

#include <stdint.h>

#include "ops/epilogue.h"

/* y = epilogue(x where it is kept, scaled by 1 / (1 - p)) for count values, of which the batch has
 * first others before them. Forward and backward are the same call: key, step, node and position
 * draw the same values. */
gf_status gf__dropout(gf_device *device, int count, float p, const uint32_t key[2], int step,
                      int node, size_t first, const gf_buffer *x, gf_buffer *y,
                      const gf__epilogue *epilogue) GF_MUST_USE;
/* The same of whole images (Huang et al., 2016): n of size values, of which the batch has first
 * others before them. */
gf_status gf__stochastic_depth(gf_device *device, int n, int size, float p, const uint32_t key[2],
                               int step, int node, int first, const gf_buffer *x, gf_buffer *y,
                               const gf__epilogue *epilogue) GF_MUST_USE;

#endif
