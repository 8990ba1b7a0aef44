/* Direct convolution for CPUs: a work-item owns some rows of one image and keeps
 * a tile of TILE pixels x BLOCK vectors of filters in registers. Options: the
 * convolution's shape, VEC, BLOCK, TILE, ROWS (output rows per work-item), CHANNELS
 * (input channels of a register tile of backward_weight), PACKED (filters
 * rounded up to whole blocks). */
#include "vector.clh"
#include "epilogue.clh"

#define WIDTH ((OW - 1) * SW + (KW - 1) * DW + 1) /* of a staged row, with its padding */
#define SPAN ((KH - 1) * DH + 1)                   /* input rows under one output row */
#define ROWS_IN ((ROWS - 1) * SH + SPAN)           /* input rows of a work-item */
#define LANES (VEC * BLOCK)
#define TAIL (FILTERS % LANES)
#if TILE > OW
#undef TILE
#define TILE OW
#endif
/* A kernel of one tap is a matrix product, which reads the image as it is, unless it reads zeros
 * around it. */
#define POINTWISE                                                                                \
  (KH == 1 && KW == 1 && PH == 0 && PW == 0 && (OH - 1) * SH < H && (OW - 1) * SW < W)
/* A stride may leave the whole of the image out. */
#define LEFT (PW < WIDTH ? PW : WIDTH)
/* Without gaps between them, the taps of a row are one run of floats. */
#if DW == 1
#define RUN (KW * C)
#else
#define RUN C
#endif

/* Copies input row iy of one image to staged (WIDTH, C), zeros outside. */
inline void stage_row(__global const float *image, int iy, float *staged) {
  const int inside = iy < 0 || iy >= H ? 0 : min(W, WIDTH - LEFT) * C;
  __global const float *from = image + (size_t)iy * W * C;
  for (int i = 0; i < LEFT * C; i++) staged[i] = 0;
  for (int i = 0; i < inside; i++) staged[LEFT * C + i] = from[i];
  for (int i = LEFT * C + inside; i < WIDTH * C; i++) staged[i] = 0;
}

#if POINTWISE
#define SOURCE __global const float
#define SOURCE_ROW(oy, r) (image + (size_t)(oy) * SH * W * C)
#define STAGE_ROWS(image, first, count)
#else
#define SOURCE const float
#define SOURCE_ROW(oy, r) rows[((oy) - first) * SH + (r) * DH]
#define STAGE_ROWS(image, first, count)                                        \
  float rows[ROWS_IN][WIDTH * C] __attribute__((aligned(64)));                 \
  for (int i = 0; i < ((count) - 1) * SH + SPAN; i++)                          \
    stage_row(image, (first) * SH - PH + i, rows[i]);
#endif

#if !CHANNELS /* forward and data gradient */
/* y = epilogue(x * w); w is (PACKED / LANES, KH, KW, C, LANES), so that a register tile reads one
 * piece of it, and all rows of a work-item that piece before they come to the next. */
__attribute__((reqd_work_group_size(1, 1, 1)))
__kernel void conv2d_direct(__global const float *restrict x, __global const float *restrict w,
                            __global float *y, EPILOGUE) {
  const int n = get_global_id(1), first = get_global_id(0) * ROWS;
  const int last = min(first + ROWS, OH);
  __global const float *image = x + (size_t)n * H * W * C;
  STAGE_ROWS(image, first, last - first)
  for (int k = 0; k < PACKED; k += LANES) {
    for (int oy = first; oy < last; oy++) {
      for (int tile = 0; tile < OW; tile += TILE) {
        int ox = min(tile, OW - TILE); /* the last tile may overlap the one before */
        __global const float *weight = w + (size_t)k * KH * KW * C;
        V sum[TILE][BLOCK];
        UNROLL for (int p = 0; p < TILE; p++)
          UNROLL for (int b = 0; b < BLOCK; b++) sum[p][b] = 0;
        for (int r = 0; r < KH; r++) {
          for (int s = 0; s < KW * C / RUN; s++) {
            SOURCE *from = SOURCE_ROW(oy, r) + (ox * SW + s * DW) * C;
            for (int c = 0; c < RUN; c++, weight += LANES) {
              V wv[BLOCK];
              UNROLL for (int b = 0; b < BLOCK; b++) wv[b] = VLOAD(weight + b * VEC);
              UNROLL for (int p = 0; p < TILE; p++) {
                V v = (V)(from[c + p * SW * C]);
                UNROLL for (int b = 0; b < BLOCK; b++) sum[p][b] = fma(v, wv[b], sum[p][b]);
              }
            }
          }
        }
        V done[TILE][BLOCK]; /* in memory, so that the loop that stores need not be unrolled */
        UNROLL for (int p = 0; p < TILE; p++)
          UNROLL for (int b = 0; b < BLOCK; b++) done[p][b] = sum[p][b];
        size_t at = (((size_t)n * OH + oy) * OW + ox) * FILTERS + k;
        /* Pixels that the tile before has stored are left alone: the residual may be y itself. */
        for (int p = tile - ox; p < TILE; p++)
          for (int b = 0; b < BLOCK; b++) {
            size_t i = at + p * FILTERS + b * VEC;
#if TAIL
            float lanes[VEC];
            VSTORE(done[p][b], lanes);
            for (int l = 0; l < VEC && k + b * VEC + l < FILTERS; l++)
              y[i + l] = epilogue1(lanes[l], i + l, k + b * VEC + l, EPILOGUE_ARGS);
#else
            VSTORE(epilogue(done[p][b], i, k + b * VEC, EPILOGUE_ARGS), y + i);
#endif
          }
      }
    }
  }
}

/* Where a weight is among the packed ones; rest is its tap and its channel. */
inline size_t packed_place(int rest, int k) {
  return ((size_t)(k / LANES) * KH * KW * C + rest) * LANES + k % LANES;
}

/* out (PACKED / LANES, KH, KW, C, LANES) = w padded with zeros after the filters. */
__kernel void pack_weights(__global const float *w, __global float *out) {
  int k = get_global_id(0), rest = get_global_id(1);
  out[packed_place(rest, k)] = k < FILTERS ? w[(size_t)rest * FILTERS + k] : 0;
}

/* The same from w (KH, KW, FILTERS, C) of the convolution whose data gradient
 * this is: taps turned by half a turn, channels and filters swapped. */
__kernel void pack_flipped_weights(__global const float *w, __global float *out) {
  int k = get_global_id(0), rest = get_global_id(1), c = rest % C, tap = rest / C;
  float v = 0;
  if (k < FILTERS) v = w[((size_t)(KH * KW - 1 - tap) * FILTERS + k) * C + c];
  out[packed_place(rest, k)] = v;
}

#else
#define PARTIAL_SIZE (KH * KW * C * PACKED + PACKED)

/* Work-item g adds the images g, g + partials, … into its own partial sums (KH, KW, C,
 * PACKED) of the weight's gradient, followed by those of the bias's (PACKED). */
__attribute__((reqd_work_group_size(1, 1, 1)))
__kernel void conv2d_direct_weight(__global const float *restrict x,
                                   __global const float *restrict dy,
                                   __global float *restrict partial, int n) {
  const int g = get_global_id(0), partials = get_global_size(0);
  __global float *dw = partial + (size_t)g * PARTIAL_SIZE, *db = dw + KH * KW * C * PACKED;
  for (int i = 0; i < PARTIAL_SIZE; i++) dw[i] = 0;
#if TAIL
  float padded[ROWS * OW * PACKED] __attribute__((aligned(64)));
  for (int i = 0; i < ROWS * OW * PACKED; i++) padded[i] = 0;
#endif
  for (int number = g; number < n; number += partials) {
    __global const float *image = x + (size_t)number * H * W * C;
    for (int first = 0; first < OH; first += ROWS) {
      int count = min(ROWS, OH - first);
      STAGE_ROWS(image, first, count)
      __global const float *dy_rows = dy + ((size_t)number * OH + first) * OW * FILTERS;
#if TAIL
      for (int i = 0; i < count * OW; i++)
        for (int k = 0; k < FILTERS; k++) padded[i * PACKED + k] = dy_rows[i * FILTERS + k];
      const float *from = padded;
#else
      __global const float *from = dy_rows;
#endif
      for (int k = 0; k < PACKED; k += LANES) {
        V bias[BLOCK];
        UNROLL for (int b = 0; b < BLOCK; b++) bias[b] = VLOAD(db + k + b * VEC);
        for (int i = 0; i < count * OW; i++)
          UNROLL for (int b = 0; b < BLOCK; b++) bias[b] += VLOAD(from + i * PACKED + k + b * VEC);
        UNROLL for (int b = 0; b < BLOCK; b++) VSTORE(bias[b], db + k + b * VEC);
        for (int r = 0; r < KH; r++) {
          for (int c = 0; c < C; c += CHANNELS) {
            V sum[KW][CHANNELS][BLOCK];
            __global float *out = dw + ((size_t)r * KW * C + c) * PACKED + k;
            UNROLL for (int s = 0; s < KW; s++)
              UNROLL for (int i = 0; i < CHANNELS; i++)
                UNROLL for (int b = 0; b < BLOCK; b++)
                  sum[s][i][b] = VLOAD(out + (s * C + i) * PACKED + b * VEC);
            for (int oy = 0; oy < count; oy++) {
              SOURCE *row = SOURCE_ROW(first + oy, r) + c;
              for (int ox = 0; ox < OW; ox++) {
                V d[BLOCK];
                UNROLL for (int b = 0; b < BLOCK; b++)
                  d[b] = VLOAD(from + (oy * OW + ox) * PACKED + k + b * VEC);
                UNROLL for (int s = 0; s < KW; s++)
                  UNROLL for (int i = 0; i < CHANNELS; i++) {
                    V v = (V)(row[(ox * SW + s * DW) * C + i]);
                    UNROLL for (int b = 0; b < BLOCK; b++)
                      sum[s][i][b] = fma(v, d[b], sum[s][i][b]);
                  }
              }
            }
            UNROLL for (int s = 0; s < KW; s++)
              UNROLL for (int i = 0; i < CHANNELS; i++)
                UNROLL for (int b = 0; b < BLOCK; b++)
                  VSTORE(sum[s][i][b], out + (s * C + i) * PACKED + b * VEC);
          }
        }
      }
    }
  }
}

/* dw (KH, KW, C, FILTERS) and db (FILTERS; 0: not wanted) = the totals of the partial sums. */
__kernel void sum_weight_partials(__global const float *partial, __global float *dw,
                               __global float *db, int partials) {
  int k = get_global_id(0), row = get_global_id(1); /* the last row is the bias's */
  if (row == KH * KW * C && !db) return;
  float sum = 0;
  for (int p = 0; p < partials; p++)
    sum += partial[(size_t)p * PARTIAL_SIZE + (size_t)row * PACKED + k];
  if (row == KH * KW * C) db[k] = sum;
  else dw[(size_t)row * FILTERS + k] = sum;
}
#endif
