/* The L2 norm of a gradient, in a fixed order of sums, and the scale that clips it. */

/* partial (PARTIALS): work-group p sums the squares of its range of the count gradients, each lane
 * its own, and then over the lanes. */
__kernel void sum_squares(__global const float *gradient, __global float *partial, int count) {
  __local float lanes[LANES];
  int lane = get_local_id(0), p = get_group_id(0);
  int first = (int)((long)count * p / PARTIALS), last = (int)((long)count * (p + 1) / PARTIALS);
  float sum = 0;
  for (int i = first + lane; i < last; i += LANES) sum = fma(gradient[i], gradient[i], sum);
  lanes[lane] = sum;
  barrier(CLK_LOCAL_MEM_FENCE);
  if (lane > 0) return;
  for (int k = 1; k < LANES; k++) sum += lanes[k];
  partial[p] = sum;
}

/* scale = min(1, most / (norm + 1e-6)); 1 where the norm is NaN, so that only
 * the gradients that are not finite are not finite afterwards. */
__kernel void clip_scale(__global const float *partial, __global float *scale, float most) {
  float sum = 0;
  for (int p = 0; p < PARTIALS; p++) sum += partial[p];
  float ratio = most / (sqrt(sum) + 1e-6f);
  scale[0] = ratio < 1 ? ratio : 1;
}
