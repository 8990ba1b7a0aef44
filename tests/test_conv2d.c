/* Every algorithm of convolution over the case list, all three passes, against the reference; and
 * what convolution accepts and refuses. */
#include <stdint.h>
#include <stdio.h>

#include "ops/conv/conv.h"
#include "support/operations.h"
#include "support/test.h"

static void algorithms_equal_the_reference(void **unused) {
  (void)unused;
  for (int i = 0; gf__conv_algorithms[i]; i++) {
    char only[96];
    snprintf(only, sizeof only, "conv2d/%s", gf__conv_algorithms[i]->name);
    assert_verified(only);
  }
}

/* im2col is what stands in where nothing else does. */
static void im2col_takes_everything(void **unused) {
  (void)unused;
  const gf__conv_shape odd = {.window = {.size = {1, 99, 1},
                                         .kernel = {1, 97, 1},
                                         .stride = {1, 5, 7},
                                         .padding = {0, 3, 0},
                                         .dilation = {1, 1, 9}},
                              .c = 1,
                              .filters = 1,
                              .groups = 1};
  assert_string_equal(gf__conv_algorithms[0]->name, "im2col");
  for (gf__conv_direction pass = 0; pass < GF__CONV_DIRECTIONS; pass++)
    assert_true(gf__conv_im2col.accepts(&gf__conv_im2col, device_test_device(), &odd, pass));
}

static gf__conv image_conv(int side, int c, int filters, int groups, int kernel, int stride) {
  gf__conv conv = {.shape = {gf__window_of((int[]){1, side, side}), c, filters, groups}};
  gf__window *w = &conv.shape.window;
  for (int a = 1; a < 3; a++) {
    w->kernel[a] = kernel;
    w->stride[a] = stride;
    w->padding[a] = kernel / 2;
  }
  assert_ok(gf__window_infer(w));
  return conv;
}

/* By default: a filter per channel has kernels of its own up to 7 x 7 and a stride of 2; whatever
 * has groups runs; and what has none is left to the others, a single channel too. */
static void groups_have_their_algorithms(void **unused) {
  (void)unused;
  static const struct {
    int c, filters, groups, kernel, stride;
    const char *name; /* NULL: neither of the two */
  } rows[] = {
      {32, 32, 32, 3, 1, "depthwise"}, {32, 32, 32, 5, 2, "depthwise"},
      {17, 17, 17, 7, 2, "depthwise"}, {32, 64, 32, 3, 1, "grouped"},
      {32, 32, 16, 3, 1, "grouped"},   {8, 8, 8, 9, 1, "grouped"},
      {8, 8, 8, 3, 3, "grouped"},      {1, 1, 1, 3, 1, NULL},
      {32, 32, 1, 3, 1, NULL},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    gf__conv conv =
        image_conv(15, rows[i].c, rows[i].filters, rows[i].groups, rows[i].kernel, rows[i].stride);
    gf__conv_choose(&conv, device_test_device(), NULL);
    for (gf__conv_direction d = 0; d < GF__CONV_DIRECTIONS; d++) {
      const gf__conv_algorithm *a = conv.algorithm[d];
      if (rows[i].name)
        assert_string_equal(a->name, rows[i].name);
      else
        assert_true(a != &gf__conv_grouped && a != &gf__conv_depthwise);
    }
    /* Another algorithm cannot be forced on groups. */
    gf__conv_choose(&conv, device_test_device(), "im2col");
    if (rows[i].groups > 1) assert_true(conv.algorithm[0] != &gf__conv_im2col);
  }
}

static void misfits_are_refused(void **unused) {
  (void)unused;
  gf__conv_shape s = {.window = {.size = {1, 4, 9},
                                 .kernel = {1, 3, 2},
                                 .stride = {1, 1, 1},
                                 .padding = {0, 0, 1},
                                 .dilation = {1, 2, 1}},
                      .c = 1,
                      .filters = 1,
                      .groups = 1};
  assert_int_equal(gf__window_infer(&s.window), GF_ERROR_SHAPE);
  assert_string_equal(gf_error_message(),
                      "a 3x2 kernel with dilation 2x1 does not fit a 4x9 image "
                      "with padding 0x1");
  s.window.size[1] = 5;
  assert_ok(gf__window_infer(&s.window));
  assert_int_equal(s.window.out[1], 1);
  assert_int_equal(s.window.out[2], 10);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(algorithms_equal_the_reference),
      cmocka_unit_test(im2col_takes_everything),
      cmocka_unit_test(groups_have_their_algorithms),
      cmocka_unit_test(misfits_are_refused),
  };
  return cmocka_run_group_tests(tests, device_test_open, device_test_close);
}
