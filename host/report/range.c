#include "report/range.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

static const double least_fraction = 0.05; /* of the axis, which the others need */
enum { FEWEST = 4 };                       /* values, of which one may be left out */

static int compare_values(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Levels are always shown, so what lies among them flattens nothing. */
static void extend_by_levels(const gf_level *levels, int count, double *low, double *high) {
  for (int i = 0; i < count; i++) {
    if (!isfinite(levels[i].at)) continue;
    *low = fmin(*low, levels[i].at);
    *high = fmax(*high, levels[i].at);
  }
}

gf__trim gf__trim_values(double *values, size_t count, const gf_level *levels, int level_count) {
  gf__trim t = {0};
  if (count < FEWEST) return t;
  qsort(values, count, sizeof *values, compare_values);
  size_t most = count / 4;
  t.least = values[0];
  t.most = values[count - 1];
  for (size_t above = 0; above <= most; above++)
    for (size_t below = 0; below <= most && above + below <= most; below++) {
      double low = values[below], high = values[count - 1 - above];
      double kept_low = low, kept_high = high;
      extend_by_levels(levels, level_count, &kept_low, &kept_high);
      double all = fmax(t.most, kept_high) - fmin(t.least, kept_low);
      bool is_worth =
          above + below > 0 && kept_high > kept_low && kept_high - kept_low < least_fraction * all;
      if (!is_worth) continue;
      t.above = (int)above;
      t.below = (int)below;
      t.high = high;
      t.low = low;
      return t;
    }
  return t;
}
