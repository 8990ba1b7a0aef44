/* Products of two tensors: of one shape, or of (images, PIXELS, CHANNELS) and a factor
 * (images, CHANNELS) for all pixels of an image. Options: VEC, CHANNELS, PIXELS (1: of one shape). */
#include "vector.clh"
#include "epilogue.clh"

enum { IMAGE = PIXELS * CHANNELS };

/* Where the factor of the value at a place lies. */
inline size_t factor_at(size_t at) {
  return PIXELS == 1 ? at : at / IMAGE * CHANNELS + at % CHANNELS;
}

/* y = epilogue(x * factor): the product, and from the gradient of the product that of x. */
__kernel void multiply(__global const float *x, __global const float *factor, __global float *y,
                       int count, EPILOGUE) {
  int i = get_global_id(0);
  if (i >= count) return;
  size_t at = (size_t)i * VEC;
  V v = VLOAD(x + at) * VLOAD(factor + factor_at(at));
  VSTORE(epilogue(v, at, (int)(at % CHANNELS), EPILOGUE_ARGS), y + at);
}

/* dfactor = epilogue(sum of dy * x over the pixels of an image). */
__kernel void multiply_backward_factor(__global const float *dy, __global const float *x,
                                       __global float *dfactor, int count, EPILOGUE) {
  int i = get_global_id(0);
  if (i >= count) return;
  size_t at = (size_t)i * VEC, first = at / CHANNELS * IMAGE + at % CHANNELS;
  V sum = 0;
  for (int pixel = 0; pixel < PIXELS; pixel++) {
    size_t from = first + (size_t)pixel * CHANNELS;
    sum += VLOAD(dy + from) * VLOAD(x + from);
  }
  VSTORE(epilogue(sum, at, (int)(at % CHANNELS), EPILOGUE_ARGS), dfactor + at);
}
