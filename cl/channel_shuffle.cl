/* The channels of each pixel in another order: those of GROUPS equal ranges by turns, the first of
 * each, then the second of each. Options: VEC (1), CHANNELS, GROUPS. */
#include "vector.clh"
#include "epilogue.clh"

enum { EACH = CHANNELS / GROUPS };

/* y = epilogue(x in that order); with EACH groups it is the inverse. */
__kernel void channel_shuffle(__global const float *x, __global float *y, int count, EPILOGUE) {
  int i = get_global_id(0);
  if (i >= count) return;
  int c = i % CHANNELS;
  float v = x[(size_t)i - c + c % GROUPS * EACH + c / GROUPS];
  y[i] = epilogue1(v, i, c, EPILOGUE_ARGS);
}
