/* Images (n, pixels, channels * depth), the depth fastest, to volumes (n, depth, pixels, channels),
 * and back. Options: D, the depth, PIXELS of an image, and C, the volume's channels. */
#define VEC 1
#include "vector.clh"
#include "epilogue.clh"

/* The index in the image of value i of the volume, and the other way round. */
inline size_t image_index(int i) {
  int c = i % C, pixel = i / C % PIXELS, d = i / C / PIXELS % D, n = i / C / PIXELS / D;
  return (((size_t)n * PIXELS + pixel) * C + c) * D + d;
}
inline size_t volume_index(int i) {
  int d = i % D, c = i / D % C, pixel = i / D / C % PIXELS, n = i / D / C / PIXELS;
  return (((size_t)n * D + d) * PIXELS + pixel) * C + c;
}

__kernel void to_volume(__global const float *image, __global float *volume, int count, EPILOGUE) {
  int i = get_global_id(0);
  if (i < count) volume[i] = epilogue1(image[image_index(i)], i, i % C, EPILOGUE_ARGS);
}

__kernel void to_image(__global const float *volume, __global float *image, int count, EPILOGUE) {
  int i = get_global_id(0);
  if (i < count) image[i] = epilogue1(volume[volume_index(i)], i, i % (C * D), EPILOGUE_ARGS);
}
