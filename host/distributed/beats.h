/* Signs of life between ranks over MPI, ten in the time after which a silent rank is given up, but
 * at most one per second: rank 0 and every other rank send each other how many jobs they have
 * started.
 */
#ifndef GF_DISTRIBUTED_BEATS_H
#define GF_DISTRIBUTED_BEATS_H

#include "distributed/wire.h"

typedef struct gf__beats gf__beats;
enum { GF__BEATS_NAME = 256 };

/* Called on all ranks; NULL without memory. A rank from which nothing comes for timeout seconds is
 * silent. */
gf__beats *gf__beats_open(const gf__place *place, double timeout);
/* On all ranks, which all have ended their jobs. */
void gf__beats_close(gf__beats **beats);
/* Sends and receives what is due; jobs: those that this rank has started. */
void gf__beats_poll(gf__beats *beats, long jobs);
/* A rank that is silent, or -1. */
int gf__beats_silent(const gf__beats *beats);
/* The rank, other than this one, that has started the fewest jobs and fewer than number, or -1. */
int gf__beats_behind(const gf__beats *beats, long number);
/* "rank 3 of 4 (process 1234 on HOST)" */
void gf__beats_name(const gf__beats *beats, int rank, char out[GF__BEATS_NAME]);

#endif
