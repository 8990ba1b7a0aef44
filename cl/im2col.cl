/* Convolution as a matrix product: the patches of volumes as a matrix, and the way back. An image
 * is a volume of depth 1. The window comes as build options: D H W C FILTERS KD KH KW SD SH SW PD
 * PH PW DD DH DW OD OH OW; a volume has D H W pixels. */
#include "vector.clh"
#include "epilogue.clh"

#define TAPS (KD * KH * KW)
#define PATCH (TAPS * C)
#define PIXELS (D * H * W)
#define OUTPUTS (OD * OH * OW)

/* columns (n, OD, OH, OW, KD, KH, KW, C) = the patches of volumes first, first + 1, … of
 * x (., D, H, W, C). */
__kernel void im2col(__global const float *x, __global float *columns, int first, int count) {
  int i = get_global_id(0); /* one tap of one output pixel, VEC channels */
  if (i >= count) return;
  int c = i % (C / VEC) * VEC, tap = i / (C / VEC) % TAPS, pixel = i / (C / VEC) / TAPS;
  int ox = pixel % OW, oy = pixel / OW % OH, oz = pixel / OW / OH % OD;
  int n = first + pixel / OUTPUTS, s = tap % KW, r = tap / KW % KH, q = tap / KW / KH;
  int iz = oz * SD - PD + q * DD, iy = oy * SH - PH + r * DH, ix = ox * SW - PW + s * DW;
  V v = 0;
  if (iz >= 0 && iz < D && iy >= 0 && iy < H && ix >= 0 && ix < W)
    v = VLOAD(x + ((((size_t)n * D + iz) * H + iy) * W + ix) * C + c);
  VSTORE(v, columns + (size_t)pixel * PATCH + tap * C + c);
}

/* planes (C, pixels), offset floats into their buffer = the volumes first, first + 1, … of
 * x (., D, H, W, C) channel by channel; pixels = n * D * H * W. A work-item turns VEC pixels x VEC
 * channels. */
__kernel void split_channels(__global const float *x, __global float *planes, int offset, int first,
                             int pixels) {
  planes += offset;
  int block = get_global_id(0) * VEC, c = get_global_id(1) * VEC;
  int count = min(VEC, pixels - block);
  float turned[VEC][VEC];
  for (int p = 0; p < count; p++) {
    float lanes[VEC];
    VSTORE(VLOAD(x + ((size_t)first * PIXELS + block + p) * C + c), lanes);
    for (int l = 0; l < VEC; l++) turned[l][p] = lanes[l];
  }
  for (int l = 0; l < VEC; l++)
    for (int p = 0; p < count; p++) planes[(size_t)(c + l) * pixels + block + p] = turned[l][p];
}

/* columns (KD, KH, KW, C, pixels): the patches of planes (C, n, D, H, W), which follow after offset
 * floats; pixels = n * OD * OH * OW. One work-item per volume and row of columns. */
__kernel void im2col_transposed(__global float *columns, int offset, int pixels) {
  int n = get_global_id(0), row = get_global_id(1);
  int c = row % C, s = row / C % KW, r = row / C / KW % KH, q = row / C / KW / KH;
  int left = s * DW - PW;
  __global float *to = columns + (size_t)row * pixels + n * OUTPUTS;
  __global const float *volume = columns + offset + ((size_t)c * (pixels / OUTPUTS) + n) * PIXELS;
  for (int oz = 0; oz < OD; oz++) {
    int iz = oz * SD - PD + q * DD;
    for (int oy = 0; oy < OH; oy++) {
      int iy = oy * SH - PH + r * DH;
      bool inside = iz >= 0 && iz < D && iy >= 0 && iy < H;
      for (int ox = 0; ox < OW; ox++) {
        int ix = ox * SW + left;
        to[(oz * OH + oy) * OW + ox] =
            inside && ix >= 0 && ix < W ? volume[(iz * H + iy) * W + ix] : 0.0f;
      }
    }
  }
}

/* dx of volumes first, first + 1, … = epilogue of the sum of what the columns
 * (n, OD, OH, OW, KD, KH, KW, C) hold for each pixel. */
__kernel void col2im(__global const float *columns, __global float *dx, int first, int count,
                     EPILOGUE) {
  int i = get_global_id(0); /* one input pixel, VEC channels */
  if (i >= count) return;
  int c = i % (C / VEC) * VEC, pixel = i / (C / VEC);
  int ix = pixel % W, iy = pixel / W % H, iz = pixel / W / H % D, n = pixel / PIXELS;
  V sum = 0;
  for (int q = 0; q < KD; q++) {
    int z = iz + PD - q * DD, oz = z / SD;
    if (z < 0 || z % SD || oz >= OD) continue;
    for (int r = 0; r < KH; r++) {
      int y = iy + PH - r * DH, oy = y / SH;
      if (y < 0 || y % SH || oy >= OH) continue;
      for (int s = 0; s < KW; s++) {
        int x = ix + PW - s * DW, ox = x / SW;
        if (x < 0 || x % SW || ox >= OW) continue;
        sum += VLOAD(columns + ((((size_t)n * OD + oz) * OH + oy) * OW + ox) * PATCH +
                     ((q * KH + r) * KW + s) * C + c);
      }
    }
  }
  size_t at = ((size_t)first * PIXELS + pixel) * C + c;
  VSTORE(epilogue(sum, at, c, EPILOGUE_ARGS), dx + at);
}

/* out (FILTERS, PATCH), offset floats into its buffer = w (PATCH, FILTERS) transposed. */
__kernel void transpose_weights(__global const float *w, __global float *out, int offset) {
  int p = get_global_id(0), k = get_global_id(1);
  out[offset + (size_t)k * PATCH + p] = w[(size_t)p * FILTERS + k];
}
