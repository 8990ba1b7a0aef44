/* The runs of a study over the ranks of a communicator. */
#ifndef GF_STUDY_SPREAD_H
#define GF_STUDY_SPREAD_H

#include "study/study.h"

/* What came of runs, of this rank or of all. */
typedef struct gf__tally {
  int done, failed;
  bool stopped;
  gf_status status; /* of the first that failed */
  gf__text failures;
} gf__tally;

/* order (count) = the indices of the items, the longest run first, those that are at their end
 * last; on all ranks as the first one estimates it. Without a communicator in the order of items.
 */
gf_status gf__spread_order(const gf_study *study, const gf_study_options *options, int count,
                           int *order) GF_MUST_USE;
/* The tally of each rank becomes that of all. */
gf_status gf__spread_join(gf_communicator *communicator, gf__tally *tally) GF_MUST_USE;

#endif
