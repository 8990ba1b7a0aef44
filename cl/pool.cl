/* Pooling of NHWC tensors. Options: H W C KH KW SH SW PH PW OH OW VEC. */
#include "vector.clh"
#include "epilogue.clh"

#define CV (C / VEC)

/* y (n, OH, OW, C): means over the window; padding counts as zeros, as in PyTorch's default. */
__kernel void avg_pool(__global const float *x, __global float *y, int count) {
  int i = get_global_id(0);
  if (i >= count) return;
  int c = i % CV * VEC, ox = i / CV % OW, oy = i / CV / OW % OH, n = i / CV / OW / OH;
  V sum = 0;
  for (int r = 0; r < KH; r++) {
    int iy = oy * SH - PH + r;
    if (iy < 0 || iy >= H) continue;
    for (int s = 0; s < KW; s++) {
      int ix = ox * SW - PW + s;
      if (ix < 0 || ix >= W) continue;
      sum += VLOAD(x + (((size_t)n * H + iy) * W + ix) * C + c);
    }
  }
  VSTORE(sum * (1.0f / (KH * KW)), y + (size_t)i * VEC);
}

/* dx (n, H, W, C) = epilogue of what the windows over each pixel give it. */
__kernel void avg_pool_backward(__global const float *dy, __global float *dx, int count, EPILOGUE) {
  int i = get_global_id(0);
  if (i >= count) return;
  int c = i % CV * VEC, ix = i / CV % W, iy = i / CV / W % H, n = i / CV / W / H;
  V sum = 0;
  for (int r = 0; r < KH; r++) {
    int y = iy + PH - r, oy = y / SH;
    if (y < 0 || y % SH || oy >= OH) continue;
    for (int s = 0; s < KW; s++) {
      int x = ix + PW - s, ox = x / SW;
      if (x < 0 || x % SW || ox >= OW) continue;
      sum += VLOAD(dy + (((size_t)n * OH + oy) * OW + ox) * C + c);
    }
  }
  size_t at = (size_t)i * VEC;
  VSTORE(epilogue(sum * (1.0f / (KH * KW)), at, c, EPILOGUE_ARGS), dx + at);
}

/* y = the largest of each window; winner = its index in the image (iy * W + ix),
 * the first in row-major order among equals; a NaN wins. */
__kernel void max_pool(__global const float *x, __global float *y, __global int *winner,
                       int count) {
  int i = get_global_id(0); /* one output value */
  if (i >= count) return;
  int c = i % C, ox = i / C % OW, oy = i / C / OW % OH, n = i / C / OW / OH;
  float best = -INFINITY;
  int index = -1;
  for (int r = 0; r < KH; r++) {
    int iy = oy * SH - PH + r;
    if (iy < 0 || iy >= H) continue;
    for (int s = 0; s < KW; s++) {
      int ix = ox * SW - PW + s;
      if (ix < 0 || ix >= W) continue;
      float v = x[(((size_t)n * H + iy) * W + ix) * C + c];
      if (index < 0 || v > best || (isnan(v) && !isnan(best))) {
        best = v;
        index = iy * W + ix;
      }
    }
  }
  y[i] = best;
  winner[i] = index;
}

__kernel void max_pool_backward(__global const float *dy, __global const int *winner,
                                __global float *dx, int count, EPILOGUE) {
  int i = get_global_id(0); /* one input value */
  if (i >= count) return;
  int c = i % C, ix = i / C % W, iy = i / C / W % H, n = i / C / W / H;
  float sum = 0;
  for (int r = KH - 1; r >= 0; r--) {
    int y = iy + PH - r, oy = y / SH;
    if (y < 0 || y % SH || oy >= OH) continue;
    for (int s = KW - 1; s >= 0; s--) {
      int x = ix + PW - s, ox = x / SW;
      if (x < 0 || x % SW || ox >= OW) continue;
      size_t o = (((size_t)n * OH + oy) * OW + ox) * C + c;
      if (winner[o] == iy * W + ix) sum += dy[o];
    }
  }
  dx[i] = epilogue1(sum, i, c, EPILOGUE_ARGS);
}
