/* The references against values derived by hand; test_reference_gradients.c checks their
 * gradients. */
#include <math.h>

#include "reference.h"
#include "support/test.h"

static void assert_near(double actual, double expected, double tolerance) {
  if (!(fabs(actual - expected) <= tolerance))
    fail_msg("%.17g is not %.17g within %g", actual, expected, tolerance);
}

static void assert_all_near(const double *actual, const double *expected, size_t count) {
  for (size_t i = 0; i < count; i++) assert_near(actual[i], expected[i], 1e-12);
}

static void output_sizes_are_as_computed_by_hand(void **unused) {
  (void)unused;
  assert_int_equal(ref_output_size(32, 3, 1, 1, 1), 32);
  assert_int_equal(ref_output_size(7, 3, 2, 1, 2), 3); /* reads -1..3, 1..5, 3..7 */
  assert_int_equal(ref_output_size(5, 5, 3, 0, 1), 1);
  assert_int_equal(ref_output_size(4, 5, 1, 0, 1), 0);
  assert_int_equal(ref_output_size(3, 3, 1, 0, 2), 0);
}

static void conv2d_is_as_computed_by_hand(void **unused) {
  (void)unused;
  const double x[] = {1, 2, 3, 4}, weight[] = {1, 10, 100, 1000}, bias[] = {0.5};
  double y[9];
  ref_conv2d conv = {1, 2, 2, 1, 1, {2, 2}, {1, 1}, {0, 0}, {1, 1}, 1, {0, 0}};
  ref_conv2d_forward(&conv, x, weight, bias, y);
  assert_near(y[0], 4321.5, 0);
  conv.padding[0] = conv.padding[1] = 1;
  ref_conv2d_forward(&conv, x, weight, NULL, y);
  assert_all_near(y, (double[]){1000, 2100, 200, 3010, 4321, 402, 30, 43, 4}, 9);
  /* one row of two pixels with two channels: channels stand before the kernel in a weight */
  ref_conv2d channels = {1, 1, 2, 2, 1, {1, 2}, {1, 1}, {0, 0}, {1, 1}, 1, {0, 0}};
  ref_conv2d_forward(&channels, x, weight, NULL, y);
  assert_near(y[0], 1 * 1 + 3 * 10 + 2 * 100 + 4 * 1000, 0);
  ref_conv2d filters = {1, 1, 1, 2, 2, {1, 1}, {1, 1}, {0, 0}, {1, 1}, 1, {0, 0}};
  ref_conv2d_forward(&filters, x, weight, NULL, y);
  assert_all_near(y, (double[]){1 * 1 + 2 * 10, 1 * 100 + 2 * 1000}, 2);
  ref_conv2d tall = {1, 2, 2, 1, 1, {2, 1}, {1, 1}, {1, 0}, {1, 1}, 1, {0, 0}};
  ref_conv2d_forward(&tall, x, weight, NULL, y);
  assert_all_near(y, (double[]){10, 20, 1 + 30, 2 + 40, 3, 4}, 6);
  ref_conv2d sparse = {1, 1, 5, 1, 1, {1, 2}, {1, 2}, {0, 0}, {1, 2}, 1, {0, 0}};
  ref_conv2d_forward(&sparse, (double[]){1, 2, 3, 4, 5}, weight, NULL, y);
  assert_all_near(y, (double[]){1 + 30, 3 + 50}, 2);
  /* zeros at the bottom and on the left alone */
  ref_conv2d sides = {1, 2, 2, 1, 1, {2, 2}, {1, 1}, {0, 1}, {1, 1}, 1, {1, -1}};
  assert_int_equal(ref_conv2d_outputs(&sides, 0), 2);
  assert_int_equal(ref_conv2d_outputs(&sides, 1), 2);
  ref_conv2d_forward(&sides, x, weight, NULL, y);
  assert_all_near(y, (double[]){1 * 10 + 3 * 1000, 4321, 3 * 10, 3 + 4 * 10}, 4);
  /* spread: a pixel each second column, times 1 and 10, of which the first is cut off */
  ref_conv_transpose2d spread = {1, 1, 3, 1, 1, {1, 2}, {1, 2}, {0, 1}, {0, 0}, {0, 1}, {1, 1}, 1};
  assert_int_equal(ref_conv_transpose2d_outputs(&spread, 0), 1);
  assert_int_equal(ref_conv_transpose2d_outputs(&spread, 1), 6);
  ref_conv_transpose2d_forward(&spread, x, weight, bias, y);
  assert_all_near(y, (double[]){10.5, 2.5, 20.5, 3.5, 30.5, 0.5}, 6);
  /* one pixel of four channels in two groups, two filters each; then a filter a channel */
  ref_conv2d groups = {1, 1, 1, 4, 4, {1, 1}, {1, 1}, {0, 0}, {1, 1}, 2, {0, 0}};
  const double pairs[] = {1, 10, 100, 1000, 2, 20, 200, 2000};
  ref_conv2d_forward(&groups, x, pairs, NULL, y);
  assert_all_near(y, (double[]){1 + 20, 100 + 2000, 6 + 80, 600 + 8000}, 4);
  groups.groups = 4;
  ref_conv2d_forward(&groups, x, weight, NULL, y);
  assert_all_near(y, (double[]){1, 20, 300, 4000}, 4);
}

static void batch_norm_is_as_computed_by_hand(void **unused) {
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

static void activations_are_as_computed_by_hand(void **unused) {
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
      {"hard_sigmoid", -4, 0, 0, 0},
      {"hard_sigmoid", 0, 0, 0.5, 1.0 / 6},
      {"hard_sigmoid", 3, 0, 1, 0},
      {"hard_sigmoid", 1.5, 0, 0.75, 1.0 / 6},
      {"hard_swish", -3, 0, 0, 0},
      {"hard_swish", 1.5, 0, 1.125, 1},
      {"hard_swish", 3, 0, 3, 1.5},
      {"hard_swish", 4, 0, 4, 1},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    const ref_activation *activation = ref_activation_find(rows[i].name);
    assert_non_null(activation);
    assert_near(activation->value(rows[i].x, rows[i].slope), rows[i].value, 1e-15);
    assert_near(activation->derivative(rows[i].x, rows[i].slope), rows[i].derivative, 1e-15);
  }
  assert_null(ref_activation_find("tan"));
}

#define POOL(H, W, ...) \
  { .n = 1, .h = (H), .w = (W), .c = 1, __VA_ARGS__ }
#define ROW(W, ...) POOL(1, W, .kernel = {1, 3}, .stride = {1, 2}, __VA_ARGS__)

static void pools_are_as_computed_by_hand(void **unused) {
  (void)unused;
  const ref_pool corners = POOL(2, 2, .kernel = {2, 2}, .stride = {2, 2}, .padding = {1, 1});
  const ref_pool whole = POOL(2, 2, .kernel = {3, 3}, .stride = {1, 1}, .padding = {1, 1});
  const ref_pool pairs = POOL(1, 4, .kernel = {1, 2}, .stride = {1, 2});
  const ref_pool one = POOL(2, 2, .kernel = {2, 2}, .stride = {2, 2});
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

/* Windows of three every two pixels over 1 2 3 4, or over 1 2 3 4 5. */
static void edges_of_pools_are_as_computed_by_hand(void **unused) {
  (void)unused;
  static const double x[] = {1, 2, 3, 4, 5};
  const struct {
    ref_pool pool;
    int count;
    double averages[3], largest[3];
  } cases[] = {
      {ROW(4, ), 1, {2}, {3}},
      {ROW(4, .ceil_mode = true), 2, {2, 3.5}, {3, 4}}, /* 1 2 3, and 3 4 */
      {ROW(5, .ceil_mode = true), 2, {2, 4}, {3, 5}},   /* none is left */
      {ROW(4, .padding = {0, 1}), 2, {1, 3}, {2, 4}},   /* 0 1 2, and 2 3 4 */
      {ROW(4, .padding = {0, 1}, .ceil_mode = true), 3, {1, 3, 2}, {2, 4, 4}}, /* and 4 0 */
      {ROW(4, .padding = {0, 1}, .pixels_only = true), 2, {1.5, 3}, {2, 4}},
      {ROW(4, .padding = {0, 1}, .ceil_mode = true, .pixels_only = true),
       3,
       {1.5, 3, 4},
       {2, 4, 4}},
      {ROW(4, .extra = {0, 1}), 2, {2, 7.0 / 3}, {3, 4}}, /* 1 2 3, and 3 4 0 */
      {ROW(4, .extra = {0, 1}, .pixels_only = true), 2, {2, 3.5}, {3, 4}},
      {ROW(4, .padding = {0, 1}, .extra = {0, -1}), 2, {1, 3}, {2, 4}},
      /* A window more would begin after the image, or in the zeros after it. */
      {POOL(1, 3, .kernel = {1, 2}, .stride = {1, 3}, .ceil_mode = true), 1, {1.5}, {2}},
      {POOL(1, 3, .kernel = {1, 3}, .stride = {1, 4}, .padding = {0, 1}, .ceil_mode = true),
       1,
       {1},
       {2}},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    double y[5], dx[5], dy[3] = {1, 1, 1};
    assert_int_equal(ref_pool_outputs(&cases[i].pool, 0), 1);
    assert_int_equal(ref_pool_outputs(&cases[i].pool, 1), cases[i].count);
    ref_avg_pool_forward(&cases[i].pool, x, y);
    assert_all_near(y, cases[i].averages, (size_t)cases[i].count);
    ref_max_pool_forward(&cases[i].pool, x, y);
    assert_all_near(y, cases[i].largest, (size_t)cases[i].count);
    /* The averages are linear in x. */
    ref_avg_pool_backward(&cases[i].pool, dy, dx);
    double of_averages = 0, of_gradient = 0;
    for (int k = 0; k < cases[i].count; k++) of_averages += cases[i].averages[k];
    for (int k = 0; k < cases[i].pool.w; k++) of_gradient += dx[k] * x[k];
    assert_near(of_gradient, of_averages, 1e-12);
  }
}

static void linear_has_its_gradient(void **unused) {
  (void)unused;
  double y[2];
  ref_linear_forward(1, 2, 2, (double[]){1, 2}, (double[]){1, 10, 100, 1000}, NULL, y);
  assert_all_near(y, (double[]){21, 2100}, 2);
}

static void add_flatten_and_dropout_are_as_computed_by_hand(void **unused) {
  (void)unused;
  double y[4];
  ref_add_forward(2, (double[]){1, 2}, (double[]){10, 20}, y);
  assert_all_near(y, (double[]){11, 22}, 2);

  ref_flatten_forward(1, 1, 2, 2, (double[]){1, 2, 3, 4}, y);
  assert_all_near(y, (double[]){1, 3, 2, 4}, 4);
  ref_flatten_forward(1, 2, 1, 2, (double[]){1, 2, 3, 4}, y);
  assert_all_near(y, (double[]){1, 3, 2, 4}, 4);
  ref_flatten_forward(1, 2, 2, 1, (double[]){1, 2, 3, 4}, y);
  assert_all_near(y, (double[]){1, 2, 3, 4}, 4);

  const unsigned char mask[] = {1, 0, 0, 1};
  ref_dropout_forward(4, 0.75, mask, (double[]){1, 2, 3, 4}, y);
  assert_all_near(y, (double[]){4, 0, 0, 16}, 4);
}

static void concat_and_pad_shortcut_are_as_computed_by_hand(void **unused) {
  (void)unused;
  double y[8];
  ref_concat_forward(2, 1, 2, (double[]){1, 2}, (double[]){10, 20, 30, 40}, y);
  assert_all_near(y, (double[]){1, 10, 20, 2, 30, 40}, 6);
  /* three pixels of a row: the first and the third, and a channel of zeros */
  ref_pad_shortcut_forward(1, 1, 3, 2, 2, 3, (double[]){1, 2, 3, 4, 5, 6}, y);
  assert_all_near(y, (double[]){1, 2, 0, 5, 6, 0}, 6);
}

static void softmax_cross_entropy_is_as_computed_by_hand(void **unused) {
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
}

static void squared_hinge_is_as_computed_by_hand(void **unused) {
  (void)unused;
  double d[6];
  /* lacks of 1 - 2 + 1.5 and 1 - 2 + 0, which is none; then of 1 and 4 */
  const double logits[] = {2, 1.5, 0, 3, 0, 0};
  double loss = ref_squared_hinge(2, 3, logits, (int[]){0, 1}, d);
  assert_near(loss, (0.25 + 16 + 1) / 2, 1e-12);
  assert_all_near(d, (double[]){-0.5, 0.5, 0, 4, -5, 1}, 6);
}

static void adam_is_as_computed_by_hand(void **unused) {
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

static void sgd_is_as_computed_by_hand(void **unused) {
  (void)unused;
  const ref_sgd momentum = {1, 0.5, 0, 0}, decay = {0.1, 0, 0.5, 0};
  double w = 0, velocity = 0, gradient = 1;
  for (int i = 0; i < 3; i++) ref_sgd_step(&momentum, 1, &gradient, &w, &velocity);
  assert_near(w, -(1 + 1.5 + 1.75), 1e-15);
  w = 1, velocity = 0, gradient = 0;
  for (int i = 0; i < 2; i++) ref_sgd_step(&decay, 1, &gradient, &w, &velocity);
  assert_near(w, 0.95 * 0.95, 1e-15);
}

static void statistics_and_cosine_are_as_computed_by_hand(void **unused) {
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

static void adamw_by_hand(void **unused) {
  (void)unused;
  /* The decay is 0.1 * 0.5 of w, and the first step is lr g / (|g| + eps). */
  const ref_adam adamw = {0.1, 0.9, 0.999, 1, 0.5};
  double w = 2, m = 0, v = 0, gradient = 3;
  ref_adamw_step(&adamw, 1, 1, &gradient, &w, &m, &v);
  assert_near(w, 2 * 0.95 - 0.1 * 3 / 4, 1e-12);
}

static void rmsprop_by_hand(void **unused) {
  (void)unused;
  /* s = 0.75 * 16 is 12, then 0.25 * 12 + 0.75 * 4 is 6; the velocity is halved between. */
  const ref_rmsprop rmsprop = {0.1, 0.25, 0, 0.5, 0}, decay = {0.1, 0, 1, 0, 3};
  double w = 1, s = 0, velocity = 0, gradient = 4;
  ref_rmsprop_step(&rmsprop, 1, &gradient, &w, &s, &velocity);
  assert_near(w, 1 - 0.1 * 4 / sqrt(12), 1e-12);
  gradient = 2;
  ref_rmsprop_step(&rmsprop, 1, &gradient, &w, &s, &velocity);
  assert_near(s, 6, 1e-12);
  assert_near(w, 1 - 0.1 * 4 / sqrt(12) - 0.1 * (2 / sqrt(12) + 2 / sqrt(6)), 1e-12);
  /* g = 3 * 2, s = 36, and the step is lr 6 / (6 + 1) */
  w = 2, s = 0, velocity = 0, gradient = 0;
  ref_rmsprop_step(&decay, 1, &gradient, &w, &s, &velocity);
  assert_near(w, 2 - 0.1 * 6 / 7, 1e-12);
}

static void clip_scale_by_hand(void **unused) {
  (void)unused;
  const double gradient[] = {3, 0, -4};
  assert_near(ref_clip_scale(3, gradient, 2), 2 / (5 + 1e-6), 1e-15);
  assert_near(ref_clip_scale(3, gradient, 6), 1, 0);
}

static void volumes_by_hand(void **unused) {
  (void)unused;
  /* One pixel of two channels and a depth of two: the image has the depth fastest. */
  double volume[4], image[4];
  ref_to_volume(1, 1, 2, 2, (double[]){1, 2, 10, 20}, volume);
  assert_all_near(volume, (double[]){1, 10, 2, 20}, 4);
  ref_to_image(1, 1, 2, 2, volume, image);
  assert_all_near(image, (double[]){1, 2, 10, 20}, 4);
  /* Two planes of a pixel, and a kernel of two planes. */
  const ref_conv3d conv = {1, {2, 1, 1}, 1, 1, {2, 1, 1}, {1, 1, 1}, {1, 0, 0}};
  double y[3];
  ref_conv3d_forward(&conv, (double[]){3, 5}, (double[]){1, 10}, (double[]){0.5}, y);
  assert_all_near(y, (double[]){30.5, 53.5, 5.5}, 3);
  const ref_pool3d pool = {1, {4, 1, 1}, 1, {2, 1, 1}, {2, 1, 1}, {0, 0, 0}};
  ref_avg_pool3d_forward(&pool, (double[]){1, 3, -7, -5}, y);
  assert_all_near(y, (double[]){2, -6}, 2);
  ref_max_pool3d_forward(&pool, (double[]){1, 3, -7, -5}, y);
  assert_all_near(y, (double[]){3, -5}, 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(output_sizes_are_as_computed_by_hand),
      cmocka_unit_test(conv2d_is_as_computed_by_hand),
      cmocka_unit_test(batch_norm_is_as_computed_by_hand),
      cmocka_unit_test(activations_are_as_computed_by_hand),
      cmocka_unit_test(pools_are_as_computed_by_hand),
      cmocka_unit_test(edges_of_pools_are_as_computed_by_hand),
      cmocka_unit_test(linear_has_its_gradient),
      cmocka_unit_test(add_flatten_and_dropout_are_as_computed_by_hand),
      cmocka_unit_test(softmax_cross_entropy_is_as_computed_by_hand),
      cmocka_unit_test(adam_is_as_computed_by_hand),
      cmocka_unit_test(sgd_is_as_computed_by_hand),
      cmocka_unit_test(statistics_and_cosine_are_as_computed_by_hand),
      cmocka_unit_test(concat_and_pad_shortcut_are_as_computed_by_hand),
      cmocka_unit_test(squared_hinge_is_as_computed_by_hand),
      cmocka_unit_test(adamw_by_hand),
      cmocka_unit_test(rmsprop_by_hand),
      cmocka_unit_test(clip_scale_by_hand),
      cmocka_unit_test(volumes_by_hand),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
