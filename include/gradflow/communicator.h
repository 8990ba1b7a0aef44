/* Ranks: the processes of one job on one or many machines, as mpirun or srun starts them.
 *
 * Every rank makes the same calls in the same order. A NULL communicator is that of one rank alone.
 * In a library that is built without MPI there is never more than one. */
#ifndef GRADFLOW_COMMUNICATOR_H
#define GRADFLOW_COMMUNICATOR_H

#include <gradflow/device.h>
#include <gradflow/status.h>

typedef struct gf_communicator gf_communicator;

/* Where a rank is. */
typedef struct gf_rank {
  int rank, ranks;             /* from 0; in all */
  int local_rank, local_ranks; /* among those of its machine */
  const char *host;            /* the machine's name, owned by the communicator */
} gf_rank;

/* Joins the ranks that were started together; *out is NULL where this process was started alone.
 * A rank from which nothing is heard for timeout seconds (0: 60), or which does not arrive for ten
 * times as long at what the others wait for, ends the calls that wait for it: GF_ERROR_RANK with a
 * message that names it. Once in a process. The caller closes *out. */
GF_API gf_status gf_communicator_open(gf_communicator **out, double timeout) GF_MUST_USE;
/* Waits until all ranks do the same. */
GF_API void gf_communicator_close(gf_communicator **communicator);
/* Ends the processes of all ranks, this one included, with the exit code: for a rank that fails
 * while the others go on. Returns only where the communicator is NULL. */
GF_API void gf_communicator_abort(gf_communicator *communicator, int code);
GF_API gf_rank gf_communicator_describe(const gf_communicator *communicator);
/* The status of the first rank that failed, with its message, on all ranks; GF_OK if none did. */
GF_API gf_status gf_communicator_agree(gf_communicator *communicator, gf_status status) GF_MUST_USE;
/* Whether the failure that came last is one that all ranks know of, so that one of them may report
 * it and all may go on, or close. */
GF_API int gf_communicator_agreed(const gf_communicator *communicator);

/* Opens this rank's device. selector is as gf_device_open takes it, or several with commas
 * between them, of which rank r takes number r modulo their count. Without one, or with "auto",
 * the ranks of a machine take the devices of the fastest kind in turns. Ranks that share a CPU get
 * cores of their own of it, unless whole: the last bits of results depend on their number. All
 * ranks call it; a failure of one is that of all. */
GF_API gf_status gf_communicator_open_device(gf_device **out, gf_communicator *communicator,
                                             const char *selector, int whole) GF_MUST_USE;

#endif
