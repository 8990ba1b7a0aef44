/* An axis: its range, and the ticks that a reader expects on it. */
#ifndef GF_REPORT_AXIS_H
#define GF_REPORT_AXIS_H

#include <stdbool.h>

enum { GF__MOST_TICKS = 96 };

typedef struct gf__tick {
  double at;      /* 0..1 along the axis */
  char label[40]; /* UTF-8; empty for a tick between the numbered ones */
} gf__tick;

typedef struct gf__axis {
  bool log;
  double low, high; /* of the axis; exponents of 10 if log */
  int count;
  gf__tick ticks[GF__MOST_TICKS];
} gf__axis;

/* An axis for values from min to max (finite, min <= max; a range too small to number is
 * widened), with not many more than most ticks. */

/* Reaches from tick to tick. */
gf__axis gf__axis_linear(double min, double max, int most);

/* Reaches from min to max, its ticks are whole numbers. */
gf__axis gf__axis_whole(double min, double max, int most);

/* Reaches from min to max. */
gf__axis gf__axis_snug(double min, double max, int most);

/* Reaches from a power of ten to another; 0 < min. */
gf__axis gf__axis_log(double min, double max, int most);

/* 0..1 along the axis, outside that for values outside; NaN where the value
 * has no place: a NaN or infinity, or 0 and less on a log axis. */
double gf__axis_place(const gf__axis *axis, double value);

#endif
