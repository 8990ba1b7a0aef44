#include <stdbool.h>

#include "reference.h"

static void outputs(const ref_conv3d *v, int out[3]) {
  for (int a = 0; a < 3; a++)
    out[a] = ref_output_size(v->size[a], v->kernel[a], v->stride[a], v->padding[a], 1);
}

/* Where output o reads at tap t; false outside. */
static bool source(const ref_conv3d *v, const int o[3], const int t[3], int n, size_t *at) {
  *at = (size_t)n;
  for (int a = 0; a < 3; a++) {
    int i = o[a] * v->stride[a] - v->padding[a] + t[a];
    if (i < 0 || i >= v->size[a]) return false;
    *at = *at * (size_t)v->size[a] + (size_t)i;
  }
  *at *= (size_t)v->c;
  return true;
}

#define FOR_EACH(i, size)                          \
  for ((i)[0] = 0; (i)[0] < (size)[0]; (i)[0]++)   \
    for ((i)[1] = 0; (i)[1] < (size)[1]; (i)[1]++) \
      for ((i)[2] = 0; (i)[2] < (size)[2]; (i)[2]++)

static size_t weight_at(const ref_conv3d *v, int f, int c, const int t[3]) {
  return ((((size_t)f * v->c + c) * v->kernel[0] + t[0]) * v->kernel[1] + t[1]) * v->kernel[2] +
         t[2];
}

static size_t y_at(const ref_conv3d *v, const int out[3], int n, const int o[3], int f) {
  return ((((size_t)n * out[0] + o[0]) * out[1] + o[1]) * out[2] + o[2]) * v->filters + f;
}

void ref_conv3d_forward(const ref_conv3d *conv, const double *x, const double *weight,
                        const double *bias, double *y) {
  const ref_conv3d *v = conv;
  int out[3], o[3], t[3];
  size_t at;
  outputs(v, out);
  for (int n = 0; n < v->n; n++) FOR_EACH(o, out)
  for (int f = 0; f < v->filters; f++) {
    double sum = bias ? bias[f] : 0;
    FOR_EACH(t, v->kernel)
    if (source(v, o, t, n, &at))
      for (int c = 0; c < v->c; c++) sum += weight[weight_at(v, f, c, t)] * x[at + c];
    y[y_at(v, out, n, o, f)] = sum;
  }
}

static void clear(double *values, size_t count) {
  for (size_t i = 0; values && i < count; i++) values[i] = 0;
}

void ref_conv3d_backward(const ref_conv3d *conv, const double *x, const double *weight,
                         const double *dy, double *dx, double *dweight, double *dbias) {
  const ref_conv3d *v = conv;
  int out[3], o[3], t[3];
  size_t at;
  outputs(v, out);
  clear(dx, (size_t)v->n * v->size[0] * v->size[1] * v->size[2] * v->c);
  clear(dweight, (size_t)v->filters * v->c * v->kernel[0] * v->kernel[1] * v->kernel[2]);
  clear(dbias, (size_t)v->filters);
  for (int n = 0; n < v->n; n++) FOR_EACH(o, out)
  for (int f = 0; f < v->filters; f++) {
    double d = dy[y_at(v, out, n, o, f)];
    if (dbias) dbias[f] += d;
    FOR_EACH(t, v->kernel)
    if (source(v, o, t, n, &at))
      for (int c = 0; c < v->c; c++) {
        size_t tap = weight_at(v, f, c, t);
        if (dx) dx[at + c] += weight[tap] * d;
        if (dweight) dweight[tap] += x[at + c] * d;
      }
  }
}

void ref_to_volume(int n, int pixels, int d, int c, const double *image, double *volume) {
  for (int i = 0; i < n * pixels; i++)
    for (int z = 0; z < d; z++)
      for (int k = 0; k < c; k++)
        volume[(((size_t)(i / pixels) * d + z) * pixels + i % pixels) * c + k] =
            image[((size_t)i * c + k) * d + z];
}

void ref_to_image(int n, int pixels, int d, int c, const double *volume, double *image) {
  for (int i = 0; i < n * pixels; i++)
    for (int z = 0; z < d; z++)
      for (int k = 0; k < c; k++)
        image[((size_t)i * c + k) * d + z] =
            volume[(((size_t)(i / pixels) * d + z) * pixels + i % pixels) * c + k];
}
