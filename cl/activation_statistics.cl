/* Mean and variance of each channel of x (rows, channels), and how many of its values are between
 * low and high. Without atomics: equal inputs give equal bits. Option: VEC. */
#include "vector.clh"

/* Rows that are read twice, the second time from the nearest cache. */
#define TILE 64

/* Range p of the rows into partial (partials, 3, channels): mean, sum of squared distances from it,
 * and number of values that are alive. Values are relative to the channel's first one, and
 * tiles are joined as in Chan, Golub and LeVeque (1979), so that a mean far larger than the
 * deviation costs no digits. */
__kernel void activation_moments(__global const float *x, __global float *partial, int rows,
                                 int channels, int partials, float low, float high) {
  int c = get_global_id(0) * VEC, p = get_global_id(1);
  int first = (int)((long)rows * p / partials), last = (int)((long)rows * (p + 1) / partials);
  V shift = VLOAD(x + c), mean = 0, squares = 0, alive = 0;
  for (int start = first; start < last; start += TILE) {
    int end = min(start + TILE, last);
    V sum = 0, spread = 0;
    for (int r = start; r < end; r++) {
      V v = VLOAD(x + (size_t)r * channels + c);
      sum += v - shift;
      alive += select((V)0, (V)1, (v > low) & (v < high));
    }
    V tile_mean = sum / (float)(end - start);
    for (int r = start; r < end; r++) {
      V d = VLOAD(x + (size_t)r * channels + c) - shift - tile_mean;
      spread = fma(d, d, spread);
    }
    V d = tile_mean - mean;
    float fraction = (float)(end - start) / (float)(end - first);
    mean += d * fraction;
    squares += spread + d * d * ((float)(start - first) * fraction);
  }
  __global float *out = partial + (size_t)3 * p * channels + c;
  VSTORE(mean, out);
  VSTORE(squares, out + channels);
  VSTORE(alive, out + 2 * channels);
}

/* out (channels, 4), from channel first: the value that the mean is relative to, mean, population
 * variance, and number of values that are alive. */
__kernel void join_activation_moments(__global const float *x, __global const float *partial,
                                      __global float *out, int rows, int channels, int partials,
                                      int first_channel) {
  int c = get_global_id(0);
  float mean = 0, squares = 0, alive = 0;
  for (int p = 0; p < partials; p++) {
    long first = (long)rows * p / partials, last = (long)rows * (p + 1) / partials;
    if (last == first) continue;
    __global const float *own = partial + (size_t)3 * p * channels + c;
    float d = own[0] - mean, fraction = (float)(last - first) / (float)last;
    mean += d * fraction;
    squares += own[channels] + d * d * ((float)first * fraction);
    alive += own[2 * channels];
  }
  out += 4 * (size_t)(first_channel + c);
  out[0] = x[c];
  out[1] = mean;
  out[2] = squares / (float)rows;
  out[3] = alive;
}
