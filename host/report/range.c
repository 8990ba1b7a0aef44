#include "report/range.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

static const double least_fraction = 0.05; /* of the axis, which the others need */
static const double far = 10; /* ranges of the others, that what is left out is away from them */
enum { FEWEST = 4 };          /* values, of which one may be left out */

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

/* What is shown without values at both ends, with the levels. */
typedef struct shown {
  double low, high;
} shown;

static shown show_kept(const double *values, size_t count, const gf__trim *t,
                       const gf_level *levels, int level_count) {
  shown s = {values[t->below], values[count - 1 - (size_t)t->above]};
  extend_by_levels(levels, level_count, &s.low, &s.high);
  return s;
}

/* Whether what is left out at each end is far from what is kept. */
static bool is_far(const double *values, size_t count, const gf__trim *t, shown kept) {
  double least = far * (kept.high - kept.low);
  bool above = !t->above || values[count - (size_t)t->above] - kept.high >= least;
  return above && (!t->below || kept.low - values[t->below - 1] >= least);
}

/* Leaves out more where that gives the rest twenty times the room; false if nothing does. */
static bool trim_further(const double *values, size_t count, gf__trim *t, const gf_level *levels,
                         int level_count) {
  int most = (int)(count / 4);
  shown all = show_kept(values, count, t, levels, level_count);
  for (int above = t->above; above <= most; above++)
    for (int below = t->below; above + below <= most; below++) {
      gf__trim next = {.above = above, .below = below};
      shown kept = show_kept(values, count, &next, levels, level_count);
      double range = kept.high - kept.low;
      if (!(range > 0 && range < least_fraction * (all.high - all.low))) continue;
      if (!is_far(values, count, &next, kept)) continue;
      *t = next;
      return true;
    }
  return false;
}

gf__trim gf__trim_values(double *values, size_t count, const gf_level *levels, int level_count) {
  gf__trim t = {0};
  if (count < FEWEST) return t;
  qsort(values, count, sizeof *values, compare_values);
  while (trim_further(values, count, &t, levels, level_count)) continue;
  t.low = values[t.below];
  t.high = values[count - 1 - (size_t)t.above];
  t.least = values[0];
  t.most = values[count - 1];
  return t;
}
