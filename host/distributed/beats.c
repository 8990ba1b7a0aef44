#include "distributed/beats.h"

#include <mpi.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/os.h"

typedef struct beat {
  long jobs;
  int is_last;
} beat;

/* A rank that this one listens to: rank 0 listens to all, the others to rank 0. */
typedef struct peer {
  double heard; /* seconds on the clock */
  beat out;     /* on its way while sent is a request */
  long jobs;
  bool has_left;
  MPI_Request sent;
} peer;

typedef struct identity {
  int process;
  char host[sizeof((gf__place){0}).host];
} identity;

struct gf__beats {
  MPI_Comm comm;
  int rank, ranks;
  peer *peers; /* (ranks), those of other pairs unused */
  identity *identities;
  beat in;
  MPI_Request received;
  double timeout, interval; /* seconds */
  double sent, polled;      /* last, seconds on the clock */
};

static bool listens_to(const gf__beats *b, int rank) {
  return rank != b->rank && (b->rank == 0 || rank == 0);
}

static void beats_listen(gf__beats *b) {
  MPI_Irecv(&b->in, (int)sizeof b->in, MPI_BYTE, MPI_ANY_SOURCE, 0, b->comm, &b->received);
}

static void free_beats(gf__beats **beats) {
  free((*beats)->peers);
  free((*beats)->identities);
  free(*beats);
  *beats = NULL;
}

gf__beats *gf__beats_open(const gf__place *place, double timeout) {
  gf__beats *b = calloc(1, sizeof *b);
  if (!b) return NULL;
  b->rank = place->rank;
  b->ranks = place->ranks;
  b->timeout = timeout;
  b->interval = timeout / 10 < 1 ? timeout / 10 : 1;
  b->peers = calloc((size_t)b->ranks, sizeof *b->peers);
  b->identities = calloc((size_t)b->ranks, sizeof *b->identities);
  if (!b->peers || !b->identities || MPI_Comm_dup(MPI_COMM_WORLD, &b->comm) != MPI_SUCCESS) {
    free_beats(&b);
    return NULL;
  }
  identity mine = {.process = gf__process_id()};
  snprintf(mine.host, sizeof mine.host, "%s", place->host);
  MPI_Allgather(&mine, (int)sizeof mine, MPI_BYTE, b->identities, (int)sizeof mine, MPI_BYTE,
                b->comm);
  b->polled = gf__seconds();
  for (int r = 0; r < b->ranks; r++) {
    b->peers[r].heard = b->polled;
    b->peers[r].sent = MPI_REQUEST_NULL;
  }
  b->received = MPI_REQUEST_NULL;
  if (b->ranks > 1) beats_listen(b);
  return b;
}

static void beats_send(gf__beats *b, long jobs, int is_last) {
  for (int r = 0; r < b->ranks; r++) {
    peer *p = &b->peers[r];
    int free_again = 0;
    if (!listens_to(b, r)) continue;
    if (is_last) MPI_Wait(&p->sent, MPI_STATUS_IGNORE);
    MPI_Test(&p->sent, &free_again, MPI_STATUS_IGNORE);
    if (!free_again) continue; /* a rank that does not receive them needs no more */
    p->out = (beat){jobs, is_last};
    MPI_Isend(&p->out, (int)sizeof p->out, MPI_BYTE, r, 0, b->comm, &p->sent);
  }
}

/* Ranks that this one listens to and that have not left. */
static int beats_present(const gf__beats *b) {
  int count = 0;
  for (int r = 0; r < b->ranks; r++) count += listens_to(b, r) && !b->peers[r].has_left;
  return count;
}

static void beats_receive(gf__beats *b, double now) {
  for (int arrived = 1; arrived && beats_present(b);) {
    MPI_Status from;
    if (MPI_Test(&b->received, &arrived, &from) != MPI_SUCCESS || !arrived) return;
    peer *p = &b->peers[from.MPI_SOURCE];
    p->heard = now;
    p->jobs = b->in.jobs;
    p->has_left = b->in.is_last;
    if (beats_present(b)) beats_listen(b);
  }
}

void gf__beats_poll(gf__beats *b, long jobs) {
  double now = gf__seconds();
  beats_receive(b, now);
  /* Whoever was stopped itself has heard nobody meanwhile. */
  if (now - b->polled > 5 * b->interval)
    for (int r = 0; r < b->ranks; r++) b->peers[r].heard = now;
  b->polled = now;
  if (now - b->sent < b->interval) return;
  b->sent = now;
  beats_send(b, jobs, 0);
}

/* No message may be under way when MPI ends. */
void gf__beats_close(gf__beats **beats) {
  gf__beats *b = *beats;
  beats_send(b, 0, 1);
  while (beats_present(b)) {
    beats_receive(b, 0);
    gf__sleep(1e-3);
  }
  for (int r = 0; r < b->ranks; r++) MPI_Wait(&b->peers[r].sent, MPI_STATUS_IGNORE);
  MPI_Comm_free(&b->comm);
  free_beats(beats);
}

int gf__beats_silent(const gf__beats *b) {
  /* What rank 0 finds out, the others need not find out as well. */
  double limit = b->rank > 1 ? 1.5 * b->timeout : b->timeout;
  for (int r = 0; r < b->ranks; r++)
    if (listens_to(b, r) && !b->peers[r].has_left && b->polled - b->peers[r].heard > limit)
      return r;
  return -1;
}

int gf__beats_behind(const gf__beats *b, long number) {
  int behind = -1;
  for (int r = 0; r < b->ranks; r++) {
    const peer *p = &b->peers[r];
    if (listens_to(b, r) && p->jobs < number && (behind < 0 || p->jobs < b->peers[behind].jobs))
      behind = r;
  }
  return behind;
}

void gf__beats_name(const gf__beats *b, int rank, char out[GF__BEATS_NAME]) {
  const identity *i = &b->identities[rank];
  snprintf(out, GF__BEATS_NAME, "rank %d of %d (process %d on %s)", rank, b->ranks, i->process,
           i->host);
}
