/* Pooling of (n, depth, height, width, channels) tensors; an image has depth 1. Options: those of
 * the window (D H W KD KH KW SD SH SW PD PH PW OD OH OW), C, VEC, and SPLIT, the work-items among
 * which a row of what is written is divided: as many as it has vectors, or 1 for a CPU, which then
 * computes where a row is once per row. Where averages are not all over as many taps, UNEVEN, with
 * PIXELS_ONLY and the zeros after the image that they count (AD AH AW). */
#include "vector.clh"
#include "epilogue.clh"

#define CV (C / VEC)
#define TAPS (KD * KH * KW)

#if VEC == 1
typedef int INTS;
#else
typedef JOIN(int, VEC) INTS;
#endif
/* The tap of a window that its largest value is at, in a byte where that holds it. Vectors of bytes
 * are aligned, since VEC divides C. */
#if TAPS > 256
typedef int WINNER;
typedef INTS WINNERS;
#define TO_WINNERS(i) (i)
#define TO_INTS(w) (w)
#elif VEC == 1
typedef uchar WINNER;
typedef uchar WINNERS;
#define TO_WINNERS(i) ((uchar)(i))
#define TO_INTS(w) ((int)(w))
#else
typedef uchar WINNER;
typedef JOIN(uchar, VEC) WINNERS;
#define TO_WINNERS(i) JOIN(convert_uchar, VEC)(i)
#define TO_INTS(w) JOIN(convert_int, VEC)(w)
#endif

/* The taps along one axis that lie inside. Where no window reaches further all do, which the
 * compiler then knows. */
inline int first_tap(int o, int stride, int padding) {
  return padding ? max(padding - o * stride, 0) : 0;
}
inline int end_tap(int o, int stride, int padding, int kernel_, int size, int count) {
  const bool all_inside = (count - 1) * stride + kernel_ <= size + padding;
  return all_inside ? kernel_ : min(size + padding - o * stride, kernel_);
}
/* The windows along one axis that hold i; where they do not overlap there is one, or none. */
inline int first_window(int i, int stride, int padding, int kernel_) {
  return max(i + padding - kernel_ + stride, 0) / stride;
}
inline int end_window(int i, int stride, int padding, int count) {
  return min((i + padding) / stride + 1, count);
}

/* The vectors of a row of width pixels that are this work-item's; c and the pixel x follow from i. */
#define EACH_OF_ROW(WIDTH)                                              \
  const int row = get_global_id(0) / SPLIT;                             \
  if (row >= rows) return;                                              \
  for (int i = get_global_id(0) % SPLIT; i < (WIDTH) * CV; i += SPLIT)

#define EACH_TAP                                                                    \
  for (int q = first_tap(oz, SD, PD); q < end_tap(oz, SD, PD, KD, D, OD); q++)      \
    for (int r = first_tap(oy, SH, PH); r < end_tap(oy, SH, PH, KH, H, OH); r++)    \
      for (int s = first_tap(ox, SW, PW); s < end_tap(ox, SW, PW, KW, W, OW); s++)

#define VALUE_AT_TAP                                                                \
  VLOAD(x + ((((size_t)n * D + oz * SD - PD + q) * H + oy * SH - PH + r) * W +      \
             ox * SW - PW + s) * C + c)

#ifdef UNEVEN
/* The taps along one axis that an average is over. */
inline int counted(int o, int stride, int padding, int kernel_, int size, int count, int after) {
#if PIXELS_ONLY
  return end_tap(o, stride, padding, kernel_, size, count) - first_tap(o, stride, padding);
#else
  return min(size + padding + after - o * stride, kernel_);
#endif
}
#define WEIGHT                                                                      \
  (1.0f / (float)(counted(oz, SD, PD, KD, D, OD, AD) *                              \
                  counted(oy, SH, PH, KH, H, OH, AH) *                              \
                  counted(ox, SW, PW, KW, W, OW, AW)))
/* A gradient through a window, and the sum of those of all windows over a pixel. */
#define THROUGH_WINDOW(dy) (WEIGHT * (dy))
#define SUM_THROUGH_WINDOWS(sum) (sum)
#else
#define WEIGHT (1.0f / TAPS)
#define THROUGH_WINDOW(dy) (dy)
#define SUM_THROUGH_WINDOWS(sum) ((sum) * WEIGHT)
#endif

/* y (n, OD, OH, OW, C): means over the window. rows = n * OD * OH. */
__kernel void avg_pool(__global const float *x, __global float *y, int rows) {
  EACH_OF_ROW(OW) {
    const int c = i % CV * VEC, ox = i / CV, oy = row % OH, oz = row / OH % OD, n = row / OH / OD;
    V sum = 0;
    EACH_TAP sum += VALUE_AT_TAP;
    VSTORE(sum * WEIGHT, y + ((size_t)row * OW + ox) * C + c);
  }
}

/* dx (n, D, H, W, C) = epilogue of what the windows over each pixel give it. rows = n * D * H. */
__kernel void avg_pool_backward(__global const float *dy, __global float *dx, int rows, EPILOGUE) {
  EACH_OF_ROW(W) {
    const int c = i % CV * VEC, ix = i / CV, iy = row % H, iz = row / H % D, n = row / H / D;
    V sum = 0;
    for (int oz = end_window(iz, SD, PD, OD) - 1; oz >= first_window(iz, SD, PD, KD); oz--)
      for (int oy = end_window(iy, SH, PH, OH) - 1; oy >= first_window(iy, SH, PH, KH); oy--)
        for (int ox = end_window(ix, SW, PW, OW) - 1; ox >= first_window(ix, SW, PW, KW); ox--)
          sum += THROUGH_WINDOW(
              VLOAD(dy + ((((size_t)n * OD + oz) * OH + oy) * OW + ox) * C + c));
    size_t at = ((size_t)row * W + ix) * C + c;
    VSTORE(epilogue(SUM_THROUGH_WINDOWS(sum), at, c, EPILOGUE_ARGS), dx + at);
  }
}

/* y = the largest of each window; winner = its tap, the first in row-major order among equals; a
 * NaN wins. */
__kernel void max_pool(__global const float *x, __global float *y, __global WINNER *winner,
                       int rows) {
  EACH_OF_ROW(OW) {
    const int c = i % CV * VEC, ox = i / CV, oy = row % OH, oz = row / OH % OD, n = row / OH / OD;
    V best = -INFINITY;
    INTS tap = (first_tap(oz, SD, PD) * KH + first_tap(oy, SH, PH)) * KW + first_tap(ox, SW, PW);
    EACH_TAP {
      V v = VALUE_AT_TAP;
      INTS wins = !(v <= best) & (best == best);
      tap = select(tap, (INTS)((q * KH + r) * KW + s), wins);
      best = select(best, v, wins);
    }
    size_t at = ((size_t)row * OW + ox) * C + c;
    VSTORE(best, y + at);
    *(__global WINNERS *)(winner + at) = TO_WINNERS(tap);
  }
}

__kernel void max_pool_backward(__global const float *dy, __global const WINNER *winner,
                                __global float *dx, int rows, EPILOGUE) {
  EACH_OF_ROW(W) {
    const int c = i % CV * VEC, ix = i / CV, iy = row % H, iz = row / H % D, n = row / H / D;
    V sum = 0;
    for (int oz = first_window(iz, SD, PD, KD); oz < end_window(iz, SD, PD, OD); oz++)
      for (int oy = first_window(iy, SH, PH, KH); oy < end_window(iy, SH, PH, OH); oy++)
        for (int ox = first_window(ix, SW, PW, KW); ox < end_window(ix, SW, PW, OW); ox++) {
          const int q = iz + PD - oz * SD, r = iy + PH - oy * SH, s = ix + PW - ox * SW;
          size_t o = ((((size_t)n * OD + oz) * OH + oy) * OW + ox) * C + c;
          INTS won = TO_INTS(*(__global const WINNERS *)(winner + o)) == (INTS)((q * KH + r) * KW + s);
          sum += select((V)0, VLOAD(dy + o), won);
        }
    size_t at = ((size_t)row * W + ix) * C + c;
    VSTORE(epilogue(sum, at, c, EPILOGUE_ARGS), dx + at);
  }
}
