/* Convolution as a matrix product: the patches of an image as a matrix, and the
 * way back. Shape constants come as build options: H W C FILTERS KH KW SH SW PH
 * PW DH DW OH OW. */
#include "vector.clh"
#include "epilogue.clh"

#define PATCH (KH * KW * C)

/* columns (n, OH, OW, KH, KW, C) = the patches of images first, first + 1, … of x (., H, W, C). */
__kernel void im2col(__global const float *x, __global float *columns, int first, int count) {
  int i = get_global_id(0); /* one tap of one output pixel, VEC channels */
  if (i >= count) return;
  int c = i % (C / VEC) * VEC, tap = i / (C / VEC) % (KH * KW), pixel = i / (C / VEC) / (KH * KW);
  int ox = pixel % OW, oy = pixel / OW % OH, n = first + pixel / (OW * OH);
  int iy = oy * SH - PH + tap / KW * DH, ix = ox * SW - PW + tap % KW * DW;
  V v = 0;
  if (iy >= 0 && iy < H && ix >= 0 && ix < W)
    v = VLOAD(x + (((size_t)n * H + iy) * W + ix) * C + c);
  VSTORE(v, columns + (size_t)pixel * PATCH + tap * C + c);
}

/* planes (C, pixels), offset floats into their buffer = the images first, first + 1,
 * … of x (., H, W, C) channel by channel; pixels = n * H * W. A work-item turns
 * VEC pixels x VEC channels. */
__kernel void split_channels(__global const float *x, __global float *planes, int offset, int first,
                             int pixels) {
  planes += offset;
  int block = get_global_id(0) * VEC, c = get_global_id(1) * VEC;
  int count = min(VEC, pixels - block);
  float turned[VEC][VEC];
  for (int p = 0; p < count; p++) {
    float lanes[VEC];
    VSTORE(VLOAD(x + ((size_t)first * H * W + block + p) * C + c), lanes);
    for (int l = 0; l < VEC; l++) turned[l][p] = lanes[l];
  }
  for (int l = 0; l < VEC; l++)
    for (int p = 0; p < count; p++) planes[(size_t)(c + l) * pixels + block + p] = turned[l][p];
}

/* columns (KH, KW, C, pixels): the patches of planes (C, n, H, W), which lie offset
 * floats behind; pixels = n * OH * OW. A work-item an image of one row of columns. */
__kernel void im2col_transposed(__global float *columns, int offset, int pixels) {
  int n = get_global_id(0), row = get_global_id(1);
  int c = row % C, s = row / C % KW, r = row / C / KW, left = s * DW - PW;
  __global float *to = columns + (size_t)row * pixels + n * OH * OW;
  __global const float *plane =
      columns + offset + ((size_t)c * (pixels / (OH * OW)) + n) * H * W;
  for (int oy = 0; oy < OH; oy++) {
    int iy = oy * SH - PH + r * DH;
    bool inside = iy >= 0 && iy < H;
    for (int ox = 0; ox < OW; ox++) {
      int ix = ox * SW + left;
      to[oy * OW + ox] = inside && ix >= 0 && ix < W ? plane[iy * W + ix] : 0.0f;
    }
  }
}

/* dx of images first, first + 1, … = epilogue of the sum of what the columns
 * (n, OH, OW, KH, KW, C) hold for each pixel. */
__kernel void col2im(__global const float *columns, __global float *dx, int first, int count,
                     EPILOGUE) {
  int i = get_global_id(0); /* one input pixel, VEC channels */
  if (i >= count) return;
  int c = i % (C / VEC) * VEC, pixel = i / (C / VEC);
  int ix = pixel % W, iy = pixel / W % H, n = pixel / (W * H);
  V sum = 0;
  for (int r = 0; r < KH; r++) {
    int y = iy + PH - r * DH, oy = y / SH;
    if (y < 0 || y % SH || oy >= OH) continue;
    for (int s = 0; s < KW; s++) {
      int x = ix + PW - s * DW, ox = x / SW;
      if (x < 0 || x % SW || ox >= OW) continue;
      sum += VLOAD(columns + (((size_t)n * OH + oy) * OW + ox) * PATCH + (r * KW + s) * C + c);
    }
  }
  size_t at = ((size_t)first * H * W + pixel) * C + c;
  VSTORE(epilogue(sum, at, c, EPILOGUE_ARGS), dx + at);
}

/* out (FILTERS, PATCH), offset floats into its buffer = w (PATCH, FILTERS) transposed. */
__kernel void transpose_weights(__global const float *w, __global float *out, int offset) {
  int p = get_global_id(0), k = get_global_id(1);
  out[offset + (size_t)k * PATCH + p] = w[(size_t)p * FILTERS + k];
}
