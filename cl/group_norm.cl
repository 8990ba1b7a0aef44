/* Normalization of each image by itself: x (images, PIXELS, CHANNELS), whose channels are in GROUPS
 * groups, by the mean and variance of each group of each image, which is a row here. Layer
 * normalization is that of one group; over the channels of a pixel each pixel counts as an image.
 * Options: VEC, which divides the channels of a group, CHANNELS, GROUPS, PIXELS, and BY_PIXEL (1:
 * each value of an image has a weight of its own, else each channel) with HEIGHT and WIDTH. saved is
 * (rows, 2): mean, and 1 / sqrt(variance + eps). */
#include "vector.clh"
#include "epilogue.clh"

enum {
  EACH = CHANNELS / GROUPS,
  IMAGE = PIXELS * CHANNELS,
  LENGTH = PIXELS * EACH,
  WEIGHTS = BY_PIXEL ? IMAGE : CHANNELS
};

/* The weight of the value at a place. */
inline int weight_at(size_t at) {
  int c = (int)(at % CHANNELS), pixel = (int)(at / CHANNELS % PIXELS);
  return BY_PIXEL ? (pixel % WIDTH * HEIGHT + pixel / WIDTH) * CHANNELS + c : c;
}
inline size_t row_at(size_t at) { return at / IMAGE * GROUPS + at % CHANNELS / EACH; }

inline float total(V v) {
  float sum = 0, lanes[VEC];
  VSTORE(v, lanes);
  for (int k = 0; k < VEC; k++) sum += lanes[k];
  return sum;
}

/* Pixels [first, last) of range p. */
inline int range_start(int p, int partials) { return (int)((long)PIXELS * p / partials); }

/* The places of one range of the pixels of a row. */
#define EACH_PLACE(first, last)                        \
  for (int pixel = first; pixel < last; pixel++)       \
    for (int c = 0; c < EACH; c += VEC)
#define PLACE (start + (size_t)pixel * CHANNELS + c)

/* partial (rows, partials, 2): the mean of each range of the pixels, and its sum of squared
 * distances from that. */
__kernel void row_moments(__global const float *x, __global float *partial, int rows,
                          int partials) {
  int i = get_global_id(0), row = i / partials, p = i % partials;
  if (row >= rows) return;
  size_t start = (size_t)(row / GROUPS) * IMAGE + row % GROUPS * EACH;
  int first = range_start(p, partials), last = range_start(p + 1, partials);
  V sum = 0, squares = 0;
  EACH_PLACE(first, last) sum += VLOAD(x + PLACE);
  float mean = total(sum) / (float)((last - first) * EACH);
  EACH_PLACE(first, last) {
    V d = VLOAD(x + PLACE) - mean;
    squares = fma(d, d, squares);
  }
  partial[2 * (size_t)i] = mean;
  partial[2 * (size_t)i + 1] = total(squares);
}

/* Joins the ranges (Chan, Golub and LeVeque, 1979). */
__kernel void join_row_moments(__global const float *partial, __global float *saved, int rows,
                               int partials, float eps) {
  int row = get_global_id(0);
  if (row >= rows) return;
  float mean = 0, squares = 0;
  for (int p = 0; p < partials; p++) {
    int first = range_start(p, partials), last = range_start(p + 1, partials);
    __global const float *range = partial + 2 * ((size_t)row * partials + p);
    float d = range[0] - mean, fraction = (float)(last - first) / (float)last;
    mean += d * fraction;
    squares += range[1] + d * d * (float)(first * EACH) * fraction;
  }
  saved[2 * (size_t)row] = mean;
  saved[2 * (size_t)row + 1] = 1.0f / sqrt(squares / LENGTH + eps);
}

/* y = epilogue(gamma * (x - mean) / deviation + beta). */
__kernel void normalize_groups(__global const float *x, __global const float *saved,
                               __global const float *gamma, __global const float *beta,
                               __global float *y, int count, EPILOGUE) {
  int i = get_global_id(0);
  if (i >= count) return;
  size_t at = (size_t)i * VEC, row = row_at(at);
  int w = weight_at(at);
  V u = (VLOAD(x + at) - saved[2 * row]) * saved[2 * row + 1];
  V v = fma(u, VLOAD(gamma + w), VLOAD(beta + w));
  VSTORE(epilogue(v, at, (int)(at % CHANNELS), EPILOGUE_ARGS), y + at);
}

/* partial (rows, partials, 2): the sums of gamma * dy and of gamma * dy * normalized x. */
__kernel void row_gradient_sums(__global const float *x, __global const float *dy,
                                __global const float *saved, __global const float *gamma,
                                __global float *partial, int rows, int partials) {
  int i = get_global_id(0), row = i / partials, p = i % partials;
  if (row >= rows) return;
  size_t start = (size_t)(row / GROUPS) * IMAGE + row % GROUPS * EACH;
  float mean = saved[2 * (size_t)row], rate = saved[2 * (size_t)row + 1];
  V shift = 0, scale = 0;
  EACH_PLACE(range_start(p, partials), range_start(p + 1, partials)) {
    V g = VLOAD(dy + PLACE) * VLOAD(gamma + weight_at(PLACE));
    shift += g;
    scale = fma(g, (VLOAD(x + PLACE) - mean) * rate, scale);
  }
  partial[2 * (size_t)i] = total(shift);
  partial[2 * (size_t)i + 1] = total(scale);
}

/* means (rows, 2), from that float of the workspace on: of what row_gradient_sums has summed. */
__kernel void join_row_gradient_sums(__global float *partial, int first_mean, int rows,
                                     int partials) {
  int row = get_global_id(0);
  if (row >= rows) return;
  __global float *means = partial + first_mean;
  float shift = 0, scale = 0;
  for (int p = 0; p < partials; p++) {
    __global const float *range = partial + 2 * ((size_t)row * partials + p);
    shift += range[0];
    scale += range[1];
  }
  means[2 * (size_t)row] = shift / LENGTH;
  means[2 * (size_t)row + 1] = scale / LENGTH;
}

/* dx = epilogue((g - mean(g) - normalized x * mean(g * normalized x)) / deviation), g = gamma * dy.
 */
__kernel void normalize_groups_backward(__global const float *x, __global const float *dy,
                                        __global const float *saved, __global const float *gamma,
                                        __global const float *workspace, int first_mean,
                                        __global float *dx, int count, EPILOGUE) {
  int i = get_global_id(0);
  if (i >= count) return;
  __global const float *means = workspace + first_mean;
  size_t at = (size_t)i * VEC, row = row_at(at);
  float rate = saved[2 * row + 1];
  V u = (VLOAD(x + at) - saved[2 * row]) * rate;
  V g = VLOAD(dy + at) * VLOAD(gamma + weight_at(at));
  V d = (g - means[2 * row] - u * means[2 * row + 1]) * rate;
  VSTORE(epilogue(d, at, (int)(at % CHANNELS), EPILOGUE_ARGS), dx + at);
}

/* partial (partials, 2, WEIGHTS): of range p of the rows of (rows, WEIGHTS), the sums of dy and of
 * dy * normalized x. */
__kernel void weight_sums(__global const float *x, __global const float *dy,
                          __global const float *saved, __global float *partial, int rows,
                          int partials) {
  int column = get_global_id(0) * VEC, p = get_global_id(1);
  int first = (int)((long)rows * p / partials), last = (int)((long)rows * (p + 1) / partials);
  V shift = 0, scale = 0;
  for (int r = first; r < last; r++) {
    size_t at = (size_t)r * WEIGHTS + column, row = row_at(at);
    V d = VLOAD(dy + at);
    shift += d;
    scale = fma(d, (VLOAD(x + at) - saved[2 * row]) * saved[2 * row + 1], scale);
  }
  __global float *out = partial + (size_t)(2 * p) * WEIGHTS + column;
  VSTORE(shift, out);
  VSTORE(scale, out + WEIGHTS);
}

__kernel void join_weight_sums(__global const float *partial, __global float *dgamma,
                               __global float *dbeta, int partials) {
  int column = get_global_id(0);
  float shift = 0, scale = 0;
  if (column >= WEIGHTS) return;
  for (int p = 0; p < partials; p++) {
    shift += partial[(size_t)(2 * p) * WEIGHTS + column];
    scale += partial[(size_t)(2 * p + 1) * WEIGHTS + column];
  }
  dbeta[weight_at(column)] = shift;
  dgamma[weight_at(column)] = scale;
}
