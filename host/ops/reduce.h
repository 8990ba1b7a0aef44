#ifndef GF_OPS_REDUCE_H
#define GF_OPS_REDUCE_H

#include "device/device.h"

/* Partial sums that a sum over many rows is made of. */
int gf__reduce_partials(const gf_device *device);
/* Bytes of workspace that gf__column_sums needs. */
size_t gf__column_sums_workspace(const gf_device *device, int channels);
/* out (channels) = the sums over the rows of x (rows, channels). */
gf_status gf__column_sums(gf_device *device, int rows, int channels, const gf_buffer *x,
                          gf_buffer *out, gf_buffer *workspace) GF_MUST_USE;

/* out (count) = the totals of partial (partials, stride), stride >= count. */
gf_status gf__sum_partials(gf_device *device, int count, int stride, int partials,
                           const gf_buffer *partial, gf_buffer *out) GF_MUST_USE;

#endif
