/* Dropout (Srivastava et al., 2014) with the scale in training. The numbers come
 * from (step, node, element), so backward draws the same ones again. */
#include "random.clh"
#define VEC 1
#include "vector.clh"
#include "epilogue.clh"

/* y = epilogue(x where kept, scaled by 1 / (1 - p)); four values a work-item, of which the first
 * one is the batch's first one. */
__kernel void dropout(__global const float *x, __global float *y, int count, float p, uint key0,
                      uint key1, int step, int node, int first, EPILOGUE) {
  int i = get_global_id(0);
  if (4 * i >= count) return;
  float4 u = uniform4(philox((uint4)(step, first + i, node, 0), (uint2)(key0, key1)));
  float draws[4] = {u.x, u.y, u.z, u.w};
  for (int k = 0; k < 4 && 4 * i + k < count; k++) {
    float v = draws[k] < p ? 0.0f : x[4 * i + k] * (1.0f / (1.0f - p));
    y[4 * i + k] = epilogue1(v, 4 * i + k, 0, EPILOGUE_ARGS);
  }
}
