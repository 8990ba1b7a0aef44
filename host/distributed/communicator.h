/* What ranks do together. All of them make these calls, in the same order; what is computed of
 * numbers of several ranks is computed in the order of ranks, so that it is equal to the bit in
 * each run with as many of them. */
#ifndef GF_DISTRIBUTED_COMMUNICATOR_H
#define GF_DISTRIBUTED_COMMUNICATOR_H

#include <stdbool.h>
#include <stddef.h>

#include <gradflow/communicator.h>

#include "base/error.h"

int gf__communicator_rank(const gf_communicator *communicator);  /* 0 of NULL */
int gf__communicator_ranks(const gf_communicator *communicator); /* 1 of NULL */

/* all (ranks, bytes) = every rank's mine. */
gf_status gf__communicator_gather(gf_communicator *communicator, const void *mine, size_t bytes,
                                  void *all) GF_MUST_USE;
/* The bytes of rank 0 go to all others. */
gf_status gf__communicator_broadcast(gf_communicator *communicator, void *data,
                                     size_t bytes) GF_MUST_USE;
/* values (count) becomes the sum over all ranks. */
gf_status gf__communicator_sum(gf_communicator *communicator, double *values,
                               size_t count) GF_MUST_USE;
/* The next number of a roll, from 0, each of which one rank gets: for work that goes to
 * whichever rank is free. Unlike the others, a rank calls it whenever it likes, but in one thread
 * at a time. */
typedef enum gf__roll { GF__ROLL_RUNS, GF__ROLL_DONE } gf__roll;
gf_status gf__communicator_next(gf_communicator *communicator, gf__roll roll,
                                long *out) GF_MUST_USE;
/* Notes that what failed is the same on all ranks. */
void gf__communicator_set_agreed(gf_communicator *communicator);

/* A weighted mean over ranks that is made while the caller does something else. */
typedef struct gf__mean gf__mean;
/* Makes means of count floats. */
gf_status gf__mean_new(gf__mean **out, gf_communicator *communicator, size_t count) GF_MUST_USE;
void gf__mean_free(gf__mean **mean); /* not between start and wait */
/* values (count), which stay the caller's to keep untouched until gf__mean_wait, become their mean
 * over ranks with weights (ranks); numbers of a rank of weight 0 do not count at all. */
gf_status gf__mean_start(gf__mean *mean, float *values, const int *weights) GF_MUST_USE;
gf_status gf__mean_wait(gf__mean *mean) GF_MUST_USE;

#endif
