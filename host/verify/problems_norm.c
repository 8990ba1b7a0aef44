/* Problems of batch_norm. */
#include <math.h>
#include <string.h>

#include "verify/problems.h"

enum { GAMMA, BETA, RUNNING_MEAN, RUNNING_VARIANCE = GF__PROBLEM_VARIANCE };

static int norm_rows(const gf__problem *p) { return (int)gf__problem_pixels(p); }

static void batch_norm_read(gf__problem *p, gf__cases *list) {
  p->eps = gf__cases_float(list, "eps", 1e-5);
  p->momentum = gf__cases_float(list, "momentum", 0.1);
  p->offset = gf__cases_float(list, "offset", 0.5);
  p->scales = true;
  for (int k = 0; k < 4; k++) gf__problem_add_parameter(p, (size_t)p->image.channels);
  p->y_terms = p->dx_terms = p->d_terms = norm_rows(p);
}

static void batch_norm_reference(const gf__problem *p, const gf__problem_values *in,
                                 gf__problem_values *out) {
  size_t bytes = p->parameter_size[0] * sizeof(double);
  int c = p->image.channels;
  memcpy(out->d[RUNNING_MEAN], in->parameter[RUNNING_MEAN], bytes);
  memcpy(out->d[RUNNING_VARIANCE], in->parameter[RUNNING_VARIANCE], bytes);
  ref_batch_norm_forward(norm_rows(p), c, p->eps, p->momentum, in->x, in->parameter[GAMMA],
                         in->parameter[BETA], out->d[RUNNING_MEAN], out->d[RUNNING_VARIANCE],
                         out->y);
  ref_batch_norm_backward(norm_rows(p), c, p->eps, in->x, in->parameter[GAMMA], in->dy, out->dx,
                          out->d[GAMMA], out->d[BETA]);
}

/* The rounding of x - mean, as large as that of x, is divided by the deviation, directly and
 * by way of the variance. */
static void channel_magnitudes(const gf__problem *p, const gf__problem_values *in,
                               gf__problem_values *out, int k) {
  int rows = norm_rows(p), c = p->image.channels;
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

static void batch_norm_magnitudes(const gf__problem *p, const gf__problem_values *in,
                                  gf__problem_values *out) {
  for (int k = 0; k < p->image.channels; k++) channel_magnitudes(p, in, out, k);
}

static void batch_norm_inference(const gf__problem *p, const gf__problem_values *in, double *y) {
  ref_batch_norm_inference(norm_rows(p), p->image.channels, p->eps, in->x, in->parameter[GAMMA],
                           in->parameter[BETA], in->parameter[RUNNING_MEAN],
                           in->parameter[RUNNING_VARIANCE], y);
}

const gf__problem_type gf__problem_batch_norm = {.layer = "batch_norm",
                                                 .read = batch_norm_read,
                                                 .reference = batch_norm_reference,
                                                 .magnitudes = batch_norm_magnitudes,
                                                 .inference = batch_norm_inference};
