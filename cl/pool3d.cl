/* Pooling of (n, depth, height, width, channels) tensors. Options: D H W C KD KH KW SD SH SW PD PH
 * PW OD OH OW VEC. */
#include "vector.clh"
#include "epilogue.clh"

#define CV (C / VEC)

/* The range of a window along one axis that lies inside. */
inline int first_of(int o, int stride, int padding) { return max(o * stride - padding, 0); }
inline int end_of(int o, int stride, int padding, int kernel_, int size) {
  return min(o * stride - padding + kernel_, size);
}
/* The windows along one axis that hold i. */
inline int first_window(int i, int stride, int padding, int kernel_) {
  return max(i + padding - kernel_ + stride, 0) / stride;
}
inline int end_window(int i, int stride, int padding, int count) {
  return min((i + padding) / stride + 1, count);
}

#define EACH_OF_WINDOW                                                                      \
  for (int iz = first_of(oz, SD, PD); iz < end_of(oz, SD, PD, KD, D); iz++)                 \
    for (int iy = first_of(oy, SH, PH); iy < end_of(oy, SH, PH, KH, H); iy++)               \
      for (int ix = first_of(ox, SW, PW); ix < end_of(ox, SW, PW, KW, W); ix++)

#define EACH_WINDOW                                                                         \
  for (int oz = first_window(iz, SD, PD, KD); oz < end_window(iz, SD, PD, OD); oz++)        \
    for (int oy = first_window(iy, SH, PH, KH); oy < end_window(iy, SH, PH, OH); oy++)      \
      for (int ox = first_window(ix, SW, PW, KW); ox < end_window(ix, SW, PW, OW); ox++)

/* y (n, OD, OH, OW, C): means over the window; padding counts as zeros. */
__kernel void avg_pool3d(__global const float *x, __global float *y, int count) {
  int i = get_global_id(0);
  if (i >= count) return;
  int c = i % CV * VEC, ox = i / CV % OW, oy = i / CV / OW % OH, oz = i / CV / OW / OH % OD;
  int n = i / CV / OW / OH / OD;
  V sum = 0;
  EACH_OF_WINDOW
    sum += VLOAD(x + ((((size_t)n * D + iz) * H + iy) * W + ix) * C + c);
  VSTORE(sum * (1.0f / (KD * KH * KW)), y + (size_t)i * VEC);
}

/* dx (n, D, H, W, C) = epilogue of what the windows over each voxel give it. */
__kernel void avg_pool3d_backward(__global const float *dy, __global float *dx, int count,
                                  EPILOGUE) {
  int i = get_global_id(0);
  if (i >= count) return;
  int c = i % CV * VEC, ix = i / CV % W, iy = i / CV / W % H, iz = i / CV / W / H % D;
  int n = i / CV / W / H / D;
  V sum = 0;
  EACH_WINDOW
    sum += VLOAD(dy + ((((size_t)n * OD + oz) * OH + oy) * OW + ox) * C + c);
  size_t at = (size_t)i * VEC;
  VSTORE(epilogue(sum * (1.0f / (KD * KH * KW)), at, c, EPILOGUE_ARGS), dx + at);
}

/* y = the largest of each window; winner = its index in the volume ((iz * H + iy) * W + ix), the
 * first in row-major order among equals; a NaN wins. */
__kernel void max_pool3d(__global const float *x, __global float *y, __global int *winner,
                         int count) {
  int i = get_global_id(0);
  if (i >= count) return;
  int c = i % C, ox = i / C % OW, oy = i / C / OW % OH, oz = i / C / OW / OH % OD;
  int n = i / C / OW / OH / OD, index = -1;
  float best = -INFINITY;
  EACH_OF_WINDOW {
    float v = x[((((size_t)n * D + iz) * H + iy) * W + ix) * C + c];
    if (index < 0 || v > best || (isnan(v) && !isnan(best))) {
      best = v;
      index = (iz * H + iy) * W + ix;
    }
  }
  y[i] = best;
  winner[i] = index;
}

__kernel void max_pool3d_backward(__global const float *dy, __global const int *winner,
                                  __global float *dx, int count, EPILOGUE) {
  int i = get_global_id(0);
  if (i >= count) return;
  int c = i % C, ix = i / C % W, iy = i / C / W % H, iz = i / C / W / H % D;
  int n = i / C / W / H / D;
  float sum = 0;
  EACH_WINDOW {
    size_t o = ((((size_t)n * OD + oz) * OH + oy) * OW + ox) * C + c;
    if (winner[o] == (iz * H + iy) * W + ix) sum += dy[o];
  }
  dx[i] = epilogue1(sum, i, c, EPILOGUE_ARGS);
}
