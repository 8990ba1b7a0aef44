/* The statistics of activations: the kernels on every size of number and shape, and a network's,
 * fused and not, against the references. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "model/model.h"
#include "ops/activation_statistics.h"
#include "reference.h"
#include "support/operations.h"
#include "support/test.h"

/* ---- the kernels ---- */

static gf__activation_summary run_images(int images, size_t rows, int channels, const float *x,
                                         gf__interval alive) {
  enum { BEFORE = 3, FLOATS = sizeof(gf__activation_moments) / sizeof(float) };
  size_t count = rows * (size_t)channels, floats = (size_t)(BEFORE + channels) * FLOATS;
  size_t scratch = gf__activation_statistics_workspace(device_test_device(), channels) / 4;
  gf_buffer *on_device = guarded_new(count, "x"), *out = guarded_new(floats, "the moments");
  gf_buffer *workspace = guarded_new(scratch, "the workspace");
  buffer_set(on_device, x, count);
  assert_ok(gf__activation_statistics(device_test_device(), images, (int)rows, channels, on_device,
                                      alive, workspace, out, BEFORE));
  const float *moments = buffer_get(out, floats);
  for (int i = 0; i < BEFORE * FLOATS; i++) assert_true(isnan(moments[i])); /* of other layers */
  gf__activation_summary s =
      gf__activation_summarize((const gf__activation_moments *)moments + BEFORE, channels);
  guarded_free();
  return s;
}

static gf__activation_summary run(size_t rows, int channels, const float *x, gf__interval alive) {
  return run_images(1, rows, channels, x, alive);
}

static void expect(const char *where, const char *what, double got, double expected,
                   double allowed) {
  if (!(fabs(got - expected) <= allowed))
    fail_msg("%s: the %s is %.9g and not %.9g", where, what, got, expected);
}

static const gf__interval positive = {0, INFINITY};

static void moments_are_those_of_the_reference(void **unused) {
  (void)unused;
  assert_verified("statistics/activations");
}

static void values_that_are_not_finite_are_counted(void **unused) {
  (void)unused;
  enum { ROWS = 500, CHANNELS = 3 };
  static const float wrong[] = {NAN, INFINITY, -INFINITY};
  static const size_t places[] = {0, 700, ROWS * CHANNELS - 1};
  for (int w = 0; w < 3; w++)
    for (int p = 0; p < 3; p++) {
      float *x = floats_new(ROWS * CHANNELS);
      gf__fill_uniform(x, ROWS * CHANNELS, 1, 0.5, 1);
      x[places[p]] = wrong[w];
      gf__activation_summary s = run(ROWS, CHANNELS, x, positive);
      assert_false(isfinite(s.mean));
      assert_false(isfinite(s.deviation));
      assert_true(s.dead == 0); /* the other pixels of that channel are not */
      arrays_free();
    }
}

/* ---- contrast ---- */

/* Images that share a pattern of size and differ by apart. */
static void check_contrast(int images, size_t pixels, int channels, double size, double apart) {
  char where[96];
  size_t units = pixels * (size_t)channels, count = (size_t)images * units;
  float *x = floats_new(count), *noise = floats_new(count);
  gf__fill_uniform(x, units, 1, 0.5, 1.5);
  gf__fill_uniform(noise, count, 2, -1, 1);
  for (size_t i = count; i-- > 0;)
    x[i] = (float)(size * ((double)x[i % units] + apart * (double)noise[i]));
  double expected = ref_contrast_of(images, units, doubles_from(x, count));
  gf__activation_summary s =
      run_images(images, (size_t)images * pixels, channels, x, (gf__interval){0, INFINITY});
  snprintf(where, sizeof where, "%d images of %zu pixels and %d channels, %g, %g", images, pixels,
           channels, size, apart);
  expect(where, "contrast", s.contrast, expected, 2e-5 * expected);
  arrays_free();
}

static void contrast_is_that_of_the_reference(void **unused) {
  (void)unused;
  static const double sizes[] = {1, 1e-3, 1e-15, 1e-30, 1e12, 1e25, 1e-12, 1e12};
  static const double apart[] = {1, 1e-2, 1e-4, 3e-7};
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
    for (size_t a = 0; a < sizeof apart / sizeof *apart; a++) {
      check_contrast(100, 9, 7, sizes[s], apart[a]);
      check_contrast(2, 1, 1, sizes[s], apart[a]);
      check_contrast(3, 301, 5, sizes[s], apart[a]);
      check_contrast(257, 1, 32, sizes[s], apart[a]);
    }
}

/* By hand: two images, 1 and 3 in one channel, 5 in both of the other: (1 + 1) / (1 + 9 + 50). */
static void contrast_of_two_images_by_hand(void **unused) {
  (void)unused;
  static const float x[] = {1, 5, 3, 5}, zeros[4] = {0}, same[] = {0.1f, 7, 0.1f, 7};
  expect("by hand", "contrast", run_images(2, 2, 2, x, positive).contrast, 2.0 / 60, 1e-8);
  assert_true(run_images(2, 2, 2, zeros, positive).contrast == 0);
  assert_true(run_images(2, 2, 2, same, positive).contrast == 0);
  assert_true(run_images(1, 2, 2, x, positive).contrast == 0); /* one image of two pixels */
}

static void contrast_of_what_is_not_finite_is_nan(void **unused) {
  (void)unused;
  enum { ROWS = 40, CHANNELS = 3 };
  static const float wrong[] = {NAN, INFINITY, -INFINITY};
  static const size_t places[] = {0, 61, ROWS * CHANNELS - 1};
  for (int w = 0; w < 3; w++)
    for (int p = 0; p < 3; p++) {
      float *x = floats_new(ROWS * CHANNELS);
      gf__fill_uniform(x, ROWS * CHANNELS, 1, 0.5, 1);
      x[places[p]] = wrong[w];
      assert_true(isnan(run_images(8, ROWS, CHANNELS, x, positive).contrast));
      arrays_free();
    }
}

/* A channel for each x of a sweep, so that the share says where the interval ends. */
static void ends_of_intervals_are_counted(void **unused) {
  (void)unused;
  static const struct {
    const char *name;
    gf__activation activation;
    double slope;
  } rows[] = {
      {"relu", {GF__ACTIVATION_LEAKY_RELU, 0}, 0},
      {"leaky_relu", {GF__ACTIVATION_LEAKY_RELU, 0.01f}, 0.01},
      {"leaky_relu", {GF__ACTIVATION_LEAKY_RELU, 0.02f}, 0.02},
      {"leaky_relu", {GF__ACTIVATION_LEAKY_RELU, 1}, 1},
      {"tanh", {GF__ACTIVATION_TANH, 0}, 0},
      {"sigmoid", {GF__ACTIVATION_SIGMOID, 0}, 0},
  };
  enum { CHANNELS = 4096 };
  for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
    const ref_activation *f = ref_activation_find(rows[k].name);
    double *x = doubles_new(CHANNELS), *y = doubles_new(CHANNELS), *slopes = doubles_new(CHANNELS);
    float *outputs = floats_new(CHANNELS);
    for (int c = 0; c < CHANNELS; c++) {
      x[c] = (c + 0.5) / 256 - 8;
      slopes[c] = f->derivative(x[c], rows[k].slope);
    }
    ref_activation_forward(f, rows[k].slope, CHANNELS, x, y);
    for (int c = 0; c < CHANNELS; c++) outputs[c] = (float)y[c];
    ref_activation_statistics r = ref_activation_statistics_of(1, CHANNELS, y, slopes);
    gf__activation_summary s = run(1, CHANNELS, outputs, gf__activation_alive(rows[k].activation));
    expect(f->name, "share of dead channels", s.dead, r.dead, 0);
    arrays_free();
  }
}

/* One pixel of one image that lets gradient through is enough, wherever it is. */
static void one_pixel_keeps_a_channel_alive(void **unused) {
  (void)unused;
  enum { ROWS = 301, CHANNELS = 5 };
  float *x = floats_new(ROWS * CHANNELS);
  assert_true(run(ROWS, CHANNELS, x, positive).dead == 1);
  x[1] = 1e-6f;
  x[(ROWS - 1) * CHANNELS + 4] = 1e-6f;
  expect("two of five", "share of dead channels", run(ROWS, CHANNELS, x, positive).dead, 0.6,
         1e-15);
  arrays_free();
}

/* ---- a network ---- */

enum { H = 7, W = 6, COLOURS = 3, F = 5, G = 7, CLASSES = 100, BATCH = 3, DEAD = 2 };
enum { IMAGE = H * W * COLOURS, MOST_ROWS = 16 };

static const char network[] =
    "model:\n"
    "  algorithm: direct\n"
    "  fuse: %s\n"
    "  graph:\n"
    "    - {name: conv_a, type: conv2d, filters: 5, padding: 1}\n"
    "    - {name: norm, type: batch_norm}\n"
    "    - {name: act_a, type: leaky_relu}\n"
    "    - {name: conv_b, type: conv2d, filters: 5, padding: 1}\n"
    "    - {name: sum, type: add, input: [conv_b, act_a]}\n"
    "    - {name: act_b, type: tanh}\n"
    "    - {name: pool, type: avg_pool}\n"
    "    - {name: conv_c, type: conv2d, filters: 7, padding: 1}\n"
    "    - {name: act_c, type: sigmoid}\n"
    "    - {name: flat, type: flatten}\n"
    "    - {name: drop, type: dropout, p: 0}\n"
    "    - {name: logits, type: linear, outputs: 100}\n";

static float images_[2][BATCH * IMAGE];
static const int labels_[BATCH] = {99, 0, 31};

static gf_model *open_network(bool fused) {
  char text[2048];
  gf_config *config;
  gf_model *model;
  snprintf(text, sizeof text, network, fused ? "on" : "off");
  assert_ok(gf_config_parse(&config, "test", text));
  assert_ok(gf_model_open(&model, device_test_device(), config, (gf_image_shape){H, W, COLOURS},
                          CLASSES, BATCH, 7));
  gf_config_free(&config);
  return model;
}

static int find_parameter(const gf_model *model, const char *name) {
  for (int i = 0; i < gf_model_parameter_count(model); i++)
    if (strcmp(gf_model_parameter(model, i).name, name) == 0) return i;
  fail_msg("there is no parameter %s", name);
  return -1;
}

static const double *parameter(gf_model *model, const char *name) {
  int index = find_parameter(model, name);
  size_t count = gf_model_parameter(model, index).count;
  float *values = floats_new(count);
  assert_ok(gf_model_read_parameter(model, index, values));
  return doubles_from(values, count);
}

/* Lets channel DEAD of the activation behind that shift be far below or above 0 everywhere. */
static void kill_channel(gf_model *model, const char *shift, float to) {
  float values[G];
  int index = find_parameter(model, shift);
  assert_ok(gf_model_read_parameter(model, index, values));
  values[DEAD] = to;
  assert_ok(gf_model_write_parameter(model, index, values));
}

static double *convolve(gf_model *model, const char *name, int n, int h, int w, int c, int filters,
                        const double *x) {
  char weight[64], bias[64];
  ref_conv2d conv = {n, h, w, c, filters, {3, 3}, {1, 1}, {1, 1}, {1, 1}, 1, {0, 0}};
  double *y = doubles_new((size_t)(n * h * w * filters));
  snprintf(weight, sizeof weight, "%s.weight", name);
  snprintf(bias, sizeof bias, "%s.bias", name);
  ref_conv2d_forward(&conv, x, parameter(model, weight), parameter(model, bias), y);
  return y;
}

/* What the layers store in double precision. */
typedef struct expected {
  const char *name;
  bool is_stored_when_fused;
  ref_activation_statistics statistics;
  double contrast;
} expected;

static int images_now_; /* of the pass that is computed */

static double contrast_of(size_t rows, int c, const double *y) {
  return ref_contrast_of(images_now_, rows / (size_t)images_now_ * (size_t)c, y);
}

static void add_row(expected **next, const char *name, bool when_fused, size_t rows, int c,
                    const double *y) {
  *(*next)++ = (expected){name, when_fused, ref_activation_statistics_of(rows, c, y, NULL),
                          contrast_of(rows, c, y)};
}

/* Also returns y. */
static double *add_activation(expected **next, const char *name, const char *function, size_t rows,
                              int c, const double *x) {
  const ref_activation *f = ref_activation_find(function);
  size_t count = rows * (size_t)c;
  double *y = doubles_new(count), *slopes = doubles_new(count);
  ref_activation_forward(f, 0.01, count, x, y);
  for (size_t i = 0; i < count; i++) slopes[i] = f->derivative(x[i], 0.01);
  *(*next)++ = (expected){name, true, ref_activation_statistics_of(rows, c, y, slopes),
                          contrast_of(rows, c, y)};
  return y;
}

/* Returns the number of rows. */
static int compute(gf_model *model, const float *images, int n, bool training, expected *out) {
  expected *next = out;
  images_now_ = n;
  size_t rows = (size_t)(n * H * W), half = (size_t)(n * (H / 2) * (W / 2));
  double *a =
      convolve(model, "conv_a", n, H, W, COLOURS, F, doubles_from(images, (size_t)(n * IMAGE)));
  add_row(&next, "conv_a", true, rows, F, a);
  double *norm = doubles_new(rows * F);
  const double *gamma = parameter(model, "norm.weight"), *beta = parameter(model, "norm.bias");
  if (training)
    ref_batch_norm_forward((int)rows, F, 1e-5, 0.1, a, gamma, beta, NULL, NULL, norm);
  else
    ref_batch_norm_inference((int)rows, F, 1e-5, a, gamma, beta,
                             parameter(model, "norm.running_mean"),
                             parameter(model, "norm.running_var"), norm);
  add_row(&next, "norm", false, rows, F, norm);
  const double *act_a = add_activation(&next, "act_a", "leaky_relu", rows, F, norm);
  double *b = convolve(model, "conv_b", n, H, W, F, F, act_a);
  add_row(&next, "conv_b", false, rows, F, b);
  ref_add_forward(rows * F, b, act_a, b);
  const double *act_b = add_activation(&next, "act_b", "tanh", rows, F, b);
  double *pooled = doubles_new(half * F);
  const ref_pool pool = {.n = n, .h = H, .w = W, .c = F, .kernel = {2, 2}, .stride = {2, 2}};
  ref_avg_pool_forward(&pool, act_b, pooled);
  double *c = convolve(model, "conv_c", n, H / 2, W / 2, F, G, pooled);
  add_row(&next, "conv_c", false, half, G, c);
  const double *act_c = add_activation(&next, "act_c", "sigmoid", half, G, c);
  double *flat = doubles_new(half * G), *logits = doubles_new((size_t)n * CLASSES);
  ref_flatten_forward(n, H / 2, W / 2, G, act_c, flat);
  ref_linear_forward(n, (H / 2) * (W / 2) * G, CLASSES, flat, parameter(model, "logits.weight"),
                     parameter(model, "logits.bias"), logits);
  add_row(&next, "logits", true, (size_t)n, CLASSES, logits);
  return (int)(next - out);
}

static void compare(gf_model *model, bool fused, const expected *rows, int count) {
  gf_activation_stats got[MOST_ROWS];
  assert_in_range(gf__model_activation_count(model), 1, MOST_ROWS);
  assert_ok(gf__model_read_activations(model, NULL, got));
  int k = 0;
  for (int i = 0; i < count; i++) {
    const ref_activation_statistics *s = &rows[i].statistics;
    if (fused && !rows[i].is_stored_when_fused) continue;
    assert_true(k < gf__model_activation_count(model));
    assert_string_equal(got[k].layer, rows[i].name);
    double size = sqrt(s->mean * s->mean + s->deviation * s->deviation);
    expect(rows[i].name, "mean", got[k].mean, s->mean, 2e-6 * size);
    expect(rows[i].name, "deviation", got[k].deviation, s->deviation, 2e-6 * size);
    if (images_now_ == 1)
      assert_true(isnan(got[k].contrast));
    else
      expect(rows[i].name, "contrast", got[k].contrast, rows[i].contrast, 1e-5);
    if (isnan(s->dead))
      assert_true(isnan(got[k].dead));
    else
      expect(rows[i].name, "share of dead channels", got[k].dead, s->dead, 0);
    k++;
  }
  assert_int_equal(k, gf__model_activation_count(model));
}

static void check_network(bool fused, bool training, int n) {
  gf_model *model = open_network(fused);
  expected rows[MOST_ROWS];
  kill_channel(model, "norm.bias", -1e3f);
  kill_channel(model, "conv_b.bias", 1e3f);
  kill_channel(model, "conv_c.bias", -1e3f);
  int count = compute(model, images_[0], n, training, rows);
  assert_int_equal(count, 8);
  assert_true(rows[2].statistics.dead == 0.2); /* leaky ReLU: far below 0 */
  assert_true(rows[4].statistics.dead == 0.2); /* tanh: saturated above */
  assert_true(rows[6].statistics.dead == 1.0 / G);
  model->takes_activation_statistics = true;
  for (int s = 0; s < model->plan.count; s++) poison(model->plan.buffers[s].memory);
  assert_ok(gf_model_forward(model, images_[0], labels_, n, training, NULL));
  if (training) assert_ok(gf_model_backward(model)); /* which reuses the buffers */
  compare(model, fused, rows, count);
  gf_model_free(&model);
  arrays_free();
}

static void a_network_reports_each_activation(void **unused) {
  (void)unused;
  for (int variant = 0; variant < 8; variant++)
    check_network(variant & 1, variant & 2, variant & 4 ? 1 : BATCH);
}

/* Off, a pass is the same as ever; the last statistics stay and can be read again, to the bit. */
static void statistics_are_made_only_when_asked_for(void **unused) {
  (void)unused;
  gf_activation_stats first[MOST_ROWS], second[MOST_ROWS];
  gf_loss losses[3];
  gf_model *model = open_network(true);
  int count = gf__model_activation_count(model);
  assert_int_equal(gf__model_read_activations(model, NULL, first), GF_ERROR_ARGUMENT);
  assert_string_equal(gf_error_message(),
                      "statistics of activations need a forward pass that takes them");
  long start = gf__device_launches(device_test_device());
  assert_ok(gf_model_forward(model, images_[0], labels_, BATCH, 1, &losses[0]));
  long plain = gf__device_launches(device_test_device()) - start;
  model->takes_activation_statistics = true;
  assert_ok(gf_model_forward(model, images_[0], labels_, BATCH, 1, &losses[1]));
  long launches = gf__device_launches(device_test_device()) - start - plain;
  assert_int_equal(launches, plain + 2 * count);
  assert_ok(gf__model_read_activations(model, NULL, first));
  model->takes_activation_statistics = false;
  assert_ok(gf_model_forward(model, images_[1], labels_, BATCH, 1, &losses[2]));
  assert_ok(gf__model_read_activations(model, NULL, second));
  assert_memory_equal(first, second, (size_t)count * sizeof *first);
  assert_true(losses[0].loss == losses[1].loss);
  assert_true(losses[0].loss != losses[2].loss);
  model->takes_activation_statistics = true;
  assert_ok(gf_model_forward(model, images_[1], labels_, BATCH, 1, NULL));
  assert_ok(gf__model_read_activations(model, NULL, second));
  assert_true(first[0].mean != second[0].mean);
  assert_ok(gf_model_forward(model, images_[0], labels_, BATCH, 1, NULL));
  assert_ok(gf__model_read_activations(model, NULL, second));
  assert_memory_equal(first, second, (size_t)count * sizeof *first);
  gf_model_free(&model);
}

/* Small networks: the workspace is large enough where nothing else needs one, and where nothing is
 * measured there are no rows. */
static void check_small(const char *graph, int count) {
  gf_config *config;
  gf_model *model;
  gf_activation_stats row = {0};
  float images[16];
  const int labels[1] = {0};
  gf__fill_uniform(images, 16, 3, -1, 1);
  assert_ok(gf_config_parse(&config, "test", graph));
  assert_ok(
      gf_model_open(&model, device_test_device(), config, (gf_image_shape){4, 4, 1}, 16, 1, 0));
  model->takes_activation_statistics = true;
  assert_ok(gf_model_forward(model, images, labels, 1, 0, NULL));
  assert_int_equal(gf__model_activation_count(model), count);
  if (count)
    assert_true(gf__buffer_size(model->workspace) >=
                gf__activation_statistics_workspace(device_test_device(), 1));
  assert_ok(gf__model_read_activations(model, NULL, &row));
  assert_true(count == (row.layer != NULL));
  gf_model_free(&model);
  gf_config_free(&config);
}

static void small_networks_report_what_the_reference_says(void **unused) {
  (void)unused;
  check_small("model: {graph: [{type: relu}, {type: flatten}]}", 1);
  check_small("model: {graph: [{type: dropout}, {type: flatten}]}", 0);
}

/* A layer for itself, a channel for each x of a sweep. */
static void check_layer(const char *options, const char *function, double alpha) {
  enum { CHANNELS = 512 };
  const ref_activation *f = ref_activation_find(function);
  char graph[128];
  gf_config *config;
  gf_model *model;
  gf_activation_stats row;
  float *x = floats_new(CHANNELS);
  double *y = doubles_new(CHANNELS), *slopes = doubles_new(CHANNELS);
  for (int c = 0; c < CHANNELS; c++) {
    x[c] = ((float)c + 0.5f) / 32 - 8;
    y[c] = f->value((double)x[c], alpha);
    slopes[c] = strcmp(function, "elu") == 0 ? f->derivative((double)x[c], alpha) : y[c] > 0;
  }
  snprintf(graph, sizeof graph, "model: {graph: [{name: a, type: %s}, {type: flatten}]}", options);
  assert_ok(gf_config_parse(&config, "test", graph));
  assert_ok(gf_model_open(&model, device_test_device(), config, (gf_image_shape){1, 1, CHANNELS},
                          CHANNELS, 1, 0));
  model->takes_activation_statistics = true;
  assert_ok(gf_model_forward(model, x, NULL, 1, 0, NULL));
  assert_int_equal(gf__model_activation_count(model), 1);
  assert_ok(gf__model_read_activations(model, NULL, &row));
  ref_activation_statistics s = ref_activation_statistics_of(1, CHANNELS, y, slopes);
  expect(options, "mean", row.mean, s.mean, 2e-6 * s.deviation);
  expect(options, "deviation", row.deviation, s.deviation, 2e-6 * s.deviation);
  expect(options, "share of dead channels", row.dead, s.dead, 0);
  gf_model_free(&model);
  gf_config_free(&config);
  arrays_free();
}

/* Those that nothing is fused with; of gelu and silu, what is above 0 counts as alive. */
static void smooth_activations_have_statistics(void **unused) {
  (void)unused;
  check_layer("elu", "elu", 1);
  check_layer("elu, alpha: 0.5", "elu", 0.5);
  check_layer("elu, alpha: 0.005", "elu", 0.005);
  check_layer("gelu", "gelu", 0);
  check_layer("silu", "silu", 0);
  check_layer("hard_swish", "hard_swish", 0);
}

static int open_group(void **state) {
  for (uint32_t i = 0; i < 2; i++) gf__fill_uniform(images_[i], BATCH * IMAGE, i, -1, 1);
  return device_test_open(state);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(moments_are_those_of_the_reference),
      cmocka_unit_test(values_that_are_not_finite_are_counted),
      cmocka_unit_test(contrast_is_that_of_the_reference),
      cmocka_unit_test(contrast_of_two_images_by_hand),
      cmocka_unit_test(contrast_of_what_is_not_finite_is_nan),
      cmocka_unit_test(ends_of_intervals_are_counted),
      cmocka_unit_test(one_pixel_keeps_a_channel_alive),
      cmocka_unit_test(a_network_reports_each_activation),
      cmocka_unit_test(statistics_are_made_only_when_asked_for),
      cmocka_unit_test(small_networks_report_what_the_reference_says),
      cmocka_unit_test(smooth_activations_have_statistics),
  };
  return cmocka_run_group_tests_name("activation_statistics", tests, open_group, device_test_close);
}
