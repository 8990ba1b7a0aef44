/* Which values an axis leaves out so that the others can be told apart. */
#ifndef GF_REPORT_RANGE_H
#define GF_REPORT_RANGE_H

#include <gradflow/report.h>
#include <stddef.h>

typedef struct gf__trim {
  int above, below;   /* values that are left out */
  double high, low;   /* the largest and the smallest that are kept */
  double most, least; /* of all */
} gf__trim;

/* Leaves out up to a quarter of count finite values where the others and
 * the levels would get less than a twentieth of the axis. Sorts the values. */
gf__trim gf__trim_values(double *values, size_t count, const gf_level *levels, int level_count);

#endif
