/* Problems of layers whose weights are products' factors. */
#include "verify/problems.h"

static void conv2d_read(gf__problem *p, gf__cases *list) {
  ref_conv2d *v = &p->conv;
  *v = (ref_conv2d){.n = p->n, .h = p->image.height, .w = p->image.width, .c = p->image.channels};
  v->filters = gf__cases_int(list, "filters", 1);
  gf__cases_ints(list, "kernel", 3, 2, v->kernel);
  gf__cases_ints(list, "stride", 1, 2, v->stride);
  int sides[4];
  gf__cases_sides(list, "padding", sides);
  for (int d = 0; d < 2; d++) {
    v->padding[d] = sides[2 * d];
    v->extra[d] = sides[2 * d + 1] - sides[2 * d];
  }
  gf__cases_ints(list, "dilation", 1, 2, v->dilation);
  v->groups = gf__cases_int(list, "groups", 1);
  bool bias = gf__cases_bool(list, "bias", true);
  size_t pixels = (size_t)p->n;
  for (int d = 0; d < 2; d++) pixels *= (size_t)ref_conv2d_outputs(v, d);
  int taps = v->kernel[0] * v->kernel[1];
  p->y_count = pixels * (size_t)v->filters;
  gf__problem_add_parameter(p, (size_t)(v->filters * (v->c / v->groups) * taps));
  if (bias) gf__problem_add_parameter(p, (size_t)v->filters);
  int inputs = v->c / v->groups, outputs = v->filters / v->groups;
  p->y_terms = taps * inputs + 1;
  p->dx_terms = taps * outputs;
  p->d_terms = (double)pixels;
}

static void conv2d_reference(const gf__problem *p, const gf__problem_values *in,
                             gf__problem_values *out) {
  ref_conv2d_forward(&p->conv, in->x, in->parameter[0], in->parameter[1], out->y);
  ref_conv2d_backward(&p->conv, in->x, in->parameter[0], in->dy, out->dx, out->d[0], out->d[1]);
}

static void conv_transpose2d_read(gf__problem *p, gf__cases *list) {
  ref_conv_transpose2d *v = &p->conv_transpose;
  *v = (ref_conv_transpose2d){
      .n = p->n, .h = p->image.height, .w = p->image.width, .c = p->image.channels};
  int sides[4];
  v->filters = gf__cases_int(list, "filters", 1);
  v->groups = gf__cases_int(list, "groups", 1);
  gf__cases_ints(list, "kernel", 3, 2, v->kernel);
  gf__cases_ints(list, "stride", 1, 2, v->stride);
  gf__cases_ints(list, "output_padding", 0, 2, v->output_padding);
  gf__cases_ints(list, "dilation", 1, 2, v->dilation);
  gf__cases_sides(list, "padding", sides);
  for (int d = 0; d < 2; d++) {
    v->begin[d] = sides[2 * d];
    v->end[d] = sides[2 * d + 1];
  }
  bool bias = gf__cases_bool(list, "bias", true);
  int taps = v->kernel[0] * v->kernel[1],
      pixels = p->n * ref_conv_transpose2d_outputs(v, 0) * ref_conv_transpose2d_outputs(v, 1);
  p->y_count = (size_t)(pixels * v->filters);
  gf__problem_add_parameter(p, (size_t)(v->c * (v->filters / v->groups) * taps));
  if (bias) gf__problem_add_parameter(p, (size_t)v->filters);
  int inputs = v->c / v->groups, outputs = v->filters / v->groups;
  p->y_terms = taps * inputs + 1;
  p->dx_terms = taps * outputs;
  p->d_terms = pixels > p->n * v->h * v->w ? pixels : p->n * v->h * v->w;
}

static void conv_transpose2d_reference(const gf__problem *p, const gf__problem_values *in,
                                       gf__problem_values *out) {
  const ref_conv_transpose2d *v = &p->conv_transpose;
  ref_conv_transpose2d_forward(v, in->x, in->parameter[0], in->parameter[1], out->y);
  ref_conv_transpose2d_backward(v, in->x, in->parameter[0], in->dy, out->dx, out->d[0], out->d[1]);
}

static void linear_read(gf__problem *p, gf__cases *list) {
  int inputs = p->image.channels, outputs = gf__cases_int(list, "outputs", 1);
  bool bias = gf__cases_bool(list, "bias", true);
  p->conv = (ref_conv2d){.c = inputs, .filters = outputs};
  p->y_count = (size_t)(p->n * outputs);
  gf__problem_add_parameter(p, (size_t)(outputs * inputs));
  if (bias) gf__problem_add_parameter(p, (size_t)outputs);
  p->y_terms = inputs + 1;
  p->dx_terms = outputs;
  p->d_terms = p->n;
}

static void linear_reference(const gf__problem *p, const gf__problem_values *in,
                             gf__problem_values *out) {
  int inputs = p->conv.c, outputs = p->conv.filters;
  ref_linear_forward(p->n, inputs, outputs, in->x, in->parameter[0], in->parameter[1], out->y);
  ref_linear_backward(p->n, inputs, outputs, in->x, in->parameter[0], in->dy, out->dx, out->d[0],
                      out->d[1]);
}

const gf__problem_type gf__problem_conv2d = {
    .layer = "conv2d", .read = conv2d_read, .reference = conv2d_reference};
const gf__problem_type gf__problem_conv_transpose2d = {.layer = "conv_transpose2d",
                                                       .read = conv_transpose2d_read,
                                                       .reference = conv_transpose2d_reference};
const gf__problem_type gf__problem_linear = {
    .layer = "linear", .read = linear_read, .reference = linear_reference};
