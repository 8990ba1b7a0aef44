/* MPI. One thread makes all of its calls, so that means travel while the caller computes, and asks
 * it again and again instead of waiting in it, so that a rank that is gone is noticed.
 *
 * MPI wants the collective calls of a communicator in the same order on all ranks. Jobs are the
 * same on all of them, so their first steps go over one communicator in the order of jobs, and the
 * second steps of means over another one, in order as well. MPI only moves bytes here: what it
 * would sum, it would sum in an order of its own. */
#include <mpi.h>

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "distributed/beats.h"
#include "distributed/tickets.h"
#include "distributed/wire.h"

enum { LATE_FACTOR = 10 }; /* for a rank that lives and does not arrive */
/* Seconds between two looks at what is on its way: short beside a message over a network while the
 * caller waits for it; while it computes, so long that looking costs its core nothing. */
static const double pause_awaited = 50e-6, pause_active = 500e-6;
static const double pause_idle = 20e-3; /* short beside the beats */

/* A job on its way. */
typedef struct task {
  gf__job *job;
  long number; /* of the job, from 1 */
  double started;
  enum { WAITS, FIRST, JOINED, SECOND, DONE } phase;
  MPI_Request request;
  struct task *next;
} task;

struct gf__wire {
  gf__thread *thread;
  gf__lock *lock;
  gf__place place;
  double timeout;
  /* Under the lock: */
  task *added; /* by the caller, newest first */
  long submitted;
  int waiting; /* callers */
  int roll;    /* of which a number is wanted, or -1 */
  bool has_number;
  long number;
  bool is_open, is_closing, is_aborting;
  int code;
  bool has_failed;
  char failure[512];
  /* The thread's: */
  MPI_Comm first, second;
  gf__beats *beats;
  gf__tickets *tickets;
  task *tasks; /* oldest first */
};

bool gf__wire_is_launched(void) {
  /* Of Open MPI's mpirun; of srun with PMIx; of MPICH's, Intel's and srun with PMI-2. */
  static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (getenv(names[i])) return true;
  return false;
}

/* How many processes the launcher says it has started; 1 where it does not say. */
static int launched_processes(void) {
  static const char *const sizes[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE"};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    const char *text = getenv(sizes[i]);
    long size = text ? strtol(text, NULL, 10) : 0;
    if (size > 1 && size <= INT_MAX) return (int)size;
  }
  return 1;
}

/* ---- failures ---- */

__attribute__((format(printf, 2, 3))) static void wire_fail(gf__wire *wire, const char *format,
                                                            ...) {
  va_list args;
  va_start(args, format);
  gf__lock_take(wire->lock);
  if (!wire->has_failed) vsnprintf(wire->failure, sizeof wire->failure, format, args);
  wire->has_failed = true;
  gf__lock_wake_all(wire->lock);
  gf__lock_release(wire->lock);
  va_end(args);
}

static bool wire_check(gf__wire *wire, int error, const char *what) {
  char text[MPI_MAX_ERROR_STRING];
  int length;
  if (error == MPI_SUCCESS) return true;
  MPI_Error_string(error, text, &length);
  wire_fail(wire, "MPI cannot %s: %.*s. The job ends; go on from the last checkpoint with --resume",
            what, length, text);
  return false;
}

/* ---- tasks ---- */

static int start_task(gf__wire *wire, task *t) {
  gf__job *j = t->job;
  switch (j->kind) {
    case GF__JOB_GATHER:
      return MPI_Iallgather(j->mine, j->bytes, MPI_BYTE, j->data, j->bytes, MPI_BYTE, wire->first,
                            &t->request);
    case GF__JOB_BROADCAST:
      return MPI_Ibcast(j->data, j->bytes, MPI_BYTE, 0, wire->first, &t->request);
    default:
      return MPI_Ialltoallv(j->data, j->sizes, j->offsets, MPI_FLOAT, j->pieces, j->piece_sizes,
                            j->piece_offsets, MPI_FLOAT, wire->first, &t->request);
  }
}

static int start_second_phase(gf__wire *wire, task *t) {
  const gf__job *j = t->job;
  return MPI_Iallgatherv(j->joined, j->sizes[wire->place.rank], MPI_FLOAT, j->data, j->sizes,
                         j->offsets, MPI_FLOAT, wire->second, &t->request);
}

/* As far as the task comes now; may_second: those before it have started their second step. */
static bool advance_task(gf__wire *wire, task *t, bool may_second) {
  int arrived = 0;
  if (t->phase == WAITS) {
    if (!wire_check(wire, start_task(wire, t), "start a transfer")) return false;
    t->phase = FIRST;
  }
  if (t->phase == FIRST || t->phase == SECOND) {
    if (!wire_check(wire, MPI_Test(&t->request, &arrived, MPI_STATUS_IGNORE), "transfer"))
      return false;
    if (!arrived) return false;
  }
  if (t->phase == FIRST && t->job->kind == GF__JOB_MEAN) {
    t->job->join(t->job);
    t->phase = JOINED;
    arrived = 0;
  }
  if (t->phase == JOINED && may_second) {
    if (!wire_check(wire, start_second_phase(wire, t), "start a transfer")) return false;
    t->phase = SECOND;
  }
  if (arrived) t->phase = DONE;
  return arrived;
}

static void remove_done(gf__wire *wire) {
  gf__lock_take(wire->lock);
  for (task **at = &wire->tasks; *at;) {
    task *t = *at;
    if (t->phase == DONE) {
      t->job->is_done = true;
      *at = t->next;
      free(t);
    } else {
      at = &t->next;
    }
  }
  gf__lock_wake_all(wire->lock);
  gf__lock_release(wire->lock);
}

static void advance_all(gf__wire *wire) {
  bool may_second = true, any = false;
  for (task *t = wire->tasks; t && !wire->has_failed; t = t->next) {
    any |= advance_task(wire, t, may_second);
    if (t->job->kind == GF__JOB_MEAN && t->phase < SECOND) may_second = false;
  }
  if (any) remove_done(wire);
}

/* Takes what the caller has added; the lock is held. */
static void accept_added(gf__wire *wire) {
  task *oldest_first = NULL, **end = &wire->tasks;
  while (wire->added) {
    task *t = wire->added;
    wire->added = t->next;
    t->next = oldest_first;
    oldest_first = t;
  }
  while (*end) end = &(*end)->next;
  *end = oldest_first;
}

/* ---- those who are gone ---- */

static void check_silent_ranks(gf__wire *wire) {
  char name[GF__BEATS_NAME];
  int rank = gf__beats_silent(wire->beats);
  if (rank < 0) return;
  gf__beats_name(wire->beats, rank, name);
  wire_fail(
      wire,
      "%s has not been heard of for %g seconds: it was killed or stopped, or its machine or the "
      "network is down. The job ends; go on from the last checkpoint with --resume",
      name, wire->timeout);
}

static void check_late_ranks(gf__wire *wire) {
  char name[GF__BEATS_NAME];
  const task *t = wire->tasks;
  double limit = LATE_FACTOR * wire->timeout;
  if (!t || gf__seconds() - t->started < limit) return;
  int rank = gf__beats_behind(wire->beats, t->number);
  if (rank < 0) return;
  gf__beats_name(wire->beats, rank, name);
  wire_fail(wire,
            "%s lives, but has not come to where the others have waited for it for %g seconds; its "
            "device may hang. The job ends; go on from the last checkpoint with --resume",
            name, limit);
}

/* ---- the thread ---- */

static bool open_mpi(gf__wire *wire) {
  int provided, host_length = 0;
  char host[MPI_MAX_PROCESSOR_NAME];
  MPI_Comm local;
  MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  gf__place *p = &wire->place;
  MPI_Comm_rank(MPI_COMM_WORLD, &p->rank);
  MPI_Comm_size(MPI_COMM_WORLD, &p->ranks);
  MPI_Get_processor_name(host, &host_length);
  snprintf(p->host, sizeof p->host, "%.*s", host_length, host);
  if (p->ranks == 1 && launched_processes() > 1) {
    wire_fail(wire,
              "the launcher has started %d processes, of which MPI sees one: they would all train "
              "the same run. Start them with the mpirun of the MPI that gradflow was built with",
              launched_processes());
    return false;
  }
  if (!wire_check(wire, MPI_Comm_dup(MPI_COMM_WORLD, &wire->first), "make a communicator") ||
      !wire_check(wire, MPI_Comm_dup(MPI_COMM_WORLD, &wire->second), "make a communicator") ||
      !wire_check(
          wire, MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &local),
          "find the ranks of a machine"))
    return false;
  MPI_Comm_rank(local, &p->local_rank);
  MPI_Comm_size(local, &p->local_ranks);
  MPI_Comm_free(&local);
  wire->beats = gf__beats_open(p, wire->timeout);
  wire->tickets = gf__tickets_open(p);
  bool opened = wire->beats && wire->tickets;
  if (!opened) wire_fail(wire, "out of host memory for %d ranks", p->ranks);
  return opened;
}

static void close_mpi(gf__wire *wire) {
  gf__beats_close(&wire->beats);
  gf__tickets_close(&wire->tickets);
  MPI_Comm_free(&wire->first);
  MPI_Comm_free(&wire->second);
  MPI_Finalize();
}

/* roll: that the caller has just asked for, or -1. */
static void poll_tickets(gf__wire *wire, int roll) {
  long number;
  if (roll >= 0) gf__tickets_ask(wire->tickets, roll);
  if (!gf__tickets_poll(wire->tickets, &number)) return;
  gf__lock_take(wire->lock);
  wire->number = number;
  wire->has_number = true;
  gf__lock_wake_all(wire->lock);
  gf__lock_release(wire->lock);
}

static void wire_work(void *argument) {
  gf__wire *wire = argument;
  bool opened = open_mpi(wire);
  gf__lock_take(wire->lock);
  wire->is_open = true;
  gf__lock_wake_all(wire->lock);
  for (;;) {
    accept_added(wire);
    bool is_idle = !wire->tasks || wire->has_failed, is_closing = wire->is_closing && is_idle;
    long submitted = wire->submitted;
    bool is_awaited = wire->waiting > 0;
    if (is_idle && !is_closing && !wire->is_aborting && wire->roll < 0)
      gf__lock_wait_for(wire->lock, pause_idle);
    if (is_closing || wire->is_aborting) break;
    int roll = wire->roll;
    wire->roll = -1;
    gf__lock_release(wire->lock);
    if (!is_idle) {
      advance_all(wire);
      gf__sleep(is_awaited ? pause_awaited : pause_active);
    }
    if (opened && !wire->has_failed) {
      poll_tickets(wire, roll);
      gf__beats_poll(wire->beats, submitted);
      check_silent_ranks(wire);
      check_late_ranks(wire);
    }
    gf__lock_take(wire->lock);
  }
  bool is_aborting = wire->is_aborting;
  gf__lock_release(wire->lock);
  if (is_aborting)
    MPI_Abort(MPI_COMM_WORLD, wire->code);
  else if (!wire->has_failed)
    close_mpi(wire);
}

/* ---- the caller ---- */

static void wire_leave(gf__wire *wire, bool aborts, int code) {
  gf__lock_take(wire->lock);
  wire->is_closing = true;
  wire->is_aborting = aborts;
  wire->code = code;
  gf__lock_wake_all(wire->lock);
  gf__lock_release(wire->lock);
}

static gf_status wire_status(const gf__wire *wire) {
  return wire->has_failed ? gf__fail(GF_ERROR_RANK, "%s", wire->failure) : GF_OK;
}

static void free_wire(gf__wire **wire) {
  gf__thread_join(&(*wire)->thread);
  gf__lock_free(&(*wire)->lock);
  while ((*wire)->tasks) { /* of a wire that has failed */
    task *next = (*wire)->tasks->next;
    free((*wire)->tasks);
    (*wire)->tasks = next;
  }
  free(*wire);
  *wire = NULL;
}

gf_status gf__wire_open(gf__wire **out, double timeout, gf__place *place) {
  gf__wire *wire = calloc(1, sizeof *wire);
  *out = NULL;
  if (!wire) return gf__fail_host_memory(sizeof *wire);
  wire->timeout = timeout;
  wire->roll = -1;
  gf_status status = gf__lock_new(&wire->lock);
  if (status == GF_OK) status = gf__thread_start(&wire->thread, wire_work, wire);
  if (status == GF_OK) {
    gf__lock_take(wire->lock);
    while (!wire->is_open) gf__lock_wait(wire->lock);
    status = wire_status(wire);
    gf__lock_release(wire->lock);
  }
  *place = wire->place;
  if (status != GF_OK) {
    if (wire->lock) wire_leave(wire, false, 0);
    free_wire(&wire);
  }
  *out = wire;
  return status;
}

void gf__wire_close(gf__wire **wire) {
  char nothing = 0, *all = calloc((size_t)(*wire)->place.ranks, 1);
  gf__job all_are_here = {.kind = GF__JOB_GATHER, .mine = &nothing, .data = all, .bytes = 1};
  gf_status status = all ? gf__wire_start(*wire, &all_are_here) : GF_ERROR_MEMORY;
  if (status == GF_OK) status = gf__wire_wait(*wire, &all_are_here);
  (void)status; /* whoever is not there any more is no error of this rank */
  free(all);
  wire_leave(*wire, false, 0);
  free_wire(wire);
}

void gf__wire_abort(gf__wire *wire, int code) {
  wire_leave(wire, true, code);
  gf__thread_join(&wire->thread);
}

gf_status gf__wire_start(gf__wire *wire, gf__job *job) {
  task *t = calloc(1, sizeof *t);
  if (!t) return gf__fail_host_memory(sizeof *t);
  gf__lock_take(wire->lock);
  job->is_done = false;
  *t = (task){
      .job = job, .number = ++wire->submitted, .started = gf__seconds(), .next = wire->added};
  wire->added = t;
  gf__lock_wake_all(wire->lock);
  gf__lock_release(wire->lock);
  return GF_OK;
}

gf_status gf__wire_wait(gf__wire *wire, gf__job *job) {
  gf__lock_take(wire->lock);
  wire->waiting++;
  while (!job->is_done && !wire->has_failed) gf__lock_wait(wire->lock);
  wire->waiting--;
  gf_status status = job->is_done ? GF_OK : wire_status(wire);
  gf__lock_release(wire->lock);
  return status;
}

gf_status gf__wire_next(gf__wire *wire, int roll, long *out) {
  gf__lock_take(wire->lock);
  wire->has_number = false;
  wire->roll = roll;
  gf__lock_wake_all(wire->lock);
  while (!wire->has_number && !wire->has_failed) gf__lock_wait(wire->lock);
  *out = wire->number;
  gf_status status = wire->has_number ? GF_OK : wire_status(wire);
  gf__lock_release(wire->lock);
  return status;
}
