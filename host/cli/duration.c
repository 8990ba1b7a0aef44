#include "cli/duration.h"

#include <math.h>
#include <stdio.h>

void gf__format_duration(char out[GF__DURATION_SIZE], double seconds) {
  enum { MINUTE = 60, HOUR = 3600, MOST_HOURS = 100000 };
  long s = isfinite(seconds) ? lround(fmin(fmax(seconds, 0), (double)MOST_HOURS * HOUR)) : -1;
  if (s < 0)
    snprintf(out, GF__DURATION_SIZE, "?");
  else if (s >= HOUR)
    snprintf(out, GF__DURATION_SIZE, "%ld:%02ld:%02ld", s / HOUR, s % HOUR / MINUTE, s % MINUTE);
  else
    snprintf(out, GF__DURATION_SIZE, "%ld:%02ld", s / MINUTE, s % MINUTE);
}
