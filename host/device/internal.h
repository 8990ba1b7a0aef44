/* The OpenCL objects that the handles of device.h stand for. */
#ifndef GF_DEVICE_INTERNAL_H
#define GF_DEVICE_INTERNAL_H

#include <CL/cl.h>

#include "base/file.h"
#include "base/text.h"
#include "device/device.h"

struct gf_buffer {
  gf_device *device;
  cl_mem memory;
  size_t size;
  bool is_sub_buffer;
};

typedef struct gf__program {
  char *file, *options;
  cl_program program;
  struct gf__program *next;
} gf__program;

struct gf__kernel {
  gf_device *device;
  gf__program *program;
  cl_kernel kernel;
  size_t group; /* the most work-items that a group of it may have */
  char *name;
  struct gf__kernel *next;
};

/* An event of a launch whose time has not been added to the profile yet. */
typedef struct gf__pending {
  cl_event event;
  int row;
} gf__pending;

/* When a launch ran, in nanoseconds of the device's clock. */
typedef struct gf__span {
  int row;
  cl_ulong start, end;
} gf__span;

enum { GF__PENDING_LIMIT = 1024, GF__SPAN_LIMIT = 100000 };

typedef struct gf__profile {
  bool on;
  gf_profile_row *rows;
  int count;
  gf__pending pending[GF__PENDING_LIMIT];
  int pending_count;
  gf__span *spans;
  int span_count;
  /* The driver measures no times, so each command is waited for. */
  bool by_host;
  int host_row; /* of the command that is being queued; -1: none */
  double host_start;
} gf__profile;

struct gf_device {
  gf_device_info info;
  cl_device_id id;
  bool is_sub_device; /* id is released with the device */
  cl_context context;
  cl_command_queue queue;
  gf__program *programs;
  gf__kernel *kernels;
  size_t allocated, allocated_peak;
  long launches;
  gf__builds builds;
  char fresh[48]; /* a build option that no program had before, or "" */
  gf__profile profile;
  bool blas_is_ready;
  cl_mem products; /* CLBlast's copies of operands, grown as needed; not counted as allocated */
  size_t products_bytes;
  bool has_warned_of_cache;  /* of one that cannot be used */
  bool binary_query_is_slow; /* the driver is not asked for a program's binary again */
  bool has_vector_pointers;  /* kernels move vectors through pointers: cl/vector.clh */
};

/* Calls visit for every device; visit returns false to stop. *platforms counts platforms. */
gf_status gf__devices_visit(bool (*visit)(void *user, cl_device_id id, const gf_device_info *info),
                            void *user, int *platforms) GF_MUST_USE;
/* The same, and logs why a driver that is installed shows no device. */
gf_status gf__devices_report(bool (*visit)(void *user, cl_device_id id, const gf_device_info *info),
                             void *user, int *platforms) GF_MUST_USE;

/* Logs, with what to do, that a platform has no device. */
void gf__platform_report_empty(cl_platform_id platform, int index);
/* Logs the drivers that the loader knows by their .icd files and cannot load. */
void gf__vendors_report_broken(void);

/* A device that a selector may mean. */
typedef struct gf__candidate {
  cl_device_id id;
  gf_device_info info;
} gf__candidate;

typedef struct gf__candidates {
  gf__candidate *rows; /* best first; at least one */
  int count;
  bool is_any; /* the selector leaves the choice to the library */
} gf__candidates;

/* The devices that selector means (see gf_device_open); GF_ERROR_DEVICE where there are none, or
 * where a name means several. Release them with gf__candidates_free. */
gf_status gf__candidates_find(gf__candidates *out, const char *selector) GF_MUST_USE;
void gf__candidates_free(gf__candidates *candidates);
/* Negative where a is the better choice: by kind, then by compute units times clock, then by
 * index. */
int gf__device_compare(const gf_device_info *a, const gf_device_info *b);
/* Whether the device says that it can be divided into that many equal sub-devices. */
bool gf__device_divides(cl_device_id id, int count);
/* What was found out about a device and driver version: a short text, in a file of the cache folder.
 * Without a folder nothing is known, and it is found out at every start. */
typedef struct gf__driver_note {
  char path[GF__PATH_SIZE]; /* of the file, or "" */
} gf__driver_note;
/* kind: how the file's name begins. question changes with what is found out. */
void gf__driver_note_find(gf__driver_note *note, const gf_device *device, const char *kind,
                          const char *question);
/* The text, which the caller frees, or NULL. */
char *gf__driver_note_read(const gf__driver_note *note);
/* Where that fails, a warning says that what it was is not kept. */
void gf__driver_note_keep(const gf__driver_note *note, const char *text, const char *what);

/* Runs a kernel whose result is known, once per device and driver version: GF_ERROR_DEVICE, with
 * the reason, for a driver that computes nothing or something else without saying so. */
gf_status gf__device_probe(gf_device *device) GF_MUST_USE;
/* Chooses how kernels move vectors, by measurement once per device and driver version, or as
 * GRADFLOW_VECTOR_ACCESS says. */
gf_status gf__device_choose_vector_access(gf_device *device) GF_MUST_USE;
/* The build option of kernels that move them through pointers. */
#define GF__VECTOR_POINTERS "-DVECTOR_POINTERS "
/* Whether the events of the device's queue, which is one that profiles, say how long a kernel
 * took. */
gf_status gf__device_measures_times(gf_device *device, bool *measures) GF_MUST_USE;

/* "CL_OUT_OF_RESOURCES" and so on. */
const char *gf__cl_error_name(cl_int error);
/* Fails with what was tried, the OpenCL error and the device's name. */
gf_status gf__fail_cl(const gf_device *device, cl_int error, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));

/* Releases what CLBlast holds of a device that is closed. */
void gf__gemm_release(gf_device *device);

/* A kernel file of the library, or NULL. */
const struct gf__embedded *gf__kernel_file(const char *name);

/* Opens device->queue. */
gf_status gf__queue_open(gf_device *device, bool profiling) GF_MUST_USE;
/* Releases the events whose times were not read, and the rows. */
void gf__profile_free(gf__profile *profile);
/* When a command ran, in nanoseconds of the device's clock. */
void gf__event_times(cl_event event, cl_ulong *start, cl_ulong *end);
/* Before a command is queued: where its event is to be stored, or NULL where none is wanted.
 * Commands whose names begin with the same sizeof(gf_profile_row.name) - 1 characters share a row.
 */
cl_event *gf__profile_begin(gf_device *device, const char *name, double flops, double bytes);
/* After it was queued. */
void gf__profile_end(gf_device *device);

#endif
