/* Every STRIDE-th pixel of an NHWC tensor, with channels of zeros after its own.
 * Options: H W C, STRIDE, OH OW OC. */
#define VEC 1
#include "vector.clh"
#include "epilogue.clh"

__kernel void pad_shortcut(__global const float *x, __global float *y, int count) {
  int i = get_global_id(0); /* one output value */
  if (i >= count) return;
  int c = i % OC, ox = i / OC % OW, oy = i / OC / OW % OH, n = i / OC / OW / OH;
  size_t at = (((size_t)n * H + oy * STRIDE) * W + ox * STRIDE) * C + c;
  y[i] = c < C ? x[at] : 0.0f;
}

__kernel void pad_shortcut_backward(__global const float *dy, __global float *dx, int count,
                                    EPILOGUE) {
  int i = get_global_id(0); /* one input value */
  if (i >= count) return;
  int c = i % C, ix = i / C % W, iy = i / C / W % H, n = i / C / W / H;
  size_t at = (((size_t)n * OH + iy / STRIDE) * OW + ix / STRIDE) * OC + c;
  bool is_read = iy % STRIDE == 0 && ix % STRIDE == 0;
  dx[i] = epilogue1(is_read ? dy[at] : 0.0f, i, c, EPILOGUE_ARGS);
}
