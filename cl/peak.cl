/* What the device can do at most: multiply-adds, and bytes moved. */
#include "vector.clh"

#define CHAINS 16 /* independent sums, enough for the latency of any FMA unit so far */

/* 2 * CHAINS * VEC * iterations flops per work-item; out keeps the sums from being optimised away. */
__kernel void peak_fma(__global float *out, int iterations, float factor) {
  V sum[CHAINS];
  for (int i = 0; i < CHAINS; i++) sum[i] = (V)(get_global_id(0) + i);
  for (int n = 0; n < iterations; n++)
    _Pragma("unroll") for (int i = 0; i < CHAINS; i++) sum[i] = fma(sum[i], (V)factor, (V)factor);
  V all = 0;
  for (int i = 0; i < CHAINS; i++) all += sum[i];
  VSTORE(all, out + get_global_id(0) * VEC);
}

/* Reads and writes 4 * VEC bytes per work-item. */
__kernel void peak_copy(__global const float *from, __global float *to) {
  size_t i = (size_t)get_global_id(0) * VEC;
  VSTORE(VLOAD(from + i), to + i);
}
