/* The sizes that windows give, and what is said of those that do not fit. */
#include <string.h>

#include "ops/pool.h"
#include "ops/window.h"
#include "support/test.h"

static void assert_triple(const int *got, int depth, int height, int width) {
  const int expected[] = {depth, height, width};
  assert_memory_equal(got, expected, sizeof expected);
}

static void an_output_is_where_the_kernel_fits(void **state) {
  (void)state;
  /* Positions 0, 2, 4 of 7 + 2 * 1 - 4; 0, 3 of 9 - 5, dilated to 5; all of 5. */
  gf__window w = {.size = {7, 9, 5},
                  .kernel = {4, 3, 1},
                  .stride = {2, 3, 1},
                  .padding = {1, 0, 0},
                  .dilation = {1, 2, 1}};
  assert_int_equal(gf__window_infer(&w), GF_OK);
  assert_triple(w.out, 3, 2, 5);
  assert_int_equal(gf__window_inputs(&w), 315);
  assert_int_equal(gf__window_outputs(&w), 30);
  assert_int_equal(gf__window_taps(&w), 12);
  assert_false(gf__window_is_flat(&w));
}

static void a_window_of_one_keeps_the_size(void **state) {
  (void)state;
  gf__window w = gf__window_of((int[]){2, 3, 4});
  assert_int_equal(gf__window_infer(&w), GF_OK);
  assert_triple(w.out, 2, 3, 4);
  assert_int_equal(gf__window_taps(&w), 1);
}

static void what_does_not_fit_is_named(void **state) {
  (void)state;
  gf__window image = gf__window_of((int[]){1, 4, 9}), volume = gf__window_of((int[]){2, 4, 9});
  image.kernel[1] = 5;
  assert_true(gf__window_is_flat(&image));
  assert_int_equal(gf__window_infer(&image), GF_ERROR_SHAPE);
  assert_string_equal(gf_error_message(), "a 5x1 kernel does not fit a 4x9 image with padding 0x0");
  image.kernel[1] = 3;
  image.dilation[1] = 2;
  assert_int_equal(gf__window_infer(&image), GF_ERROR_SHAPE);
  assert_string_equal(gf_error_message(),
                      "a 3x1 kernel with dilation 2x1 does not fit a 4x9 image with padding 0x0");
  volume.kernel[0] = 5;
  volume.padding[0] = 1;
  assert_int_equal(gf__window_infer(&volume), GF_ERROR_SHAPE);
  assert_string_equal(gf_error_message(),
                      "a 5x1x1 kernel does not fit a 2x4x9 volume with padding 1x0x0");
}

/* Zeros after the input beyond those before it: 4 + 0 + 2 rows, 9 + 3 + 1 columns. */
static void sides_may_differ(void **state) {
  (void)state;
  gf__window w = gf__window_of((int[]){1, 4, 9});
  w.kernel[1] = w.kernel[2] = 3;
  w.padding[2] = 3;
  w.extra[1] = 2;
  w.extra[2] = -2;
  assert_int_equal(gf__window_infer(&w), GF_OK);
  assert_triple(w.out, 1, 4, 11);
  assert_string_equal(gf__window_padding_text(&w).text, "0x3 and 2x1 after");
  w.extra[1] = 0;
  w.extra[2] = 0;
  assert_string_equal(gf__window_padding_text(&w).text, "0x3");
  w.kernel[1] = 7;
  w.extra[1] = 2;
  assert_int_equal(gf__window_infer(&w), GF_ERROR_SHAPE);
  assert_string_equal(gf_error_message(),
                      "a 7x3 kernel does not fit a 4x9 image with padding 0x3 and 2x3 after");
}

static void a_pool_has_a_pixel_in_each_window(void **state) {
  (void)state;
  gf__pool pool = {.kind = GF__POOL_MAX, .window = gf__window_of((int[]){1, 4, 4}), .c = 3};
  pool.window.kernel[2] = 3;
  pool.window.padding[2] = 1;
  assert_int_equal(gf__pool_infer(&pool), GF_OK);
  assert_triple(pool.window.out, 1, 4, 4);
  pool.window.padding[2] = 2;
  assert_int_equal(gf__pool_infer(&pool), GF_ERROR_SHAPE);
  assert_string_equal(gf_error_message(), "padding 0x2 is more than half of a 1x3 kernel");
}

/* PyTorch's nn.MaxPool2d counts them so: one window more where pixels are left, unless it would
 * begin in the padding after the image. */
static void ceil_mode_reads_what_is_left(void **state) {
  (void)state;
  static const struct {
    int size, kernel, stride, padding, extra, outputs, extra_then;
  } rows[] = {
      {7, 3, 2, 0, 0, 3, 0}, /* nothing is left */
      {8, 3, 2, 0, 0, 4, 1}, /* one */
      {8, 3, 3, 1, 0, 3, 0}, /* it would begin in the zeros after the image */
      {4, 2, 3, 1, 0, 2, 0}, {3, 3, 4, 1, 0, 1, 0}, /* here, too */
      {7, 3, 2, 0, 1, 4, 2},                        /* zeros of its own after the image alone */
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    gf__pool pool = {.kind = GF__POOL_AVG,
                     .window = gf__window_of((int[]){1, 1, rows[i].size}),
                     .c = 1,
                     .ceil_mode = true};
    pool.window.kernel[2] = rows[i].kernel;
    pool.window.stride[2] = rows[i].stride;
    pool.window.padding[2] = rows[i].padding;
    pool.window.extra[2] = rows[i].extra;
    assert_int_equal(gf__pool_infer(&pool), GF_OK);
    assert_triple(pool.window.out, 1, 1, rows[i].outputs);
    assert_int_equal(pool.after[2], rows[i].padding + rows[i].extra);
    assert_int_equal(pool.window.extra[2], rows[i].extra_then);
  }
}

static void kernels_know_the_window(void **state) {
  (void)state;
  char options[512];
  gf__window w = {.size = {1, 2, 3},
                  .kernel = {4, 5, 6},
                  .stride = {7, 8, 9},
                  .padding = {10, 11, 12},
                  .dilation = {13, 14, 15},
                  .out = {16, 17, 18}};
  int n = gf__window_options(options, sizeof options, &w);
  assert_string_equal(options,
                      "-DD=1 -DH=2 -DW=3 -DKD=4 -DKH=5 -DKW=6 -DSD=7 -DSH=8 -DSW=9 -DPD=10 "
                      "-DPH=11 -DPW=12 -DDD=13 -DDH=14 -DDW=15 -DOD=16 -DOH=17 -DOW=18 ");
  assert_int_equal(n, strlen(options));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_output_is_where_the_kernel_fits),
      cmocka_unit_test(a_window_of_one_keeps_the_size),
      cmocka_unit_test(what_does_not_fit_is_named),
      cmocka_unit_test(sides_may_differ),
      cmocka_unit_test(ceil_mode_reads_what_is_left),
      cmocka_unit_test(a_pool_has_a_pixel_in_each_window),
      cmocka_unit_test(kernels_know_the_window),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
