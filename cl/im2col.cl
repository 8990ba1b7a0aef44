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

/* The same transposed: columns (KH, KW, C, n, OH, OW); pixels = n * OH * OW. */
__kernel void im2col_transposed(__global const float *x, __global float *columns, int first,
                                int pixels) {
  int pixel = get_global_id(0), row = get_global_id(1);
  if (pixel >= pixels) return;
  int c = row % C, tap = row / C;
  int ox = pixel % OW, oy = pixel / OW % OH, n = first + pixel / (OW * OH);
  int iy = oy * SH - PH + tap / KW * DH, ix = ox * SW - PW + tap % KW * DW;
  float v = 0;
  if (iy >= 0 && iy < H && ix >= 0 && ix < W) v = x[(((size_t)n * H + iy) * W + ix) * C + c];
  columns[(size_t)row * pixels + pixel] = v;
}

/* dx of images first, first + 1, … = epilogue of the sum of what the columns
 * (n, OH, OW, KH, KW, C), offset floats into their buffer, hold for each pixel. */
__kernel void col2im(__global const float *columns, int offset, __global float *dx, int first,
                     int count, EPILOGUE) {
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
      sum += VLOAD(columns + offset + (((size_t)n * OH + oy) * OW + ox) * PATCH + (r * KW + s) * C + c);
    }
  }
  size_t at = ((size_t)first * H * W + pixel) * C + c;
  VSTORE(epilogue(sum, at, c, EPILOGUE_ARGS), dx + at);
}

/* out (FILTERS, PATCH) = w (PATCH, FILTERS) transposed. */
__kernel void transpose_weights(__global const float *w, __global float *out) {
  int p = get_global_id(0), k = get_global_id(1);
  out[(size_t)k * PATCH + p] = w[(size_t)p * FILTERS + k];
}
