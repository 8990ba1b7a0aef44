/* The OpenCL objects that the handles of device.h stand for. */
#ifndef GF_DEVICE_INTERNAL_H
#define GF_DEVICE_INTERNAL_H

#include <CL/cl.h>

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
};

/* Calls visit for every device; visit returns false to stop. *platforms counts platforms. */
gf_status gf__devices_visit(bool (*visit)(void *user, cl_device_id id, const gf_device_info *info),
                            void *user, int *platforms) GF_MUST_USE;

/* "CL_OUT_OF_RESOURCES" and so on. */
const char *gf__cl_error_name(cl_int error);
/* Fails with what was tried, the OpenCL error and the device's name. */
gf_status gf__fail_cl(const gf_device *device, cl_int error, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));

/* Releases what CLBlast holds of a device that is closed. */
void gf__gemm_release(gf_device *device);

/* Opens device->queue. */
gf_status gf__queue_open(gf_device *device, bool profiling) GF_MUST_USE;
/* Releases the events whose times were not read, and the rows. */
void gf__profile_free(gf__profile *profile);
/* Where the event of the next command is to be stored, or NULL when not profiling. Commands whose
 * names begin with the same sizeof(gf_profile_row.name) - 1 characters share a row. */
cl_event *gf__profile_event(gf_device *device, const char *name, double flops, double bytes);

#endif
