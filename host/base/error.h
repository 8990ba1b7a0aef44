/* How a function fails: it records one message for its thread and returns a status. */
#ifndef GF_BASE_ERROR_H
#define GF_BASE_ERROR_H

#include <stddef.h>

#include <gradflow/status.h>

/* Records the message for this thread and returns status. */
gf_status gf__fail(gf_status status, const char *format, ...)
    __attribute__((format(printf, 2, 3), cold));

/* Fails with GF_ERROR_MEMORY. */
gf_status gf__fail_host_memory(size_t bytes) __attribute__((cold));

void gf__log(gf_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#ifdef __clang_analyzer__
/* It does not see from here that these never return GF_OK. */
#define gf__fail(status, ...) (gf__fail((status), __VA_ARGS__), (status))
#define gf__fail_host_memory(bytes) (gf__fail_host_memory(bytes), GF_ERROR_MEMORY)
#endif

/* Leaves the function with the status of call if that is not GF_OK. */
#define GF_TRY(call)                                    \
  do {                                                  \
    gf_status gf__try_status = (call);                  \
    if (gf__try_status != GF_OK) return gf__try_status; \
  } while (0)

#endif
