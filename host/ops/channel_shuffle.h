#ifndef GF_OPS_CHANNEL_SHUFFLE_H
#define GF_OPS_CHANNEL_SHUFFLE_H

#include "ops/epilogue.h"

/* y = epilogue(x) (rows, channels), where the channels of the groups follow each other by turns:
 * the first of each group, then the second of each. With channels / groups groups it is the
 * inverse. */
gf_status gf__channel_shuffle(gf_device *device, size_t rows, int channels, int groups,
                              const gf_buffer *x, gf_buffer *y,
                              const gf__epilogue *epilogue) GF_MUST_USE;

#endif
