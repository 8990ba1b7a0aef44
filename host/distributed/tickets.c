#include "distributed/tickets.h"

#include <mpi.h>
#include <stdlib.h>

enum { QUESTION, ANSWER }; /* tags */

struct gf__tickets {
  MPI_Comm comm;
  int rank, ranks;
  int asked; /* a roll, or -1 */
  long answer;
  MPI_Request asking, answered;
  /* Rank 0 alone uses these. */
  long next[GF__TICKET_ROLLS];
  int question; /* that is being received */
  MPI_Request questions;
  long *answers; /* (ranks) on their way */
  MPI_Request *answering;
};

static void tickets_listen(gf__tickets *t) {
  MPI_Irecv(&t->question, 1, MPI_INT, MPI_ANY_SOURCE, QUESTION, t->comm, &t->questions);
}

static void free_tickets(gf__tickets **tickets) {
  free((*tickets)->answers);
  free((*tickets)->answering);
  free(*tickets);
  *tickets = NULL;
}

gf__tickets *gf__tickets_open(const gf__place *place) {
  gf__tickets *t = calloc(1, sizeof *t);
  if (!t) return NULL;
  t->rank = place->rank;
  t->ranks = place->ranks;
  t->asked = -1;
  t->questions = t->asking = t->answered = MPI_REQUEST_NULL;
  t->answers = calloc((size_t)t->ranks, sizeof *t->answers);
  t->answering = calloc((size_t)t->ranks, sizeof(MPI_Request));
  if (!t->answers || !t->answering || MPI_Comm_dup(MPI_COMM_WORLD, &t->comm) != MPI_SUCCESS) {
    free_tickets(&t);
    return NULL;
  }
  for (int r = 0; r < t->ranks; r++) t->answering[r] = MPI_REQUEST_NULL;
  if (t->rank == 0) tickets_listen(t);
  return t;
}

void gf__tickets_close(gf__tickets **tickets) {
  gf__tickets *t = *tickets;
  MPI_Waitall(t->ranks, t->answering, MPI_STATUSES_IGNORE);
  if (t->rank == 0) {
    MPI_Cancel(&t->questions);
    MPI_Wait(&t->questions, MPI_STATUS_IGNORE);
  }
  MPI_Comm_free(&t->comm);
  free_tickets(tickets);
}

/* Rank 0 asks nobody. */
void gf__tickets_ask(gf__tickets *t, int roll) {
  t->asked = roll;
  if (t->rank == 0) return;
  MPI_Irecv(&t->answer, 1, MPI_LONG, 0, ANSWER, t->comm, &t->answered);
  MPI_Isend(&t->asked, 1, MPI_INT, 0, QUESTION, t->comm, &t->asking);
}

static void tickets_serve(gf__tickets *t) {
  for (;;) {
    MPI_Status from;
    int arrived = 0;
    MPI_Test(&t->questions, &arrived, &from);
    if (!arrived) return;
    int r = from.MPI_SOURCE;
    MPI_Wait(&t->answering[r], MPI_STATUS_IGNORE); /* whoever asks again has the last answer */
    t->answers[r] = t->next[t->question]++;
    MPI_Isend(&t->answers[r], 1, MPI_LONG, r, ANSWER, t->comm, &t->answering[r]);
    tickets_listen(t);
  }
}

bool gf__tickets_poll(gf__tickets *t, long *number) {
  int arrived = 0;
  if (t->rank == 0) tickets_serve(t);
  if (t->asked < 0) return false;
  if (t->rank == 0) {
    *number = t->next[t->asked]++;
  } else {
    MPI_Test(&t->answered, &arrived, MPI_STATUS_IGNORE);
    if (!arrived) return false;
    MPI_Wait(&t->asking, MPI_STATUS_IGNORE);
    *number = t->answer;
  }
  t->asked = -1;
  return true;
}
