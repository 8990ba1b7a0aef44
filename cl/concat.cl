/* A tensor (rows, channels) and its place in a wider one (rows, width), from channel first on.
 * Options: VEC, which divides channels, width and first. */
#include "vector.clh"
#include "epilogue.clh"

__kernel void concat(__global const float *x, __global float *y, int channels, int width,
                     int first, int count) {
  int i = get_global_id(0);
  if (i >= count) return;
  int c = i % (channels / VEC) * VEC, row = i / (channels / VEC);
  VSTORE(VLOAD(x + (size_t)i * VEC), y + (size_t)row * width + first + c);
}

/* dx = epilogue of the part of dy. */
__kernel void concat_backward(__global const float *dy, __global float *dx, int channels, int width,
                              int first, int count, EPILOGUE) {
  int i = get_global_id(0);
  if (i >= count) return;
  int c = i % (channels / VEC) * VEC, row = i / (channels / VEC);
  size_t at = (size_t)i * VEC;
  V v = VLOAD(dy + (size_t)row * width + first + c);
  VSTORE(epilogue(v, at, c, EPILOGUE_ARGS), dx + at);
}
