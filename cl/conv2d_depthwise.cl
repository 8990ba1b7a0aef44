/* Depthwise 2-D convolution (cross-correlation) of (n, height, width, channels) tensors, one filter
 * per channel, of kernels and strides so small that the compiler unrolls them. Options: H W KH KW SH
 * SW PH PW DH DW OH OW C, the convolution's; VEC channels at once; TILE pixels along the width per
 * work-item, for the data gradient a multiple of SW; ROWS of taps per work-item of the weight
 * gradient. Weights are (KH, KW, C). */
#include "vector.clh"
#include "epilogue.clh"

#define CV (C / VEC)
#define TILES(WIDTH) (((WIDTH) + TILE - 1) / TILE)

/* Which VEC channels of which tile of a row of width pixels are this work-item's. */
#define TILE_OF(WIDTH)                                                       \
  const int i = get_global_id(0);                                            \
  if (i >= count) return;                                                    \
  const int c = i % CV * VEC, first = i / CV % TILES(WIDTH) * TILE, row = i / CV / TILES(WIDTH);

/* The pixels that a tile reads along the width, from its first one on. */
#define SPAN ((TILE - 1) * SW + (KW - 1) * DW + 1)

#define INSIDE(at, size) ((at) >= 0 && (at) < (size))

inline V load_inside(__global const float *line, int at, int size) {
  return INSIDE(at, size) ? VLOAD(line + at * C) : (V)0;
}

/* y (n, OH, OW, C) = epilogue of the sum over taps of x (n, H, W, C) times weights. */
__kernel void depthwise(__global const float *x, __global const float *weights, __global float *y,
                        int count, EPILOGUE) {
  TILE_OF(OW)
  const int left = first * SW - PW;
  V sum[TILE], tap[KW];
  UNROLL
  for (int t = 0; t < TILE; t++) sum[t] = 0;
  for (int r = 0; r < KH; r++) {
    const int iy = row % OH * SH - PH + r * DH;
    if (!INSIDE(iy, H)) continue;
    __global const float *line = x + ((size_t)(row / OH) * H + iy) * W * C + c;
    UNROLL
    for (int s = 0; s < KW; s++) tap[s] = VLOAD(weights + (r * KW + s) * C + c);
    if (left >= 0 && left + SPAN <= W) {
      UNROLL
      for (int j = 0; j < SPAN; j++) {
        V v = VLOAD(line + (left + j) * C);
        UNROLL
        for (int s = 0; s < KW; s++)
          if (j >= s * DW && (j - s * DW) % SW == 0 && (j - s * DW) / SW < TILE)
            sum[(j - s * DW) / SW] += v * tap[s];
      }
    } else {
      UNROLL
      for (int j = 0; j < SPAN; j++) {
        V v = load_inside(line, left + j, W);
        UNROLL
        for (int s = 0; s < KW; s++)
          if (j >= s * DW && (j - s * DW) % SW == 0 && (j - s * DW) / SW < TILE)
            sum[(j - s * DW) / SW] += v * tap[s];
      }
    }
  }
  UNROLL
  for (int t = 0; t < TILE; t++) {
    if (first + t >= OW) continue;
    size_t at = ((size_t)row * OW + first + t) * C + c;
    VSTORE(epilogue(sum[t], at, c, EPILOGUE_ARGS), y + at);
  }
}

/* The outputs, from the tile's first pixel over SW on, that read a pixel of the tile. */
#define LEAST (-(((KW - 1) * DW - PW) / SW))
#define MOST ((TILE - 1 + PW) / SW)

/* dx (n, H, W, C) = epilogue of the sum over the outputs that read a pixel of dy (n, OH, OW, C)
 * times weights. */
__kernel void depthwise_data(__global const float *dy, __global const float *weights,
                             __global float *dx, int count, EPILOGUE) {
  TILE_OF(W)
  V sum[TILE], tap[KW];
  UNROLL
  for (int t = 0; t < TILE; t++) sum[t] = 0;
  for (int r = 0; r < KH; r++) {
    const int scaled = row % H + PH - r * DH;
    if (scaled < 0 || scaled % SH || scaled / SH >= OH) continue;
    __global const float *line = dy + ((size_t)(row / H) * OH + scaled / SH) * OW * C + c;
    UNROLL
    for (int s = 0; s < KW; s++) tap[s] = VLOAD(weights + (r * KW + s) * C + c);
    UNROLL
    for (int o = LEAST; o <= MOST; o++) {
      V v = load_inside(line, first / SW + o, OW);
      UNROLL
      for (int s = 0; s < KW; s++)
        if (INSIDE(o * SW - PW + s * DW, TILE)) sum[o * SW - PW + s * DW] += v * tap[s];
    }
  }
  UNROLL
  for (int t = 0; t < TILE; t++) {
    if (first + t >= W) continue;
    size_t at = ((size_t)row * W + first + t) * C + c;
    VSTORE(epilogue(sum[t], at, c, EPILOGUE_ARGS), dx + at);
  }
}

/* The outputs of a row whose taps are all inside. */
#define FIRST_WHOLE ((PW + SW - 1) / SW)
#define END_WHOLE min((W - 1 - (KW - 1) * DW + PW) / SW + 1, OW)

/* sum (ROWS, KW) += the products of output ox of a line of dy, whose taps may be outside. */
inline void add_edge(V *sum, __global const float *const *line, V d, int ox) {
  UNROLL
  for (int k = 0; k < ROWS; k++) {
    if (!line[k]) continue;
    UNROLL
    for (int s = 0; s < KW; s++) {
      int ix = ox * SW - PW + s * DW;
      if (INSIDE(ix, W)) sum[k * KW + s] += VLOAD(line[k] + ix * C) * d;
    }
  }
}

/* partial (partials, KH, KW, C): the weight gradient of range p of the lines of dy. A work-item has
 * VEC channels of ROWS x KW taps. */
__kernel void depthwise_weight(__global const float *x, __global const float *dy,
                               __global float *partial, int count, int lines, int partials) {
  const int i = get_global_id(0), p = get_global_id(1);
  if (i >= count) return;
  const int c = i % CV * VEC, tap = i / CV * ROWS;
  const int begin = (int)((long)lines * p / partials), end = (int)((long)lines * (p + 1) / partials);
  V sum[ROWS * KW];
  UNROLL
  for (int k = 0; k < ROWS * KW; k++) sum[k] = 0;
  for (int row = begin; row < end; row++) {
    __global const float *line[ROWS], *from = dy + (size_t)row * OW * C + c;
    bool whole = true;
    UNROLL
    for (int k = 0; k < ROWS; k++) {
      int iy = row % OH * SH - PH + (tap + k) * DH;
      line[k] = INSIDE(iy, H) ? x + ((size_t)(row / OH) * H + iy) * W * C + c : 0;
      whole = whole && line[k];
    }
    int ox = 0;
    if (whole) {
      for (; ox < FIRST_WHOLE && ox < OW; ox++) add_edge(sum, line, VLOAD(from + ox * C), ox);
      for (; ox + TILE <= END_WHOLE; ox += TILE) {
        V d[TILE];
        UNROLL
        for (int t = 0; t < TILE; t++) d[t] = VLOAD(from + (ox + t) * C);
        UNROLL
        for (int k = 0; k < ROWS; k++) {
          UNROLL
          for (int j = 0; j < SPAN; j++) {
            V v = VLOAD(line[k] + (ox * SW - PW + j) * C);
            UNROLL
            for (int s = 0; s < KW; s++)
              if (j >= s * DW && (j - s * DW) % SW == 0 && (j - s * DW) / SW < TILE)
                sum[k * KW + s] += v * d[(j - s * DW) / SW];
          }
        }
      }
    }
    for (; ox < OW; ox++) add_edge(sum, line, VLOAD(from + ox * C), ox);
  }
  __global float *out = partial + ((size_t)p * KH + tap) * KW * C + c;
  UNROLL
  for (int k = 0; k < ROWS * KW; k++) VSTORE(sum[k], out + k * C);
}
