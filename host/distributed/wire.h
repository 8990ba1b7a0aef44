/* What moves bytes between ranks: mpi.c, or none.c in a build without MPI. */
#ifndef GF_DISTRIBUTED_WIRE_H
#define GF_DISTRIBUTED_WIRE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

typedef struct gf__wire gf__wire;

typedef struct gf__place {
  int rank, ranks, local_rank, local_ranks;
  char host[128];
} gf__place;

typedef enum gf__job_kind { GF__JOB_GATHER, GF__JOB_BROADCAST, GF__JOB_MEAN } gf__job_kind;

/* Something that all ranks do together. */
typedef struct gf__job {
  gf__job_kind kind;
  const void *mine; /* of GATHER: bytes to send */
  void *data;       /* of GATHER: (ranks, bytes); of BROADCAST: bytes; of MEAN: the floats */
  int bytes;
  /* Of MEAN: rank r joins the floats offsets[r] to offsets[r] + sizes[r] - 1 of all ranks. They
   * arrive in pieces (ranks, sizes[rank]), of which join makes joined (sizes[rank]). */
  int *sizes, *offsets, *piece_sizes, *piece_offsets; /* (ranks) */
  float *pieces, *joined;
  void (*join)(struct gf__job *job);
  bool is_done;
} gf__job;

/* Whether something like mpirun started this process. */
bool gf__wire_is_launched(void);
gf_status gf__wire_open(gf__wire **out, double timeout, gf__place *place) GF_MUST_USE;
/* Waits for the other ranks. */
void gf__wire_close(gf__wire **wire);
void gf__wire_abort(gf__wire *wire, int code);
/* Starts the job, which must stay until it is waited for. */
gf_status gf__wire_start(gf__wire *wire, gf__job *job) GF_MUST_USE;
gf_status gf__wire_wait(gf__wire *wire, gf__job *job) GF_MUST_USE;
/* The next number of one of several rolls, from 0, which no other rank gets. Not several at a time
 * on a rank. */
enum { GF__TICKET_ROLLS = 4 };
gf_status gf__wire_next(gf__wire *wire, int roll, long *out) GF_MUST_USE;

#endif
