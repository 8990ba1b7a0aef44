/* What a device can do at most, measured. */
#ifndef BENCH_PEAKS_H
#define BENCH_PEAKS_H

#include "device/device.h"

typedef struct peaks {
  double flops; /* multiply-adds count 2, a second */
  double bytes; /* read and written by a copy, a second */
} peaks;

gf_status peaks_measure(gf_device *device, peaks *out) GF_MUST_USE;

#endif
