/* Batch normalization (Ioffe and Szegedy, 2015) over the rows of x (rows, C).
 * Options: VEC, C, and BLOCK, the vectors of channels that a work-item sums side by side, so that it
 * reads rows in longer pieces. saved is (2, C): mean, and 1 / sqrt(variance + eps). */
#include "vector.clh"
#include "epilogue.clh"

#define EACH_OF_BLOCK UNROLL for (int b = 0; b < BLOCK; b++)

/* Range p of the rows: its mean and its sum of squared distances from that mean, into
 * partial (partials, 2, C). Two passes over the rows, so that large means cost no digits. */
__kernel void moments(__global const float *x, __global float *partial, int rows, int partials) {
  const int c = get_global_id(0) * VEC * BLOCK, p = get_global_id(1);
  int first = (int)((long)rows * p / partials), last = (int)((long)rows * (p + 1) / partials);
  V mean[BLOCK], squares[BLOCK];
  EACH_OF_BLOCK mean[b] = squares[b] = 0;
  for (int r = first; r < last; r++)
    EACH_OF_BLOCK mean[b] += VLOAD(x + (size_t)r * C + c + b * VEC);
  if (last > first) EACH_OF_BLOCK mean[b] = mean[b] / (float)(last - first);
  for (int r = first; r < last; r++)
    EACH_OF_BLOCK {
      V d = VLOAD(x + (size_t)r * C + c + b * VEC) - mean[b];
      squares[b] = fma(d, d, squares[b]);
    }
  __global float *out = partial + (size_t)(2 * p) * C + c;
  EACH_OF_BLOCK VSTORE(mean[b], out + b * VEC);
  EACH_OF_BLOCK VSTORE(squares[b], out + C + b * VEC);
}

/* Joins the partial moments (Chan, Golub and LeVeque, 1979): the mean, and the sum of squared distances. */
inline float2 join(__global const float *partial, int rows, int partials, int c) {
  float mean = 0, squares = 0;
  for (int p = 0; p < partials; p++) {
    long first = (long)rows * p / partials, last = (long)rows * (p + 1) / partials;
    if (last == first) continue;
    float d = partial[(size_t)(2 * p) * C + c] - mean;
    float fraction = (float)(last - first) / (float)last;
    mean += d * fraction;
    squares += partial[(size_t)(2 * p + 1) * C + c] + d * d * (float)first * fraction;
  }
  return (float2)(mean, squares);
}

/* The partial moments joined into moments (2, C). */
__kernel void join_partials(__global const float *partial, __global float *moments, int rows,
                         int partials) {
  int c = get_global_id(0);
  float2 all = join(partial, rows, partials, c);
  moments[c] = all.x;
  moments[C + c] = all.y;
}

/* Joins the partial moments into saved, and moves the running mean and unbiased variance by
 * momentum. */
__kernel void join_moments(__global const float *partial, __global float *saved,
                           __global float *running_mean, __global float *running_variance,
                           int rows, int partials, float eps, float momentum) {
  int c = get_global_id(0);
  float2 all = join(partial, rows, partials, c);
  float mean = all.x, squares = all.y;
  saved[c] = mean;
  saved[C + c] = 1.0f / sqrt(squares / (float)rows + eps);
  running_mean[c] += momentum * (mean - running_mean[c]);
  float unbiased = rows > 1 ? squares / (float)(rows - 1) : squares;
  running_variance[c] += momentum * (unbiased - running_variance[c]);
}

/* saved from the running statistics, for inference. */
__kernel void use_running(__global const float *running_mean, __global const float *running_variance,
                          __global float *saved, float eps) {
  int c = get_global_id(0);
  saved[c] = running_mean[c];
  saved[C + c] = 1.0f / sqrt(running_variance[c] + eps);
}

/* For a convolution before the norm, in inference: its weight (count, with C filters fastest)
 * and bias (0: none) such that it gives what the norm makes of its output. */
__kernel void fold(__global const float *weight, __global const float *bias,
                   __global const float *running_mean, __global const float *running_variance,
                   __global const float *gamma, __global const float *beta, float eps,
                   __global float *folded_weight, __global float *folded_bias, int count) {
  int i = get_global_id(0);
  if (i >= count) return;
  int c = i % C;
  float scale = gamma[c] / sqrt(running_variance[c] + eps);
  folded_weight[i] = weight[i] * scale;
  if (i < C) folded_bias[c] = beta[c] + ((bias ? bias[c] : 0.0f) - running_mean[c]) * scale;
}

/* y = epilogue(gamma * (x - mean) / deviation + beta). */
__kernel void normalize_rows(__global const float *x, __global const float *saved,
                             __global const float *gamma, __global const float *beta,
                             __global float *y, int count, EPILOGUE) {
  int i = get_global_id(0);
  if (i >= count) return;
  size_t at = (size_t)i * VEC;
  int c = (int)(at % C);
  V scale = VLOAD(saved + C + c) * VLOAD(gamma + c);
  V v = (VLOAD(x + at) - VLOAD(saved + c)) * scale + VLOAD(beta + c);
  VSTORE(epilogue(v, at, c, EPILOGUE_ARGS), y + at);
}

/* Range p of the rows: sums of dy and of dy * normalized x into partial (partials, 2, C). */
__kernel void gradient_sums(__global const float *x, __global const float *dy,
                            __global const float *saved, __global float *partial, int rows,
                            int partials) {
  const int c = get_global_id(0) * VEC * BLOCK, p = get_global_id(1);
  int first = (int)((long)rows * p / partials), last = (int)((long)rows * (p + 1) / partials);
  V mean[BLOCK], rate[BLOCK], shift[BLOCK], scale[BLOCK];
  EACH_OF_BLOCK {
    mean[b] = VLOAD(saved + c + b * VEC);
    rate[b] = VLOAD(saved + C + c + b * VEC);
    shift[b] = scale[b] = 0;
  }
  for (int r = first; r < last; r++)
    EACH_OF_BLOCK {
      size_t at = (size_t)r * C + c + b * VEC;
      V d = VLOAD(dy + at);
      shift[b] += d;
      scale[b] = fma(d, (VLOAD(x + at) - mean[b]) * rate[b], scale[b]);
    }
  __global float *out = partial + (size_t)(2 * p) * C + c;
  EACH_OF_BLOCK VSTORE(shift[b], out + b * VEC);
  EACH_OF_BLOCK VSTORE(scale[b], out + C + b * VEC);
}

__kernel void join_gradient_sums(__global const float *partial, __global float *dgamma,
                                 __global float *dbeta, int partials) {
  int c = get_global_id(0);
  float shift = 0, scale = 0;
  for (int p = 0; p < partials; p++) {
    shift += partial[(size_t)(2 * p) * C + c];
    scale += partial[(size_t)(2 * p + 1) * C + c];
  }
  dbeta[c] = shift;
  dgamma[c] = scale;
}

/* dx through the batch statistics as well:
 * gamma / deviation * (dy - mean(dy) - normalized x * mean(dy * normalized x)). */
__kernel void normalize_rows_backward(__global const float *x, __global const float *dy,
                                      __global const float *saved, __global const float *gamma,
                                      __global const float *dgamma, __global const float *dbeta,
                                      __global float *dx, int rows, int count, EPILOGUE) {
  int i = get_global_id(0);
  if (i >= count) return;
  size_t at = (size_t)i * VEC;
  int c = (int)(at % C);
  V rate = VLOAD(saved + C + c), normalized = (VLOAD(x + at) - VLOAD(saved + c)) * rate;
  V d = VLOAD(dy + at) - (VLOAD(dbeta + c) + normalized * VLOAD(dgamma + c)) * (1.0f / rows);
  VSTORE(epilogue(d * rate * VLOAD(gamma + c), at, c, EPILOGUE_ARGS), dx + at);
}

/* dx where the running statistics, which are constants, normalized: gamma / deviation * dy. */
__kernel void scale_rows_backward(__global const float *dy, __global const float *running_variance,
                                  __global const float *gamma, float eps, __global float *dx,
                                  int count, EPILOGUE) {
  int i = get_global_id(0);
  if (i >= count) return;
  size_t at = (size_t)i * VEC;
  int c = (int)(at % C);
  V scale = VLOAD(gamma + c) / sqrt(VLOAD(running_variance + c) + eps);
  VSTORE(epilogue(VLOAD(dy + at) * scale, at, c, EPILOGUE_ARGS), dx + at);
}
