#include "report/axis.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* Beyond these the differences between ticks overflow or vanish. */
static const double LARGEST = 1e300, SMALLEST = 1e-290;
/* Far beyond it, half of one is lost. */
static const double LARGEST_WHOLE = 1e12;
/* A range that is a smaller fraction of its values is noise of single precision, and counts as one
 * value. */
static const double LEAST_RANGE = 1e-7;

/* "10⁻⁸" */
static void add_power(char *out, size_t size, int exponent) {
  static const char *const digits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  char plain[16];
  snprintf(plain, sizeof plain, "%d", exponent);
  size_t used = strlen(out);
  used += (size_t)snprintf(out + used, size - used, "10");
  for (const char *p = plain; *p && used < size; p++)
    used += (size_t)snprintf(out + used, size - used, "%s", *p == '-' ? "⁻" : digits[*p - '0']);
}

/* A step between ticks: mantissa * 10^exponent, the mantissa 1, 2 or 5. */
typedef struct step {
  double mantissa;
  int exponent;
} step;

static double multiple(step s, double n) {
  /* Negative powers of ten are not exact; dividing by positive ones rounds once. */
  return s.exponent < 0 ? n * s.mantissa / pow(10, -s.exponent)
                        : n * s.mantissa * pow(10, s.exponent);
}

static step choose_step(double range, int most) {
  static const double mantissas[] = {1, 2, 5};
  step s = {1, (int)floor(log10(range / most)) - 1};
  for (;; s.exponent++)
    for (size_t i = 0; i < sizeof mantissas / sizeof *mantissas; i++) {
      s.mantissa = mantissas[i];
      if (range / multiple(s, 1) <= most * (1 + 1e-9)) return s;
    }
}

static void label_linear(char out[40], double value, step s, double largest) {
  int decimals = s.exponent < 0 ? -s.exponent : 0;
  if (value == 0) {
    snprintf(out, 40, "0");
  } else if (largest < 1e6 && decimals <= 4) {
    snprintf(out, 40, "%.*f", decimals, value);
  } else {
    int exponent = (int)floor(log10(largest) + 1e-12);
    decimals = exponent > s.exponent ? exponent - s.exponent : 0;
    snprintf(out, 40, "%.*f×", decimals, value / pow(10, exponent));
    add_power(out, 40, exponent);
  }
}

static gf__axis linear(double min, double max, int most, bool whole, bool snug) {
  gf__axis axis = {0};
  axis.low = fmin(fmax(min, -LARGEST), LARGEST);
  axis.high = fmin(fmax(max, -LARGEST), LARGEST);
  double largest = fmax(fabs(axis.low), fabs(axis.high));
  if (!(axis.high - axis.low > LEAST_RANGE * largest) || largest < SMALLEST) {
    double pad = largest < SMALLEST ? 1 : largest / 10;
    if (whole && largest < LARGEST_WHOLE) pad = 0.5;
    axis.low -= pad;
    axis.high += pad;
  }
  step s = choose_step(axis.high - axis.low, most);
  if (whole && s.exponent < 0) s = (step){1, 0};
  double first = axis.low / multiple(s, 1), last = axis.high / multiple(s, 1);
  first = snug ? ceil(first - 1e-6) : floor(first + 1e-6);
  last = snug ? floor(last + 1e-6) : ceil(last - 1e-6);
  if (!snug) {
    axis.low = multiple(s, first);
    axis.high = multiple(s, last);
  }
  largest = fmax(fabs(axis.low), fabs(axis.high));
  for (int i = 0; first + i <= last && axis.count < GF__MOST_TICKS; i++) {
    gf__tick *tick = &axis.ticks[axis.count++];
    double value = multiple(s, first + i);
    tick->at = gf__axis_place(&axis, value);
    label_linear(tick->label, value, s, largest);
  }
  return axis;
}

gf__axis gf__axis_linear(double min, double max, int most) {
  return linear(min, max, most, false, false);
}

gf__axis gf__axis_whole(double min, double max, int most) {
  return linear(min, max, most, true, true);
}

gf__axis gf__axis_snug(double min, double max, int most) {
  return linear(min, max, most, false, true);
}

static void add_log_tick(gf__axis *axis, int digit, int exponent, bool numbered) {
  if (axis->count == GF__MOST_TICKS) return;
  gf__tick *tick = &axis->ticks[axis->count++];
  tick->at = (exponent + log10(digit) - axis->low) / (axis->high - axis->low);
  if (numbered && digit > 1) snprintf(tick->label, sizeof tick->label, "%d×", digit);
  if (numbered) add_power(tick->label, sizeof tick->label, exponent);
}

gf__axis gf__axis_log(double min, double max, int most) {
  static const int strides[] = {1, 2, 5, 10, 20, 50, 100};
  gf__axis axis = {.log = true};
  axis.low = floor(log10(min) + 1e-9);
  axis.high = ceil(log10(max) - 1e-9);
  if (axis.low >= axis.high) {
    axis.low--;
    axis.high++;
  }
  int low = (int)axis.low, high = (int)axis.high, stride = 1;
  for (size_t i = 0; i < sizeof strides / sizeof *strides; i++) {
    stride = strides[i];
    if ((high - low) / stride < most) break;
  }
  bool digits_between = high - low <= 8, digits_numbered = high - low <= 2;
  for (int exponent = low; exponent <= high; exponent++) {
    bool numbered = exponent % stride == 0;
    if (numbered || stride <= 5) add_log_tick(&axis, 1, exponent, numbered);
    for (int digit = 2; digits_between && exponent < high && digit <= 9; digit++)
      add_log_tick(&axis, digit, exponent, digits_numbered && (digit == 2 || digit == 5));
  }
  return axis;
}

double gf__axis_place(const gf__axis *axis, double value) {
  if (!isfinite(value) || (axis->log && value <= 0)) return NAN;
  double at = axis->log ? log10(value) : value;
  return (at - axis->low) / (axis->high - axis->low);
}
