#include <stdbool.h>

#include "reference.h"

#define FOR_EACH(i, size)                          \
  for ((i)[0] = 0; (i)[0] < (size)[0]; (i)[0]++)   \
    for ((i)[1] = 0; (i)[1] < (size)[1]; (i)[1]++) \
      for ((i)[2] = 0; (i)[2] < (size)[2]; (i)[2]++)

static void outputs(const ref_pool3d *v, int out[3]) {
  for (int a = 0; a < 3; a++)
    out[a] = ref_output_size(v->size[a], v->kernel[a], v->stride[a], v->padding[a], 1);
}

/* The voxel of channel c that tap t of window o is; false outside. */
static bool source(const ref_pool3d *v, int n, const int o[3], const int t[3], int c, size_t *at) {
  *at = (size_t)n;
  for (int a = 0; a < 3; a++) {
    int i = o[a] * v->stride[a] - v->padding[a] + t[a];
    if (i < 0 || i >= v->size[a]) return false;
    *at = *at * (size_t)v->size[a] + (size_t)i;
  }
  *at = *at * (size_t)v->c + (size_t)c;
  return true;
}

static size_t y_at(const ref_pool3d *v, const int out[3], int n, const int o[3], int c) {
  return ((((size_t)n * out[0] + o[0]) * out[1] + o[1]) * out[2] + o[2]) * v->c + c;
}

static size_t size_of(const ref_pool3d *v) {
  return (size_t)v->n * v->size[0] * v->size[1] * v->size[2] * v->c;
}

void ref_avg_pool3d_forward(const ref_pool3d *pool, const double *x, double *y) {
  const ref_pool3d *v = pool;
  int out[3], o[3], t[3];
  double taps = (double)v->kernel[0] * v->kernel[1] * v->kernel[2];
  size_t at;
  outputs(v, out);
  for (int n = 0; n < v->n; n++) FOR_EACH(o, out)
  for (int c = 0; c < v->c; c++) {
    double sum = 0;
    FOR_EACH(t, v->kernel) if (source(v, n, o, t, c, &at)) sum += x[at];
    y[y_at(v, out, n, o, c)] = sum / taps;
  }
}

void ref_avg_pool3d_backward(const ref_pool3d *pool, const double *dy, double *dx) {
  const ref_pool3d *v = pool;
  int out[3], o[3], t[3];
  double taps = (double)v->kernel[0] * v->kernel[1] * v->kernel[2];
  size_t at;
  outputs(v, out);
  for (size_t i = 0; i < size_of(v); i++) dx[i] = 0;
  for (int n = 0; n < v->n; n++) FOR_EACH(o, out)
  for (int c = 0; c < v->c; c++) FOR_EACH(t, v->kernel)
  if (source(v, n, o, t, c, &at)) dx[at] += dy[y_at(v, out, n, o, c)] / taps;
}

static size_t winner(const ref_pool3d *v, const double *x, int n, const int o[3], int c) {
  size_t best = 0, at;
  bool found = false;
  int t[3];
  FOR_EACH(t, v->kernel)
  if (source(v, n, o, t, c, &at)) {
    if (!found || x[at] > x[best]) best = at;
    found = true;
  }
  return best;
}

void ref_max_pool3d_forward(const ref_pool3d *pool, const double *x, double *y) {
  const ref_pool3d *v = pool;
  int out[3], o[3];
  outputs(v, out);
  for (int n = 0; n < v->n; n++) FOR_EACH(o, out)
  for (int c = 0; c < v->c; c++) y[y_at(v, out, n, o, c)] = x[winner(v, x, n, o, c)];
}

void ref_max_pool3d_backward(const ref_pool3d *pool, const double *x, const double *dy,
                             double *dx) {
  const ref_pool3d *v = pool;
  int out[3], o[3];
  outputs(v, out);
  for (size_t i = 0; i < size_of(v); i++) dx[i] = 0;
  for (int n = 0; n < v->n; n++) FOR_EACH(o, out)
  for (int c = 0; c < v->c; c++) dx[winner(v, x, n, o, c)] += dy[y_at(v, out, n, o, c)];
}
