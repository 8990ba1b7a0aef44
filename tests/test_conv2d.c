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
      cmocka_unit_test(misfits_are_refused),
  };
  return cmocka_run_group_tests(tests, device_test_open, device_test_close);
}
