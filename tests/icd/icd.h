/* A vendor library that wraps the real one and lies on demand: it hides capabilities, claims and
 * enforces small limits, and lets the n-th call of an entry point fail.
 *
 * GRADFLOW_ICD holds its settings, separated by commas:
 *
 *   no_fp64, no_subgroups     hides the extension; a kernel with doubles does not build
 *   no_extensions             only what OpenCL 1.2 has in its core
 *   opencl12                  says OpenCL 1.2, knows no later question, refuses a later -cl-std
 *   gpu                       says that the device is a GPU
 *   group=N, kernel_group=N   the largest work-group, of the device and of each kernel that does
 *                             not require a size
 *   local=BYTES               local memory
 *   alloc=BYTES, memory=BYTES the largest buffer, and all buffers together
 *   no_times                  every event takes a nanosecond
 *   claimed_group=N           says that kernels take at most N work-items a group, and runs more
 *   loops=N                   ends each while loop of a kernel after N iterations, as a success
 *   platforms=N               N in all: one without devices, the real one, others with its devices
 *   slow_binary=MS            a program's binary takes so many milliseconds more
 *   fail=ENTRY:N:ERROR        call N of the entry point fails, N+: and all after it; '*' is any
 *                             entry point. A release that fails releases all the same, and a wait
 *                             that fails has waited
 *
 * GRADFLOW_ICD_REAL names the library that is wrapped; else it is the first of
 * /etc/OpenCL/vendors. GRADFLOW_ICD_REPORT names a file that gets, when the process ends, a line
 * "calls ENTRY N" for each entry point that was called, a line "live KIND N" for each kind of
 * object, and "failed N". */
#ifndef ICD_H
#define ICD_H

#include <stddef.h>

/* What a test in the same process may ask; dlsym finds "icd_control_get", which returns it. */
typedef struct icd_control {
  void (*set)(const char *settings); /* in place of GRADFLOW_ICD; counts begin again */
  int entries;
  const char *(*entry)(int i);
  long (*calls)(int i); /* since set */
  long (*failed)(void); /* calls that were made to fail since set */
  int kinds;
  const char *(*kind)(int i);
  long (*live)(int i);   /* objects of the kind that hold references, since the process began */
  size_t (*bytes)(void); /* in buffers */
} icd_control;

#endif
