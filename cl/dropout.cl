/* Dropout (Srivastava et al., 2014) and stochastic depth (Huang et al., 2016) with the scale in
 * training. The numbers come from (step, node, element or image), so backward draws the same ones
 * again. */
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

#ifdef SIZE
/* y (images, SIZE) = epilogue(x where the image is kept, scaled by 1 / (1 - p)), by SPLIT work-items
 * an image. first: of the images in the batch. */
__kernel void stochastic_depth(__global const float *x, __global float *y, int images, float p,
                               uint key0, uint key1, int step, int node, int first, EPILOGUE) {
  const int image = get_global_id(0) / SPLIT, drawn = first + image;
  if (image >= images) return;
  float4 u = uniform4(philox((uint4)(step, drawn / 4, node, 0), (uint2)(key0, key1)));
  const float draws[4] = {u.x, u.y, u.z, u.w};
  const bool dropped = draws[drawn % 4] < p;
  for (int i = get_global_id(0) % SPLIT; i < SIZE; i += SPLIT) {
    const int at = image * SIZE + i;
    float v = dropped ? 0.0f : x[at] * (1.0f / (1.0f - p));
    y[at] = epilogue1(v, at, 0, EPILOGUE_ARGS);
  }
}
#endif
