/* Mean and variance of each channel of x (rows, channels), how many of its values are between low
 * and high, and how much of its energy differs between the images. Without atomics: equal inputs
 * give equal bits. Option: VEC. */
#include "vector.clh"

/* Floats per channel: of a partial result, and of the whole, as the host's gf__activation_moments.
 */
#define PARTIALS_OF 9
#define MOMENTS 10

/* Rows that are read twice, the second time from the nearest cache. */
#define TILE 64

/* Squares of what is below SMALL or above BIG leave the range of floats, so they are summed apart,
 * scaled by powers of two (Blue, 1978). */
#define SMALL 0x1p-40f
#define BIG 0x1p40f
#define ENLARGE 0x1p60f
#define REDUCE 0x1p-80f

/* A sum of squares by size: small values times ENLARGE, usual ones, big ones times REDUCE. A NaN is
 * among the usual ones. */
typedef struct squares_by_size {
  V small, usual, big;
} squares_by_size;

void add_square(squares_by_size *sum, V v) {
  V size = fabs(v), small = v * ENLARGE, big = v * REDUCE;
  sum->small += select((V)0, small * small, size < SMALL);
  sum->big += select((V)0, big * big, size > BIG);
  sum->usual += select(v * v, (V)0, (size < SMALL) | (size > BIG));
}

void add_squares(squares_by_size *sum, const squares_by_size *other) {
  sum->small += other->small;
  sum->usual += other->usual;
  sum->big += other->big;
}

/* Adds the squares of one unit's values, a value per image, into energy, and those of their
 * differences from their mean into difference. The mean comes first, and relative to the first
 * image, so that a difference far smaller than the values keeps its digits. */
void add_unit(__global const float *x, int images, size_t stride, squares_by_size *energy,
              squares_by_size *difference) {
  squares_by_size own = {0, 0, 0}, apart = {0, 0, 0};
  V shift = VLOAD(x), sum = 0;
  for (int b = 0; b < images; b++) {
    V v = VLOAD(x + (size_t)b * stride);
    sum += v - shift;
    add_square(&own, v);
  }
  V mean = sum / (float)images;
  for (int b = 0; b < images; b++) add_square(&apart, VLOAD(x + (size_t)b * stride) - shift - mean);
  add_squares(energy, &own);
  add_squares(difference, &apart);
}

void store_squares(const squares_by_size *sum, __global float *out, int channels) {
  VSTORE(sum->small, out);
  VSTORE(sum->usual, out + channels);
  VSTORE(sum->big, out + 2 * channels);
}

/* Range p of the rows into partial (partials, PARTIALS_OF, channels): mean, sum of squared
 * distances from it, and number of values that are alive. Values are relative to the channel's
 * first one, and tiles are joined as in Chan, Golub and LeVeque (1979), so that a mean far larger
 * than the deviation costs no digits. Then, of range p of the pixels in all of the images, the sums
 * of squares of the values and of their differences from the mean over the images. */
__kernel void activation_moments(__global const float *x, __global float *partial, int rows,
                                 int channels, int partials, float low, float high, int images) {
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
  __global float *out = partial + (size_t)PARTIALS_OF * p * channels + c;
  VSTORE(mean, out);
  VSTORE(squares, out + channels);
  VSTORE(alive, out + 2 * channels);
  squares_by_size energy = {0, 0, 0}, difference = {0, 0, 0};
  int pixels = rows / images;
  first = (int)((long)pixels * p / partials);
  last = (int)((long)pixels * (p + 1) / partials);
  for (int i = first; i < last; i++)
    add_unit(x + (size_t)i * channels + c, images, (size_t)pixels * channels, &energy, &difference);
  store_squares(&energy, out + 3 * channels, channels);
  store_squares(&difference, out + 6 * channels, channels);
}

/* out (channels, MOMENTS), from channel first: the value that the mean is relative to, mean,
 * population variance, number of values that are alive, and the sums of squares. */
__kernel void join_activation_moments(__global const float *x, __global const float *partial,
                                      __global float *out, int rows, int channels, int partials,
                                      int first_channel) {
  int c = get_global_id(0);
  float mean = 0, squares = 0, alive = 0;
  for (int p = 0; p < partials; p++) {
    long first = (long)rows * p / partials, last = (long)rows * (p + 1) / partials;
    if (last == first) continue;
    __global const float *own = partial + (size_t)PARTIALS_OF * p * channels + c;
    float d = own[0] - mean, fraction = (float)(last - first) / (float)last;
    mean += d * fraction;
    squares += own[channels] + d * d * ((float)first * fraction);
    alive += own[2 * channels];
  }
  out += MOMENTS * (size_t)(first_channel + c);
  out[0] = x[c];
  out[1] = mean;
  out[2] = squares / (float)rows;
  out[3] = alive;
  for (int k = 3; k < PARTIALS_OF; k++) {
    float sum = 0;
    for (int p = 0; p < partials; p++)
      sum += partial[((size_t)PARTIALS_OF * p + k) * channels + c];
    out[k + 1] = sum;
  }
}
