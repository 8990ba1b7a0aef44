/* Problems of norms that normalize each image by itself, and of layer_scale. */
#include <math.h>
#include <string.h>

#include "verify/problems.h"

enum { GAMMA, BETA };

static int pixels_of(const gf__problem *p) { return p->image.height * p->image.width; }

/* ---- rows, which are normalized by themselves ---- */

typedef struct norm_row {
  size_t at;                   /* of its first value */
  int pixels, channels, first; /* of it; first: its first channel */
} norm_row;

static int row_count(const gf__problem *p) {
  if (p->groups) return p->n * p->groups;
  return p->n * (p->over_image ? 1 : pixels_of(p));
}

static norm_row row_of(const gf__problem *p, int row) {
  int c = p->image.channels, pixels = pixels_of(p);
  if (!p->groups && !p->over_image) return (norm_row){(size_t)row * (size_t)c, 1, c, 0};
  int groups = p->groups ? p->groups : 1, each = c / groups, first = row % groups * each;
  size_t image = (size_t)(row / groups) * (size_t)pixels * (size_t)c;
  return (norm_row){image + (size_t)first, pixels, each, first};
}

static size_t value_at(const gf__problem *p, const norm_row *row, int j) {
  return row->at + (size_t)(j / row->channels) * (size_t)p->image.channels +
         (size_t)(j % row->channels);
}

static int weight_at(const gf__problem *p, const norm_row *row, int j) {
  int c = row->first + j % row->channels;
  return p->over_image ? c * row->pixels + j / row->channels : c;
}

/* As of batch_norm: the rounding of x - mean, as large as that of x, is divided by the deviation,
 * directly and by way of the variance. */
static void row_magnitudes(const gf__problem *p, const gf__problem_values *in,
                           gf__problem_values *out, const norm_row *row) {
  int length = row->pixels * row->channels;
  double mean = 0, largeness = 0, variance = 0, shift = 0, scale = 0;
  for (int j = 0; j < length; j++) {
    mean += in->x[value_at(p, row, j)] / length;
    largeness += fabs(in->x[value_at(p, row, j)]) / length;
  }
  for (int j = 0; j < length; j++) variance += pow(in->x[value_at(p, row, j)] - mean, 2) / length;
  double rate = 1 / sqrt(variance + p->eps);
  for (int j = 0; j < length; j++) {
    size_t at = value_at(p, row, j);
    int w = weight_at(p, row, j);
    double u = fabs(in->x[at] - mean) * rate, g = fabs(in->dy[at] * in->parameter[GAMMA][w]);
    out->y[at] = (largeness + fabs(in->x[at])) * rate * (1 + u); /* of u */
    shift += g / length;
    scale += g * (u + out->y[at]) / length;
    out->d[GAMMA][w] += fabs(in->dy[at]) * (u + out->y[at]);
    out->d[BETA][w] += fabs(in->dy[at]);
  }
  for (int j = 0; j < length; j++) {
    size_t at = value_at(p, row, j);
    int w = weight_at(p, row, j);
    double u = fabs(in->x[at] - mean) * rate, gamma = fabs(in->parameter[GAMMA][w]);
    out->dx[at] = rate * (1 + largeness * rate) *
                  (gamma * fabs(in->dy[at]) + shift + (u + out->y[at]) * scale);
    out->y[at] = gamma * out->y[at] + fabs(in->parameter[BETA][w]);
  }
}

static void norm_magnitudes(const gf__problem *p, const gf__problem_values *in,
                            gf__problem_values *out) {
  for (size_t w = 0; w < p->parameter_size[GAMMA]; w++) out->d[GAMMA][w] = out->d[BETA][w] = 0;
  for (int i = 0; i < row_count(p); i++) {
    norm_row row = row_of(p, i);
    row_magnitudes(p, in, out, &row);
  }
}

static void norm_read(gf__problem *p, gf__cases *list) {
  norm_row row = row_of(p, 0);
  size_t weights = (size_t)p->image.channels * (size_t)(p->over_image ? pixels_of(p) : 1);
  p->eps = gf__cases_float(list, "eps", 1e-5);
  p->offset = gf__cases_float(list, "offset", 0.5);
  gf__problem_add_parameter(p, weights);
  gf__problem_add_parameter(p, weights);
  p->y_terms = p->dx_terms = row.pixels * row.channels;
  p->d_terms = (double)p->x_count / (double)weights + p->y_terms;
}

/* ---- layer_norm ---- */

static void layer_norm_read(gf__problem *p, gf__cases *list) {
  p->over_image = !strcmp(gf__cases_text(list, "over", "channels"), "image");
  norm_read(p, list);
}

static void layer_norm_reference(const gf__problem *p, const gf__problem_values *in,
                                 gf__problem_values *out) {
  int c = p->image.channels, pixels = pixels_of(p);
  const double *gamma = in->parameter[GAMMA];
  ref_layer_norm_forward(p->n, pixels, c, p->over_image, p->eps, in->x, gamma, in->parameter[BETA],
                         out->y);
  ref_layer_norm_backward(p->n, pixels, c, p->over_image, p->eps, in->x, gamma, in->dy, out->dx,
                          out->d[GAMMA], out->d[BETA]);
}

const gf__problem_type gf__problem_layer_norm = {.layer = "layer_norm",
                                                 .read = layer_norm_read,
                                                 .reference = layer_norm_reference,
                                                 .magnitudes = norm_magnitudes};

/* ---- group_norm ---- */

static void group_norm_read(gf__problem *p, gf__cases *list) {
  p->groups = gf__cases_int(list, "groups", 32);
  norm_read(p, list);
}

static void group_norm_reference(const gf__problem *p, const gf__problem_values *in,
                                 gf__problem_values *out) {
  int c = p->image.channels, pixels = pixels_of(p);
  const double *gamma = in->parameter[GAMMA];
  ref_group_norm_forward(p->n, pixels, c, p->groups, p->eps, in->x, gamma, in->parameter[BETA],
                         out->y);
  ref_group_norm_backward(p->n, pixels, c, p->groups, p->eps, in->x, gamma, in->dy, out->dx,
                          out->d[GAMMA], out->d[BETA]);
}

const gf__problem_type gf__problem_group_norm = {.layer = "group_norm",
                                                 .read = group_norm_read,
                                                 .reference = group_norm_reference,
                                                 .magnitudes = norm_magnitudes};

/* ---- layer_scale ---- */

static void layer_scale_read(gf__problem *p, gf__cases *list) {
  (void)list;
  gf__problem_add_parameter(p, (size_t)p->image.channels);
  p->d_terms = (double)gf__problem_pixels(p);
}

static void layer_scale_reference(const gf__problem *p, const gf__problem_values *in,
                                  gf__problem_values *out) {
  int rows = (int)gf__problem_pixels(p), c = p->image.channels;
  ref_layer_scale_forward(rows, c, in->x, in->parameter[0], out->y);
  ref_layer_scale_backward(rows, c, in->x, in->parameter[0], in->dy, out->dx, out->d[0]);
}

const gf__problem_type gf__problem_layer_scale = {
    .layer = "layer_scale", .read = layer_scale_read, .reference = layer_scale_reference};
