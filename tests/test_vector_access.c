/* VLOAD and VSTORE of cl/vector.clh, in both forms, at addresses that are aligned for a float only.
 */
#define _XOPEN_SOURCE 700 /* setenv */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/operations.h"
#include "support/test.h"

enum { LANES = 16, MOST = 3 + LANES + 2 };

/* Through each kind of memory, each time one float further: y[3 + l] = x[1 + l]. */
static const char kernel_[] =
    "#include \"vector.clh\"\n"
    "__kernel void move(__global const float *x, __global float *y) {\n"
    "  __local float shared[VEC + 1];\n"
    "  float own[VEC + 2];\n"
    "  VSTORE(VLOAD(x + 1), shared + 1);\n"
    "  VSTORE(VLOAD(shared + 1), own + 2);\n"
    "  VSTORE(VLOAD(own + 2), y + 3);\n"
    "}\n";

static void move(gf_device *device, int lanes, const float in[MOST], float out[MOST]) {
  gf__kernel *kernel;
  gf_buffer *x, *y;
  char options[32];
  snprintf(options, sizeof options, "-DVEC=%d", lanes);
  assert_ok(gf__kernel_get_from(&kernel, device, "move.cl", kernel_, "move", options));
  assert_ok(gf__buffer_new(&x, device, MOST * sizeof(float), "a test"));
  assert_ok(gf__buffer_new(&y, device, MOST * sizeof(float), "a test"));
  assert_ok(gf__buffer_write(x, 0, MOST * sizeof(float), in));
  assert_ok(gf__buffer_zero(y));
  assert_ok(GF_LAUNCH(kernel, gf__grid_single(1, 1, 1), GF_BUFFER(x), GF_BUFFER(y)));
  assert_ok(gf__buffer_read(y, 0, MOST * sizeof(float), out));
  gf__buffer_free(&x);
  gf__buffer_free(&y);
}

static void floats_arrive_where_they_should(gf_device *device, const char *form) {
  float in[MOST], out[MOST];
  for (int i = 0; i < MOST; i++) in[i] = (float)(i + 1) * 1.25F;
  for (int lanes = 1; lanes <= LANES; lanes *= 2) {
    move(device, lanes, in, out);
    for (int i = 0; i < MOST; i++) {
      float expected = i < 3 || i >= 3 + lanes ? 0 : in[1 + i - 3];
      if (!(out[i] == expected))
        fail_msg("%s, %d lanes: float %d is %g, not %g", form, lanes, i, (double)out[i],
                 (double)expected);
    }
  }
}

static void both_forms_move_the_same_floats(void **state) {
  (void)state;
  static const char *const forms[] = {"vload", "pointers"};
  for (int i = 0; i < 2; i++) {
    gf_device *device;
    setenv("GRADFLOW_VECTOR_ACCESS", forms[i], 1);
    assert_ok(gf_device_open(&device, NULL));
    floats_arrive_where_they_should(device, forms[i]);
    gf_device_free(&device);
  }
  unsetenv("GRADFLOW_VECTOR_ACCESS");
}

static void another_form_is_refused(void **state) {
  (void)state;
  gf_device *device;
  setenv("GRADFLOW_VECTOR_ACCESS", "vload4", 1);
  assert_fails(GF_ERROR_ARGUMENT, "GRADFLOW_VECTOR_ACCESS is 'vload4'; it may be vload or pointers",
               gf_device_open(&device, NULL));
  unsetenv("GRADFLOW_VECTOR_ACCESS");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(both_forms_move_the_same_floats),
      cmocka_unit_test(another_form_is_refused),
  };
  return cmocka_run_group_tests_name("vector_access", tests, device_test_open, device_test_close);
}
