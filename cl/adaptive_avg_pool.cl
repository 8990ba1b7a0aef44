/* Means of bins, of which an image of (H, W) has OH by OW, as PyTorch cuts them: bin o of OUT along
 * an axis of SIZE pixels is [floor(o SIZE / OUT), ceil((o + 1) SIZE / OUT)), so that bins overlap
 * where OUT does not divide SIZE. Options: VEC, C, H, W, OH, OW. */
#include "vector.clh"
#include "epilogue.clh"

enum { CV = C / VEC };

/* The pixels of bin o, [first, end); with both sizes changed over, the bins that hold a pixel. */
inline int bin_first(int o, int size, int out) { return o * size / out; }
inline int bin_end(int o, int size, int out) { return ((o + 1) * size + out - 1) / out; }

__kernel void adaptive_avg_pool(__global const float *x, __global float *y, int count) {
  int i = get_global_id(0);
  if (i >= count) return;
  int c = i % CV * VEC, ox = i / CV % OW, oy = i / CV / OW % OH, n = i / CV / OW / OH;
  int top = bin_first(oy, H, OH), bottom = bin_end(oy, H, OH);
  int left = bin_first(ox, W, OW), right = bin_end(ox, W, OW);
  V sum = 0;
  for (int row = top; row < bottom; row++)
    for (int column = left; column < right; column++)
      sum += VLOAD(x + (((size_t)n * H + row) * W + column) * C + c);
  VSTORE(sum / (float)((bottom - top) * (right - left)), y + (size_t)i * VEC);
}

/* dx = epilogue(the sum over the bins that hold the pixel of dy / the bin's pixels). */
__kernel void adaptive_avg_pool_backward(__global const float *dy, __global float *dx, int count,
                                         EPILOGUE) {
  int i = get_global_id(0);
  if (i >= count) return;
  int c = i % CV * VEC, column = i / CV % W, row = i / CV / W % H, n = i / CV / W / H;
  size_t at = (size_t)i * VEC;
  V sum = 0;
  for (int oy = bin_first(row, OH, H); oy < bin_end(row, OH, H); oy++)
    for (int ox = bin_first(column, OW, W); ox < bin_end(column, OW, W); ox++) {
      int pixels = (bin_end(oy, H, OH) - bin_first(oy, H, OH)) *
                   (bin_end(ox, W, OW) - bin_first(ox, W, OW));
      sum += VLOAD(dy + (((size_t)n * OH + oy) * OW + ox) * C + c) / (float)pixels;
    }
  VSTORE(epilogue(sum, at, c, EPILOGUE_ARGS), dx + at);
}
