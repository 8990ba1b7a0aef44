#include "support/operations.h"

#include <string.h>

#include "verify/verify.h"

static gf__arena arena_;
static gf__check check_ = {.arena = &arena_};

int device_test_open(void **state) {
  (void)state;
  if (gf__arena_open(&arena_) == GF_OK && gf_device_open(&check_.device, NULL) == GF_OK) return 0;
  print_error("%s\n", gf_error_message());
  return -1;
}

int device_test_close(void **state) {
  (void)state;
  gf__check_close(&check_);
  gf__arena_close(&arena_);
  gf_device_free(&check_.device);
  return 0;
}

gf_device *device_test_device(void) { return check_.device; }

void assert_verified(const char *only) {
  gf__verify_result result;
  assert_ok(gf__verify(check_.device, &(gf__verify_options){.full = true, .only = only}, &result));
  int failed = result.failure_count;
  for (int i = 0; i < failed; i++)
    print_error("%s (%s): %s\n", result.failures[i].name, result.failures[i].text,
                result.failures[i].message);
  for (int i = 0; i < result.row_count; i++)
    if (result.rows[i].needs)
      print_message("%s/%s takes no case on this device\n", result.rows[i].operation,
                    result.rows[i].algorithm);
  gf__verify_free(&result);
  assert_int_equal(failed, 0);
}

/* ---- arrays ---- */

void *array_new(size_t bytes) { return gf__new_array(&arena_, bytes); }

float *floats_new(size_t count) { return gf__new_floats(&arena_, count); }

double *doubles_new(size_t count) { return gf__new_doubles(&arena_, count); }

double *doubles_from(const float *values, size_t count) {
  return gf__widen(&arena_, values, count);
}

gf__arena *device_test_arena(void) { return &arena_; }

void arrays_free(void) {
  assert_ok(gf__arena_status(&arena_));
  gf__arena_reset(&arena_);
}

/* ---- buffers ---- */

gf_buffer *guarded_new(size_t count, const char *what) {
  gf_buffer *buffer;
  assert_ok(gf__guarded_new(&check_, what, count, &buffer));
  return buffer;
}

/* Fails with the fault, which the next check begins without. */
static void assert_right(const char *layer, const char *text) {
  char fault[GF__CHECK_TEXT];
  if (!check_.fault[0]) return;
  memcpy(fault, check_.fault, sizeof fault);
  check_.fault[0] = 0;
  fail_msg("%s, case '%s': %s", layer, text, fault);
}

void guarded_free(void) {
  assert_ok(gf__guarded_close(&check_));
  assert_right("guards", "");
}

void poison(gf_buffer *buffer) {
  assert_ok(gf__poison(&arena_, buffer, gf__buffer_size(buffer) / sizeof(float)));
}

void buffer_set(gf_buffer *buffer, const float *values, size_t count) {
  assert_ok(gf__write(buffer, values, count));
}

float *buffer_get(gf_buffer *buffer, size_t count) {
  float *values;
  assert_ok(gf__read(&arena_, buffer, count, &values));
  return values;
}

/* ---- comparisons ---- */

void assert_close(const subject *s, const char *tensor, size_t count, const float *got,
                  const double *expected, const gf__tolerance *allowed) {
  gf__check_values(&check_, tensor, count, got, expected, allowed);
  assert_right(s->layer, s->text);
}

void assert_same(const subject *s, const char *tensor, size_t count, const float *got,
                 const float *expected) {
  gf__check_same(&check_, tensor, count, got, expected);
  assert_right(s->layer, s->text);
}
