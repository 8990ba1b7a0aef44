/* Winograd convolution F(M x M, 3x3) for CPUs (Lavin and Gray, 2015), M = 2 or 4:
 * y = A' [(G w G') * (B' x B)] A on tiles of M x M outputs, which read (M + 2) x
 * (M + 2) inputs. A work-item transforms TILES tiles, multiplies and transforms
 * back without leaving its scratch memory. Options: the convolution's shape, VEC,
 * BLOCK (vectors of filters in a register tile), M, TILES, PASS (0 forward and
 * data gradient, 2 weight gradient: compilers take their time, so a program has
 * no more than it needs). C and FILTERS are multiples of VEC, and FILTERS of VEC *
 * BLOCK. */
#include "vector.clh"
#include "epilogue.clh"

#define NOUNROLL _Pragma("nounroll")
#define T (M + 2)
#define POINTS (T * T)
#define ACROSS ((OW + M - 1) / M)
#define PER_IMAGE (((OH + M - 1) / M) * ACROSS)
#define LANES (VEC * BLOCK)
#define GROUP (TILES < 8 ? TILES : 8) /* tiles of a register tile of the product */
#define LD (C > FILTERS ? C : FILTERS)
/* Points are 16 floats apart from a power of two, so that they fall on different cache sets. */
#define STEP (TILES * LD + 16)

#if M == 4
#define DATA_1D(d, o)                                                  \
  {                                                                    \
    V e = d[4] - 4.0f * d[2], f = d[3] - 4.0f * d[1];                  \
    V g = d[4] - d[2], h = 2.0f * (d[3] - d[1]);                       \
    o[0] = fma(4.0f, d[0], fma(-5.0f, d[2], d[4]));                    \
    o[1] = e + f;                                                      \
    o[2] = e - f;                                                      \
    o[3] = g + h;                                                      \
    o[4] = g - h;                                                      \
    o[5] = fma(4.0f, d[1], fma(-5.0f, d[3], d[5]));                    \
  }
#define WEIGHT_1D(g, o)                                                \
  {                                                                    \
    V even = (g[0] + g[2]) * (1.0f / 6), odd = g[1] * (1.0f / 6);      \
    V far = g[0] * (1.0f / 24) + g[2] * (1.0f / 6), near = g[1] * (1.0f / 12); \
    o[0] = 0.25f * g[0];                                               \
    o[1] = -even - odd;                                                \
    o[2] = odd - even;                                                 \
    o[3] = far + near;                                                 \
    o[4] = far - near;                                                 \
    o[5] = g[2];                                                       \
  }
#define OUTPUT_1D(m, o)                                                \
  {                                                                    \
    V a = m[1] + m[2], b = m[1] - m[2], c = m[3] + m[4], d = m[3] - m[4]; \
    o[0] = m[0] + a + c;                                               \
    o[1] = fma(2.0f, d, b);                                            \
    o[2] = fma(4.0f, c, a);                                            \
    o[3] = fma(8.0f, d, b) + m[5];                                     \
  }
/* The transpose of OUTPUT_1D, for gradients. */
#define GRADIENT_1D(d, o)                                              \
  {                                                                    \
    V a = d[0] + d[2], b = d[1] + d[3];                                \
    V c = fma(4.0f, d[2], d[0]), e = fma(8.0f, d[3], 2.0f * d[1]);     \
    o[0] = d[0];                                                       \
    o[1] = a + b;                                                      \
    o[2] = a - b;                                                      \
    o[3] = c + e;                                                      \
    o[4] = c - e;                                                      \
    o[5] = d[3];                                                       \
  }
/* The transpose of WEIGHT_1D. */
#define WEIGHT_GRADIENT_1D(s, o)                                       \
  {                                                                    \
    V sum = s[1] + s[2], difference = s[2] - s[1];                     \
    V far = s[3] + s[4], near = s[3] - s[4];                           \
    o[0] = 0.25f * s[0] - sum * (1.0f / 6) + far * (1.0f / 24);        \
    o[1] = difference * (1.0f / 6) + near * (1.0f / 12);               \
    o[2] = (far - sum) * (1.0f / 6) + s[5];                            \
  }
#else
#define DATA_1D(d, o)      \
  {                        \
    o[0] = d[0] - d[2];    \
    o[1] = d[1] + d[2];    \
    o[2] = d[2] - d[1];    \
    o[3] = d[1] - d[3];    \
  }
#define WEIGHT_1D(g, o)                        \
  {                                            \
    V even = 0.5f * (g[0] + g[2]);             \
    o[0] = g[0];                               \
    o[1] = fma(0.5f, g[1], even);              \
    o[2] = fma(-0.5f, g[1], even);             \
    o[3] = g[2];                               \
  }
#define OUTPUT_1D(m, o)              \
  {                                  \
    o[0] = m[0] + m[1] + m[2];       \
    o[1] = m[1] - m[2] - m[3];       \
  }
#define GRADIENT_1D(d, o)  \
  {                        \
    o[0] = d[0];           \
    o[1] = d[0] + d[1];    \
    o[2] = d[0] - d[1];    \
    o[3] = -d[1];          \
  }
#define WEIGHT_GRADIENT_1D(s, o)               \
  {                                            \
    o[0] = fma(0.5f, s[1] + s[2], s[0]);       \
    o[1] = 0.5f * (s[1] - s[2]);               \
    o[2] = fma(0.5f, s[1] + s[2], s[3]);       \
  }
#endif

/* v (POINTS at STEP, C) = B' x B of one tile; x has rows of stride floats. */
#if M == 4
/* The 36 vectors of a tile do not fit 32 registers, but two rows of six do, with what they are made
 * of: each pair of rows is computed from the tile anew, in a loop of its own, so that the compiler
 * does not keep what it has loaded. */
#define DATA_ROWS_0_5(d, a, b)                                         \
  {                                                                    \
    a = fma(4.0f, d[0], fma(-5.0f, d[2], d[4]));                       \
    b = fma(4.0f, d[1], fma(-5.0f, d[3], d[5]));                       \
  }
#define DATA_ROWS_1_2(d, a, b)                                         \
  {                                                                    \
    V e = d[4] - 4.0f * d[2], f = d[3] - 4.0f * d[1];                  \
    a = e + f;                                                         \
    b = e - f;                                                         \
  }
#define DATA_ROWS_3_4(d, a, b)                                         \
  {                                                                    \
    V g = d[4] - d[2], h = 2.0f * (d[3] - d[1]);                       \
    a = g + h;                                                         \
    b = g - h;                                                         \
  }
#define TRANSFORM_ROWS(ROWS, FIRST, SECOND)                                       \
  NOUNROLL for (int c = 0; c < C; c += VEC) {                                     \
    V a[T], b[T], o[T];                                                           \
    UNROLL for (int j = 0; j < T; j++) {                                          \
      V d[T];                                                                     \
      UNROLL for (int i = 0; i < T; i++) d[i] = VLOAD(x + i * stride + j * C + c); \
      ROWS(d, a[j], b[j])                                                         \
    }                                                                             \
    DATA_1D(a, o)                                                                 \
    UNROLL for (int j = 0; j < T; j++) VSTORE(o[j], v + (FIRST * T + j) * STEP + c);  \
    DATA_1D(b, o)                                                                 \
    UNROLL for (int j = 0; j < T; j++) VSTORE(o[j], v + (SECOND * T + j) * STEP + c); \
  }
#define DEFINE_TRANSFORM_DATA(NAME, SPACE)                                        \
  inline void NAME(SPACE const float *x, int stride, float *v) {                  \
    TRANSFORM_ROWS(DATA_ROWS_0_5, 0, 5)                                           \
    TRANSFORM_ROWS(DATA_ROWS_1_2, 1, 2)                                           \
    TRANSFORM_ROWS(DATA_ROWS_3_4, 3, 4)                                           \
  }
#else
#define DEFINE_TRANSFORM_DATA(NAME, SPACE)                                        \
  inline void NAME(SPACE const float *x, int stride, float *v) {                  \
    for (int c = 0; c < C; c += VEC) {                                            \
      V t[T][T];                                                                  \
      UNROLL for (int j = 0; j < T; j++) {                                        \
        V d[T], o[T];                                                             \
        UNROLL for (int i = 0; i < T; i++) d[i] = VLOAD(x + i * stride + j * C + c); \
        DATA_1D(d, o)                                                             \
        UNROLL for (int i = 0; i < T; i++) t[i][j] = o[i];                        \
      }                                                                           \
      UNROLL for (int i = 0; i < T; i++) {                                        \
        V o[T];                                                                   \
        DATA_1D(t[i], o)                                                          \
        UNROLL for (int j = 0; j < T; j++) VSTORE(o[j], v + (i * T + j) * STEP + c); \
      }                                                                           \
    }                                                                             \
  }
#endif
DEFINE_TRANSFORM_DATA(transform_data, __global)
DEFINE_TRANSFORM_DATA(transform_patch, )

/* Where a tile is. */
typedef struct tile {
  int n, y, x; /* image, and the first output */
} tile;

inline tile tile_at(int id) {
  tile t = {id / PER_IMAGE, id % PER_IMAGE / ACROSS * M, id % ACROSS * M};
  return t;
}

inline void load_tile(__global const float *x, tile t, float *v) {
  int top = t.y - PH, left = t.x - PW;
  __global const float *image = x + (size_t)t.n * H * W * C;
  if (top >= 0 && left >= 0 && top + T <= H && left + T <= W) {
    transform_data(image + ((size_t)top * W + left) * C, W * C, v);
    return;
  }
  float patch[T * T * C] __attribute__((aligned(64)));
  for (int i = 0; i < T; i++)
    for (int j = 0; j < T; j++) {
      int y = top + i, xx = left + j;
      bool inside = y >= 0 && y < H && xx >= 0 && xx < W;
      for (int c = 0; c < C; c += VEC)
        VSTORE(inside ? VLOAD(image + ((size_t)y * W + xx) * C + c) : (V)0,
               patch + (i * T + j) * C + c);
    }
  transform_patch(patch, T * C, v);
}

#if PASS == 0
/* Transformed weights u (POINTS, FILTERS / LANES, C, LANES): what a register tile reads is in one
 * piece, which a stride of FILTERS would spread over few cache sets. */
#define WEIGHT_BLOCK(p, k) ((size_t)((p) * (FILTERS / LANES) + (k) / LANES) * C * LANES)

/* u = G w G'; one work-item per channel and vector of filters. */
#define TRANSFORM_WEIGHTS(LOAD)                                        \
  int c = get_global_id(0), k = get_global_id(1) * VEC;                \
  V t[T][3];                                                           \
  for (int s = 0; s < 3; s++) {                                        \
    V g[3], o[T];                                                      \
    UNROLL for (int r = 0; r < 3; r++) g[r] = LOAD;                    \
    WEIGHT_1D(g, o)                                                    \
    UNROLL for (int i = 0; i < T; i++) t[i][s] = o[i];                 \
  }                                                                    \
  for (int i = 0; i < T; i++) {                                        \
    V o[T];                                                            \
    WEIGHT_1D(t[i], o)                                                 \
    UNROLL for (int j = 0; j < T; j++)                                 \
      VSTORE(o[j], u + WEIGHT_BLOCK(i * T + j, k) + c * LANES + k % LANES); \
  }

/* w (3, 3, C, FILTERS) */
__attribute__((reqd_work_group_size(1, 1, 1)))
__kernel void winograd_weights(__global const float *restrict w, __global float *restrict u) {
  TRANSFORM_WEIGHTS(VLOAD(w + ((r * 3 + s) * C + c) * FILTERS + k))
}

/* w (3, 3, FILTERS, C) of the convolution whose data gradient this is: taps
 * turned by half a turn, channels and filters swapped. */
inline V load_flipped(__global const float *w, int tap, int c, int k) {
  float lanes[VEC];
  for (int l = 0; l < VEC; l++) lanes[l] = w[((size_t)(8 - tap) * FILTERS + k + l) * C + c];
  return VLOAD(lanes);
}

__attribute__((reqd_work_group_size(1, 1, 1)))
__kernel void winograd_flipped_weights(__global const float *restrict w,
                                       __global float *restrict u) {
  TRANSFORM_WEIGHTS(load_flipped(w, r * 3 + s, c, k))
}

/* v (POINTS, TILES, C) times u, in place. */
inline void multiply(float *v, __global const float *restrict u) {
  for (int p = 0; p < POINTS; p++) {
    for (int g = 0; g < TILES; g += GROUP) {
      float *rows = v + p * STEP + g * LD;
#if FILTERS > LANES
      float products[GROUP * FILTERS] __attribute__((aligned(64)));
#define PRODUCT(t, b) products + (t) * FILTERS + k + (b) * VEC
#else
#define PRODUCT(t, b) rows + (t) * LD + (b) * VEC
#endif
      for (int k = 0; k < FILTERS; k += LANES) {
        __global const float *weight = u + WEIGHT_BLOCK(p, k);
        V sum[GROUP][BLOCK];
        UNROLL for (int t = 0; t < GROUP; t++)
          UNROLL for (int b = 0; b < BLOCK; b++) sum[t][b] = 0;
        for (int c = 0; c < C; c++) {
          V w[BLOCK];
          UNROLL for (int b = 0; b < BLOCK; b++) w[b] = VLOAD(weight + c * LANES + b * VEC);
          UNROLL for (int t = 0; t < GROUP; t++) {
            V x = (V)(rows[t * LD + c]);
            UNROLL for (int b = 0; b < BLOCK; b++) sum[t][b] = fma(x, w[b], sum[t][b]);
          }
        }
        UNROLL for (int t = 0; t < GROUP; t++)
          UNROLL for (int b = 0; b < BLOCK; b++) VSTORE(sum[t][b], PRODUCT(t, b));
      }
#if FILTERS > LANES
      for (int t = 0; t < GROUP; t++)
        for (int k = 0; k < FILTERS; k += VEC)
          VSTORE(VLOAD(products + t * FILTERS + k), rows + t * LD + k);
#endif
    }
  }
}

/* o (M, M) = A' m A of one tile, m having its points at STEP. */
#if M == 4
/* Rows 0 and 2, and then 1 and 3, so that what a pair needs fits the registers. */
#define OUTPUT_ROWS_0_2(m, a, b)                                       \
  {                                                                    \
    V s = m[1] + m[2], d = m[3] + m[4];                                \
    a = m[0] + s + d;                                                  \
    b = fma(4.0f, d, s);                                               \
  }
#define OUTPUT_ROWS_1_3(m, a, b)                                       \
  {                                                                    \
    V s = m[1] - m[2], d = m[3] - m[4];                                \
    a = fma(2.0f, d, s);                                               \
    b = fma(8.0f, d, s) + m[5];                                        \
  }
#define OUTPUT_PAIR(ROWS, m, o, FIRST, SECOND)                         \
  {                                                                    \
    V upper[T], lower[T];                                                     \
    UNROLL for (int j = 0; j < T; j++) {                               \
      V column[T];                                                     \
      UNROLL for (int i = 0; i < T; i++) column[i] = VLOAD((m) + (i * T + j) * STEP); \
      ROWS(column, upper[j], lower[j])                                         \
    }                                                                  \
    OUTPUT_1D(upper, o[FIRST])                                             \
    OUTPUT_1D(lower, o[SECOND])                                            \
  }
#define OUTPUT_TRANSFORM(m, o)                                         \
  OUTPUT_PAIR(OUTPUT_ROWS_0_2, m, o, 0, 2)                             \
  OUTPUT_PAIR(OUTPUT_ROWS_1_3, m, o, 1, 3)
#else
#define OUTPUT_TRANSFORM(m, o)                                         \
  {                                                                    \
    V half_way[M][T];                                                  \
    UNROLL for (int j = 0; j < T; j++) {                               \
      V column[T], out[M];                                             \
      UNROLL for (int i = 0; i < T; i++) column[i] = VLOAD((m) + (i * T + j) * STEP); \
      OUTPUT_1D(column, out)                                           \
      UNROLL for (int i = 0; i < M; i++) half_way[i][j] = out[i];      \
    }                                                                  \
    UNROLL for (int i = 0; i < M; i++) OUTPUT_1D(half_way[i], o[i])    \
  }
#endif

/* y = epilogue(x * w), u being the transformed weights; tiles = n * PER_IMAGE. */
__attribute__((reqd_work_group_size(1, 1, 1)))
__kernel void conv2d_winograd(__global const float *restrict x, __global const float *restrict u,
                              __global float *y, int tiles, EPILOGUE) {
  float v[POINTS * STEP] __attribute__((aligned(64)));
  const int first = get_global_id(0) * TILES, count = min(TILES, tiles - first);
  for (int q = 0; q < count; q++) load_tile(x, tile_at(first + q), v + q * LD);
  for (int q = count; q < TILES; q++)
    for (int p = 0; p < POINTS; p++)
      for (int c = 0; c < C; c++) v[p * STEP + q * LD + c] = 0;
  multiply(v, u);
  for (int q = 0; q < count; q++) {
    tile t = tile_at(first + q);
    for (int k = 0; k < FILTERS; k += VEC) {
      V o[M][M];
      OUTPUT_TRANSFORM(v + q * LD + k, o)
      for (int i = 0; i < M && t.y + i < OH; i++)
        for (int j = 0; j < M && t.x + j < OW; j++) {
          size_t at = (((size_t)t.n * OH + t.y + i) * OW + t.x + j) * FILTERS + k;
          VSTORE(epilogue(o[i][j], at, k, EPILOGUE_ARGS), y + at);
        }
    }
  }
}

#else
/* z (POINTS at STEP, FILTERS) = A dy A' of one tile, whose sum is added to bias. */
inline void load_gradient(__global const float *dy, tile t, float *z, float *bias) {
  for (int k = 0; k < FILTERS; k += VEC) {
    V half_way[T][M], sum = VLOAD(bias + k);
    UNROLL for (int j = 0; j < M; j++) {
      V d[M], o[T];
      UNROLL for (int i = 0; i < M; i++) {
        bool inside = t.y + i < OH && t.x + j < OW;
        d[i] = inside ? VLOAD(dy + (((size_t)t.n * OH + t.y + i) * OW + t.x + j) * FILTERS + k)
                      : (V)0;
        sum += d[i];
      }
      GRADIENT_1D(d, o)
      UNROLL for (int i = 0; i < T; i++) half_way[i][j] = o[i];
    }
    UNROLL for (int i = 0; i < T; i++) {
      V o[T];
      GRADIENT_1D(half_way[i], o)
      UNROLL for (int j = 0; j < T; j++) VSTORE(o[j], z + (i * T + j) * STEP + k);
    }
    VSTORE(sum, bias + k);
  }
}

#define PARTIAL_SIZE ((POINTS * C + 1) * FILTERS)
#define CHANNELS 8 /* of a register tile; C is a multiple, or VEC is smaller */

/* Work-item g adds its range of the tiles into its partial sums: the gradient of u
 * (POINTS, C, FILTERS), followed by that of the bias (FILTERS). */
__attribute__((reqd_work_group_size(1, 1, 1)))
__kernel void conv2d_winograd_weight(__global const float *restrict x,
                                     __global const float *restrict dy,
                                     __global float *restrict partial, int tiles) {
  float v[POINTS * STEP] __attribute__((aligned(64)));
  float z[POINTS * STEP] __attribute__((aligned(64)));
  float bias[FILTERS] __attribute__((aligned(64)));
  const int g = get_global_id(0), partials = get_global_size(0);
  const int first = (int)((long)tiles * g / partials), last = (int)((long)tiles * (g + 1) / partials);
  __global float *du = partial + (size_t)g * PARTIAL_SIZE;
  for (int i = 0; i < PARTIAL_SIZE; i++) du[i] = 0;
  for (int k = 0; k < FILTERS; k++) bias[k] = 0;
  for (int begin = first; begin < last; begin += TILES) {
    int count = min(TILES, last - begin);
    for (int q = 0; q < count; q++) {
      tile t = tile_at(begin + q);
      load_tile(x, t, v + q * LD);
      load_gradient(dy, t, z + q * LD, bias);
    }
    for (int p = 0; p < POINTS; p++)
      for (int c = 0; c < C; c += CHANNELS)
        for (int k = 0; k < FILTERS; k += LANES) {
          V sum[CHANNELS][BLOCK];
          __global float *out = du + ((size_t)p * C + c) * FILTERS + k;
          UNROLL for (int i = 0; i < CHANNELS; i++)
            UNROLL for (int b = 0; b < BLOCK; b++) sum[i][b] = VLOAD(out + i * FILTERS + b * VEC);
          const float *data = v + p * STEP + c, *gradient = z + p * STEP + k;
          for (int q = 0; q < count; q++) {
            V d[BLOCK];
            UNROLL for (int b = 0; b < BLOCK; b++) d[b] = VLOAD(gradient + q * LD + b * VEC);
            UNROLL for (int i = 0; i < CHANNELS; i++) {
              V s = (V)(data[q * LD + i]);
              UNROLL for (int b = 0; b < BLOCK; b++) sum[i][b] = fma(s, d[b], sum[i][b]);
            }
          }
          UNROLL for (int i = 0; i < CHANNELS; i++)
            UNROLL for (int b = 0; b < BLOCK; b++) VSTORE(sum[i][b], out + i * FILTERS + b * VEC);
        }
  }
  for (int k = 0; k < FILTERS; k++) du[POINTS * C * FILTERS + k] = bias[k];
}

/* dw (3, 3, C, FILTERS) = G' (the total of the partial sums) G, and db (FILTERS; 0: not
 * wanted); one work-item per channel and vector of filters; channel C is the bias. */
__attribute__((reqd_work_group_size(1, 1, 1)))
__kernel void winograd_join_weights(__global const float *partial, __global float *dw,
                                    __global float *db, int partials) {
  int c = get_global_id(0), k = get_global_id(1) * VEC;
  if (c == C) {
    V sum = 0;
    if (!db) return;
    for (int g = 0; g < partials; g++)
      sum += VLOAD(partial + (size_t)g * PARTIAL_SIZE + POINTS * C * FILTERS + k);
    VSTORE(sum, db + k);
    return;
  }
  V t[3][T];
  for (int j = 0; j < T; j++) {
    V s[T], o[3];
    for (int i = 0; i < T; i++) {
      s[i] = 0;
      for (int g = 0; g < partials; g++)
        s[i] += VLOAD(partial + (size_t)g * PARTIAL_SIZE + ((size_t)(i * T + j) * C + c) * FILTERS + k);
    }
    WEIGHT_GRADIENT_1D(s, o)
    UNROLL for (int r = 0; r < 3; r++) t[r][j] = o[r];
  }
  for (int r = 0; r < 3; r++) {
    V o[3];
    WEIGHT_GRADIENT_1D(t[r], o)
    UNROLL for (int s = 0; s < 3; s++) VSTORE(o[s], dw + ((r * 3 + s) * C + c) * FILTERS + k);
  }
}
#endif
