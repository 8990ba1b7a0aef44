/* Problems of activations. */
#include <math.h>

#include "verify/problems.h"

static void leaky_relu_read(gf__problem *p, gf__cases *list) {
  p->slope = gf__cases_float(list, "slope", 0.01);
  p->integers = true;
}

static void relu_read(gf__problem *p, gf__cases *list) {
  (void)list;
  p->integers = true;
}

static void saturating_read(gf__problem *p, gf__cases *list) {
  (void)list;
  p->spread = 8;
}

static void elu_read(gf__problem *p, gf__cases *list) {
  saturating_read(p, list);
  p->slope = gf__cases_float(list, "alpha", 1);
}

static void clamp_read(gf__problem *p, gf__cases *list) {
  saturating_read(p, list);
  p->minimum = gf__cases_float(list, "min", 0);
  p->maximum = gf__cases_float(list, "max", 6);
  p->integers = p->maximum <= 3; /* which lie on the bounds, too */
}

static void activation_reference(const gf__problem *p, const gf__problem_values *in,
                                 gf__problem_values *out) {
  const ref_activation *activation = ref_activation_find(p->type->layer);
  ref_activation_forward(activation, p->slope, p->y_count, in->x, out->y);
  ref_activation_backward(activation, p->slope, p->y_count, in->x, in->dy, out->dx);
}

/* The derivative is 1 - y^2 or y (1 - y): its error is that of a number of about 1. */
static void activation_magnitudes(const gf__problem *p, const gf__problem_values *in,
                                  gf__problem_values *out) {
  activation_reference(p, in, out);
  for (size_t i = 0; i < p->y_count; i++) {
    out->y[i] = fabs(out->y[i]);
    out->dx[i] = fabs(in->dy[i]);
  }
}

/* exp(-x^2 / 2) is as wrong as its rounded exponent is large. */
static void gelu_magnitudes(const gf__problem *p, const gf__problem_values *in,
                            gf__problem_values *out) {
  activation_magnitudes(p, in, out);
  for (size_t i = 0; i < p->y_count; i++) out->y[i] *= 1 + in->x[i] * in->x[i];
}

/* The derivative has a term x (1 - sigmoid): its error is |x| that of a number of about 1. */
static void silu_magnitudes(const gf__problem *p, const gf__problem_values *in,
                            gf__problem_values *out) {
  activation_magnitudes(p, in, out);
  for (size_t i = 0; i < p->y_count; i++) out->dx[i] *= 1 + fabs(in->x[i]);
}

static void elu_magnitudes(const gf__problem *p, const gf__problem_values *in,
                           gf__problem_values *out) {
  activation_magnitudes(p, in, out);
  for (size_t i = 0; i < p->y_count; i++) out->dx[i] *= fmax(1, p->slope);
}

/* x / 6 + 1/2 is as wrong as its terms are large, which cancel each other at -3. */
static void hard_sigmoid_magnitudes(const gf__problem *p, const gf__problem_values *in,
                                    gf__problem_values *out) {
  activation_magnitudes(p, in, out);
  for (size_t i = 0; i < p->y_count; i++) out->y[i] = fabs(in->x[i]) / 6 + 0.5;
}

static void hard_swish_magnitudes(const gf__problem *p, const gf__problem_values *in,
                                  gf__problem_values *out) {
  hard_sigmoid_magnitudes(p, in, out);
  for (size_t i = 0; i < p->y_count; i++) {
    out->y[i] *= fabs(in->x[i]);
    out->dx[i] *= 1 + fabs(in->x[i]);
  }
}

static void clamp_reference(const gf__problem *p, const gf__problem_values *in,
                            gf__problem_values *out) {
  ref_clamp_forward(p->minimum, p->maximum, p->y_count, in->x, out->y);
  ref_clamp_backward(p->minimum, p->maximum, p->y_count, in->x, in->dy, out->dx);
}

static void clamp_magnitudes(const gf__problem *p, const gf__problem_values *in,
                             gf__problem_values *out) {
  for (size_t i = 0; i < p->y_count; i++) {
    out->y[i] = fmax(fabs(p->minimum), fabs(p->maximum));
    out->dx[i] = fabs(in->dy[i]);
  }
}

#define ACTIVATION(NAME, READ, MAGNITUDES)                                        \
  const gf__problem_type gf__problem_##NAME = {.layer = #NAME,                    \
                                               .read = (READ),                    \
                                               .reference = activation_reference, \
                                               .magnitudes = (MAGNITUDES)}

ACTIVATION(leaky_relu, leaky_relu_read, activation_magnitudes);
ACTIVATION(relu, relu_read, activation_magnitudes);
ACTIVATION(tanh, saturating_read, activation_magnitudes);
ACTIVATION(sigmoid, saturating_read, activation_magnitudes);
ACTIVATION(elu, elu_read, elu_magnitudes);
ACTIVATION(gelu, saturating_read, gelu_magnitudes);
ACTIVATION(silu, saturating_read, silu_magnitudes);
ACTIVATION(hard_sigmoid, saturating_read, hard_sigmoid_magnitudes);
ACTIVATION(hard_swish, saturating_read, hard_swish_magnitudes);

const gf__problem_type gf__problem_clamp = {.layer = "clamp",
                                            .read = clamp_read,
                                            .reference = clamp_reference,
                                            .magnitudes = clamp_magnitudes};
