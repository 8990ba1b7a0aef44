/* A picture of the roofline model (Williams, Waterman and Patterson, 2009): rates against
 * arithmetic intensity on logarithmic axes, under the roofs of what devices can do. */
#ifndef GF_REPORT_ROOFLINE_H
#define GF_REPORT_ROOFLINE_H

#include <stdbool.h>

#include "base/error.h"

typedef struct gf__roof_point {
  double flops, bytes, seconds; /* of one repetition; without flops or bytes it has no place */
  bool is_ring;                 /* a ring instead of a dot */
} gf__roof_point;

/* A device: its roof is min(flops, intensity * bytes). */
typedef struct gf__roof {
  const char *name;
  double flops, bytes; /* a second, above 0 */
  const gf__roof_point *points;
  int count, hue;
} gf__roof;

/* Draws the roofs as a PNG; the file appears whole or not at all. GF_ERROR_ARGUMENT for no roof. */
gf_status gf__roofline_write(const char *path, const char *title, const char *note,
                             const gf__roof *roofs, int count) GF_MUST_USE;

#endif
