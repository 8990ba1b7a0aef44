/* Copies between a tensor (rows, channels) and its range of channels in a wider one (rows, width),
 * which begins at channel first. Options: VEC, which divides channels, width and first. */
#include "vector.clh"
#include "epilogue.clh"

__kernel void concat(__global const float *x, __global float *y, int channels, int width,
                     int first, int count) {
  int i = get_global_id(0);
  if (i >= count) return;
  int c = i % (channels / VEC) * VEC, row = i / (channels / VEC);
  VSTORE(VLOAD(x + (size_t)i * VEC), y + (size_t)row * width + first + c);
}

/* dx = epilogue of that range of dy. */
__kernel void concat_backward(__global const float *dy, __global float *dx, int channels, int width,
                              int first, int count, EPILOGUE) {
  int i = get_global_id(0);
  if (i >= count) return;
  int c = i % (channels / VEC) * VEC, row = i / (channels / VEC);
  size_t at = (size_t)i * VEC;
  V v = VLOAD(dy + (size_t)row * width + first + c);
  VSTORE(epilogue(v, at, c, EPILOGUE_ARGS), dx + at);
}

/* y = epilogue of x in that range, and of zeros in the other channels. */
__kernel void concat_zeros(__global const float *x, __global float *y, int channels, int width,
                           int first, int count, EPILOGUE) {
  int i = get_global_id(0);
  if (i >= count) return;
  int c = i % (width / VEC) * VEC, row = i / (width / VEC);
  size_t at = (size_t)i * VEC;
  V v = 0;
  if (c >= first && c < first + channels) v = VLOAD(x + (size_t)row * channels + c - first);
  VSTORE(epilogue(v, at, c, EPILOGUE_ARGS), y + at);
}
