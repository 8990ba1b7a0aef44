#include <stdbool.h>

#include "reference.h"

/* Where the first largest pixel of a window of channel c lies in x. */
static size_t winner(const ref_pool *v, const double *x, int n, int p, int q, int c) {
  size_t best = 0;
  bool found = false;
  for (int r = 0; r < v->kernel[0]; r++)
    for (int s = 0; s < v->kernel[1]; s++) {
      int i = p * v->stride[0] - v->padding[0] + r;
      int j = q * v->stride[1] - v->padding[1] + s;
      if (i < 0 || i >= v->h || j < 0 || j >= v->w) continue;
      size_t at = (((size_t)n * v->h + i) * v->w + j) * v->c + c;
      if (!found || x[at] > x[best]) best = at;
      found = true;
    }
  return best;
}

void ref_max_pool_forward(const ref_pool *pool, const double *x, double *y) {
  const ref_pool *v = pool;
  int ph = ref_pool_outputs(v, 0);
  int qw = ref_pool_outputs(v, 1);
  for (int n = 0; n < v->n; n++)
    for (int p = 0; p < ph; p++)
      for (int q = 0; q < qw; q++)
        for (int c = 0; c < v->c; c++)
          y[(((size_t)n * ph + p) * qw + q) * v->c + c] = x[winner(v, x, n, p, q, c)];
}

void ref_max_pool_backward(const ref_pool *pool, const double *x, const double *dy, double *dx) {
  const ref_pool *v = pool;
  int ph = ref_pool_outputs(v, 0);
  int qw = ref_pool_outputs(v, 1);
  for (size_t i = 0; i < (size_t)v->n * v->h * v->w * v->c; i++) dx[i] = 0;
  for (int n = 0; n < v->n; n++)
    for (int p = 0; p < ph; p++)
      for (int q = 0; q < qw; q++)
        for (int c = 0; c < v->c; c++)
          dx[winner(v, x, n, p, q, c)] += dy[(((size_t)n * ph + p) * qw + q) * v->c + c];
}
