/* y = epilogue(x) over rows of CHANNELS floats. */
#include "vector.clh"
#include "epilogue.clh"

__kernel void apply(__global const float *x, __global float *y, int count, EPILOGUE) {
  int i = get_global_id(0);
  if (i >= count) return;
  size_t at = (size_t)i * VEC;
  VSTORE(epilogue(VLOAD(x + at), at, (int)(at % CHANNELS), EPILOGUE_ARGS), y + at);
}

/* dx = epilogue(dy * derivative of the activation own at its output y). */
__kernel void activation_backward(__global const float *dy, __global const float *y, int own,
                                  float own_slope, __global float *dx, int count, EPILOGUE) {
  int i = get_global_id(0);
  if (i >= count) return;
  size_t at = (size_t)i * VEC;
  V v = VLOAD(dy + at) * derivative(VLOAD(y + at), own, own_slope);
  VSTORE(epilogue(v, at, (int)(at % CHANNELS), EPILOGUE_ARGS), dx + at);
}
