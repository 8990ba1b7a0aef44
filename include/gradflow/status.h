/* Status codes, error messages and the log. */
#ifndef GRADFLOW_STATUS_H
#define GRADFLOW_STATUS_H

#ifdef __cplusplus
#define GF_C extern "C"
#else
#define GF_C
#endif
#if defined(__GNUC__)
#define GF_API GF_C __attribute__((visibility("default")))
#define GF_MUST_USE __attribute__((warn_unused_result))
#else
#define GF_API GF_C
#define GF_MUST_USE
#endif

typedef enum gf_status {
  GF_OK = 0,
  GF_ERROR_ARGUMENT,      /* a call or a command line that makes no sense */
  GF_ERROR_CONFIG,        /* a config file or an override */
  GF_ERROR_FILE,          /* the file system refused */
  GF_ERROR_DATA,          /* a file was read and its content is wrong */
  GF_ERROR_SHAPE,         /* tensors that do not fit each other */
  GF_ERROR_DEVICE,        /* no device, an ambiguous one, or an OpenCL call that failed */
  GF_ERROR_BUILD,         /* a kernel does not compile; the message has the build log */
  GF_ERROR_MEMORY,        /* host memory */
  GF_ERROR_DEVICE_MEMORY, /* the device's memory, of which a smaller batch needs less */
  GF_ERROR_NONFINITE,     /* training produced an infinity or a NaN */
  GF_ERROR_INTERRUPTED,   /* the caller asked to stop; everything was saved */
  GF_ERROR_RANK           /* a rank is gone, or does what the others do not */
} gf_status;

/* A short name such as "config"; never NULL. */
GF_API const char *gf_status_name(gf_status status);

/* What failed last on the calling thread, where, and what to do next. The
 * library owns the text; it is valid until the next failure on this thread. */
GF_API const char *gf_error_message(void);

typedef enum gf_log_level {
  GF_LOG_DETAIL, /* of something long, a few times a second at the most */
  GF_LOG_INFO,
  GF_LOG_WARNING
} gf_log_level;
typedef void gf_log_function(void *user, gf_log_level level, const char *message);

/* Sends the library's notes to log; NULL drops them, which is the default.
 * Process-wide. Called from the threads that call the library. */
GF_API void gf_log_to(gf_log_function *log, void *user);

#endif
