/* Statistics over the whole of a batch that several ranks compute. */
#ifndef GF_DISTRIBUTED_MOMENTS_H
#define GF_DISTRIBUTED_MOMENTS_H

#include "distributed/communicator.h"
#include "layers/layer.h"

/* The ranks that a batch is distributed over. */
typedef struct gf__batch_ranks {
  gf_communicator *communicator;
  int rank, ranks;
  int *images; /* (ranks) of this batch */
} gf__batch_ranks;

/* What layers are given; ranks must outlive it. */
gf__whole_batch gf__whole_batch_of(gf__batch_ranks *ranks);

#endif
