/* Statistics of the tensors that lie in flat buffers, without atomics: PARTIALS
 * work-items per tensor make partial results, one work-item per tensor joins them. */
#define VALUES 8 /* as the host's gf__statistics_sums */

/* Squares of gradients below SMALL leave the range of floats, and vanishing
 * gradients are what a user looks for: they are summed scaled by SCALE^2. */
#define SMALL 0x1p-40f
#define SCALE 0x1p60f

/* tensors (count, 2): first float and number of floats; partial (count, PARTIALS, VALUES). */
__kernel void statistics(__global const float *gradient, __global const float *w,
                         __global const float *old, __global const int *tensors,
                         __global float *partial) {
  int p = get_global_id(0), t = get_global_id(1);
  int start = tensors[2 * t], size = tensors[2 * t + 1];
  int first = start + (int)((long)size * p / PARTIALS);
  int last = start + (int)((long)size * (p + 1) / PARTIALS);
  float sum = 0, squares = 0, small = 0, most = 0, zeros = 0, bad = 0, weights = 0, updates = 0;
  for (int i = first; i < last; i++) {
    float g = gradient[i], a = fabs(g), u = w[i] - old[i];
    sum += a;
    if (a < SMALL) small = fma(g * SCALE, g * SCALE, small);
    else squares = fma(g, g, squares);
    most = fmax(most, a);
    zeros += g == 0;
    bad += !isfinite(g);
    weights = fma(old[i], old[i], weights);
    updates = fma(u, u, updates);
  }
  __global float *out = partial + (t * PARTIALS + p) * VALUES;
  out[0] = sum;
  out[1] = squares;
  out[2] = small;
  out[3] = most;
  out[4] = zeros;
  out[5] = bad;
  out[6] = weights;
  out[7] = updates;
}

/* out (count, VALUES) */
__kernel void join_statistics(__global const float *partial, __global float *out) {
  int t = get_global_id(0);
  for (int k = 0; k < VALUES; k++) {
    float v = 0;
    for (int p = 0; p < PARTIALS; p++) {
      float own = partial[(t * PARTIALS + p) * VALUES + k];
      v = k == 3 ? fmax(v, own) : v + own;
    }
    out[t * VALUES + k] = v;
  }
}
