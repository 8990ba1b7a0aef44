/* The gradients of the references against central differences, and that no reference is left out.
 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "reference.h"
#include "support/test.h"

static const char *checking_; /* the reference, for messages */

/* Numbers in (-1, 1) from a linear congruential generator (Knuth's MMIX), reset by each check. */
static uint64_t state_;

static double noise(void) {
  state_ = state_ * 6364136223846793005u + 1442695040888963407u;
  return (double)(state_ >> 11) / 4503599627370496.0 - 1; /* 2^52 */
}

static void fill(double *values, size_t count) {
  for (size_t i = 0; i < count; i++) values[i] = noise();
}

/* An operation whose gradients are checked: y from up to three inputs, and the
 * loss sum(dy y). Unwritten results are NaN, so a backward that forgets an
 * element or accumulates fails. */
typedef struct checked {
  void (*forward)(struct checked *problem);
  double *in[3], *d[3], *y, *dy;
  size_t count[3], y_count;
  ref_conv2d conv;
  ref_conv_transpose2d conv_transpose;
  ref_conv3d conv3d;
  const ref_activation *activation;
  const unsigned char *mask;
} checked;

static double *array(size_t count) {
  double *values = malloc((count + 1) * sizeof *values);
  assert_non_null(values);
  for (size_t i = 0; i <= count; i++) values[i] = NAN;
  return values;
}

static void checked_open(checked *problem, size_t y, size_t a, size_t b, size_t c) {
  const size_t counts[] = {a, b, c};
  state_ = 1;
  for (int k = 0; k < 3; k++) {
    problem->count[k] = counts[k];
    problem->in[k] = array(counts[k]);
    problem->d[k] = array(counts[k]);
    fill(problem->in[k], counts[k]);
  }
  problem->y_count = y;
  problem->y = array(y);
  problem->dy = array(y);
  fill(problem->dy, y);
}

static double checked_loss(checked *problem) {
  for (size_t i = 0; i < problem->y_count; i++) problem->y[i] = NAN;
  problem->forward(problem);
  double loss = 0;
  for (size_t i = 0; i < problem->y_count; i++) loss += problem->dy[i] * problem->y[i];
  return loss;
}

/* Compares d with central differences of the loss, and frees the problem.
 * Truncation is of the order step^2, rounding of 1e-16 / step: both far below 1e-7. */
static void checked_close(checked *problem) {
  const double step = 1e-5;
  for (int k = 0; k < 3; k++) {
    double largest = 0;
    for (size_t i = 0; i < problem->count[k]; i++) {
      double *value = &problem->in[k][i], kept = *value;
      *value = kept + step;
      double above = checked_loss(problem);
      *value = kept - step;
      double below = checked_loss(problem);
      *value = kept;
      double expected = (above - below) / (2 * step);
      if (!(fabs(problem->d[k][i] - expected) <= 1e-7))
        fail_msg("ref_%s: the gradient of input %d at %zu is %.17g and not %.17g", checking_, k, i,
                 problem->d[k][i], expected);
      largest = fmax(largest, fabs(expected));
    }
    if (problem->count[k]) assert_true(largest > 0.01);
    assert_true(isnan(problem->d[k][problem->count[k]]));
  }
  assert_true(isnan(problem->y[problem->y_count]));
  for (int k = 0; k < 3; k++) {
    free(problem->in[k]);
    free(problem->d[k]);
  }
  free(problem->y);
  free(problem->dy);
}

/* ---- convolutions and linear ---- */

static void conv2d_forward(checked *p) {
  ref_conv2d_forward(&p->conv, p->in[0], p->in[1], p->count[2] ? p->in[2] : NULL, p->y);
}

static void conv2d_gradient(void) {
  static const ref_conv2d convs[] = {
      {2, 7, 5, 3, 5, {3, 2}, {2, 1}, {1, 0}, {2, 1}, 1, {0, 0}},
      {1, 4, 6, 2, 3, {3, 3}, {1, 1}, {1, 1}, {1, 1}, 1, {0, 0}},
      {2, 2, 3, 1, 2, {5, 3}, {1, 2}, {2, 2}, {1, 2}, 1, {0, 0}},
      {2, 5, 4, 6, 4, {2, 3}, {2, 1}, {1, 1}, {1, 2}, 2, {0, 0}},
      {1, 4, 3, 3, 6, {3, 2}, {1, 2}, {1, 1}, {1, 1}, 3, {0, 0}},
      {1, 4, 5, 2, 3, {3, 3}, {2, 1}, {0, 2}, {1, 1}, 1, {2, -1}},
  };
  for (size_t i = 0; i < sizeof convs / sizeof *convs; i++) {
    checked p = {.forward = conv2d_forward, .conv = convs[i]};
    const ref_conv2d *v = &p.conv;
    size_t h = ref_conv2d_outputs(v, 0), w = ref_conv2d_outputs(v, 1);
    size_t weights = (size_t)v->filters * (v->c / v->groups) * v->kernel[0] * v->kernel[1];
    checked_open(&p, v->n * h * w * v->filters, (size_t)v->n * v->h * v->w * v->c, weights,
                 i == 1 ? 0 : v->filters);
    double *dbias = p.count[2] ? p.d[2] : NULL;
    ref_conv2d_backward(v, p.in[0], p.in[1], p.dy, p.d[0], p.d[1], dbias);
    double *alone = array(weights);
    ref_conv2d_backward(v, p.in[0], p.in[1], p.dy, NULL, alone, NULL);
    for (size_t k = 0; k < weights; k++) assert_true(fabs(alone[k] - p.d[1][k]) <= 1e-12);
    free(alone);
    checked_close(&p);
  }
}

static void conv_transpose2d_forward(checked *p) {
  ref_conv_transpose2d_forward(&p->conv_transpose, p->in[0], p->in[1],
                               p->count[2] ? p->in[2] : NULL, p->y);
}

static void conv_transpose2d_gradient(void) {
  static const ref_conv_transpose2d convs[] = {
      {2, 3, 4, 2, 3, {3, 2}, {2, 1}, {1, 0}, {0, 1}, {1, 0}, {1, 2}, 1},
      {1, 4, 3, 6, 4, {2, 3}, {1, 2}, {0, 2}, {1, 0}, {0, 1}, {2, 1}, 2},
  };
  for (size_t i = 0; i < sizeof convs / sizeof *convs; i++) {
    checked p = {.forward = conv_transpose2d_forward, .conv_transpose = convs[i]};
    const ref_conv_transpose2d *v = &p.conv_transpose;
    size_t pixels = v->n * ref_conv_transpose2d_outputs(v, 0) * ref_conv_transpose2d_outputs(v, 1);
    checked_open(&p, pixels * v->filters, (size_t)v->n * v->h * v->w * v->c,
                 (size_t)v->c * (v->filters / v->groups) * v->kernel[0] * v->kernel[1],
                 i == 1 ? 0 : v->filters);
    ref_conv_transpose2d_backward(v, p.in[0], p.in[1], p.dy, p.d[0], p.d[1],
                                  p.count[2] ? p.d[2] : NULL);
    checked_close(&p);
  }
}

static size_t product(const int v[3]) { return (size_t)v[0] * v[1] * v[2]; }

static size_t windows(const int size[3], const int kernel[3], const int stride[3],
                      const int padding[3]) {
  size_t count = 1;
  for (int a = 0; a < 3; a++)
    count *= (size_t)ref_output_size(size[a], kernel[a], stride[a], padding[a], 1);
  return count;
}

static void conv3d_forward(checked *p) {
  ref_conv3d_forward(&p->conv3d, p->in[0], p->in[1], p->count[2] ? p->in[2] : NULL, p->y);
}

static void conv3d_gradient(void) {
  static const ref_conv3d convs[] = {
      {2, {6, 7, 5}, 3, 4, {4, 3, 2}, {3, 2, 1}, {2, 1, 0}},
      {1, {3, 4, 5}, 2, 3, {1, 2, 3}, {1, 1, 2}, {0, 0, 1}},
  };
  for (size_t i = 0; i < sizeof convs / sizeof *convs; i++) {
    checked p = {.forward = conv3d_forward, .conv3d = convs[i]};
    const ref_conv3d *v = &p.conv3d;
    size_t voxels = v->n * windows(v->size, v->kernel, v->stride, v->padding);
    checked_open(&p, voxels * v->filters, v->n * product(v->size) * v->c,
                 v->filters * v->c * product(v->kernel), i == 1 ? 0 : v->filters);
    ref_conv3d_backward(v, p.in[0], p.in[1], p.dy, p.d[0], p.d[1], p.count[2] ? p.d[2] : NULL);
    checked_close(&p);
  }
}

static void linear_forward(checked *p) {
  ref_linear_forward(3, 7, 5, p->in[0], p->in[1], p->in[2], p->y);
}

static void linear_gradient(void) {
  checked p = {.forward = linear_forward};
  checked_open(&p, 15, 21, 35, 5);
  ref_linear_backward(3, 7, 5, p.in[0], p.in[1], p.dy, p.d[0], p.d[1], p.d[2]);
  checked_close(&p);
}

/* ---- norms and activations ---- */

static void batch_norm_forward(checked *p) {
  ref_batch_norm_forward(2 * 7 * 5, 3, 1e-5, 0.1, p->in[0], p->in[1], p->in[2], NULL, NULL, p->y);
}

static void batch_norm_gradient(void) {
  checked p = {.forward = batch_norm_forward};
  checked_open(&p, 210, 210, 3, 3);
  ref_batch_norm_backward(2 * 7 * 5, 3, 1e-5, p.in[0], p.in[1], p.dy, p.d[0], p.d[1], p.d[2]);
  checked_close(&p);
}

static void activation_forward(checked *p) {
  ref_activation_forward(p->activation, 0.2, p->count[0], p->in[0], p->y);
}

static void activation_gradients(void) {
  assert_int_equal(ref_activation_count, 9);
  for (int i = 0; i < ref_activation_count; i++) {
    checked p = {.forward = activation_forward, .activation = &ref_activations[i]};
    checked_open(&p, 77, 77, 0, 0);
    ref_activation_backward(p.activation, 0.2, 77, p.in[0], p.dy, p.d[0]);
    checked_close(&p);
  }
}

static void clamp_forward(checked *p) { ref_clamp_forward(-0.4, 0.3, p->count[0], p->in[0], p->y); }

static void clamp_gradient(void) {
  checked p = {.forward = clamp_forward};
  checked_open(&p, 77, 77, 0, 0);
  ref_clamp_backward(-0.4, 0.3, 77, p.in[0], p.dy, p.d[0]);
  checked_close(&p);
}

/* ---- pools ---- */

static const ref_pool pool = {.n = 2,
                              .h = 7,
                              .w = 5,
                              .c = 3,
                              .kernel = {3, 2},
                              .stride = {2, 1},
                              .padding = {1, 0}}; /* 4 x 4 windows that overlap */
static const ref_pool3d pool3d = {2, {6, 7, 5}, 3, {4, 3, 2}, {3, 2, 1}, {2, 1, 0}};

static void avg_pool_forward(checked *p) { ref_avg_pool_forward(&pool, p->in[0], p->y); }

static void avg_pool_gradient(void) {
  checked p = {.forward = avg_pool_forward};
  checked_open(&p, 2 * 4 * 4 * 3, 210, 0, 0);
  ref_avg_pool_backward(&pool, p.dy, p.d[0]);
  checked_close(&p);
}

static void max_pool_forward(checked *p) { ref_max_pool_forward(&pool, p->in[0], p->y); }

static void max_pool_gradient(void) {
  checked p = {.forward = max_pool_forward};
  checked_open(&p, 2 * 4 * 4 * 3, 210, 0, 0);
  ref_max_pool_backward(&pool, p.in[0], p.dy, p.d[0]);
  checked_close(&p);
}

static void open_pool3d(checked *p) {
  const ref_pool3d *v = &pool3d;
  checked_open(p, v->n * v->c * windows(v->size, v->kernel, v->stride, v->padding),
               v->n * v->c * product(v->size), 0, 0);
}

static void avg_pool3d_forward(checked *p) { ref_avg_pool3d_forward(&pool3d, p->in[0], p->y); }

static void avg_pool3d_gradient(void) {
  checked p = {.forward = avg_pool3d_forward};
  open_pool3d(&p);
  ref_avg_pool3d_backward(&pool3d, p.dy, p.d[0]);
  checked_close(&p);
}

static void max_pool3d_forward(checked *p) { ref_max_pool3d_forward(&pool3d, p->in[0], p->y); }

static void max_pool3d_gradient(void) {
  checked p = {.forward = max_pool3d_forward};
  open_pool3d(&p);
  ref_max_pool3d_backward(&pool3d, p.in[0], p.dy, p.d[0]);
  checked_close(&p);
}

static void adaptive_avg_pool_forward(checked *p) {
  ref_adaptive_avg_pool_forward(2, 5, 3, 2, 3, 4, p->in[0], p->y);
}

static void adaptive_avg_pool_gradient(void) {
  checked p = {.forward = adaptive_avg_pool_forward};
  checked_open(&p, 48, 60, 0, 0);
  ref_adaptive_avg_pool_backward(2, 5, 3, 2, 3, 4, p.dy, p.d[0]);
  checked_close(&p);
}

static void global_avg_pool_forward(checked *p) {
  ref_global_avg_pool_forward(2, 7, 5, 3, p->in[0], p->y);
}

static void global_avg_pool_gradient(void) {
  checked p = {.forward = global_avg_pool_forward};
  checked_open(&p, 6, 210, 0, 0);
  ref_global_avg_pool_backward(2, 7, 5, 3, p.dy, p.d[0]);
  checked_close(&p);
}

/* ---- what moves and adds ---- */

static void add_forward(checked *p) { ref_add_forward(9, p->in[0], p->in[1], p->y); }

static void add_gradient(void) {
  checked p = {.forward = add_forward};
  checked_open(&p, 9, 9, 9, 0);
  ref_add_backward(9, p.dy, p.d[0], p.d[1]);
  checked_close(&p);
}

static void multiply_forward(checked *p) {
  ref_multiply_forward(2, 5, 3, p->in[0], p->in[1], p->y);
}

static void multiply_gradient(void) {
  checked p = {.forward = multiply_forward};
  checked_open(&p, 30, 30, 6, 0);
  ref_multiply_backward(2, 5, 3, p.in[0], p.in[1], p.dy, p.d[0], p.d[1]);
  checked_close(&p);
}

static void concat_forward(checked *p) { ref_concat_forward(5, 2, 3, p->in[0], p->in[1], p->y); }

static void concat_gradient(void) {
  checked p = {.forward = concat_forward};
  checked_open(&p, 25, 10, 15, 0);
  ref_concat_backward(5, 2, 3, p.dy, p.d[0], p.d[1]);
  checked_close(&p);
}

static void layer_norm_forward(checked *p) {
  ref_layer_norm_forward(3, 4, 5, 0, 0.1, p->in[0], p->in[1], p->in[2], p->y);
}
static void image_norm_forward(checked *p) {
  ref_layer_norm_forward(3, 4, 5, 1, 0.1, p->in[0], p->in[1], p->in[2], p->y);
}

static void layer_norm_gradients(void) {
  checked p = {.forward = layer_norm_forward};
  checked_open(&p, 60, 60, 5, 5);
  ref_layer_norm_backward(3, 4, 5, 0, 0.1, p.in[0], p.in[1], p.dy, p.d[0], p.d[1], p.d[2]);
  checked_close(&p);
  p = (checked){.forward = image_norm_forward};
  checked_open(&p, 60, 60, 20, 20);
  ref_layer_norm_backward(3, 4, 5, 1, 0.1, p.in[0], p.in[1], p.dy, p.d[0], p.d[1], p.d[2]);
  checked_close(&p);
}

static void group_norm_forward(checked *p) {
  ref_group_norm_forward(3, 4, 6, 2, 0.1, p->in[0], p->in[1], p->in[2], p->y);
}

static void group_norm_gradient(void) {
  checked p = {.forward = group_norm_forward};
  checked_open(&p, 72, 72, 6, 6);
  ref_group_norm_backward(3, 4, 6, 2, 0.1, p.in[0], p.in[1], p.dy, p.d[0], p.d[1], p.d[2]);
  checked_close(&p);
}

static void layer_scale_forward(checked *p) {
  ref_layer_scale_forward(5, 3, p->in[0], p->in[1], p->y);
}

static void layer_scale_gradient(void) {
  checked p = {.forward = layer_scale_forward};
  checked_open(&p, 15, 15, 3, 0);
  ref_layer_scale_backward(5, 3, p.in[0], p.in[1], p.dy, p.d[0], p.d[1]);
  checked_close(&p);
}

static void slice_forward(checked *p) { ref_slice_forward(5, 7, 2, 3, p->in[0], p->y); }

static void slice_gradient(void) {
  checked p = {.forward = slice_forward};
  checked_open(&p, 15, 35, 0, 0);
  ref_slice_backward(5, 7, 2, 3, p.dy, p.d[0]);
  checked_close(&p);
}

static void channel_shuffle_forward(checked *p) {
  ref_channel_shuffle_forward(4, 6, 3, p->in[0], p->y);
}

static void channel_shuffle_gradient(void) {
  checked p = {.forward = channel_shuffle_forward};
  checked_open(&p, 24, 24, 0, 0);
  ref_channel_shuffle_backward(4, 6, 3, p.dy, p.d[0]);
  checked_close(&p);
}

static void pad_shortcut_forward(checked *p) {
  ref_pad_shortcut_forward(2, 7, 5, 3, 2, 4, p->in[0], p->y);
}

static void pad_shortcut_gradient(void) {
  checked p = {.forward = pad_shortcut_forward};
  checked_open(&p, 2 * 4 * 3 * 4, 210, 0, 0);
  ref_pad_shortcut_backward(2, 7, 5, 3, 2, 4, p.dy, p.d[0]);
  checked_close(&p);
}

static void flatten_forward(checked *p) { ref_flatten_forward(2, 7, 5, 3, p->in[0], p->y); }

static void flatten_gradient(void) {
  checked p = {.forward = flatten_forward};
  checked_open(&p, 210, 210, 0, 0);
  ref_flatten_backward(2, 7, 5, 3, p.dy, p.d[0]);
  checked_close(&p);
}

/* to_image is its gradient, and the other way round. */
static void to_volume_forward(checked *p) { ref_to_volume(2, 6, 5, 3, p->in[0], p->y); }
static void to_image_forward(checked *p) { ref_to_image(2, 6, 5, 3, p->in[0], p->y); }

static void volume_gradients(void) {
  checked volume = {.forward = to_volume_forward}, image = {.forward = to_image_forward};
  checked_open(&volume, 180, 180, 0, 0);
  ref_to_image(2, 6, 5, 3, volume.dy, volume.d[0]);
  checked_close(&volume);
  checked_open(&image, 180, 180, 0, 0);
  ref_to_volume(2, 6, 5, 3, image.dy, image.d[0]);
  checked_close(&image);
}

static void dropout_forward(checked *p) { ref_dropout_forward(4, 0.75, p->mask, p->in[0], p->y); }

static void dropout_gradient(void) {
  const unsigned char mask[] = {1, 0, 0, 1};
  checked p = {.forward = dropout_forward, .mask = mask};
  checked_open(&p, 4, 4, 0, 0);
  ref_dropout_backward(4, 0.75, mask, p.dy, p.d[0]);
  checked_close(&p);
}

/* ---- losses ---- */

static const int labels[] = {4, 0, 2};

static void open_loss(checked *p) {
  checked_open(p, 1, 15, 0, 0);
  p->dy[0] = 1;
}

static void softmax_cross_entropy_forward(checked *p) {
  p->y[0] = ref_softmax_cross_entropy(3, 5, p->in[0], labels, NULL, NULL);
}

static void softmax_cross_entropy_gradient(void) {
  checked p = {.forward = softmax_cross_entropy_forward};
  open_loss(&p);
  ref_softmax_cross_entropy(3, 5, p.in[0], labels, NULL, p.d[0]);
  checked_close(&p);
}

static void smoothed_cross_entropy_forward(checked *p) {
  p->y[0] = ref_smoothed_cross_entropy(3, 5, 0.3, p->in[0], labels, NULL);
}

static void smoothed_cross_entropy_gradient(void) {
  checked p = {.forward = smoothed_cross_entropy_forward};
  open_loss(&p);
  ref_smoothed_cross_entropy(3, 5, 0.3, p.in[0], labels, p.d[0]);
  checked_close(&p);
}

static void squared_hinge_forward(checked *p) {
  double d[15];
  p->y[0] = ref_squared_hinge(3, 5, p->in[0], labels, d);
}

static void squared_hinge_gradient(void) {
  checked p = {.forward = squared_hinge_forward};
  open_loss(&p);
  ref_squared_hinge(3, 5, p.in[0], labels, p.d[0]);
  checked_close(&p);
}

/* ---- all of them ---- */

static const struct {
  const char *reference; /* ref_NAME_forward and ref_NAME_backward, or ref_NAME */
  void (*check)(void);
} gradients[] = {
    {"conv2d", conv2d_gradient},
    {"conv_transpose2d", conv_transpose2d_gradient},
    {"conv3d", conv3d_gradient},
    {"linear", linear_gradient},
    {"batch_norm", batch_norm_gradient},
    {"activation", activation_gradients},
    {"clamp", clamp_gradient},
    {"avg_pool", avg_pool_gradient},
    {"max_pool", max_pool_gradient},
    {"avg_pool3d", avg_pool3d_gradient},
    {"max_pool3d", max_pool3d_gradient},
    {"adaptive_avg_pool", adaptive_avg_pool_gradient},
    {"global_avg_pool", global_avg_pool_gradient},
    {"add", add_gradient},
    {"multiply", multiply_gradient},
    {"concat", concat_gradient},
    {"layer_norm", layer_norm_gradients},
    {"group_norm", group_norm_gradient},
    {"layer_scale", layer_scale_gradient},
    {"slice", slice_gradient},
    {"channel_shuffle", channel_shuffle_gradient},
    {"pad_shortcut", pad_shortcut_gradient},
    {"flatten", flatten_gradient},
    {"to_volume", volume_gradients},
    {"to_image", volume_gradients},
    {"dropout", dropout_gradient},
    {"softmax_cross_entropy", softmax_cross_entropy_gradient},
    {"smoothed_cross_entropy", smoothed_cross_entropy_gradient},
    {"squared_hinge", squared_hinge_gradient},
};

/* What has no gradient to check: the tests that hold it against numbers by hand. */
static const struct {
  const char *reference, *file;
} by_hand[] = {
    {"output_size", "test_reference.c"},
    {"conv2d_outputs", "test_reference.c"},
    {"pool_outputs", "test_reference.c"},
    {"conv_transpose2d_outputs", "test_reference.c"},
    {"batch_norm_inference", "test_reference.c"},
    {"activation_find", "test_reference.c"},
    {"adam_step", "test_reference.c"},
    {"adamw_step", "test_reference.c"},
    {"sgd_step", "test_reference.c"},
    {"rmsprop_step", "test_reference.c"},
    {"clip_scale", "test_reference.c"},
    {"statistics_of", "test_reference.c"},
    {"activation_statistics_of", "test_activation_statistics.c"},
    {"contrast_of", "test_activation_statistics.c"},
    {"cosine", "test_reference.c"},
};

#define COUNT(table) (sizeof(table) / sizeof *(table))

static void gradients_are_those_of_differences(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(gradients); i++) {
    checking_ = gradients[i].reference;
    gradients[i].check();
  }
}

/* ---- that none is left out ---- */

static bool is_checked(const char *name) {
  static const char *const ends[] = {"", "_forward", "_backward"};
  for (size_t i = 0; i < COUNT(gradients); i++)
    for (size_t e = 0; e < COUNT(ends); e++) {
      size_t length = strlen(gradients[i].reference);
      if (!strncmp(name, gradients[i].reference, length) && !strcmp(name + length, ends[e]))
        return true;
    }
  for (size_t i = 0; i < COUNT(by_hand); i++)
    if (!strcmp(name, by_hand[i].reference)) return true;
  return false;
}

static void blank_comments(char *text) {
  for (char *end; (text = strstr(text, "/*")) && (end = strstr(text, "*/")); text = end)
    memset(text, ' ', (size_t)(end + 2 - text));
}

/* Appends " ref_NAME" for each function that the header declares and no row has. */
static void find_unchecked(char *header, gf__text *out) {
  blank_comments(header);
  for (const char *at = header; (at = strstr(at, "ref_"));) {
    char name[64];
    size_t length = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789_");
    snprintf(name, sizeof name, "%.*s", (int)length, at);
    at += length;
    if (*at == '(' && !is_checked(name + strlen("ref_"))) gf__text_add(out, " %s", name);
  }
}

static char *read_source(const char *path) {
  char whole[512], *text;
  size_t size;
  snprintf(whole, sizeof whole, "%s/%s", SOURCE_FOLDER, path);
  if (gf__file_read(whole, &text, &size) != GF_OK) fail_msg("%s", gf_error_message());
  return text;
}

static void every_reference_is_checked(void **state) {
  (void)state;
  gf__text unchecked = {0};
  char *header = read_source("host/verify/reference/reference.h");
  find_unchecked(header, &unchecked);
  if (unchecked.size)
    fail_msg("no row of tests/test_reference_gradients.c checks%s", unchecked.data);
  free(header);
}

static void a_reference_without_a_row_is_found(void **state) {
  (void)state;
  gf__text unchecked = {0};
  char header[] =
      "/* as ref_other_forward(x) */ void ref_conv2d_forward(int n);\n"
      "void ref_new_forward(const ref_conv2d *v);\n"
      "double ref_conv2d_loss(int n); int ref_output_size(int size);\n";
  find_unchecked(header, &unchecked);
  assert_int_equal(gf__text_status(&unchecked), GF_OK);
  assert_string_equal(unchecked.data, " ref_new_forward ref_conv2d_loss");
  gf__text_free(&unchecked);
}

/* A row is no use where the file that it names has no such call. */
static void rows_are_of_calls(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(by_hand); i++) {
    char path[64], call[64];
    snprintf(path, sizeof path, "tests/%s", by_hand[i].file);
    snprintf(call, sizeof call, "ref_%s(", by_hand[i].reference);
    char *text = read_source(path);
    if (!strstr(text, call)) fail_msg("%s does not call %s)", path, call);
    free(text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(gradients_are_those_of_differences),
      cmocka_unit_test(every_reference_is_checked),
      cmocka_unit_test(a_reference_without_a_row_is_found),
      cmocka_unit_test(rows_are_of_calls),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
