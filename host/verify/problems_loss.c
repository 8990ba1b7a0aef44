/* Problems of losses, which end a graph. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/random.h"
#include "verify/problems.h"

static void softmax_cross_entropy_read(gf__problem *p, gf__cases *list) {
  int classes = p->image.channels;
  p->y_count = 0;
  p->spread = 2 * gf__cases_float(list, "scale", 1);
  p->labels = gf__new_array(p->arena, (size_t)p->n * sizeof(int));
  for (int i = 0; i < p->n; i++)
    p->labels[i] = (int)gf__random_below(
        gf__random(GF__PROBLEM_SEED, GF__STREAM_TEST, 9, (uint32_t)i, 0).v[0], (uint32_t)classes);
  p->y_terms = classes + p->n;
  p->dx_terms = classes;
}

static void softmax_cross_entropy_reference(const gf__problem *p, const gf__problem_values *in,
                                            gf__problem_values *out) {
  *out->loss =
      p->n * ref_softmax_cross_entropy(p->n, p->image.channels, in->x, p->labels, NULL, out->dx);
}

/* exp(logit - largest) is as wrong as the rounded difference is large. */
static void softmax_cross_entropy_magnitudes(const gf__problem *p, const gf__problem_values *in,
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

static void auxiliary_loss_read(gf__problem *p, gf__cases *list) {
  softmax_cross_entropy_read(p, list);
  p->hinge = strcmp(gf__cases_text(list, "loss", ""), "squared_hinge") == 0;
}

static void auxiliary_loss_weigh(const gf__problem *p, double *dx) {
  for (size_t i = 0; i < p->x_count; i++) dx[i] *= GF__PROBLEM_AUXILIARY_WEIGHT;
}

static void auxiliary_loss_reference(const gf__problem *p, const gf__problem_values *in,
                                     gf__problem_values *out) {
  if (p->hinge)
    ref_squared_hinge(p->n, p->image.channels, in->x, p->labels, out->dx);
  else
    softmax_cross_entropy_reference(p, in, out);
  auxiliary_loss_weigh(p, out->dx);
}

/* A lack is as wrong as its terms are large, and the label's slope sums all of them. */
static void auxiliary_loss_magnitudes(const gf__problem *p, const gf__problem_values *in,
                                      gf__problem_values *out) {
  int classes = p->image.channels;
  if (!p->hinge) softmax_cross_entropy_magnitudes(p, in, out);
  for (int i = 0; p->hinge && i < p->n; i++) {
    const double *row = in->x + (size_t)i * classes;
    double *dx = out->dx + (size_t)i * classes, sum = 0;
    for (int k = 0; k < classes; k++)
      sum += dx[k] = 2 * (1 + fabs(row[p->labels[i]]) + fabs(row[k])) / p->n;
    dx[p->labels[i]] = sum;
  }
  auxiliary_loss_weigh(p, out->dx);
}

const gf__problem_type gf__problem_softmax_cross_entropy = {
    .layer = "softmax_cross_entropy",
    .ends_graph = true,
    .read = softmax_cross_entropy_read,
    .reference = softmax_cross_entropy_reference,
    .magnitudes = softmax_cross_entropy_magnitudes};
const gf__problem_type gf__problem_auxiliary_loss = {.layer = "auxiliary_loss",
                                                     .ends_graph = true,
                                                     .has_no_result = true,
                                                     .read = auxiliary_loss_read,
                                                     .reference = auxiliary_loss_reference,
                                                     .magnitudes = auxiliary_loss_magnitudes};
