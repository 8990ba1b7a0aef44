/* A factor for each channel of (rows, CHANNELS). Options: VEC, CHANNELS. */
#include "vector.clh"
#include "epilogue.clh"

/* y = epilogue(x * factor); dx is that of dy. */
__kernel void layer_scale(__global const float *x, __global const float *factor,
                          __global float *y, int count, EPILOGUE) {
  int i = get_global_id(0);
  if (i >= count) return;
  size_t at = (size_t)i * VEC;
  int c = (int)(at % CHANNELS);
  VSTORE(epilogue(VLOAD(x + at) * VLOAD(factor + c), at, c, EPILOGUE_ARGS), y + at);
}

/* partial (partials, CHANNELS): row p sums dy * x over range p of the rows. */
__kernel void layer_scale_sums(__global const float *x, __global const float *dy,
                               __global float *partial, int rows, int partials) {
  int c = get_global_id(0) * VEC, p = get_global_id(1);
  int first = (int)((long)rows * p / partials), last = (int)((long)rows * (p + 1) / partials);
  V sum = 0;
  for (int r = first; r < last; r++) {
    size_t at = (size_t)r * CHANNELS + c;
    sum = fma(VLOAD(dy + at), VLOAD(x + at), sum);
  }
  VSTORE(sum, partial + (size_t)p * CHANNELS + c);
}
