#include "reference.h"

/* Whether pixel i is in bin o: o size / out < i + 1, and i < (o + 1) size / out. */
static int is_in_bin(int i, int o, int size, int out) {
  return (long)o * size < (long)(i + 1) * out && (long)i * out < (long)(o + 1) * size;
}

static int bin_pixels(int o, int size, int out) {
  int count = 0;
  for (int i = 0; i < size; i++) count += is_in_bin(i, o, size, out);
  return count;
}

/* Adds to out what it gets of in: y of x, or backward dx of dy; s: n, h, w, c, oh, ow. */
static void walk_bins(const int s[6], const double *in, double *out, int backward) {
  int h = s[1], w = s[2], c = s[3], oh = s[4], ow = s[5];
  for (int n = 0; n < s[0]; n++)
    for (int p = 0; p < oh; p++)
      for (int q = 0; q < ow; q++) {
        double pixels = (double)bin_pixels(p, h, oh) * bin_pixels(q, w, ow);
        size_t bin = ((size_t)n * (size_t)oh + (size_t)p) * (size_t)ow + (size_t)q;
        for (int i = 0; i < h; i++)
          for (int j = 0; j < w; j++) {
            if (!is_in_bin(i, p, h, oh) || !is_in_bin(j, q, w, ow)) continue;
            size_t pixel = ((size_t)n * (size_t)h + (size_t)i) * (size_t)w + (size_t)j;
            size_t from = backward ? bin : pixel, to = backward ? pixel : bin;
            for (size_t k = 0; k < (size_t)c; k++)
              out[to * (size_t)c + k] += in[from * (size_t)c + k] / pixels;
          }
      }
}

void ref_adaptive_avg_pool_forward(int n, int h, int w, int c, int oh, int ow, const double *x,
                                   double *y) {
  size_t count = (size_t)n * (size_t)oh * (size_t)ow * (size_t)c;
  for (size_t i = 0; i < count; i++) y[i] = 0;
  walk_bins((const int[]){n, h, w, c, oh, ow}, x, y, 0);
}

void ref_adaptive_avg_pool_backward(int n, int h, int w, int c, int oh, int ow, const double *dy,
                                    double *dx) {
  size_t count = (size_t)n * (size_t)h * (size_t)w * (size_t)c;
  for (size_t i = 0; i < count; i++) dx[i] = 0;
  walk_bins((const int[]){n, h, w, c, oh, ow}, dy, dx, 1);
}
