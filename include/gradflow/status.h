/** @file
 * Status codes, error messages and the log. */
#ifndef GRADFLOW_STATUS_H
#define GRADFLOW_STATUS_H

#include <stdbool.h>

/** The linkage of the library's functions, in C++ as well. */
#ifdef __cplusplus
#define GF_C extern "C"
#else
#define GF_C
#endif
#if defined(__GNUC__)
/** Marks a function that the shared library exports. */
#define GF_API GF_C __attribute__((visibility("default")))
/** Has the compiler warn of a call whose status is ignored. */
#define GF_MUST_USE __attribute__((warn_unused_result))
#else
/** Marks a function that the shared library exports. */
#define GF_API GF_C
/** Has the compiler warn of a call whose status is ignored. */
#define GF_MUST_USE
#endif

/** How a call ended. */
typedef enum gf_status {
  GF_OK = 0,              /**< it did what it was called for */
  GF_ERROR_ARGUMENT,      /**< a call or a command line that makes no sense */
  GF_ERROR_CONFIG,        /**< a config file or an override is wrong */
  GF_ERROR_FILE,          /**< the file system refused */
  GF_ERROR_DATA,          /**< a file was read and its content is wrong */
  GF_ERROR_SHAPE,         /**< tensors that do not fit each other */
  GF_ERROR_DEVICE,        /**< no device, an ambiguous one, or an OpenCL call that failed */
  GF_ERROR_BUILD,         /**< a kernel does not compile; the message has the build log */
  GF_ERROR_MEMORY,        /**< host memory is exhausted */
  GF_ERROR_DEVICE_MEMORY, /**< the device's memory is, of which a smaller batch needs less */
  GF_ERROR_NONFINITE,     /**< training produced an infinity or a NaN */
  GF_ERROR_INTERRUPTED,   /**< the caller asked to stop; everything was saved */
  GF_ERROR_RANK           /**< a rank is gone, or does what the others do not */
} gf_status;

/** The short name of a status, such as "config". Never NULL; the library owns the text. */
GF_API const char *gf_status_name(gf_status status);

/** What failed last on the calling thread, where, and what to do next; "" if nothing has. The
 * library owns the text; it is valid until the next failure on this thread. */
GF_API const char *gf_error_message(void);

/** How much a note of the library matters. */
typedef enum gf_log_level {
  GF_LOG_DETAIL, /**< of something long, a few times a second at most */
  GF_LOG_INFO,   /**< worth a line */
  GF_LOG_WARNING /**< something is probably not as the caller expects */
} gf_log_level;

/** Receives a note of the library. message is one or several lines without a newline at the end,
 * and valid during the call. */
typedef void gf_log_function(void *user, gf_log_level level, const char *message);

/** Sends the library's notes to log, together with user; NULL drops them, which is the default.
 * Holds for the whole process, so it is called while no other thread is in the library. log is
 * called on any thread that calls the library, on several at a time where several do. */
GF_API void gf_log_to(gf_log_function *log, void *user);

#endif
