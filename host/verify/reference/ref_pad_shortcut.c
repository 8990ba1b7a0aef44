#include "reference.h"

/* Where y[n,p,q,k] lies in x. */
static size_t source(int h, int w, int c, int stride, int n, int p, int q, int k) {
  return (((size_t)n * h + p * stride) * w + q * stride) * c + k;
}

void ref_pad_shortcut_forward(int n, int h, int w, int c, int stride, int channels, const double *x,
                              double *y) {
  size_t at = 0;
  for (int i = 0; i < n; i++)
    for (int p = 0; p * stride < h; p++)
      for (int q = 0; q * stride < w; q++)
        for (int k = 0; k < channels; k++, at++)
          y[at] = k < c ? x[source(h, w, c, stride, i, p, q, k)] : 0;
}

void ref_pad_shortcut_backward(int n, int h, int w, int c, int stride, int channels,
                               const double *dy, double *dx) {
  size_t at = 0;
  for (size_t i = 0; i < (size_t)n * h * w * c; i++) dx[i] = 0;
  for (int i = 0; i < n; i++)
    for (int p = 0; p * stride < h; p++)
      for (int q = 0; q * stride < w; q++)
        for (int k = 0; k < channels; k++, at++)
          if (k < c) dx[source(h, w, c, stride, i, p, q, k)] = dy[at];
}
