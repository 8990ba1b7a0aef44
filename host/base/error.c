#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

/* A build log is the longest thing that a message has to hold. Each thread has this much, and
 * gf__fail as much again on its stack, which is little beside the megabytes that a thread's stack
 * has on a PC; a system with small stacks would want less. */
static _Thread_local char message_[16384];
static gf_log_function *log_;
static void *log_user_;

static const char *const status_names[] = {
    [GF_OK] = "ok",
    [GF_ERROR_ARGUMENT] = "argument",
    [GF_ERROR_CONFIG] = "config",
    [GF_ERROR_FILE] = "file",
    [GF_ERROR_DATA] = "data",
    [GF_ERROR_SHAPE] = "shape",
    [GF_ERROR_DEVICE] = "device",
    [GF_ERROR_BUILD] = "build",
    [GF_ERROR_MEMORY] = "memory",
    [GF_ERROR_DEVICE_MEMORY] = "device_memory",
    [GF_ERROR_NONFINITE] = "nonfinite",
    [GF_ERROR_INTERRUPTED] = "interrupted",
    [GF_ERROR_RANK] = "rank",
};

const char *gf_status_name(gf_status status) {
  return (size_t)status < sizeof status_names / sizeof *status_names ? status_names[status]
                                                                     : "unknown";
}

const char *gf_error_message(void) { return message_; }

/* In parentheses, as error.h has macros of these names for the analyzer. */
gf_status(gf__fail)(gf_status status, const char *format, ...) {
  /* The arguments may point into the message that is being replaced. */
  char text[sizeof message_];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  snprintf(message_, sizeof message_, "%s", text);
  return status;
}

gf_status(gf__fail_host_memory)(size_t bytes) {
  return gf__fail(GF_ERROR_MEMORY, "out of host memory: %zu bytes were asked for", bytes);
}

void gf_log_to(gf_log_function *log, void *user) {
  log_ = log;
  log_user_ = user;
}

void gf__log(gf_log_level level, const char *format, ...) {
  if (!log_) return;
  char text[2048];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  log_(log_user_, level, text);
}
