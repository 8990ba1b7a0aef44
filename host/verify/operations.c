/* Operations that are no layer: sums, statistics, clipping, and labels that are no single class. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ops/accumulate.h"
#include "ops/activation_statistics.h"
#include "ops/clip.h"
#include "ops/reduce.h"
#include "ops/softmax_cross_entropy.h"
#include "ops/statistics.h"
#include "reference.h"
#include "verify/subjects.h"

/* ---- reduce ---- */

static gf_status verify_reduce(const gf__subject *subject, gf__check *check, gf__cases *list) {
  (void)subject;
  int rows = gf__cases_int(list, "rows", 1), channels = gf__cases_int(list, "channels", 1);
  size_t count = (size_t)rows * (size_t)channels, wide = (size_t)channels;
  size_t floats = gf__column_sums_workspace(check->device, channels) / sizeof(float);
  float *x = gf__new_floats(check->arena, count);
  gf_buffer *buffer, *out, *workspace;
  GF_TRY(gf__guarded_new(check, "x", count, &buffer));
  GF_TRY(gf__guarded_new(check, "the sums", wide, &out));
  GF_TRY(gf__guarded_new(check, "the workspace", floats, &workspace));
  for (int integers = 1; integers >= 0; integers--) {
    double *expected = gf__new_doubles(check->arena, wide),
           *size = gf__new_doubles(check->arena, wide);
    if (integers)
      gf__fill_integers(x, count, 0, 3);
    else
      gf__fill_uniform(x, count, 0, -1, 1);
    for (size_t i = 0; i < count; i++) {
      expected[i % wide] += (double)x[i];
      size[i % wide] += fabs((double)x[i]);
    }
    GF_TRY(gf__write(buffer, x, count));
    GF_TRY(gf__poison(check->arena, out, wide));
    GF_TRY(gf__column_sums(check->device, rows, channels, buffer, out, workspace));
    GF_TRY(gf__check_buffer(check, integers ? "sums of whole numbers" : "sums of fractions", out,
                            wide, expected, &(gf__tolerance){size, rows, integers ? 0 : 1}));
  }
  return GF_OK;
}

/* ---- accumulate ---- */

static gf_status verify_accumulate(const gf__subject *subject, gf__check *check, gf__cases *list) {
  enum { ROW = 1, MICRO_ROW = 2, ROWS = 4 }; /* of the batch, and of its micro-batch */
  (void)subject;
  int count = gf__cases_int(list, "count", 1);
  double weight = (double)(float)gf__cases_float(list, "weight", 1);
  bool first = gf__cases_bool(list, "first", false);
  size_t floats = (size_t)count;
  float *gradient = gf__uniform(check->arena, floats, 0, -1, 1),
        *sum = gf__uniform(check->arena, floats, 1, -1, 1);
  static const float results[2 * ROWS] = {7, 7, 2.5f, 3, 1.5f, 4, 7, 7};
  double *expected = gf__new_doubles(check->arena, floats),
         *size = gf__new_doubles(check->arena, floats);
  double sums[2 * ROWS];
  gf_buffer *g, *s, *r;
  for (size_t i = 0; i < floats; i++) {
    double before = first ? 0 : (double)sum[i];
    expected[i] = weight * (double)gradient[i] + before;
    size[i] = fabs(weight * (double)gradient[i]) + fabs(before);
  }
  for (int i = 0; i < 2 * ROWS; i++) sums[i] = (double)results[i];
  for (int i = 0; i < 2; i++)
    sums[2 * ROW + i] = (first ? 0 : sums[2 * ROW + i]) + sums[2 * MICRO_ROW + i];
  GF_TRY(gf__guarded_from(check, "the gradient", gradient, floats, &g));
  GF_TRY(gf__guarded_from(check, "the sum", sum, floats, &s));
  GF_TRY(gf__guarded_from(check, "the results", results, 2 * ROWS, &r));
  GF_TRY(gf__accumulate(check->device, count, g, s, weight, first, r, ROW, MICRO_ROW));
  GF_TRY(gf__check_buffer(check, "the sum", s, floats, expected, &(gf__tolerance){size, 1, 1}));
  return gf__check_buffer(check, "the results", r, 2 * ROWS, sums, &(gf__tolerance){.factor = 0});
}

/* ---- clip ---- */

static gf_status verify_clip(const gf__subject *subject, gf__check *check, gf__cases *list) {
  (void)subject;
  int count = gf__cases_int(list, "count", 1);
  size_t floats = (size_t)count;
  float *gradient = gf__uniform(check->arena, floats, 0, -1, 1), *left;
  const double *wide = gf__widen(check->arena, gradient, floats);
  double most = gf__cases_float(list, "fraction", 1) * ref_statistics_of(floats, wide).l2;
  double expected = ref_clip_scale(floats, wide, most);
  gf_buffer *g, *partial, *scale;
  GF_TRY(gf__guarded_from(check, "the gradient", gradient, floats, &g));
  GF_TRY(gf__guarded_new(check, "the workspace", gf__clip_workspace() / sizeof(float), &partial));
  GF_TRY(gf__guarded_new(check, "the scale", 1, &scale));
  GF_TRY(gf__clip_scale(check->device, count, g, most, partial, scale));
  GF_TRY(gf__read(check->arena, g, floats, &left));
  gf__check_same(check, "the gradient", floats, left, gradient);
  return gf__check_buffer(check, "the scale", scale, 1, &expected,
                          &(gf__tolerance){.terms = count, .factor = 1});
}

/* ---- statistics ---- */

/* The tensor lies between two of a few ones in flat buffers, with gaps of NaN. */
static gf_status verify_statistics(const gf__subject *subject, gf__check *check, gf__cases *list) {
  enum { GAP = 5, ONES = 7, TENSORS = 3, SUMS = sizeof(gf__statistics_sums) / sizeof(float) };
  enum { VALUES = 7 };
  (void)subject;
  int size = gf__cases_int(list, "size", 1);
  double scale = gf__cases_float(list, "scale", 1), weights = 0, updates = 0;
  const int ranges[] = {GAP, ONES, 2 * GAP + ONES, size, 3 * GAP + ONES + size, ONES};
  size_t count = (size_t)(4 * GAP + 2 * ONES + size);
  float *gradient = gf__new_floats(check->arena, count), *w = gf__new_floats(check->arena, count);
  float *old = gf__new_floats(check->arena, count), *tensor = gradient + ranges[2], *got;
  gf_buffer *on_device[3], *places, *workspace, *out;
  for (size_t i = 0; i < count; i++) gradient[i] = w[i] = old[i] = NAN;
  for (int t = 0; t < TENSORS; t++) {
    size_t first = (size_t)ranges[2 * t], floats = (size_t)ranges[2 * t + 1];
    gf__fill_uniform(w + first, floats, 1, -1, 1);
    gf__fill_uniform(old + first, floats, 2, -1, 1);
    for (size_t i = 0; i < floats; i++) gradient[first + i] = 1;
  }
  gf__fill_uniform(tensor, (size_t)size, 0, -scale, scale);
  for (int i = 0; i < size; i++) {
    double before = (double)old[ranges[2] + i], update = (double)w[ranges[2] + i] - before;
    if (i % 5 == 4) tensor[i] = 0;
    weights += before * before;
    updates += update * update;
  }
  ref_statistics r = ref_statistics_of((size_t)size, gf__widen(check->arena, tensor, (size_t)size));
  GF_TRY(gf__guarded_from(check, "the gradient", gradient, count, &on_device[0]));
  GF_TRY(gf__guarded_from(check, "w", w, count, &on_device[1]));
  GF_TRY(gf__guarded_from(check, "the old w", old, count, &on_device[2]));
  GF_TRY(gf__guarded_from(check, "the ranges", ranges, 2 * TENSORS, &places));
  GF_TRY(gf__guarded_new(check, "the workspace", gf__statistics_workspace(TENSORS) / sizeof(float),
                         &workspace));
  GF_TRY(gf__guarded_new(check, "the sums", TENSORS * SUMS, &out));
  GF_TRY(gf__statistics(check->device, TENSORS, on_device[0], on_device[1], on_device[2], places,
                        workspace, out));
  GF_TRY(gf__read(check->arena, out, TENSORS * SUMS, &got));
  gf__statistics_sums s;
  memcpy(&s, got + SUMS, sizeof s);
  double l2 = sqrt((double)s.squares + (double)s.small_squares * 0x1p-120);
  const float values[VALUES] = {s.absolute,  (float)l2,        s.maximum,       s.zeros,
                                s.nonfinite, s.weight_squares, s.update_squares};
  const double expected[VALUES] = {r.mean_abs * size, r.l2,   r.max_abs, r.zero_fraction * size, 0,
                                   weights,           updates};
  gf__check_values(check, "statistics (|g|, L2, largest, zeros, non-finite, w^2, update^2)", VALUES,
                   values, expected, &(gf__tolerance){expected, size, 1});
  return GF_OK;
}

/* ---- activation_statistics ---- */

/* The energy and the difference of each channel against sums over images in double precision. */
static void check_energies(gf__check *check, int images, int rows, int channels, const float *x,
                           const gf__activation_moments *moments) {
  size_t wide = (size_t)channels, pixels = (size_t)(rows / images);
  double *expected = gf__new_doubles(check->arena, 2 * wide);
  float *got = gf__new_floats(check->arena, 2 * wide);
  double *column = gf__new_doubles(check->arena, (size_t)rows);
  for (size_t c = 0; c < wide; c++) {
    double energy = 0;
    for (size_t i = 0; i < (size_t)rows; i++) {
      column[i] = (double)x[i * wide + c];
      energy += column[i] * column[i];
    }
    expected[2 * c] = energy;
    expected[2 * c + 1] = energy * ref_contrast_of(images, pixels, column);
    got[2 * c] = (float)gf__squares_of(moments[c].energy);
    got[2 * c + 1] = (float)gf__squares_of(moments[c].difference);
  }
  gf__check_values(check, "energy and difference of a channel each", 2 * wide, got, expected,
                   &(gf__tolerance){expected, rows, 1});
}

static gf_status verify_activation_statistics(const gf__subject *subject, gf__check *check,
                                              gf__cases *list) {
  enum { BEFORE = 3, FLOATS = sizeof(gf__activation_moments) / sizeof(float), MOMENTS = 4 };
  (void)subject;
  int rows = gf__cases_int(list, "rows", 1), channels = gf__cases_int(list, "channels", 1);
  int images = gf__cases_int(list, "images", 1);
  double step = gf__cases_float(list, "step", 0);
  size_t wide = (size_t)channels, count = (size_t)rows * wide;
  size_t floats = (BEFORE + wide) * FLOATS;
  size_t scratch = gf__activation_statistics_workspace(check->device, channels) / sizeof(float);
  float *x = gf__uniform(check->arena, count, 0, gf__cases_float(list, "low", -1),
                         gf__cases_float(list, "high", 1)),
        *got;
  double *expected = gf__new_doubles(check->arena, wide * MOMENTS);
  double *size = gf__new_doubles(check->arena, wide * MOMENTS);
  double *column = gf__new_doubles(check->arena, (size_t)rows);
  float *moments = gf__new_floats(check->arena, wide * MOMENTS);
  gf_buffer *on_device, *out, *workspace;
  for (size_t i = 0; i < count; i++) x[i] += (float)(step * (double)(i % wide));
  for (size_t c = 0; c < wide; c++) {
    double *e = expected + c * MOMENTS, *s = size + c * MOMENTS, first = (double)x[c];
    for (size_t i = 0; i < (size_t)rows; i++) {
      column[i] = (double)x[i * wide + c];
      e[3] += column[i] > 0;
    }
    ref_activation_statistics r = ref_activation_statistics_of((size_t)rows, 1, column, NULL);
    e[0] = first;
    e[1] = r.mean - first;
    e[2] = r.deviation * r.deviation;
    s[1] = r.deviation + fabs(e[1]);
    s[2] = e[2]; /* of numbers of one magnitude, all digits that they leave */
  }
  GF_TRY(gf__guarded_from(check, "x", x, count, &on_device));
  GF_TRY(gf__guarded_new(check, "the moments", floats, &out));
  GF_TRY(gf__guarded_new(check, "the workspace", scratch, &workspace));
  GF_TRY(gf__activation_statistics(check->device, images, rows, channels, on_device,
                                   (gf__interval){0, INFINITY}, workspace, out, BEFORE));
  GF_TRY(gf__read(check->arena, out, floats, &got));
  for (int i = 0; i < BEFORE * FLOATS; i++)
    if (!gf__is_poison(got[i]))
      gf__check_fault(check, "the moments of another layer's channel were written");
  for (size_t i = 0; i < wide * MOMENTS; i++)
    moments[i] = got[(BEFORE + i / MOMENTS) * FLOATS + i % MOMENTS];
  gf__check_values(check, "moments (first, mean, variance, alive; a channel each)", wide * MOMENTS,
                   moments, expected, &(gf__tolerance){size, 1, 1});
  check_energies(check, images, rows, channels, x, (const gf__activation_moments *)got + BEFORE);
  return GF_OK;
}

/* ---- softmax_cross_entropy ---- */

/* The loss of mixed labels is the mix of the losses, and so is its gradient. */
static double mixed_loss(gf__arena *arena, int n, int classes, double smoothing,
                         const double *logits, const int *labels, double mix, double *d) {
  size_t count = (size_t)n * (size_t)classes;
  double *second = gf__new_doubles(arena, count);
  double loss = ref_smoothed_cross_entropy(n, classes, smoothing, logits, labels, d);
  if (mix == 1) return loss;
  loss = mix * loss +
         (1 - mix) * ref_smoothed_cross_entropy(n, classes, smoothing, logits, labels + n, second);
  for (size_t i = 0; i < count; i++) d[i] = mix * d[i] + (1 - mix) * second[i];
  return loss;
}

static int first_largest(const float *row, int classes) {
  int best = 0;
  for (int k = 1; k < classes; k++)
    if (row[k] > row[best]) best = k;
  return best;
}

/* Mixed labels, and smoothed ones. */
static gf_status verify_soft_target(const gf__subject *subject, gf__check *check, gf__cases *list) {
  enum { ROW = 1, ROWS = 3 };
  (void)subject;
  int n = gf__cases_int(list, "n", 1), classes = gf__cases_int(list, "classes", 1);
  double mix = gf__cases_float(list, "mix", 1), spread = gf__cases_float(list, "spread", 1);
  double smoothing = gf__cases_float(list, "smoothing", 0), correct = 0;
  size_t count = (size_t)n * (size_t)classes, label_count = (size_t)(mix < 1 ? 2 * n : n);
  float *logits = gf__uniform(check->arena, count, 0, -spread, spread), *sums;
  int *labels = gf__new_array(check->arena, label_count * sizeof *labels);
  double *d = gf__new_doubles(check->arena, count), *size = gf__new_doubles(check->arena, count);
  gf_buffer *x, *dx, *numbers, *each, *results;
  for (size_t i = 0; i < label_count; i++) labels[i] = (int)(i * 5 + 2) % classes;
  for (int i = 0; i < n; i++) {
    int best = first_largest(logits + (size_t)i * (size_t)classes, classes);
    correct += mix * (best == labels[i]);
    if (mix < 1) correct += (1 - mix) * (best == labels[n + i]);
  }
  for (size_t i = 0; i < count; i++) size[i] = 1.0 / n; /* softmax and target are up to 1 */
  const double expected[] = {n * mixed_loss(check->arena, n, classes, smoothing,
                                            gf__widen(check->arena, logits, count), labels, mix, d),
                             correct};
  const double sizes[] = {n * (spread + log(classes)), n};
  GF_TRY(gf__guarded_from(check, "logits", logits, count, &x));
  GF_TRY(gf__guarded_from(check, "labels", labels, label_count, &numbers));
  GF_TRY(gf__guarded_new(check, "dlogits", count, &dx));
  GF_TRY(gf__guarded_new(check, "losses of images", 2 * (size_t)n, &each));
  GF_TRY(gf__guarded_new(check, "losses", 2 * ROWS, &results));
  const gf__target target = {numbers, mix, smoothing};
  GF_TRY(gf__softmax_cross_entropy(check->device, n, classes, x, target, each, results, ROW));
  GF_TRY(gf__softmax_cross_entropy_backward(check->device, n, classes, x, target, dx,
                                            &(gf__epilogue){0}));
  GF_TRY(gf__read(check->arena, results, 2 * ROWS, &sums));
  for (int i = 0; i < 2 * ROWS; i++)
    if (i / 2 != ROW && !gf__is_poison(sums[i]))
      gf__check_fault(check, "losses: a row other than %d was written", ROW);
  gf__check_values(check, "loss and correct", 2, sums + 2 * ROW, expected,
                   &(gf__tolerance){sizes, classes + n, 1});
  return gf__check_buffer(check, "dlogits", dx, count, d, &(gf__tolerance){size, classes, 1});
}

void gf__operation_subjects(gf__subject_add *add, void *user) {
  static const gf__subject subjects[] = {
      {"softmax_cross_entropy", "soft_target", "soft_target", .run = verify_soft_target},
      {"reduce", "column_sums", "reduce", .run = verify_reduce},
      {"accumulate", "parts", "accumulate", .run = verify_accumulate},
      {"clip", "norm", "clip", .run = verify_clip},
      {"statistics", "gradients", "statistics", .run = verify_statistics},
      {"statistics", "activations", "activation_statistics", .run = verify_activation_statistics},
  };
  for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++) add(user, &subjects[i]);
}
