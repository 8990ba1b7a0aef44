/* Problems of dropout and of stochastic depth. */
#include <stdint.h>
#include <string.h>

#include "base/random.h"
#include "verify/problems.h"

static void dropout_read(gf__problem *p, gf__cases *list) {
  p->probability = gf__cases_float(list, "p", 0.5);
}

unsigned char *gf__problem_dropout_mask(const gf__problem *p, size_t count) {
  unsigned char *mask = gf__new_array(p->arena, count);
  for (size_t i = 0; i < count; i++) {
    gf__random4 r = gf__random(GF__PROBLEM_SEED, GF__STREAM_DROPOUT, (uint32_t)p->step,
                               (uint32_t)(i / 4), (uint32_t)p->node);
    mask[i] = !(gf__random_float(r.v[i % 4]) < (float)p->probability);
  }
  return mask;
}

static void dropout_reference(const gf__problem *p, const gf__problem_values *in,
                              gf__problem_values *out) {
  const unsigned char *mask = gf__problem_dropout_mask(p, p->y_count);
  ref_dropout_forward(p->y_count, (double)(float)p->probability, mask, in->x, out->y);
  ref_dropout_backward(p->y_count, (double)(float)p->probability, mask, in->dy, out->dx);
}

/* Of as many images, each value of which has the image's mask. */
static unsigned char *image_mask(const gf__problem *p) {
  const unsigned char *images = gf__problem_dropout_mask(p, (size_t)p->n);
  unsigned char *mask = gf__new_array(p->arena, p->y_count);
  for (size_t i = 0; i < p->y_count; i++) mask[i] = images[i / (p->y_count / (size_t)p->n)];
  return mask;
}

static void stochastic_depth_reference(const gf__problem *p, const gf__problem_values *in,
                                       gf__problem_values *out) {
  const unsigned char *mask = image_mask(p);
  ref_dropout_forward(p->y_count, (double)(float)p->probability, mask, in->x, out->y);
  ref_dropout_backward(p->y_count, (double)(float)p->probability, mask, in->dy, out->dx);
}

static void dropout_inference(const gf__problem *p, const gf__problem_values *in, double *y) {
  memcpy(y, in->x, p->y_count * sizeof *y);
}

const gf__problem_type gf__problem_dropout = {.layer = "dropout",
                                              .random = true,
                                              .read = dropout_read,
                                              .reference = dropout_reference,
                                              .inference = dropout_inference};
const gf__problem_type gf__problem_stochastic_depth = {.layer = "stochastic_depth",
                                                       .random = true,
                                                       .read = dropout_read,
                                                       .reference = stochastic_depth_reference,
                                                       .inference = dropout_inference};
