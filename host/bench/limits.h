/* What a device can do at most, measured. */
#ifndef GF_BENCH_LIMITS_H
#define GF_BENCH_LIMITS_H

#include <gradflow/bench.h>

#include "device/device.h"

/* Multiply-adds, and bytes of a copy on the device. */
gf_status gf__bench_peaks(gf_device *device, double *flops, double *bytes) GF_MUST_USE;
/* Those, launches and transfers. */
gf_status gf__bench_measure_limits(gf_device *device, gf_bench_limits *out) GF_MUST_USE;

/* Sets row->bound and row->fraction by the row's numbers and the limits. */
void gf__bench_judge(gf_bench_row *row, const gf_bench_limits *limits);

#endif
