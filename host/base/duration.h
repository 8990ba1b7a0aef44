#ifndef GF_BASE_DURATION_H
#define GF_BASE_DURATION_H

#include <stdbool.h>

/* Reads "90s", "5m", "5min", "2h", "1h30m" or "1d": numbers with their units, the longest first.
 * False, and *seconds anything, for another text, and for no time at all. */
bool gf__duration_parse(const char *text, double *seconds);

#endif
