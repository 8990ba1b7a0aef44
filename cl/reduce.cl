/* Sums in a fixed order: equal inputs give equal bits. */
#include "vector.clh"

/* partial (partials, CHANNELS): row p sums range p of the rows of x (rows, CHANNELS). */
__kernel void column_sums(__global const float *x, __global float *partial, int rows, int partials) {
  int v = get_global_id(0), p = get_global_id(1);
  int first = (int)((long)rows * p / partials), last = (int)((long)rows * (p + 1) / partials);
  V sum = 0;
  for (int r = first; r < last; r++) sum += VLOAD(x + (size_t)r * CHANNELS + v * VEC);
  VSTORE(sum, partial + (size_t)p * CHANNELS + v * VEC);
}

/* out (count) = the totals of partial (partials, stride). */
__kernel void sum_partials(__global const float *partial, __global float *out, int count, int stride,
                        int partials) {
  int i = get_global_id(0);
  if (i >= count) return;
  float sum = 0;
  for (int p = 0; p < partials; p++) sum += partial[(size_t)p * stride + i];
  out[i] = sum;
}
