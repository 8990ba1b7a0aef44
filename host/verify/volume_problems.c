/* The problems of layers of volumes. x is an image whose channels are the volume's, depth fastest,
 * and a to_volume makes the volume of it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "verify/problems.h"

static int product(const int v[3]) { return v[0] * v[1] * v[2]; }

/* "d h w c" of the volume. */
static int read_volume(gf__problem *p, gf__cases *list, int size[3]) {
  int c = gf__cases_int(list, "c", 1);
  size[0] = gf__cases_int(list, "d", 1);
  size[1] = gf__cases_int(list, "h", 1);
  size[2] = gf__cases_int(list, "w", 1);
  p->n = gf__cases_int(list, "n", 1);
  p->image = (gf_image_shape){size[1], size[2], c * size[0]};
  snprintf(p->before, sizeof p->before, "{name: other, type: to_volume, channels: %d, input: %%s}",
           c);
  return c;
}

static void read_triple(gf__cases *list, const char *key, const char *depth_key, int initial,
                        int out[3]) {
  out[0] = gf__cases_int(list, depth_key, initial);
  gf__cases_pair(list, key, initial, out + 1);
}

static int outputs(const int size[3], const int kernel[3], const int stride[3],
                   const int padding[3]) {
  int count = 1;
  for (int a = 0; a < 3; a++)
    count *= ref_output_size(size[a], kernel[a], stride[a], padding[a], 1);
  return count;
}

static size_t write_window(char *out, size_t room, const int k[3], const int s[3], const int q[3]) {
  return (size_t)snprintf(out, room,
                          ", kernel: [%d, %d, %d], stride: [%d, %d, %d], padding: [%d, %d, %d]",
                          k[0], k[1], k[2], s[0], s[1], s[2], q[0], q[1], q[2]);
}

static double *to_volume(const gf__problem *p, const int size[3], int c, const double *image) {
  double *volume = gf__new_doubles(p->arena, p->x_count);
  ref_to_volume(p->n, size[1] * size[2], size[0], c, image, volume);
  return volume;
}

static void to_image(const gf__problem *p, const int size[3], int c, const double *volume,
                     double *image) {
  ref_to_image(p->n, size[1] * size[2], size[0], c, volume, image);
}

/* ---- conv3d ---- */

void gf__problem_read_conv3d(gf__problem *p, gf__cases *list) {
  ref_conv3d *v = &p->conv3d;
  v->c = read_volume(p, list, v->size);
  v->n = p->n;
  v->filters = gf__cases_int(list, "filters", 1);
  read_triple(list, "kernel", "kernel_d", 3, v->kernel);
  read_triple(list, "stride", "stride_d", 1, v->stride);
  read_triple(list, "padding", "padding_d", 0, v->padding);
  bool bias = gf__cases_bool(list, "bias", false);
  int voxels = p->n * outputs(v->size, v->kernel, v->stride, v->padding);
  int taps = product(v->kernel);
  p->y_count = (size_t)(voxels * v->filters);
  p->parameter_count = bias ? 2 : 1;
  p->parameter_size[0] = (size_t)(v->filters * v->c * taps);
  p->parameter_size[1] = (size_t)v->filters;
  p->y_terms = taps * v->c + 1;
  p->dx_terms = taps * v->filters;
  p->d_terms = voxels;
  size_t used = write_window(p->keys, sizeof p->keys, v->kernel, v->stride, v->padding);
  snprintf(p->keys + used, sizeof p->keys - used, ", filters: %d, bias: %s", v->filters,
           bias ? "true" : "false");
}

void gf__problem_run_conv3d(const gf__problem *p, const gf__problem_values *in,
                            gf__problem_values *out) {
  const ref_conv3d *v = &p->conv3d;
  double *x = to_volume(p, v->size, v->c, in->x), *dx = gf__new_doubles(p->arena, p->x_count);
  ref_conv3d_forward(v, x, in->parameter[0], in->parameter[1], out->y);
  ref_conv3d_backward(v, x, in->parameter[0], in->dy, dx, out->d[0], out->d[1]);
  to_image(p, v->size, v->c, dx, out->dx);
}

/* ---- pools ---- */

void gf__problem_read_pool3d(gf__problem *p, gf__cases *list) {
  ref_pool3d *v = &p->pool3d;
  v->c = read_volume(p, list, v->size);
  v->n = p->n;
  read_triple(list, "kernel", "kernel_d", 2, v->kernel);
  read_triple(list, "stride", "stride_d", 2, v->stride);
  read_triple(list, "padding", "padding_d", 0, v->padding);
  p->y_count = (size_t)(p->n * v->c * outputs(v->size, v->kernel, v->stride, v->padding));
  p->y_terms = p->dx_terms = product(v->kernel);
  write_window(p->keys, sizeof p->keys, v->kernel, v->stride, v->padding);
}

void gf__problem_run_avg_pool3d(const gf__problem *p, const gf__problem_values *in,
                                gf__problem_values *out) {
  const ref_pool3d *v = &p->pool3d;
  double *dx = gf__new_doubles(p->arena, p->x_count);
  ref_avg_pool3d_forward(v, to_volume(p, v->size, v->c, in->x), out->y);
  ref_avg_pool3d_backward(v, in->dy, dx);
  to_image(p, v->size, v->c, dx, out->dx);
}

void gf__problem_read_max_pool3d(gf__problem *p, gf__cases *list) {
  gf__problem_read_pool3d(p, list);
  p->integers = true;
}

void gf__problem_run_max_pool3d(const gf__problem *p, const gf__problem_values *in,
                                gf__problem_values *out) {
  const ref_pool3d *v = &p->pool3d;
  double *x = to_volume(p, v->size, v->c, in->x), *dx = gf__new_doubles(p->arena, p->x_count);
  ref_max_pool3d_forward(v, x, out->y);
  ref_max_pool3d_backward(v, x, in->dy, dx);
  to_image(p, v->size, v->c, dx, out->dx);
}

void gf__problem_magnitudes_max_pool3d(const gf__problem *p, const gf__problem_values *in,
                                       gf__problem_values *out) {
  gf__problem_values absolute = *in;
  absolute.dy = gf__absolute(p->arena, in->dy, p->y_count);
  gf__problem_run_max_pool3d(p, &absolute, out);
  for (size_t i = 0; i < p->y_count; i++) out->y[i] = fabs(out->y[i]);
}

/* ---- to_volume, to_image ---- */

void gf__problem_read_to_volume(gf__problem *p, gf__cases *list) {
  ref_conv3d *v = &p->conv3d;
  v->c = read_volume(p, list, v->size);
  p->before[0] = 0;
  p->y_count = (size_t)(p->n * product(v->size) * v->c);
  snprintf(p->keys, sizeof p->keys, ", channels: %d", v->c);
}

void gf__problem_run_to_volume(const gf__problem *p, const gf__problem_values *in,
                               gf__problem_values *out) {
  const ref_conv3d *v = &p->conv3d;
  ref_to_volume(p->n, v->size[1] * v->size[2], v->size[0], v->c, in->x, out->y);
  to_image(p, v->size, v->c, in->dy, out->dx);
}

void gf__problem_read_to_image(gf__problem *p, gf__cases *list) {
  ref_conv3d *v = &p->conv3d;
  v->c = read_volume(p, list, v->size);
  p->y_count = (size_t)(p->n * product(v->size) * v->c);
}

/* The image that became the volume comes back. */
void gf__problem_run_to_image(const gf__problem *p, const gf__problem_values *in,
                              gf__problem_values *out) {
  memcpy(out->y, in->x, p->y_count * sizeof *out->y);
  memcpy(out->dx, in->dy, p->y_count * sizeof *out->dx);
}
