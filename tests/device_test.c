#include "device_test.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"

enum { GUARD = 64 /* floats */, MOST_ARRAYS = 1024 };

static const uint32_t poison_bits = 0x7fc0dead;

static gf_device *device_;
static void *arrays_[MOST_ARRAYS];
static int array_count_;

int device_test_open(void **state) {
  (void)state;
  if (gf_device_open(&device_, NULL) == GF_OK) return 0;
  print_error("%s\n", gf_error_message());
  return -1;
}

int device_test_close(void **state) {
  (void)state;
  arrays_free();
  gf_device_free(&device_);
  return 0;
}

gf_device *device_test_device(void) { return device_; }

void device_test_assert_ok(gf_status status, const char *call, const char *file, int line) {
  if (status == GF_OK) return;
  print_error("%s: %s\n", call, gf_error_message());
  _fail(file, line);
}

/* ---- arrays ---- */

void *array_new(size_t bytes) {
  assert_true(array_count_ < MOST_ARRAYS);
  void *array = calloc(1, bytes > 0 ? bytes : 1);
  assert_non_null(array);
  return arrays_[array_count_++] = array;
}

float *floats_new(size_t count) { return array_new(count * sizeof(float)); }

double *doubles_new(size_t count) { return array_new(count * sizeof(double)); }

void arrays_free(void) {
  while (array_count_ > 0) free(arrays_[--array_count_]);
}

double *doubles_from(const float *values, size_t count) {
  double *out = doubles_new(count);
  for (size_t i = 0; i < count; i++) out[i] = (double)values[i];
  return out;
}

double *doubles_absolute(const double *values, size_t count) {
  double *out = doubles_new(count);
  for (size_t i = 0; i < count; i++) out[i] = fabs(values[i]);
  return out;
}

static uint32_t bits_of(uint32_t stream, size_t i) {
  return gf__random(1, GF__STREAM_TEST, stream, (uint32_t)(i / 4), 0).v[i % 4];
}

void fill_uniform(float *out, size_t count, uint32_t stream, double low, double high) {
  for (size_t i = 0; i < count; i++)
    out[i] = (float)(low + (high - low) * (double)gf__random_float(bits_of(stream, i)));
}

void fill_integers(float *out, size_t count, uint32_t stream, int most) {
  for (size_t i = 0; i < count; i++)
    out[i] = (float)((int)gf__random_below(bits_of(stream, i), 2 * (uint32_t)most + 1) - most);
}

/* ---- buffers ---- */

gf__buffer *guarded_new(size_t count) {
  gf__buffer *buffer;
  assert_ok(gf__buffer_new(&buffer, device_, (count + GUARD) * sizeof(float), "a test"));
  poison(buffer);
  return buffer;
}

void poison(gf__buffer *buffer) {
  size_t bytes = gf__buffer_size(buffer), count = bytes / sizeof poison_bits;
  uint32_t *values = malloc(bytes);
  assert_non_null(values);
  for (size_t i = 0; i < count; i++) values[i] = poison_bits;
  gf_status status = gf__buffer_write(buffer, 0, count * sizeof *values, values);
  free(values);
  assert_ok(status);
}

float *guarded_read(gf__buffer *buffer, size_t count, const char *what) {
  size_t whole = gf__buffer_size(buffer) / sizeof(float);
  assert_true(whole > count);
  float *values = buffer_get(buffer, whole);
  for (size_t i = count; i < whole; i++)
    if (memcmp(&values[i], &poison_bits, sizeof poison_bits) != 0)
      fail_msg("%s: %zu floats were to be written, and the one at %zu was, too: %.9g", what, count,
               i, (double)values[i]);
  return values;
}

void buffer_set(gf__buffer *buffer, const float *values, size_t count) {
  assert_ok(gf__buffer_write(buffer, 0, count * sizeof *values, values));
}

float *buffer_get(gf__buffer *buffer, size_t count) {
  float *values = floats_new(count);
  assert_ok(gf__buffer_read(buffer, 0, count * sizeof *values, values));
  return values;
}

/* ---- comparisons ---- */

static double largest_of(size_t count, const double *values) {
  double largest = 0;
  for (size_t i = 0; i < count; i++) largest = fmax(largest, fabs(values[i]));
  return largest;
}

void assert_close(const subject *s, const char *tensor, size_t count, const float *got,
                  const double *expected, const tolerance *allowed) {
  double unit = allowed->factor * FLT_EPSILON * (4 + 2 * sqrt(allowed->terms));
  double largest = largest_of(count, expected), first_bound = 0;
  size_t wrong = 0, first = 0, nonfinite = 0, zeros = 0;
  for (size_t i = 0; i < count; i++) {
    double bound = unit * (allowed->magnitude ? allowed->magnitude[i] : largest) + FLT_MIN;
    nonfinite += !isfinite(got[i]);
    zeros += got[i] == 0;
    if (fabs((double)got[i] - expected[i]) <= bound) continue;
    if (wrong++ > 0) continue;
    first = i;
    first_bound = bound;
  }
  if (wrong)
    fail_msg(
        "%s, case '%s': %s[%zu] is %.9g and not %.9g within %.3g; %zu of %zu are wrong, %zu "
        "not finite",
        s->layer, s->text, tensor, first, (double)got[first], expected[first], first_bound, wrong,
        count, nonfinite);
  double scale = allowed->magnitude ? largest_of(count, allowed->magnitude) : largest;
  /* A tolerance that lets zeros pass for the result would prove nothing. */
  if (count > 0 && zeros == count && largest > 1e-3 * scale)
    fail_msg("%s, case '%s': %s is all zeros, and its largest element should be %.9g", s->layer,
             s->text, tensor, largest);
}

void assert_same(const subject *s, const char *tensor, size_t count, const float *got,
                 const float *expected) {
  for (size_t i = 0; i < count; i++)
    if (memcmp(&got[i], &expected[i], sizeof *got) != 0)
      fail_msg("%s, case '%s': %s[%zu] is %.9g and was %.9g before", s->layer, s->text, tensor, i,
               (double)got[i], (double)expected[i]);
}
