/* What batch_norm does besides a layer's forward and backward: statistics over the rows of several
 * ranks, backward by the running statistics, and the fold into a convolution. */
#include <math.h>
#include <string.h>

#include "ops/batch_norm.h"
#include "verify/problems.h"
#include "verify/subjects.h"

typedef struct norm {
  int rows, channels;
  double eps;
  float *gamma, *beta, *mean, *variance; /* running */
  gf__batch_norm on_device;
} norm;

static gf_status open_norm(norm *b, gf__check *check, gf__cases *list) {
  gf_buffer *gamma, *beta;
  int n = gf__cases_int(list, "n", 1), h = gf__cases_int(list, "h", 1);
  *b = (norm){.rows = n * h * gf__cases_int(list, "w", 1),
              .channels = gf__cases_int(list, "c", 1),
              .eps = (double)(float)gf__cases_float(list, "eps", 1e-5)};
  size_t c = (size_t)b->channels;
  b->gamma = gf__uniform(check->arena, c, 10, -1.5, 1.5);
  b->beta = gf__uniform(check->arena, c, 11, -1.5, 1.5);
  b->mean = gf__uniform(check->arena, c, 12, -1.5, 1.5);
  b->variance = gf__uniform(check->arena, c, 13, 0.5, 1.5);
  b->on_device.channels = b->channels;
  b->on_device.eps = (float)b->eps;
  GF_TRY(gf__guarded_from(check, "gamma", b->gamma, c, &gamma));
  GF_TRY(gf__guarded_from(check, "beta", b->beta, c, &beta));
  GF_TRY(gf__guarded_from(check, "the mean", b->mean, c, &b->on_device.running_mean));
  GF_TRY(gf__guarded_from(check, "the variance", b->variance, c, &b->on_device.running_variance));
  b->on_device.gamma = gamma;
  b->on_device.beta = beta;
  return GF_OK;
}

static double scale_of(const norm *b, size_t c) {
  return (double)b->gamma[c] / sqrt((double)b->variance[c] + b->eps);
}

/* The norm's work in a convolution of its channels as filters, with and without a bias. */
static gf_status verify_fold(const gf__subject *subject, gf__check *check, gf__cases *list) {
  enum { TAPS = 6 };
  norm b;
  (void)subject;
  GF_TRY(open_norm(&b, check, list));
  size_t c = (size_t)b.channels, count = TAPS * c;
  float *weight = gf__uniform(check->arena, count, 0, -1, 1),
        *bias = gf__uniform(check->arena, c, 1, -1, 1);
  double *expected = gf__new_doubles(check->arena, count),
         *size = gf__new_doubles(check->arena, count);
  gf_buffer *w, *shift, *folded_w, *folded_shift;
  for (size_t i = 0; i < count; i++) {
    expected[i] = (double)weight[i] * scale_of(&b, i % c);
    size[i] = fabs(expected[i]);
  }
  GF_TRY(gf__guarded_from(check, "the weight", weight, count, &w));
  GF_TRY(gf__guarded_from(check, "the bias", bias, c, &shift));
  GF_TRY(gf__guarded_new(check, "the folded weight", count, &folded_w));
  GF_TRY(gf__guarded_new(check, "the folded bias", c, &folded_shift));
  for (int with_bias = 0; with_bias < 2; with_bias++) {
    double *e = gf__new_doubles(check->arena, c), *s = gf__new_doubles(check->arena, c);
    for (size_t i = 0; i < c; i++) {
      double from = with_bias ? (double)bias[i] : 0, mean = (double)b.mean[i];
      e[i] = (double)b.beta[i] + (from - mean) * scale_of(&b, i);
      s[i] = fabs((double)b.beta[i]) + (fabs(from) + fabs(mean)) * fabs(scale_of(&b, i));
    }
    GF_TRY(gf__batch_norm_fold(check->device, &b.on_device, count, w, with_bias ? shift : NULL,
                               folded_w, folded_shift));
    GF_TRY(gf__check_buffer(check, "the folded weight", folded_w, count, expected,
                            &(gf__tolerance){size, 1, 1}));
    GF_TRY(gf__check_buffer(check, with_bias ? "the folded bias" : "the folded bias of none",
                            folded_shift, c, e, &(gf__tolerance){s, 2, 1}));
  }
  return GF_OK;
}

/* dx by the running statistics. */
static gf_status verify_running(const gf__subject *subject, gf__check *check, gf__cases *list) {
  norm b;
  (void)subject;
  GF_TRY(open_norm(&b, check, list));
  size_t c = (size_t)b.channels, count = (size_t)b.rows * c;
  float *dy = gf__uniform(check->arena, count, 0, -1, 1);
  double *expected = gf__new_doubles(check->arena, count),
         *size = gf__new_doubles(check->arena, count);
  gf_buffer *from, *dx;
  for (size_t i = 0; i < count; i++) {
    expected[i] = (double)dy[i] * scale_of(&b, i % c);
    size[i] = fabs(expected[i]);
  }
  GF_TRY(gf__guarded_from(check, "dy", dy, count, &from));
  GF_TRY(gf__guarded_new(check, "dx", count, &dx));
  GF_TRY(gf__batch_norm_backward_running(check->device, &b.on_device, b.rows, from, dx,
                                         &(gf__epilogue){0}));
  return gf__check_buffer(check, "dx", dx, count, expected, &(gf__tolerance){size, 1, 1});
}

/* ---- rows at two places ---- */

enum { PLACES = 2, GAMMA = 0, BETA, MEAN, VARIANCE };

typedef struct place {
  int rows;
  size_t first, count; /* of its floats in x */
  gf__batch_norm norm;
  gf_buffer *x, *y, *dy, *dx;
} place;

typedef struct places {
  place at[PLACES];
  gf_buffer *moments, *dgamma, *dbeta, *workspace;
} places;

static gf_status open_places(places *b, gf__check *check, const gf__problem *p,
                             const gf__problem_values *v) {
  size_t c = (size_t)p->image.channels;
  int all = (int)(p->x_count / c), first = (all + 2) / 3;
  size_t floats = gf__batch_norm_workspace(check->device, (int)c) / sizeof(float);
  gf_buffer *gamma, *beta;
  GF_TRY(gf__guarded_from(check, "gamma", gf__narrow(p->arena, v->parameter[GAMMA], c), c, &gamma));
  GF_TRY(gf__guarded_from(check, "beta", gf__narrow(p->arena, v->parameter[BETA], c), c, &beta));
  GF_TRY(gf__guarded_new(check, "the moments", 2 * c, &b->moments));
  GF_TRY(gf__guarded_new(check, "dgamma", c, &b->dgamma));
  GF_TRY(gf__guarded_new(check, "dbeta", c, &b->dbeta));
  GF_TRY(gf__guarded_new(check, "the workspace", floats, &b->workspace));
  for (int k = 0; k < PLACES; k++) {
    place *q = &b->at[k];
    *q = (place){.rows = k ? all - first : first, .first = k ? (size_t)first * c : 0};
    q->count = (size_t)q->rows * c;
    q->norm = (gf__batch_norm){.channels = (int)c,
                               .eps = (float)p->eps,
                               .momentum = (float)p->momentum,
                               .gamma = gamma,
                               .beta = beta};
    const float *x = gf__narrow(p->arena, v->x + q->first, q->count);
    const float *dy = gf__narrow(p->arena, v->dy + q->first, q->count);
    const float *mean = gf__narrow(p->arena, v->parameter[MEAN], c);
    const float *variance = gf__narrow(p->arena, v->parameter[VARIANCE], c);
    GF_TRY(gf__guarded_from(check, "x", x, q->count, &q->x));
    GF_TRY(gf__guarded_from(check, "dy", dy, q->count, &q->dy));
    GF_TRY(gf__guarded_new(check, "y", q->count, &q->y));
    GF_TRY(gf__guarded_new(check, "dx", q->count, &q->dx));
    GF_TRY(gf__guarded_new(check, "what is saved", 2 * c, &q->norm.saved));
    GF_TRY(gf__guarded_from(check, "the mean", mean, c, &q->norm.running_mean));
    GF_TRY(gf__guarded_from(check, "the variance", variance, c, &q->norm.running_variance));
  }
  return GF_OK;
}

static gf_status forward_places(places *b, gf__check *check, int channels) {
  size_t wide = 2 * (size_t)channels;
  float *all = gf__new_floats(check->arena, PLACES * wide), *joined;
  const long rows[PLACES] = {b->at[0].rows, b->at[1].rows};
  for (int k = 0; k < PLACES; k++) {
    const place *q = &b->at[k];
    GF_TRY(
        gf__batch_norm_moments(check->device, &q->norm, q->rows, q->x, b->moments, b->workspace));
    GF_TRY(gf__buffer_read(b->moments, 0, wide * sizeof *all, all + (size_t)k * wide));
  }
  joined = gf__new_floats(check->arena, wide);
  long total = gf__batch_norm_join(channels, PLACES, rows, all, joined);
  GF_TRY(gf__write(b->moments, joined, wide));
  for (int k = 0; k < PLACES; k++)
    GF_TRY(gf__batch_norm_forward_by(check->device, &b->at[k].norm, b->at[k].rows, b->at[k].x,
                                     b->at[k].y, b->moments, total, &(gf__epilogue){0}));
  return GF_OK;
}

static gf_status backward_places(places *b, gf__check *check, int channels) {
  size_t c = (size_t)channels;
  float *gamma[PLACES], *beta[PLACES];
  double all = b->at[0].rows + b->at[1].rows;
  for (int k = 0; k < PLACES; k++) {
    const place *q = &b->at[k];
    GF_TRY(gf__batch_norm_backward_sums(check->device, &q->norm, q->rows, q->x, q->dy, b->dgamma,
                                        b->dbeta, b->workspace));
    GF_TRY(gf__read(check->arena, b->dgamma, c, &gamma[k]));
    GF_TRY(gf__read(check->arena, b->dbeta, c, &beta[k]));
  }
  for (int k = 0; k < PLACES; k++) {
    const place *q = &b->at[k];
    float *dgamma = gf__new_floats(check->arena, c), *dbeta = gf__new_floats(check->arena, c);
    for (size_t i = 0; i < c; i++) {
      dgamma[i] = (float)(((double)gamma[0][i] + (double)gamma[1][i]) * q->rows / all);
      dbeta[i] = (float)(((double)beta[0][i] + (double)beta[1][i]) * q->rows / all);
    }
    GF_TRY(gf__write(b->dgamma, dgamma, c));
    GF_TRY(gf__write(b->dbeta, dbeta, c));
    GF_TRY(gf__batch_norm_backward_by(check->device, &q->norm, q->rows, q->x, q->dy, b->dgamma,
                                      b->dbeta, q->dx, &(gf__epilogue){0}));
  }
  return GF_OK;
}

/* The rows of a batch at two places give what those at one place do. */
static gf_status verify_places(const gf__subject *subject, gf__check *check, gf__cases *list) {
  gf__problem p;
  places b;
  (void)subject;
  GF_TRY(gf__problem_read(&p, check->arena, &gf__problem_batch_norm, list));
  gf__problem_values v = gf__problem_values_new(&p, 0), size = gf__problem_magnitudes(&p, &v);
  p.type->reference(&p, &v, &v);
  size_t c = (size_t)p.image.channels;
  GF_TRY(open_places(&b, check, &p, &v));
  GF_TRY(forward_places(&b, check, p.image.channels));
  GF_TRY(backward_places(&b, check, p.image.channels));
  for (int k = 0; k < PLACES; k++) {
    const place *q = &b.at[k];
    GF_TRY(gf__check_buffer(check, "y", q->y, q->count, v.y + q->first,
                            &(gf__tolerance){size.y + q->first, p.y_terms, 1}));
    GF_TRY(gf__check_buffer(check, "dx", q->dx, q->count, v.dx + q->first,
                            &(gf__tolerance){size.dx + q->first, p.dx_terms, 1}));
    GF_TRY(gf__check_buffer(check, "the running mean", q->norm.running_mean, c, v.d[MEAN],
                            &(gf__tolerance){size.d[MEAN], p.d_terms, 1}));
    GF_TRY(gf__check_buffer(check, "the running variance", q->norm.running_variance, c,
                            v.d[VARIANCE], &(gf__tolerance){size.d[VARIANCE], p.d_terms, 1}));
  }
  return GF_OK;
}

void gf__batch_norm_subjects(gf__subject_add *add, void *user) {
  static const gf__subject subjects[] = {
      {"batch_norm", "places", "batch_norm", .run = verify_places},
      {"batch_norm", "running", "batch_norm", .run = verify_running},
      {"batch_norm", "fold", "batch_norm", .run = verify_fold},
  };
  for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++) add(user, &subjects[i]);
}
