/* Sums in a fixed order: equal inputs give equal bits. */
#include "vector.clh"

/* Part p sums rows p, p + parts, … of x (rows, CHANNELS) into partial (parts, CHANNELS). */
__kernel void column_sums(__global const float *x, __global float *partial, int rows, int parts) {
  int v = get_global_id(0), p = get_global_id(1);
  int first = (int)((long)rows * p / parts), last = (int)((long)rows * (p + 1) / parts);
  V sum = 0;
  for (int r = first; r < last; r++) sum += VLOAD(x + (size_t)r * CHANNELS + v * VEC);
  VSTORE(sum, partial + (size_t)p * CHANNELS + v * VEC);
}

/* out (count) = the sum over parts of partial (parts, stride). */
__kernel void sum_parts(__global const float *partial, __global float *out, int count, int stride,
                        int parts) {
  int i = get_global_id(0);
  if (i >= count) return;
  float sum = 0;
  for (int p = 0; p < parts; p++) sum += partial[(size_t)p * stride + i];
  out[i] = sum;
}
