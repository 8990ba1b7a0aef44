/* 3-D convolution (cross-correlation) of (n, depth, height, width, channels) tensors, in groups of
 * channels. Options: FD FH FW, the source's size, and C, its channels, CG in a group; TD TH TW, F
 * and FG, those of what is written; KD KH KW SD SH SW PD PH PW DD DH DW, the convolution's; VEC
 * values of F at once, which are of one group, or of whole groups where CG is FG; TILE positions along the width per work-item, a divisor of TW; CHANNELS of
 * CG per work-item of the weight gradient; BACKWARD is 1 for the data gradient, whose source is dy.
 * Weights are (KD, KH, KW, CG, F). */
#include "vector.clh"
#include "epilogue.clh"

#define FV (F / VEC)
/* The first channel of the source that channel f of what is written depends on. */
#define FIRST(f) (CG == C ? 0 : (f) / FG * CG)

/* What the filters of a vector are multiplied by: channel c, from p on, of their group. */
#if VEC > FG
#if VEC == 2
#define LANES (uint2)(0, 1)
#elif VEC == 4
#define LANES (uint4)(0, 1, 2, 3)
#elif VEC == 8
#define LANES (uint8)(0, 1, 2, 3, 4, 5, 6, 7)
#else
#define LANES (uint16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
#endif
#define TAKEN V
#define TAKE(p, c) shuffle(VLOAD(p), LANES / FG * FG + (uint)(c))
#define EACH_CHANNEL UNROLL
#else
#define TAKEN float
#define TAKE(p, c) (p)[c]
#define EACH_CHANNEL
#endif

/* The index in the source, along one axis, that position t reads at a tap; -1: none. */
inline int source_of(int t, int tap, int dilation, int stride, int padding, int size) {
#if BACKWARD
  int at = t + padding - tap * dilation;
  return at < 0 || at % stride || at / stride >= size ? -1 : at / stride;
#else
  int at = t * stride - padding + tap * dilation;
  return at < 0 || at >= size ? -1 : at;
#endif
}

/* Along the width no tap reads outside, which spares the check of each product. */
#if BACKWARD
#define INSIDE (PW == 0 && KW == 1 && SW == 1 && TW <= FW)
#else
#define INSIDE (PW == 0 && (TW - 1) * SW + (KW - 1) * DW < FW)
#endif

/* to (n, TD, TH, TW, F) = epilogue of the sum over taps and channels of from times weights. */
__kernel void conv3d(__global const float *from, __global const float *weights, __global float *to,
                     int count, EPILOGUE) {
  int i = get_global_id(0);
  if (i >= count) return;
  int f = i % FV * VEC, tx = i / FV % (TW / TILE) * TILE, row = i / FV / (TW / TILE);
  int ty = row % TH, tz = row / TH % TD, n = row / TH / TD;
  V sum[TILE];
  for (int t = 0; t < TILE; t++) sum[t] = 0;
  for (int q = 0; q < KD; q++) {
    int z = source_of(tz, q, DD, SD, PD, FD);
    if (z < 0) continue;
    for (int r = 0; r < KH; r++) {
      int y = source_of(ty, r, DH, SH, PH, FH);
      if (y < 0) continue;
      __global const float *line =
          from + (((size_t)n * FD + z) * FH + y) * FW * C + FIRST(f);
      for (int s = 0; s < KW; s++) {
        __global const float *w = weights + (size_t)((q * KH + r) * KW + s) * CG * F + f;
        int at[TILE];
        for (int t = 0; t < TILE; t++) at[t] = source_of(tx + t, s, DW, SW, PW, FW) * C;
        EACH_CHANNEL
        for (int c = 0; c < CG; c++) {
          V factor = VLOAD(w + (size_t)c * F);
          for (int t = 0; t < TILE; t++)
            sum[t] += (INSIDE || at[t] >= 0 ? TAKE(line + at[t], c) : (TAKEN)0) * factor;
        }
      }
    }
  }
  for (int t = 0; t < TILE; t++) {
    size_t at = ((size_t)row * TW + tx + t) * F + f;
    VSTORE(epilogue(sum[t], at, f, EPILOGUE_ARGS), to + at);
  }
}

/* The weights (taps, CG, F) for the data gradient, whose source dy has C channels, from w
 * (taps, FG, C). */
__kernel void transpose_weights(__global const float *w, __global float *out, int count) {
  int i = get_global_id(0);
  if (i >= count) return;
  int f = i % F, c = i / F % CG, tap = i / F / CG;
  out[i] = w[((size_t)tap * FG + f % FG) * C + FIRST(f) + c];
}

/* partial (partials, KD, KH, KW, CG, F): the weight gradient of range p of the n TD TH lines of dy. A
 * work-item has CHANNELS x VEC weights of a tap. */
__kernel void conv3d_weight(__global const float *x, __global const float *dy,
                            __global float *partial, int count, int n, int partials) {
  int i = get_global_id(0), p = get_global_id(1);
  if (i >= count) return;
  int f = i % FV * VEC, c = i / FV % (CG / CHANNELS) * CHANNELS, tap = i / FV / (CG / CHANNELS);
  int s = tap % KW, r = tap / KW % KH, q = tap / KW / KH, lines = n * TD * TH;
  int first = (int)((long)lines * p / partials), last = (int)((long)lines * (p + 1) / partials);
  V sum[CHANNELS];
  for (int k = 0; k < CHANNELS; k++) sum[k] = 0;
  for (int row = first; row < last; row++) {
    int y = source_of(row % TH, r, DH, SH, PH, FH), z = source_of(row / TH % TD, q, DD, SD, PD, FD);
    if (y < 0 || z < 0) continue;
    __global const float *line = x + (((size_t)(row / TH / TD) * FD + z) * FH + y) * FW * C + FIRST(f);
    for (int t = 0; t < TW; t++) {
      int at = source_of(t, s, DW, SW, PW, FW);
      if (at < 0) continue;
      V d = VLOAD(dy + ((size_t)row * TW + t) * F + f);
      EACH_CHANNEL
      for (int k = 0; k < CHANNELS; k++) sum[k] += TAKE(line + (size_t)at * C, c + k) * d;
    }
  }
  __global float *out = partial + (((size_t)p * KD * KH * KW + tap) * CG + c) * F + f;
  for (int k = 0; k < CHANNELS; k++) VSTORE(sum[k], out + k * F);
}
