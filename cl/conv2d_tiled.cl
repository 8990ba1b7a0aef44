/* Convolution as a matrix product whose left operand, the patches, is never
 * stored: work-groups of THREADS multiply tiles of ROWS x COLUMNS in local memory.
 * For GPUs. Options: the convolution's shape, PASS (0 forward, 1 data gradient,
 * 2 weight gradient), COLUMNS. */
#define VEC 1
#include "vector.clh"
#include "epilogue.clh"

#define THREADS 128
#define ROWS 64
#define DEPTH 16
#define ROWS_EACH 4
#define COLUMNS_EACH (COLUMNS / 8)
#define ROW_THREADS (ROWS / ROWS_EACH) /* 16, and 8 along the columns */

/* out (M, N) = left (M, K) right (K, N) */
#if PASS == 0 /* y (n OH OW, FILTERS) = patches of x (., KH KW C) times w */
#define N FILTERS
#define K (KH * KW * C)
inline float left(__global const float *x, int m, int k) {
  int c = k % C, s = k / C % KW, r = k / C / KW;
  int ox = m % OW, oy = m / OW % OH, n = m / OW / OH;
  int iy = oy * SH - PH + r * DH, ix = ox * SW - PW + s * DW;
  bool inside = iy >= 0 && iy < H && ix >= 0 && ix < W;
  return inside ? x[(((size_t)n * H + iy) * W + ix) * C + c] : 0.0f;
}
inline float right(__global const float *w, int k, int n) { return w[(size_t)k * FILTERS + n]; }

#elif PASS == 1 /* dx (n H W, C) = patches of dy (., KH KW FILTERS) times w transposed */
#define N C
#define K (KH * KW * FILTERS)
inline float left(__global const float *dy, int m, int k) {
  int f = k % FILTERS, s = k / FILTERS % KW, r = k / FILTERS / KW;
  int ix = m % W, iy = m / W % H, n = m / W / H;
  int y = iy + PH - r * DH, x = ix + PW - s * DW;
  bool inside = y >= 0 && x >= 0 && y % SH == 0 && x % SW == 0 && y / SH < OH && x / SW < OW;
  return inside ? dy[(((size_t)n * OH + y / SH) * OW + x / SW) * FILTERS + f] : 0.0f;
}
inline float right(__global const float *w, int k, int n) {
  return w[((size_t)(k / FILTERS) * C + n) * FILTERS + k % FILTERS];
}

#else /* dw (KH KW C, FILTERS) = patches of x transposed (., n OH OW) times dy */
#define N FILTERS
inline float left(__global const float *x, int m, int k) {
  int c = m % C, s = m / C % KW, r = m / C / KW;
  int ox = k % OW, oy = k / OW % OH, n = k / OW / OH;
  int iy = oy * SH - PH + r * DH, ix = ox * SW - PW + s * DW;
  bool inside = iy >= 0 && iy < H && ix >= 0 && ix < W;
  return inside ? x[(((size_t)n * H + iy) * W + ix) * C + c] : 0.0f;
}
inline float right(__global const float *dy, int k, int n) { return dy[(size_t)k * FILTERS + n]; }
#endif

/* Rows row.. and columns column.. of the product over depths first to last - 1,
 * into sum; the local tiles are the kernel's. */
#define MULTIPLY(A, B, M, FIRST, LAST)                                                        \
  for (int base = FIRST; base < LAST; base += DEPTH) {                                        \
    for (int i = thread; i < DEPTH * ROWS; i += THREADS) {                                    \
      /* neighbours read neighbours in memory: depths, or rows for the weight gradient */     \
      int d = PASS == 2 ? i / ROWS : i % DEPTH, m = PASS == 2 ? i % ROWS : i / DEPTH;         \
      bool valid = base + d < LAST && row + m < M;                                            \
      left_tile[d][m] = valid ? left(A, row + m, base + d) : 0.0f;                            \
    }                                                                                         \
    for (int i = thread; i < DEPTH * COLUMNS; i += THREADS) {                                 \
      int d = i / COLUMNS, n = i % COLUMNS;                                                   \
      bool valid = base + d < LAST && column + n < N;                                         \
      right_tile[d][n] = valid ? right(B, base + d, column + n) : 0.0f;                       \
    }                                                                                         \
    barrier(CLK_LOCAL_MEM_FENCE);                                                             \
    for (int d = 0; d < DEPTH; d++) {                                                         \
      float a[ROWS_EACH], b[COLUMNS_EACH];                                                    \
      for (int i = 0; i < ROWS_EACH; i++) a[i] = left_tile[d][my_row + i * ROW_THREADS];      \
      for (int j = 0; j < COLUMNS_EACH; j++) b[j] = right_tile[d][my_column + j * 8];         \
      for (int i = 0; i < ROWS_EACH; i++)                                                     \
        for (int j = 0; j < COLUMNS_EACH; j++) sum[i][j] = fma(a[i], b[j], sum[i][j]);        \
    }                                                                                         \
    barrier(CLK_LOCAL_MEM_FENCE);                                                             \
  }

#define BEGIN                                                                                 \
  __local float left_tile[DEPTH][ROWS + 1], right_tile[DEPTH][COLUMNS + 1];                   \
  int thread = get_local_id(0), my_row = thread % ROW_THREADS, my_column = thread / ROW_THREADS; \
  int row = get_group_id(0) * ROWS, column = get_group_id(1) * COLUMNS;                       \
  float sum[ROWS_EACH][COLUMNS_EACH];                                                         \
  for (int i = 0; i < ROWS_EACH; i++)                                                         \
    for (int j = 0; j < COLUMNS_EACH; j++) sum[i][j] = 0;

#define FOR_EACH_SUM(M)                                                                       \
  for (int i = 0; i < ROWS_EACH; i++)                                                         \
    for (int j = 0; j < COLUMNS_EACH; j++) {                                                  \
      int m = row + my_row + i * ROW_THREADS, n = column + my_column + j * 8;                 \
      if (m >= M || n >= N) continue;

#if PASS < 2
__attribute__((reqd_work_group_size(THREADS, 1, 1)))
__kernel void conv2d_tiled(__global const float *restrict x, __global const float *restrict w,
                           __global float *y, int rows, EPILOGUE) {
  BEGIN
  MULTIPLY(x, w, rows, 0, K)
  FOR_EACH_SUM(rows)
    size_t at = (size_t)m * N + n;
    y[at] = epilogue1(sum[i][j], at, n, EPILOGUE_ARGS);
  }
}
#else
/* Range get_group_id(2) of the depth, into partial (partials, KH KW C, FILTERS). */
__attribute__((reqd_work_group_size(THREADS, 1, 1)))
__kernel void conv2d_tiled_weight(__global const float *restrict x,
                                  __global const float *restrict dy,
                                  __global float *restrict partial, int depth) {
  int p = get_group_id(2), partials = get_num_groups(2);
  int first = (int)((long)depth * p / partials), last = (int)((long)depth * (p + 1) / partials);
  BEGIN
  MULTIPLY(x, dy, KH * KW * C, first, last)
  FOR_EACH_SUM(KH * KW * C)
    partial[((size_t)p * KH * KW * C + m) * N + n] = sum[i][j];
  }
}
#endif
