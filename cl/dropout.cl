/* Dropout (Srivastava et al., 2014) with the scale in training. The numbers come
 * from (step, node, element), so backward draws the same ones again. */
#include "random.clh"
#define VEC 1
#include "vector.clh"
#include "epilogue.clh"

/* y = epilogue(x where kept, scaled by 1 / (1 - p)); four values per work-item, which are one draw.
 * The first draw's first skip values belong to elements before x. */
__kernel void dropout(__global const float *x, __global float *y, int count, float p, uint key0,
                      uint key1, int step, int node, int first, int skip, EPILOGUE) {
  int i = get_global_id(0), start = 4 * i - skip;
  if (start >= count) return;
  float4 u = uniform4(philox((uint4)(step, first + i, node, 0), (uint2)(key0, key1)));
  float draws[4] = {u.x, u.y, u.z, u.w};
  for (int k = max(0, -start); k < 4 && start + k < count; k++) {
    float v = draws[k] < p ? 0.0f : x[start + k] * (1.0f / (1.0f - p));
    y[start + k] = epilogue1(v, start + k, 0, EPILOGUE_ARGS);
  }
}
