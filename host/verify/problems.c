#include "verify/problems.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"

/* ---- shapes ---- */

static void read_image(gf__problem *p, gf__cases *list) {
  p->n = gf__cases_int(list, "n", 1);
  p->image = (gf_image_shape){gf__cases_int(list, "h", 1), gf__cases_int(list, "w", 1),
                              gf__cases_int(list, "c", 1)};
}

static size_t pixels_of(const gf__problem *p) {
  return (size_t)p->n * (size_t)p->image.height * (size_t)p->image.width;
}

static size_t image_count(const gf__problem *p) { return pixels_of(p) * (size_t)p->image.channels; }

static void read_elementwise(gf__problem *p, gf__cases *list) {
  read_image(p, list);
  p->y_count = image_count(p);
}

static void add_parameter(gf__problem *p, size_t count) {
  p->parameter_size[p->parameter_count++] = count;
}

/* ---- conv2d and linear ---- */

static void read_conv2d(gf__problem *p, gf__cases *list) {
  ref_conv2d *v = &p->conv;
  read_image(p, list);
  *v = (ref_conv2d){.n = p->n, .h = p->image.height, .w = p->image.width, .c = p->image.channels};
  v->filters = gf__cases_int(list, "filters", 1);
  gf__cases_pair(list, "kernel", 3, v->kernel);
  gf__cases_pair(list, "stride", 1, v->stride);
  gf__cases_pair(list, "padding", 0, v->padding);
  gf__cases_pair(list, "dilation", 1, v->dilation);
  bool bias = gf__cases_bool(list, "bias", false);
  size_t pixels = (size_t)p->n;
  for (int d = 0; d < 2; d++)
    pixels *= (size_t)ref_output_size(d ? v->w : v->h, v->kernel[d], v->stride[d], v->padding[d],
                                      v->dilation[d]);
  int taps = v->kernel[0] * v->kernel[1];
  p->y_count = pixels * (size_t)v->filters;
  add_parameter(p, (size_t)(v->filters * v->c * taps));
  if (bias) add_parameter(p, (size_t)v->filters);
  p->y_terms = taps * v->c + 1;
  p->dx_terms = taps * v->filters;
  p->d_terms = (double)pixels;
  snprintf(p->keys, sizeof p->keys,
           ", filters: %d, kernel: [%d, %d], stride: [%d, %d], padding: [%d, %d], dilation: "
           "[%d, %d], bias: %s",
           v->filters, v->kernel[0], v->kernel[1], v->stride[0], v->stride[1], v->padding[0],
           v->padding[1], v->dilation[0], v->dilation[1], bias ? "true" : "false");
}

static void run_conv2d(const gf__problem *p, const gf__problem_values *in,
                       gf__problem_values *out) {
  ref_conv2d_forward(&p->conv, in->x, in->parameter[0], in->parameter[1], out->y);
  ref_conv2d_backward(&p->conv, in->x, in->parameter[0], in->dy, out->dx, out->d[0], out->d[1]);
}

static void read_linear(gf__problem *p, gf__cases *list) {
  int inputs = gf__cases_int(list, "inputs", 1), outputs = gf__cases_int(list, "outputs", 1);
  bool bias = gf__cases_bool(list, "bias", false);
  p->n = gf__cases_int(list, "n", 1);
  p->image = (gf_image_shape){1, 1, inputs};
  p->conv = (ref_conv2d){.c = inputs, .filters = outputs};
  p->y_count = (size_t)(p->n * outputs);
  add_parameter(p, (size_t)(outputs * inputs));
  if (bias) add_parameter(p, (size_t)outputs);
  p->y_terms = inputs + 1;
  p->dx_terms = outputs;
  p->d_terms = p->n;
  snprintf(p->keys, sizeof p->keys, ", outputs: %d, bias: %s", outputs, bias ? "true" : "false");
}

static void run_linear(const gf__problem *p, const gf__problem_values *in,
                       gf__problem_values *out) {
  int inputs = p->conv.c, outputs = p->conv.filters;
  ref_linear_forward(p->n, inputs, outputs, in->x, in->parameter[0], in->parameter[1], out->y);
  ref_linear_backward(p->n, inputs, outputs, in->x, in->parameter[0], in->dy, out->dx, out->d[0],
                      out->d[1]);
}

/* ---- batch_norm ---- */

enum { GAMMA, BETA, RUNNING_MEAN, RUNNING_VARIANCE };

static int rows_of(const gf__problem *p) { return (int)pixels_of(p); }

static void read_batch_norm(gf__problem *p, gf__cases *list) {
  read_elementwise(p, list);
  p->eps = gf__cases_float(list, "eps", 1e-5);
  p->momentum = gf__cases_float(list, "momentum", 0.1);
  p->offset = gf__cases_float(list, "offset", 0.5);
  p->scales = true;
  for (int k = 0; k < 4; k++) add_parameter(p, (size_t)p->image.channels);
  p->y_terms = p->dx_terms = p->d_terms = rows_of(p);
  snprintf(p->keys, sizeof p->keys, ", eps: %.9g, momentum: %.9g", p->eps, p->momentum);
}

static void run_batch_norm(const gf__problem *p, const gf__problem_values *in,
                           gf__problem_values *out) {
  size_t bytes = p->parameter_size[0] * sizeof(double);
  int c = p->image.channels;
  memcpy(out->d[RUNNING_MEAN], in->parameter[RUNNING_MEAN], bytes);
  memcpy(out->d[RUNNING_VARIANCE], in->parameter[RUNNING_VARIANCE], bytes);
  ref_batch_norm_forward(rows_of(p), c, p->eps, p->momentum, in->x, in->parameter[GAMMA],
                         in->parameter[BETA], out->d[RUNNING_MEAN], out->d[RUNNING_VARIANCE],
                         out->y);
  ref_batch_norm_backward(rows_of(p), c, p->eps, in->x, in->parameter[GAMMA], in->dy, out->dx,
                          out->d[GAMMA], out->d[BETA]);
}

/* The rounding of x - mean, as large as that of x, is divided by the deviation, directly and
 * by way of the variance. */
static void channel_magnitudes(const gf__problem *p, const gf__problem_values *in,
                               gf__problem_values *out, int k) {
  int rows = rows_of(p), c = p->image.channels;
  double mean = 0, largeness = 0, variance = 0, dy = 0, scaled_dy = 0;
  for (int i = 0; i < rows; i++) {
    mean += in->x[i * c + k] / rows;
    largeness += fabs(in->x[i * c + k]) / rows;
    dy += fabs(in->dy[i * c + k]);
  }
  for (int i = 0; i < rows; i++) variance += pow(in->x[i * c + k] - mean, 2) / rows;
  double rate = 1 / sqrt(variance + p->eps), gamma = fabs(in->parameter[GAMMA][k]);
  for (int i = 0; i < rows; i++) {
    double u = fabs(in->x[i * c + k] - mean) * rate;
    out->y[i * c + k] = (largeness + fabs(in->x[i * c + k])) * rate * (1 + u); /* of u */
    scaled_dy += fabs(in->dy[i * c + k]) * (u + out->y[i * c + k]);
  }
  for (int i = 0; i < rows; i++) {
    double of_u = out->y[i * c + k], u = fabs(in->x[i * c + k] - mean) * rate;
    double of_sum = fabs(in->dy[i * c + k]) + dy / rows + (u + of_u) * scaled_dy / rows;
    out->y[i * c + k] = gamma * of_u + fabs(in->parameter[BETA][k]);
    out->dx[i * c + k] = gamma * rate * (1 + largeness * rate) * of_sum;
  }
  out->d[GAMMA][k] = scaled_dy;
  out->d[BETA][k] = dy;
  out->d[RUNNING_MEAN][k] = fabs(in->parameter[RUNNING_MEAN][k]) + p->momentum * largeness;
  out->d[RUNNING_VARIANCE][k] =
      in->parameter[RUNNING_VARIANCE][k] + p->momentum * 2 * variance * (1 + largeness * rate);
}

static void magnitudes_batch_norm(const gf__problem *p, const gf__problem_values *in,
                                  gf__problem_values *out) {
  for (int k = 0; k < p->image.channels; k++) channel_magnitudes(p, in, out, k);
}

static void infer_batch_norm(const gf__problem *p, const gf__problem_values *in, double *y) {
  ref_batch_norm_inference(rows_of(p), p->image.channels, p->eps, in->x, in->parameter[GAMMA],
                           in->parameter[BETA], in->parameter[RUNNING_MEAN],
                           in->parameter[RUNNING_VARIANCE], y);
}

/* ---- activations ---- */

static void read_leaky_relu(gf__problem *p, gf__cases *list) {
  read_elementwise(p, list);
  p->slope = gf__cases_float(list, "slope", 0.01);
  p->integers = true;
  snprintf(p->keys, sizeof p->keys, ", slope: %.9g", p->slope);
}

static void read_relu(gf__problem *p, gf__cases *list) {
  read_elementwise(p, list);
  p->integers = true;
}

static void read_saturating(gf__problem *p, gf__cases *list) {
  read_elementwise(p, list);
  p->spread = 8;
}

static void read_elu(gf__problem *p, gf__cases *list) {
  read_saturating(p, list);
  p->slope = gf__cases_float(list, "alpha", 1);
  snprintf(p->keys, sizeof p->keys, ", alpha: %.9g", p->slope);
}

static void run_activation(const gf__problem *p, const gf__problem_values *in,
                           gf__problem_values *out) {
  const ref_activation *activation = ref_activation_find(p->type->layer);
  ref_activation_forward(activation, p->slope, p->y_count, in->x, out->y);
  ref_activation_backward(activation, p->slope, p->y_count, in->x, in->dy, out->dx);
}

/* The derivative is 1 - y^2 or y (1 - y): its error is that of a number of about 1. */
static void magnitudes_activation(const gf__problem *p, const gf__problem_values *in,
                                  gf__problem_values *out) {
  run_activation(p, in, out);
  for (size_t i = 0; i < p->y_count; i++) {
    out->y[i] = fabs(out->y[i]);
    out->dx[i] = fabs(in->dy[i]);
  }
}

/* exp(-x^2 / 2) is as wrong as its rounded exponent is large. */
static void magnitudes_gelu(const gf__problem *p, const gf__problem_values *in,
                            gf__problem_values *out) {
  magnitudes_activation(p, in, out);
  for (size_t i = 0; i < p->y_count; i++) out->y[i] *= 1 + in->x[i] * in->x[i];
}

/* The derivative has a term x (1 - sigmoid): its error is |x| that of a number of about 1. */
static void magnitudes_silu(const gf__problem *p, const gf__problem_values *in,
                            gf__problem_values *out) {
  magnitudes_activation(p, in, out);
  for (size_t i = 0; i < p->y_count; i++) out->dx[i] *= 1 + fabs(in->x[i]);
}

static void magnitudes_elu(const gf__problem *p, const gf__problem_values *in,
                           gf__problem_values *out) {
  magnitudes_activation(p, in, out);
  for (size_t i = 0; i < p->y_count; i++) out->dx[i] *= fmax(1, p->slope);
}

/* ---- pools ---- */

static void finish_pool(gf__problem *p) {
  const ref_pool *v = &p->pool;
  p->y_count = (size_t)(p->n * v->c);
  for (int d = 0; d < 2; d++)
    p->y_count *=
        (size_t)ref_output_size(d ? v->w : v->h, v->kernel[d], v->stride[d], v->padding[d], 1);
  p->y_terms = p->dx_terms = v->kernel[0] * v->kernel[1];
}

static void read_pool(gf__problem *p, gf__cases *list) {
  ref_pool *v = &p->pool;
  read_image(p, list);
  *v = (ref_pool){.n = p->n, .h = p->image.height, .w = p->image.width, .c = p->image.channels};
  gf__cases_pair(list, "kernel", 2, v->kernel);
  gf__cases_pair(list, "stride", 2, v->stride);
  gf__cases_pair(list, "padding", 0, v->padding);
  snprintf(p->keys, sizeof p->keys, ", kernel: [%d, %d], stride: [%d, %d], padding: [%d, %d]",
           v->kernel[0], v->kernel[1], v->stride[0], v->stride[1], v->padding[0], v->padding[1]);
  finish_pool(p);
}

static void run_avg_pool(const gf__problem *p, const gf__problem_values *in,
                         gf__problem_values *out) {
  ref_avg_pool_forward(&p->pool, in->x, out->y);
  ref_avg_pool_backward(&p->pool, in->dy, out->dx);
}

static void read_max_pool(gf__problem *p, gf__cases *list) {
  read_pool(p, list);
  p->integers = true;
}

static void run_max_pool(const gf__problem *p, const gf__problem_values *in,
                         gf__problem_values *out) {
  ref_max_pool_forward(&p->pool, in->x, out->y);
  ref_max_pool_backward(&p->pool, in->x, in->dy, out->dx);
}

static void magnitudes_max_pool(const gf__problem *p, const gf__problem_values *in,
                                gf__problem_values *out) {
  ref_max_pool_forward(&p->pool, in->x, out->y);
  for (size_t i = 0; i < p->y_count; i++) out->y[i] = fabs(out->y[i]);
  ref_max_pool_backward(&p->pool, in->x, gf__absolute(p->arena, in->dy, p->y_count), out->dx);
}

static void read_global_avg_pool(gf__problem *p, gf__cases *list) {
  read_image(p, list);
  p->y_count = (size_t)(p->n * p->image.channels);
  p->y_terms = p->image.height * p->image.width;
}

static void run_global_avg_pool(const gf__problem *p, const gf__problem_values *in,
                                gf__problem_values *out) {
  const gf_image_shape *i = &p->image;
  ref_global_avg_pool_forward(p->n, i->height, i->width, i->channels, in->x, out->y);
  ref_global_avg_pool_backward(p->n, i->height, i->width, i->channels, in->dy, out->dx);
}

/* ---- add, concat, pad_shortcut, flatten ---- */

static const double other_slope = 0.5; /* of the node before the add, in the table below */

static void run_add(const gf__problem *p, const gf__problem_values *in, gf__problem_values *out) {
  const ref_activation *leaky = ref_activation_find("leaky_relu");
  double *other = gf__new_doubles(p->arena, p->y_count),
         *direct = gf__new_doubles(p->arena, p->y_count);
  ref_activation_forward(leaky, other_slope, p->y_count, in->x, other);
  ref_add_forward(p->y_count, in->x, other, out->y);
  ref_add_backward(p->y_count, in->dy, direct, other);
  ref_activation_backward(leaky, other_slope, p->y_count, in->x, other, out->dx);
  ref_add_forward(p->y_count, direct, out->dx, out->dx);
}

enum {
  OTHER_CHANNELS = 40
}; /* of the node before the concat, in the table below: zeros follow x */

static void read_concat(gf__problem *p, gf__cases *list) {
  read_image(p, list);
  p->y_count = pixels_of(p) * (size_t)(2 * p->image.channels + OTHER_CHANNELS);
}

/* y = x, then x and zeros, then x. */
static void run_concat(const gf__problem *p, const gf__problem_values *in,
                       gf__problem_values *out) {
  int rows = (int)pixels_of(p), c = p->image.channels, wide = c + OTHER_CHANNELS;
  const gf_image_shape *i = &p->image;
  double *other = gf__new_doubles(p->arena, (size_t)rows * OTHER_CHANNELS);
  double *first = gf__new_doubles(p->arena, (size_t)rows * wide),
         *last = gf__new_doubles(p->arena, p->x_count);
  ref_pad_shortcut_forward(p->n, i->height, i->width, c, 1, OTHER_CHANNELS, in->x, other);
  ref_concat_forward(rows, c, OTHER_CHANNELS, in->x, other, first);
  ref_concat_forward(rows, wide, c, first, in->x, out->y);
  ref_concat_backward(rows, wide, c, in->dy, first, last);
  ref_concat_backward(rows, c, OTHER_CHANNELS, first, out->dx, other);
  ref_add_forward(p->x_count, out->dx, last, out->dx);
  ref_pad_shortcut_backward(p->n, i->height, i->width, c, 1, OTHER_CHANNELS, other, last);
  ref_add_forward(p->x_count, out->dx, last, out->dx);
}

static void read_pad_shortcut(gf__problem *p, gf__cases *list) {
  read_image(p, list);
  p->channels = gf__cases_int(list, "channels", 1);
  p->stride = gf__cases_int(list, "stride", 2);
  p->y_count = (size_t)(p->n * p->channels);
  p->y_count *= (size_t)((p->image.height + p->stride - 1) / p->stride);
  p->y_count *= (size_t)((p->image.width + p->stride - 1) / p->stride);
  snprintf(p->keys, sizeof p->keys, ", channels: %d, stride: %d", p->channels, p->stride);
}

static void run_pad_shortcut(const gf__problem *p, const gf__problem_values *in,
                             gf__problem_values *out) {
  const gf_image_shape *i = &p->image;
  ref_pad_shortcut_forward(p->n, i->height, i->width, i->channels, p->stride, p->channels, in->x,
                           out->y);
  ref_pad_shortcut_backward(p->n, i->height, i->width, i->channels, p->stride, p->channels, in->dy,
                            out->dx);
}

static void run_flatten(const gf__problem *p, const gf__problem_values *in,
                        gf__problem_values *out) {
  const gf_image_shape *i = &p->image;
  ref_flatten_forward(p->n, i->height, i->width, i->channels, in->x, out->y);
  ref_flatten_backward(p->n, i->height, i->width, i->channels, in->dy, out->dx);
}

/* ---- dropout ---- */

static void read_dropout(gf__problem *p, gf__cases *list) {
  read_elementwise(p, list);
  p->p = gf__cases_float(list, "p", 0.5);
  snprintf(p->keys, sizeof p->keys, ", p: %.9g", p->p);
}

unsigned char *gf__problem_dropout_mask(const gf__problem *p, size_t count) {
  unsigned char *mask = gf__new_array(p->arena, count);
  for (size_t i = 0; i < count; i++) {
    gf__random4 r = gf__random(GF__PROBLEM_SEED, GF__STREAM_DROPOUT, (uint32_t)p->step,
                               (uint32_t)(i / 4), (uint32_t)p->node);
    mask[i] = !(gf__random_float(r.v[i % 4]) < (float)p->p);
  }
  return mask;
}

static void run_dropout(const gf__problem *p, const gf__problem_values *in,
                        gf__problem_values *out) {
  const unsigned char *mask = gf__problem_dropout_mask(p, p->y_count);
  ref_dropout_forward(p->y_count, (double)(float)p->p, mask, in->x, out->y);
  ref_dropout_backward(p->y_count, (double)(float)p->p, mask, in->dy, out->dx);
}

static void infer_dropout(const gf__problem *p, const gf__problem_values *in, double *y) {
  memcpy(y, in->x, p->y_count * sizeof *y);
}

/* ---- softmax_cross_entropy ---- */

static void read_softmax_cross_entropy(gf__problem *p, gf__cases *list) {
  int classes = gf__cases_int(list, "classes", 1);
  p->n = gf__cases_int(list, "n", 1);
  p->image = (gf_image_shape){1, 1, classes};
  p->spread = 2 * gf__cases_float(list, "scale", 1);
  p->labels = gf__new_array(p->arena, (size_t)p->n * sizeof(int));
  for (int i = 0; i < p->n; i++)
    p->labels[i] = (int)gf__random_below(
        gf__random(GF__PROBLEM_SEED, GF__STREAM_TEST, 9, (uint32_t)i, 0).v[0], (uint32_t)classes);
  p->y_terms = classes + p->n;
  p->dx_terms = classes;
}

static void run_softmax_cross_entropy(const gf__problem *p, const gf__problem_values *in,
                                      gf__problem_values *out) {
  *out->loss =
      p->n * ref_softmax_cross_entropy(p->n, p->image.channels, in->x, p->labels, NULL, out->dx);
}

/* exp(logit - largest) is as wrong as the rounded difference is large. */
static void magnitudes_softmax_cross_entropy(const gf__problem *p, const gf__problem_values *in,
                                             gf__problem_values *out) {
  int classes = p->image.channels;
  ref_softmax_cross_entropy(p->n, classes, in->x, p->labels, NULL, out->dx);
  *out->loss = 0;
  for (int i = 0; i < p->n; i++) {
    const double *row = in->x + (size_t)i * classes;
    double largest = row[0];
    for (int k = 1; k < classes; k++) largest = fmax(largest, row[k]);
    *out->loss += log(classes) + fabs(largest) + fabs(row[p->labels[i]]);
    for (int k = 0; k < classes; k++) {
      double *dx = &out->dx[(size_t)i * classes + k];
      double onehot = k == p->labels[i] ? 1.0 / p->n : 0, softmax = *dx + onehot;
      *dx = softmax * (1 + largest - row[k]) + onehot;
    }
  }
}

/* ---- auxiliary_loss ---- */

static void read_auxiliary_loss(gf__problem *p, gf__cases *list) {
  read_softmax_cross_entropy(p, list);
  p->hinge = gf__cases_bool(list, "hinge", false);
  snprintf(p->keys, sizeof p->keys, ", loss: %s",
           p->hinge ? "squared_hinge" : "softmax_cross_entropy");
}

static void weigh_auxiliary(const gf__problem *p, double *dx) {
  for (size_t i = 0; i < p->x_count; i++) dx[i] *= GF__PROBLEM_AUXILIARY_WEIGHT;
}

static void run_auxiliary_loss(const gf__problem *p, const gf__problem_values *in,
                               gf__problem_values *out) {
  if (p->hinge)
    ref_squared_hinge(p->n, p->image.channels, in->x, p->labels, out->dx);
  else
    run_softmax_cross_entropy(p, in, out);
  weigh_auxiliary(p, out->dx);
}

/* A lack is as wrong as its terms are large, and the label's slope sums all of them. */
static void magnitudes_auxiliary_loss(const gf__problem *p, const gf__problem_values *in,
                                      gf__problem_values *out) {
  int classes = p->image.channels;
  if (!p->hinge) magnitudes_softmax_cross_entropy(p, in, out);
  for (int i = 0; p->hinge && i < p->n; i++) {
    const double *row = in->x + (size_t)i * classes;
    double *dx = out->dx + (size_t)i * classes, sum = 0;
    for (int k = 0; k < classes; k++)
      sum += dx[k] = 2 * (1 + fabs(row[p->labels[i]]) + fabs(row[k])) / p->n;
    dx[p->labels[i]] = sum;
  }
  weigh_auxiliary(p, out->dx);
}

/* ---- the table ---- */

#define ACTIVATION .run = run_activation, .magnitudes = magnitudes_activation

const gf__problem_type gf__problem_types[] = {
    {.layer = "conv2d", .read = read_conv2d, .run = run_conv2d},
    {.layer = "linear", .read = read_linear, .run = run_linear},
    {.layer = "batch_norm",
     .read = read_batch_norm,
     .run = run_batch_norm,
     .magnitudes = magnitudes_batch_norm,
     .inference = infer_batch_norm},
    {.layer = "leaky_relu", .read = read_leaky_relu, ACTIVATION},
    {.layer = "relu", .read = read_relu, ACTIVATION},
    {.layer = "tanh", .read = read_saturating, ACTIVATION},
    {.layer = "sigmoid", .read = read_saturating, ACTIVATION},
    {.layer = "elu", .read = read_elu, .run = run_activation, .magnitudes = magnitudes_elu},
    {.layer = "gelu",
     .read = read_saturating,
     .run = run_activation,
     .magnitudes = magnitudes_gelu},
    {.layer = "silu",
     .read = read_saturating,
     .run = run_activation,
     .magnitudes = magnitudes_silu},
    {.layer = "avg_pool", .read = read_pool, .run = run_avg_pool},
    {.layer = "max_pool",
     .read = read_max_pool,
     .run = run_max_pool,
     .magnitudes = magnitudes_max_pool},
    {.layer = "conv3d",
     .inputs = "other",
     .read = gf__problem_read_conv3d,
     .run = gf__problem_run_conv3d},
    {.layer = "avg_pool3d",
     .inputs = "other",
     .read = gf__problem_read_pool3d,
     .run = gf__problem_run_avg_pool3d},
    {.layer = "max_pool3d",
     .inputs = "other",
     .read = gf__problem_read_max_pool3d,
     .run = gf__problem_run_max_pool3d,
     .magnitudes = gf__problem_magnitudes_max_pool3d},
    {.layer = "to_volume", .read = gf__problem_read_to_volume, .run = gf__problem_run_to_volume},
    {.layer = "to_image",
     .inputs = "other",
     .read = gf__problem_read_to_image,
     .run = gf__problem_run_to_image},
    {.layer = "global_avg_pool", .read = read_global_avg_pool, .run = run_global_avg_pool},
    {.layer = "add",
     .inputs = "[%s, other]",
     .before = "{name: other, type: leaky_relu, slope: 0.5, input: %s}",
     .read = read_elementwise,
     .run = run_add},
    {.layer = "concat",
     .inputs = "[%s, other, %s]",
     .before = "{name: other, type: pad_shortcut, channels: 40, stride: 1, input: %s}",
     .read = read_concat,
     .run = run_concat},
    {.layer = "pad_shortcut", .read = read_pad_shortcut, .run = run_pad_shortcut},
    {.layer = "flatten", .read = read_elementwise, .run = run_flatten},
    {.layer = "dropout",
     .random = true,
     .read = read_dropout,
     .run = run_dropout,
     .inference = infer_dropout},
    {.layer = "softmax_cross_entropy",
     .ends_graph = true,
     .read = read_softmax_cross_entropy,
     .run = run_softmax_cross_entropy,
     .magnitudes = magnitudes_softmax_cross_entropy},
    {.layer = "auxiliary_loss",
     .ends_graph = true,
     .has_no_result = true,
     .read = read_auxiliary_loss,
     .run = run_auxiliary_loss,
     .magnitudes = magnitudes_auxiliary_loss},
    {0}};

const gf__problem_type *gf__problem_type_find(const char *layer) {
  for (const gf__problem_type *type = gf__problem_types; type->layer; type++)
    if (strcmp(type->layer, layer) == 0) return type;
  return NULL;
}

/* ---- values ---- */

void gf__problem_read(gf__problem *p, gf__arena *arena, const gf__problem_type *type,
                      gf__cases *list) {
  *p = (gf__problem){
      .type = type, .arena = arena, .spread = 1, .y_terms = 1, .dx_terms = 1, .d_terms = 1};
  snprintf(p->before, sizeof p->before, "%s", type->before ? type->before : "");
  type->read(p, list);
  p->x_count = image_count(p);
}

static double *random_doubles(const gf__problem *p, size_t count, uint32_t stream, double low,
                              double high) {
  float *values = gf__new_floats(p->arena, count);
  gf__fill_uniform(values, count, stream, low, high);
  return gf__widen(p->arena, values, count);
}

static void add_results(const gf__problem *p, gf__problem_values *v) {
  v->y = gf__new_doubles(p->arena, p->y_count);
  v->dx = gf__new_doubles(p->arena, p->x_count);
  v->loss = gf__new_doubles(p->arena, 1);
  for (int k = 0; k < p->parameter_count; k++)
    v->d[k] = gf__new_doubles(p->arena, p->parameter_size[k]);
}

gf__problem_values gf__problem_values_new(const gf__problem *p, uint32_t number) {
  gf__problem_values v = {0};
  uint32_t stream = 16 * number;
  if (p->integers) {
    float *x = gf__new_floats(p->arena, p->x_count);
    gf__fill_integers(x, p->x_count, 0, 4);
    v.x = gf__widen(p->arena, x, p->x_count);
  } else {
    v.x = random_doubles(p, p->x_count, 0, p->offset - p->spread, p->offset + p->spread);
  }
  v.dy = random_doubles(p, p->y_count, 1, -1, 1);
  for (int k = 0; k < p->parameter_count; k++)
    v.parameter[k] = random_doubles(p, p->parameter_size[k], stream + 2 + (uint32_t)k,
                                    p->scales && k == RUNNING_VARIANCE ? 0.5 : -1.5, 1.5);
  add_results(p, &v);
  return v;
}

gf__problem_values gf__problem_magnitudes(const gf__problem *p, const gf__problem_values *in) {
  gf__problem_values out = {0}, absolute = {0};
  add_results(p, &out);
  if (p->type->magnitudes) {
    p->type->magnitudes(p, in, &out);
    return out;
  }
  absolute.x = gf__absolute(p->arena, in->x, p->x_count);
  absolute.dy = gf__absolute(p->arena, in->dy, p->y_count);
  for (int k = 0; k < p->parameter_count; k++)
    absolute.parameter[k] = gf__absolute(p->arena, in->parameter[k], p->parameter_size[k]);
  p->type->run(p, &absolute, &out);
  return out;
}
