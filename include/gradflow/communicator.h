/** @file
 * Ranks: the processes of one job on one or many machines, as mpirun or srun starts them.
 *
 * Every rank makes the same calls in the same order, all from one thread. A NULL communicator is
 * that of one rank alone. In a library that is built without MPI there is never more than one. */
#ifndef GRADFLOW_COMMUNICATOR_H
#define GRADFLOW_COMMUNICATOR_H

#include <stdbool.h>

#include <gradflow/device.h>
#include <gradflow/status.h>

/** The ranks of a job, as one of them sees them. */
typedef struct gf_communicator gf_communicator;

/** Where a rank is. */
typedef struct gf_rank {
  int rank;         /**< its number, from 0 */
  int ranks;        /**< how many there are */
  int local_rank;   /**< its number among those of its machine, from 0 */
  int local_ranks;  /**< how many there are on its machine */
  const char *host; /**< the machine's name, owned by the communicator */
} gf_rank;

/** Joins the ranks that were started together, once per process; *out is NULL where this process
 * was started alone. The caller closes *out. timeout is in seconds, 0 for 60: a rank from which
 * nothing is heard for that long, or which does not arrive for ten times as long at what the others
 * wait for, ends the calls that wait for it with GF_ERROR_RANK and a message that names it. */
GF_API gf_status gf_communicator_open(gf_communicator **out, double timeout) GF_MUST_USE;

/** Waits until all ranks call this, and leaves them. Does nothing with NULL. */
GF_API void gf_communicator_close(gf_communicator **communicator);

/** Ends the processes of all ranks, this one included, with the exit code: for a rank that fails
 * while the others go on. Returns only where the communicator is NULL. */
GF_API void gf_communicator_abort(gf_communicator *communicator, int code);

/** Where this rank is; with NULL, rank 0 of 1. */
GF_API gf_rank gf_communicator_describe(const gf_communicator *communicator);

/** Returns on all ranks the status of the first one whose status is a failure, and makes its
 * message that of gf_error_message(); GF_OK if there is none. All ranks call it. */
GF_API gf_status gf_communicator_agree(gf_communicator *communicator, gf_status status) GF_MUST_USE;

/** Whether all ranks know of the failure that came last, so that one of them may report it and all
 * may go on, or close. */
GF_API bool gf_communicator_agreed(const gf_communicator *communicator);

/** Opens this rank's device, which the caller frees. selector is as in gf_device_open(), or several
 * with commas between them, of which rank r gets number r modulo their count. Without one, or with
 * "auto", the ranks of a machine get the devices of the fastest kind in turn. Ranks that share a
 * CPU get cores of their own of it; with whole, each gets all of them, because the last bits of
 * results depend on their number. All ranks call it, and the failure of one is that of all. */
GF_API gf_status gf_communicator_open_device(gf_device **out, gf_communicator *communicator,
                                             const char *selector, bool whole) GF_MUST_USE;

#endif
