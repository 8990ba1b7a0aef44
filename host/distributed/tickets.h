/* Numbers that rank 0 hands out over MPI: each of them once, to whichever rank asks next. */
#ifndef GF_DISTRIBUTED_TICKETS_H
#define GF_DISTRIBUTED_TICKETS_H

#include "distributed/wire.h"

typedef struct gf__tickets gf__tickets;

/* Called on all ranks; NULL without memory. */
gf__tickets *gf__tickets_open(const gf__place *place);
/* On all ranks, when none wants a number any more. */
void gf__tickets_close(gf__tickets **tickets);
/* Asks for the next number of a roll; one question at a time. */
void gf__tickets_ask(gf__tickets *tickets, int roll);
/* Sends and receives what is due; whether the answer is there, which is then in *number. */
bool gf__tickets_poll(gf__tickets *tickets, long *number);

#endif
