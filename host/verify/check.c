#include "verify/check.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { GUARD = 256 /* floats, or what the device aligns sub-buffers to */ };

static const float operand_guard = 1048575;

static float poison(void) {
  const uint32_t bits = 0x7fc0dead;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* Also of numbers that are none. */
static bool is_same(float a, float b) {
  uint32_t bits[2];
  memcpy(&bits[0], &a, sizeof a);
  memcpy(&bits[1], &b, sizeof b);
  return bits[0] == bits[1];
}

bool gf__is_poison(float value) { return is_same(value, poison()); }

void gf__check_fault(gf__check *check, const char *format, ...) {
  if (check->fault[0]) return;
  va_list args;
  va_start(args, format);
  vsnprintf(check->fault, sizeof check->fault, format, args);
  va_end(args);
}

static void free_guarded(gf__check *check) {
  while (check->guarded_count > 0) {
    gf__guarded *g = &check->guarded[--check->guarded_count];
    gf__buffer_free(&g->buffer);
    gf__buffer_free(&g->whole);
  }
}

void gf__check_close(gf__check *check) {
  free_guarded(check);
  gf_model_free(&check->model);
}

/* ---- buffers ---- */

gf_status gf__write(gf_buffer *buffer, const float *values, size_t count) {
  return gf__buffer_write(buffer, 0, count * sizeof *values, values);
}

gf_status gf__read(gf__arena *arena, gf_buffer *buffer, size_t count, float **out) {
  *out = gf__new_floats(arena, count);
  return gf__buffer_read(buffer, 0, count * sizeof **out, *out);
}

static gf_status fill(gf__arena *arena, gf_buffer *buffer, size_t count, float value) {
  float *values = gf__new_floats(arena, count);
  for (size_t i = 0; i < count; i++) memcpy(&values[i], &value, sizeof value);
  return gf__write(buffer, values, count);
}

gf_status gf__poison(gf__arena *arena, gf_buffer *buffer, size_t count) {
  return fill(arena, buffer, count, poison());
}

static gf_status open_guarded(gf__check *check, const char *what, size_t count, float guard,
                              gf_buffer **out) {
  size_t before = gf_device_describe(check->device)->base_alignment / sizeof(float);
  *out = NULL;
  if (check->guarded_count == GF__CHECK_BUFFERS)
    return gf__fail(GF_ERROR_ARGUMENT, "a case has more than %d buffers", GF__CHECK_BUFFERS);
  before = before > 0 ? (GUARD + before - 1) / before * before : GUARD;
  gf__guarded *g = &check->guarded[check->guarded_count];
  *g = (gf__guarded){.what = what, .before = before, .count = count, .guard = guard};
  size_t whole = before + count + GUARD;
  GF_TRY(gf__buffer_new(&g->whole, check->device, whole * sizeof(float), what));
  check->guarded_count++;
  GF_TRY(fill(check->arena, g->whole, whole, guard));
  GF_TRY(gf__sub_buffer_new(&g->buffer, g->whole, before * sizeof(float), count * sizeof(float)));
  *out = g->buffer;
  return GF_OK;
}

gf_status gf__guarded_new(gf__check *check, const char *what, size_t count, gf_buffer **out) {
  return open_guarded(check, what, count, poison(), out);
}

gf_status gf__guarded_from(gf__check *check, const char *what, const void *values, size_t count,
                           gf_buffer **out) {
  GF_TRY(open_guarded(check, what, count, operand_guard, out));
  return gf__buffer_write(*out, 0, count * sizeof(float), values);
}

gf_status gf__guarded_close(gf__check *check) {
  for (int k = 0; k < check->guarded_count; k++) {
    const gf__guarded *g = &check->guarded[k];
    size_t whole = gf__buffer_size(g->whole) / sizeof(float);
    float *values;
    GF_TRY(gf__read(check->arena, g->whole, whole, &values));
    for (size_t i = 0; i < whole; i++) {
      bool is_inside = i >= g->before && i < g->before + g->count;
      if (is_inside || is_same(values[i], g->guard)) continue;
      gf__check_fault(check, "%s: a write out of bounds, to the float at %lld of %zu: %.9g",
                      g->what, (long long)i - (long long)g->before, g->count, (double)values[i]);
    }
  }
  free_guarded(check);
  return GF_OK;
}

/* ---- comparisons ---- */

static double largest_of(size_t count, const double *values) {
  double largest = 0;
  for (size_t i = 0; i < count; i++) largest = fmax(largest, fabs(values[i]));
  return largest;
}

void gf__check_values(gf__check *check, const char *what, size_t count, const float *got,
                      const double *expected, const gf__tolerance *allowed) {
  double unit = allowed->factor * FLT_EPSILON * (4 + 2 * sqrt(allowed->terms));
  double largest = largest_of(count, expected), first_bound = 0;
  size_t wrong = 0, first = 0, nonfinite = 0, zeros = 0;
  for (size_t i = 0; i < count; i++) {
    double bound = unit * (allowed->magnitude ? allowed->magnitude[i] : largest) + FLT_MIN;
    double error = fabs((double)got[i] - expected[i]);
    nonfinite += !isfinite(got[i]);
    zeros += got[i] == 0;
    if (isnan(error)) error = INFINITY;
    check->worst = fmax(check->worst, error / bound);
    if (error <= bound) continue;
    if (wrong++ > 0) continue;
    first = i;
    first_bound = bound;
  }
  check->compared += (long)count;
  if (wrong)
    gf__check_fault(check,
                    "%s[%zu] is %.9g and not %.9g within %.3g; %zu of %zu are wrong, %zu not "
                    "finite",
                    what, first, (double)got[first], expected[first], first_bound, wrong, count,
                    nonfinite);
  double scale = allowed->magnitude ? largest_of(count, allowed->magnitude) : largest;
  /* A tolerance that accepts zeros as the result would prove nothing. */
  if (count > 0 && zeros == count && largest > 1e-3 * scale)
    gf__check_fault(check, "%s is all zeros, and its largest element should be %.9g", what,
                    largest);
}

gf_status gf__check_buffer(gf__check *check, const char *what, gf_buffer *buffer, size_t count,
                           const double *expected, const gf__tolerance *allowed) {
  float *got;
  GF_TRY(gf__read(check->arena, buffer, count, &got));
  gf__check_values(check, what, count, got, expected, allowed);
  return GF_OK;
}

void gf__check_same(gf__check *check, const char *what, size_t count, const float *got,
                    const float *expected) {
  for (size_t i = 0; i < count; i++)
    if (!is_same(got[i], expected[i])) {
      gf__check_fault(check, "%s[%zu] is %.9g and was %.9g in the run before", what, i,
                      (double)got[i], (double)expected[i]);
      return;
    }
}
