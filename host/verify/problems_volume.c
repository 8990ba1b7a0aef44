/* The problems of layers of volumes. x is an image whose channels are the volume's, depth fastest,
 * and a to_volume makes the volume of it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "verify/problems.h"

static int volume_product(const int v[3]) { return v[0] * v[1] * v[2]; }

/* Reads the size and the channels of the volume, and puts the to_volume before the layer. */
static int volume_read(gf__problem *p, gf__cases *list, int size[3]) {
  int c = gf__cases_int(list, "channels", gf__cases_int(list, "c", 1));
  size[0] = gf__cases_int(list, "d", 1);
  size[1] = gf__cases_int(list, "h", 1);
  size[2] = gf__cases_int(list, "w", 1);
  snprintf(p->before, sizeof p->before, "{name: other, type: to_volume, channels: %d, input: %%s}",
           c);
  return c;
}

static int volume_outputs(const int size[3], const int kernel[3], const int stride[3],
                          const int padding[3]) {
  int count = 1;
  for (int a = 0; a < 3; a++)
    count *= ref_output_size(size[a], kernel[a], stride[a], padding[a], 1);
  return count;
}

static double *volume_of_image(const gf__problem *p, const int size[3], int c,
                               const double *image) {
  double *volume = gf__new_doubles(p->arena, p->x_count);
  ref_to_volume(p->n, size[1] * size[2], size[0], c, image, volume);
  return volume;
}

static void volume_to_image(const gf__problem *p, const int size[3], int c, const double *volume,
                            double *image) {
  ref_to_image(p->n, size[1] * size[2], size[0], c, volume, image);
}

/* ---- conv3d ---- */

static void conv3d_read(gf__problem *p, gf__cases *list) {
  ref_conv3d *v = &p->conv3d;
  v->c = volume_read(p, list, v->size);
  v->n = p->n;
  v->filters = gf__cases_int(list, "filters", 1);
  gf__cases_ints(list, "kernel", 3, 3, v->kernel);
  gf__cases_ints(list, "stride", 1, 3, v->stride);
  gf__cases_ints(list, "padding", 0, 3, v->padding);
  bool bias = gf__cases_bool(list, "bias", true);
  int voxels = p->n * volume_outputs(v->size, v->kernel, v->stride, v->padding);
  int taps = volume_product(v->kernel);
  p->y_count = (size_t)(voxels * v->filters);
  gf__problem_add_parameter(p, (size_t)(v->filters * v->c * taps));
  if (bias) gf__problem_add_parameter(p, (size_t)v->filters);
  p->y_terms = taps * v->c + 1;
  p->dx_terms = taps * v->filters;
  p->d_terms = voxels;
}

static void conv3d_reference(const gf__problem *p, const gf__problem_values *in,
                             gf__problem_values *out) {
  const ref_conv3d *v = &p->conv3d;
  double *x = volume_of_image(p, v->size, v->c, in->x), *dx = gf__new_doubles(p->arena, p->x_count);
  ref_conv3d_forward(v, x, in->parameter[0], in->parameter[1], out->y);
  ref_conv3d_backward(v, x, in->parameter[0], in->dy, dx, out->d[0], out->d[1]);
  volume_to_image(p, v->size, v->c, dx, out->dx);
}

/* ---- pools ---- */

static void pool3d_read(gf__problem *p, gf__cases *list) {
  ref_pool3d *v = &p->pool3d;
  v->c = volume_read(p, list, v->size);
  v->n = p->n;
  gf__cases_ints(list, "kernel", 2, 3, v->kernel);
  gf__cases_ints(list, "stride", 2, 3, v->stride);
  gf__cases_ints(list, "padding", 0, 3, v->padding);
  p->y_count = (size_t)(p->n * v->c * volume_outputs(v->size, v->kernel, v->stride, v->padding));
  p->y_terms = p->dx_terms = volume_product(v->kernel);
}

static void avg_pool3d_reference(const gf__problem *p, const gf__problem_values *in,
                                 gf__problem_values *out) {
  const ref_pool3d *v = &p->pool3d;
  double *dx = gf__new_doubles(p->arena, p->x_count);
  ref_avg_pool3d_forward(v, volume_of_image(p, v->size, v->c, in->x), out->y);
  ref_avg_pool3d_backward(v, in->dy, dx);
  volume_to_image(p, v->size, v->c, dx, out->dx);
}

static void max_pool3d_read(gf__problem *p, gf__cases *list) {
  pool3d_read(p, list);
  p->integers = true;
}

static void max_pool3d_reference(const gf__problem *p, const gf__problem_values *in,
                                 gf__problem_values *out) {
  const ref_pool3d *v = &p->pool3d;
  double *x = volume_of_image(p, v->size, v->c, in->x), *dx = gf__new_doubles(p->arena, p->x_count);
  ref_max_pool3d_forward(v, x, out->y);
  ref_max_pool3d_backward(v, x, in->dy, dx);
  volume_to_image(p, v->size, v->c, dx, out->dx);
}

static void max_pool3d_magnitudes(const gf__problem *p, const gf__problem_values *in,
                                  gf__problem_values *out) {
  gf__problem_values absolute = *in;
  absolute.dy = gf__absolute(p->arena, in->dy, p->y_count);
  max_pool3d_reference(p, &absolute, out);
  for (size_t i = 0; i < p->y_count; i++) out->y[i] = fabs(out->y[i]);
}

/* ---- to_volume, to_image ---- */

static void to_volume_read(gf__problem *p, gf__cases *list) {
  ref_conv3d *v = &p->conv3d;
  v->c = volume_read(p, list, v->size);
  p->before[0] = 0;
  p->y_count = (size_t)(p->n * volume_product(v->size) * v->c);
}

static void to_volume_reference(const gf__problem *p, const gf__problem_values *in,
                                gf__problem_values *out) {
  const ref_conv3d *v = &p->conv3d;
  ref_to_volume(p->n, v->size[1] * v->size[2], v->size[0], v->c, in->x, out->y);
  volume_to_image(p, v->size, v->c, in->dy, out->dx);
}

static void to_image_read(gf__problem *p, gf__cases *list) {
  ref_conv3d *v = &p->conv3d;
  v->c = volume_read(p, list, v->size);
  p->y_count = (size_t)(p->n * volume_product(v->size) * v->c);
}

/* The image that became the volume comes back. */
static void to_image_reference(const gf__problem *p, const gf__problem_values *in,
                               gf__problem_values *out) {
  memcpy(out->y, in->x, p->y_count * sizeof *out->y);
  memcpy(out->dx, in->dy, p->y_count * sizeof *out->dx);
}

const gf__problem_type gf__problem_conv3d = {
    .layer = "conv3d", .inputs = "other", .read = conv3d_read, .reference = conv3d_reference};
const gf__problem_type gf__problem_avg_pool3d = {.layer = "avg_pool3d",
                                                 .inputs = "other",
                                                 .read = pool3d_read,
                                                 .reference = avg_pool3d_reference};
const gf__problem_type gf__problem_max_pool3d = {.layer = "max_pool3d",
                                                 .inputs = "other",
                                                 .read = max_pool3d_read,
                                                 .reference = max_pool3d_reference,
                                                 .magnitudes = max_pool3d_magnitudes};
const gf__problem_type gf__problem_to_volume = {
    .layer = "to_volume", .read = to_volume_read, .reference = to_volume_reference};
const gf__problem_type gf__problem_to_image = {
    .layer = "to_image", .inputs = "other", .read = to_image_read, .reference = to_image_reference};
