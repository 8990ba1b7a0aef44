/* The references against central differences and values derived by hand. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "reference.h"
#include "support/test.h"

static void assert_near(double actual, double expected, double tolerance) {
  if (!(fabs(actual - expected) <= tolerance))
    fail_msg("%.17g is not %.17g within %g", actual, expected, tolerance);
}

static void assert_all_near(const double *actual, const double *expected, size_t count) {
  for (size_t i = 0; i < count; i++) assert_near(actual[i], expected[i], 1e-12);
}

/* Numbers in (-1, 1) from a linear congruential generator (Knuth's MMIX), reset by each test. */
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
  ref_pool pool;
  const ref_activation *activation;
  const unsigned char *mask;
} checked;

static double *array(size_t count) {
  double *values = malloc((count + 1) * sizeof *values);
  assert_non_null(values);
  for (size_t i = 0; i <= count; i++) values[i] = NAN;
  return values;
}

static void open_problem(checked *problem, size_t y, size_t a, size_t b, size_t c) {
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

static double loss_of(checked *problem) {
  for (size_t i = 0; i < problem->y_count; i++) problem->y[i] = NAN;
  problem->forward(problem);
  double loss = 0;
  for (size_t i = 0; i < problem->y_count; i++) loss += problem->dy[i] * problem->y[i];
  return loss;
}

/* Compares d with central differences of the loss, and frees the problem.
 * Truncation is of the order step^2, rounding of 1e-16 / step: both far below 1e-7. */
static void close_problem(checked *problem) {
  const double step = 1e-5;
  for (int k = 0; k < 3; k++) {
    double largest = 0;
    for (size_t i = 0; i < problem->count[k]; i++) {
      double *value = &problem->in[k][i], kept = *value;
      *value = kept + step;
      double above = loss_of(problem);
      *value = kept - step;
      double below = loss_of(problem);
      *value = kept;
      double expected = (above - below) / (2 * step);
      assert_near(problem->d[k][i], expected, 1e-7);
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

static void test_output_size(void **unused) {
  (void)unused;
  assert_int_equal(ref_output_size(32, 3, 1, 1, 1), 32);
  assert_int_equal(ref_output_size(7, 3, 2, 1, 2), 3); /* reads -1..3, 1..5, 3..7 */
  assert_int_equal(ref_output_size(5, 5, 3, 0, 1), 1);
  assert_int_equal(ref_output_size(4, 5, 1, 0, 1), 0);
  assert_int_equal(ref_output_size(3, 3, 1, 0, 2), 0);
}

static void test_conv2d_by_hand(void **unused) {
  (void)unused;
  const double x[] = {1, 2, 3, 4}, weight[] = {1, 10, 100, 1000}, bias[] = {0.5};
  double y[9];
  ref_conv2d conv = {1, 2, 2, 1, 1, {2, 2}, {1, 1}, {0, 0}, {1, 1}};
  ref_conv2d_forward(&conv, x, weight, bias, y);
  assert_near(y[0], 4321.5, 0);
  conv.padding[0] = conv.padding[1] = 1;
  ref_conv2d_forward(&conv, x, weight, NULL, y);
  assert_all_near(y, (double[]){1000, 2100, 200, 3010, 4321, 402, 30, 43, 4}, 9);
  /* one row of two pixels with two channels: channels stand before the kernel in a weight */
  ref_conv2d channels = {1, 1, 2, 2, 1, {1, 2}, {1, 1}, {0, 0}, {1, 1}};
  ref_conv2d_forward(&channels, x, weight, NULL, y);
  assert_near(y[0], 1 * 1 + 3 * 10 + 2 * 100 + 4 * 1000, 0);
  ref_conv2d filters = {1, 1, 1, 2, 2, {1, 1}, {1, 1}, {0, 0}, {1, 1}};
  ref_conv2d_forward(&filters, x, weight, NULL, y);
  assert_all_near(y, (double[]){1 * 1 + 2 * 10, 1 * 100 + 2 * 1000}, 2);
  ref_conv2d tall = {1, 2, 2, 1, 1, {2, 1}, {1, 1}, {1, 0}, {1, 1}};
  ref_conv2d_forward(&tall, x, weight, NULL, y);
  assert_all_near(y, (double[]){10, 20, 1 + 30, 2 + 40, 3, 4}, 6);
  ref_conv2d sparse = {1, 1, 5, 1, 1, {1, 2}, {1, 2}, {0, 0}, {1, 2}};
  ref_conv2d_forward(&sparse, (double[]){1, 2, 3, 4, 5}, weight, NULL, y);
  assert_all_near(y, (double[]){1 + 30, 3 + 50}, 2);
}

static void conv_forward(checked *p) {
  ref_conv2d_forward(&p->conv, p->in[0], p->in[1], p->count[2] ? p->in[2] : NULL, p->y);
}

static void test_conv2d_gradient(void **unused) {
  (void)unused;
  static const ref_conv2d convs[] = {
      {2, 7, 5, 3, 5, {3, 2}, {2, 1}, {1, 0}, {2, 1}},
      {1, 4, 6, 2, 3, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
      {2, 2, 3, 1, 2, {5, 3}, {1, 2}, {2, 2}, {1, 2}},
  };
  for (size_t i = 0; i < sizeof convs / sizeof *convs; i++) {
    checked p = {.forward = conv_forward, .conv = convs[i]};
    const ref_conv2d *v = &p.conv;
    size_t h = ref_output_size(v->h, v->kernel[0], v->stride[0], v->padding[0], v->dilation[0]);
    size_t w = ref_output_size(v->w, v->kernel[1], v->stride[1], v->padding[1], v->dilation[1]);
    size_t weights = (size_t)v->filters * v->c * v->kernel[0] * v->kernel[1];
    open_problem(&p, v->n * h * w * v->filters, (size_t)v->n * v->h * v->w * v->c, weights,
                 i == 1 ? 0 : v->filters);
    double *dbias = p.count[2] ? p.d[2] : NULL;
    ref_conv2d_backward(v, p.in[0], p.in[1], p.dy, p.d[0], p.d[1], dbias);
    double *alone = array(weights);
    ref_conv2d_backward(v, p.in[0], p.in[1], p.dy, NULL, alone, NULL);
    assert_all_near(alone, p.d[1], weights);
    free(alone);
    close_problem(&p);
  }
}

static void test_batch_norm_by_hand(void **unused) {
  (void)unused;
  /* mean 2.5, variance 1.25 (unbiased 5/3); with eps 0.75 the deviation is sqrt(2) */
  const double x[] = {1, 2, 3, 4}, gamma[] = {2}, beta[] = {1};
  double y[4], mean[] = {10}, variance[] = {1};
  ref_batch_norm_forward(4, 1, 0.75, 0.1, x, gamma, beta, mean, variance, y);
  const double r = sqrt(2);
  assert_all_near(y, (double[]){1 - 1.5 * r, 1 - 0.5 * r, 1 + 0.5 * r, 1 + 1.5 * r}, 4);
  assert_near(mean[0], 9.25, 1e-12);
  assert_near(variance[0], 0.9 + 0.1 * 5 / 3, 1e-12);
  ref_batch_norm_inference(4, 1, 0.75, x, gamma, beta, (double[]){2}, (double[]){3.25}, y);
  assert_all_near(y, (double[]){0, 1, 2, 3}, 4);
}

static void norm_forward(checked *p) {
  ref_batch_norm_forward(2 * 7 * 5, 3, 1e-5, 0.1, p->in[0], p->in[1], p->in[2], NULL, NULL, p->y);
}

static void test_batch_norm_gradient(void **unused) {
  (void)unused;
  checked p = {.forward = norm_forward};
  open_problem(&p, 210, 210, 3, 3);
  ref_batch_norm_backward(2 * 7 * 5, 3, 1e-5, p.in[0], p.in[1], p.dy, p.d[0], p.d[1], p.d[2]);
  close_problem(&p);
}

static void test_activations_by_hand(void **unused) {
  (void)unused;
  static const struct {
    const char *name;
    double x, slope, value, derivative;
  } rows[] = {
      {"leaky_relu", -2, 0.1, -0.2, 0.1},
      {"leaky_relu", 3, 0.1, 3, 1},
      {"leaky_relu", 0, 0.1, 0, 0.1},
      {"relu", -2, 0, 0, 0},
      {"relu", 3, 0, 3, 1},
      {"relu", 0, 0, 0, 0},
      {"tanh", 0.54930614433405485, 0, 0.5, 0.75},      /* ln(3) / 2 */
      {"sigmoid", 1.0986122886681098, 0, 0.75, 0.1875}, /* ln(3) */
      {"sigmoid", -1000, 0, 0, 0},
      {"elu", -0.69314718055994531, 3, -1.5, 1.5}, /* -ln(2) */
      {"elu", 0, 3, 0, 3},
      {"elu", 2, 3, 2, 1},
      {"gelu", 0, 0, 0, 0.5},
      {"gelu", -50, 0, 0, 0},
      {"gelu", 50, 0, 50, 1},
      /* Phi(1) and the density there, from tables of the normal distribution */
      {"gelu", 1, 0, 0.84134474606854293, 0.84134474606854293 + 0.24197072451914337},
      {"silu", 1.0986122886681098, 0, 0.82395921650108235, 0.75 + 0.1875 * 1.0986122886681098},
      {"silu", 0, 0, 0, 0.5},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    const ref_activation *activation = ref_activation_find(rows[i].name);
    assert_non_null(activation);
    assert_near(activation->value(rows[i].x, rows[i].slope), rows[i].value, 1e-15);
    assert_near(activation->derivative(rows[i].x, rows[i].slope), rows[i].derivative, 1e-15);
  }
  assert_null(ref_activation_find("tan"));
}

static void activation_forward(checked *p) {
  ref_activation_forward(p->activation, 0.2, p->count[0], p->in[0], p->y);
}

static void test_activation_gradients(void **unused) {
  (void)unused;
  assert_int_equal(ref_activation_count, 7);
  for (int i = 0; i < ref_activation_count; i++) {
    checked p = {.forward = activation_forward, .activation = &ref_activations[i]};
    open_problem(&p, 77, 77, 0, 0);
    ref_activation_backward(p.activation, 0.2, 77, p.in[0], p.dy, p.d[0]);
    close_problem(&p);
  }
}

static void test_pools_by_hand(void **unused) {
  (void)unused;
  const ref_pool corners = {1, 2, 2, 1, {2, 2}, {2, 2}, {1, 1}};
  const ref_pool whole = {1, 2, 2, 1, {3, 3}, {1, 1}, {1, 1}};
  const ref_pool pairs = {1, 1, 4, 1, {1, 2}, {1, 2}, {0, 0}};
  const ref_pool one = {1, 2, 2, 1, {2, 2}, {2, 2}, {0, 0}};
  double y[4];
  ref_avg_pool_forward(&corners, (double[]){1, 2, 3, 4}, y);
  assert_all_near(y, (double[]){0.25, 0.5, 0.75, 1}, 4);
  ref_max_pool_forward(&whole, (double[]){-4, -3, -2, -1}, y);
  assert_all_near(y, (double[]){-1, -1, -1, -1}, 4);
  ref_max_pool_forward(&pairs, (double[]){9, 1, -3, -2}, y);
  assert_all_near(y, (double[]){9, -2}, 2);
  ref_max_pool_backward(&one, (double[]){1, 5, 5, 5}, (double[]){7}, y);
  assert_all_near(y, (double[]){0, 7, 0, 0}, 4);
  ref_global_avg_pool_forward(1, 1, 2, 2, (double[]){1, 2, 3, 6}, y);
  assert_all_near(y, (double[]){2, 4}, 2);
}

static void avg_forward(checked *p) { ref_avg_pool_forward(&p->pool, p->in[0], p->y); }
static void max_forward(checked *p) { ref_max_pool_forward(&p->pool, p->in[0], p->y); }
static void global_forward(checked *p) { ref_global_avg_pool_forward(2, 7, 5, 3, p->in[0], p->y); }

static void test_pool_gradients(void **unused) {
  (void)unused;
  const ref_pool pool = {2, 7, 5, 3, {3, 2}, {2, 1}, {1, 0}}; /* 4 x 4 windows that overlap */
  checked average = {.forward = avg_forward, .pool = pool};
  open_problem(&average, 2 * 4 * 4 * 3, 210, 0, 0);
  ref_avg_pool_backward(&pool, average.dy, average.d[0]);
  close_problem(&average);
  checked maximum = {.forward = max_forward, .pool = pool};
  open_problem(&maximum, 2 * 4 * 4 * 3, 210, 0, 0);
  ref_max_pool_backward(&pool, maximum.in[0], maximum.dy, maximum.d[0]);
  close_problem(&maximum);
  checked global = {.forward = global_forward};
  open_problem(&global, 6, 210, 0, 0);
  ref_global_avg_pool_backward(2, 7, 5, 3, global.dy, global.d[0]);
  close_problem(&global);
}

static void linear_forward(checked *p) {
  ref_linear_forward(3, 7, 5, p->in[0], p->in[1], p->in[2], p->y);
}

static void test_linear(void **unused) {
  (void)unused;
  double y[2];
  ref_linear_forward(1, 2, 2, (double[]){1, 2}, (double[]){1, 10, 100, 1000}, NULL, y);
  assert_all_near(y, (double[]){21, 2100}, 2);
  checked p = {.forward = linear_forward};
  open_problem(&p, 15, 21, 35, 5);
  ref_linear_backward(3, 7, 5, p.in[0], p.in[1], p.dy, p.d[0], p.d[1], p.d[2]);
  close_problem(&p);
}

static void add_forward(checked *p) { ref_add_forward(9, p->in[0], p->in[1], p->y); }
static void flatten_forward(checked *p) { ref_flatten_forward(2, 7, 5, 3, p->in[0], p->y); }
static void dropout_forward(checked *p) { ref_dropout_forward(4, 0.75, p->mask, p->in[0], p->y); }

static void test_add_flatten_dropout(void **unused) {
  (void)unused;
  double y[4];
  ref_add_forward(2, (double[]){1, 2}, (double[]){10, 20}, y);
  assert_all_near(y, (double[]){11, 22}, 2);
  checked add = {.forward = add_forward};
  open_problem(&add, 9, 9, 9, 0);
  ref_add_backward(9, add.dy, add.d[0], add.d[1]);
  close_problem(&add);

  ref_flatten_forward(1, 1, 2, 2, (double[]){1, 2, 3, 4}, y);
  assert_all_near(y, (double[]){1, 3, 2, 4}, 4);
  ref_flatten_forward(1, 2, 1, 2, (double[]){1, 2, 3, 4}, y);
  assert_all_near(y, (double[]){1, 3, 2, 4}, 4);
  ref_flatten_forward(1, 2, 2, 1, (double[]){1, 2, 3, 4}, y);
  assert_all_near(y, (double[]){1, 2, 3, 4}, 4);
  checked flatten = {.forward = flatten_forward};
  open_problem(&flatten, 210, 210, 0, 0);
  ref_flatten_backward(2, 7, 5, 3, flatten.dy, flatten.d[0]);
  close_problem(&flatten);

  const unsigned char mask[] = {1, 0, 0, 1};
  ref_dropout_forward(4, 0.75, mask, (double[]){1, 2, 3, 4}, y);
  assert_all_near(y, (double[]){4, 0, 0, 16}, 4);
  checked dropout = {.forward = dropout_forward, .mask = mask};
  open_problem(&dropout, 4, 4, 0, 0);
  ref_dropout_backward(4, 0.75, mask, dropout.dy, dropout.d[0]);
  close_problem(&dropout);
}

static void concat_forward(checked *p) { ref_concat_forward(5, 2, 3, p->in[0], p->in[1], p->y); }

static void pad_forward(checked *p) { ref_pad_shortcut_forward(2, 7, 5, 3, 2, 4, p->in[0], p->y); }

static void test_concat_and_pad_shortcut(void **unused) {
  (void)unused;
  double y[8];
  ref_concat_forward(2, 1, 2, (double[]){1, 2}, (double[]){10, 20, 30, 40}, y);
  assert_all_near(y, (double[]){1, 10, 20, 2, 30, 40}, 6);
  checked concat = {.forward = concat_forward};
  open_problem(&concat, 25, 10, 15, 0);
  ref_concat_backward(5, 2, 3, concat.dy, concat.d[0], concat.d[1]);
  close_problem(&concat);
  /* three pixels of a row: the first and the third, and a channel of zeros */
  ref_pad_shortcut_forward(1, 1, 3, 2, 2, 3, (double[]){1, 2, 3, 4, 5, 6}, y);
  assert_all_near(y, (double[]){1, 2, 0, 5, 6, 0}, 6);
  checked pad = {.forward = pad_forward};
  open_problem(&pad, 2 * 4 * 3 * 4, 210, 0, 0);
  ref_pad_shortcut_backward(2, 7, 5, 3, 2, 4, pad.dy, pad.d[0]);
  close_problem(&pad);
}

static const int labels_[] = {4, 0, 2};

static void softmax_forward(checked *p) {
  p->y[0] = ref_softmax_cross_entropy(3, 5, p->in[0], labels_, NULL, NULL);
}

static void test_softmax_cross_entropy(void **unused) {
  (void)unused;
  /* probabilities 1/4 and 3/4, once with each label */
  const double logits[] = {0, log(3), 0, log(3)};
  double d[4];
  int correct;
  double loss = ref_softmax_cross_entropy(2, 2, logits, (int[]){0, 1}, &correct, d);
  assert_near(loss, (log(4) + log(4.0 / 3)) / 2, 1e-15);
  assert_all_near(d, (double[]){-0.375, 0.375, 0.125, -0.125}, 4);
  assert_int_equal(correct, 1);
  /* of equal logits the first is the answer */
  ref_softmax_cross_entropy(2, 2, (double[]){1, 1, 1, 1}, (int[]){0, 0}, &correct, NULL);
  assert_int_equal(correct, 2);
  loss = ref_softmax_cross_entropy(1, 2, (double[]){5000, 4000}, (int[]){1}, &correct, d);
  assert_near(loss, 1000, 1e-9);
  assert_all_near(d, (double[]){1, -1}, 2);

  checked p = {.forward = softmax_forward};
  open_problem(&p, 1, 15, 0, 0);
  p.dy[0] = 1;
  ref_softmax_cross_entropy(3, 5, p.in[0], labels_, NULL, p.d[0]);
  close_problem(&p);
}

static void hinge_forward(checked *p) {
  double d[15];
  p->y[0] = ref_squared_hinge(3, 5, p->in[0], labels_, d);
}

static void test_squared_hinge(void **unused) {
  (void)unused;
  double d[6];
  /* lacks of 1 - 2 + 1.5 and 1 - 2 + 0, which is none; then of 1 and 4 */
  const double logits[] = {2, 1.5, 0, 3, 0, 0};
  double loss = ref_squared_hinge(2, 3, logits, (int[]){0, 1}, d);
  assert_near(loss, (0.25 + 16 + 1) / 2, 1e-12);
  assert_all_near(d, (double[]){-0.5, 0.5, 0, 4, -5, 1}, 6);
  checked p = {.forward = hinge_forward};
  open_problem(&p, 1, 15, 0, 0);
  p.dy[0] = 1;
  ref_squared_hinge(3, 5, p.in[0], labels_, p.d[0]);
  close_problem(&p);
}

static void test_adam_by_hand(void **unused) {
  (void)unused;
  /* Gradients 1, -1, 1 keep v / (1 - beta2^t) at 1, so that only m moves:
   * (1-b), -(1-b)^2, (1-b)(1-b+b^2) before the correction by 1 - b^t. */
  const double b = 0.9, eps = 0.5, lr = 0.3, signs[] = {1, -1, 1};
  const ref_adam adam = {lr, b, 0.999, eps, 0};
  const double corrected[] = {1, -(1 - b) / (1 + b), (1 - b) * (1 - b + b * b) / (1 - b * b * b)};
  double w = 2, m = 0, v = 0, expected = 2;
  for (int t = 1; t <= 3; t++) {
    ref_adam_step(&adam, t, 1, &signs[t - 1], &w, &m, &v);
    expected -= lr * corrected[t - 1] / (1 + eps);
    assert_near(w, expected, 1e-12);
  }
  /* the decay passes through the moments: g = 3 * 2, and the first step is lr g / (|g| + eps) */
  const ref_adam decay = {lr, b, 0.999, eps, 3};
  double zero = 0;
  w = 2, m = 0, v = 0;
  ref_adam_step(&decay, 1, 1, &zero, &w, &m, &v);
  assert_near(w, 2 - lr * 6 / 6.5, 1e-12);
}

static void test_sgd_by_hand(void **unused) {
  (void)unused;
  const ref_sgd momentum = {1, 0.5, 0, 0}, decay = {0.1, 0, 0.5, 0};
  double w = 0, velocity = 0, gradient = 1;
  for (int i = 0; i < 3; i++) ref_sgd_step(&momentum, 1, &gradient, &w, &velocity);
  assert_near(w, -(1 + 1.5 + 1.75), 1e-15);
  w = 1, velocity = 0, gradient = 0;
  for (int i = 0; i < 2; i++) ref_sgd_step(&decay, 1, &gradient, &w, &velocity);
  assert_near(w, 0.95 * 0.95, 1e-15);
}

static void test_statistics_and_cosine(void **unused) {
  (void)unused;
  ref_statistics s = ref_statistics_of(4, (double[]){3, 0, -4, -0.0});
  assert_near(s.mean_abs, 1.75, 0);
  assert_near(s.l2, 5, 0);
  assert_near(s.max_abs, 4, 0);
  assert_near(s.zero_fraction, 0.5, 0);
  assert_near(ref_cosine(1e-3, 2e-5, 0, 90), 1e-3, 1e-18);
  assert_near(ref_cosine(1e-3, 2e-5, 30, 90), 2e-5 + 0.75 * 98e-5, 1e-18);
  assert_near(ref_cosine(1e-3, 2e-5, 45, 90), 51e-5, 1e-18);
  assert_near(ref_cosine(1e-3, 2e-5, 90, 90), 2e-5, 1e-18);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_output_size),           cmocka_unit_test(test_conv2d_by_hand),
      cmocka_unit_test(test_conv2d_gradient),       cmocka_unit_test(test_batch_norm_by_hand),
      cmocka_unit_test(test_batch_norm_gradient),   cmocka_unit_test(test_activations_by_hand),
      cmocka_unit_test(test_activation_gradients),  cmocka_unit_test(test_pools_by_hand),
      cmocka_unit_test(test_pool_gradients),        cmocka_unit_test(test_linear),
      cmocka_unit_test(test_add_flatten_dropout),   cmocka_unit_test(test_softmax_cross_entropy),
      cmocka_unit_test(test_adam_by_hand),          cmocka_unit_test(test_sgd_by_hand),
      cmocka_unit_test(test_statistics_and_cosine), cmocka_unit_test(test_concat_and_pad_shortcut),
      cmocka_unit_test(test_squared_hinge),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
