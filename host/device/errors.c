/* OpenCL's error codes in words. */
#include <stdarg.h>
#include <stdio.h>

#include "device/internal.h"

#define ROW(code) \
  { code, #code }
static const struct {
  cl_int code;
  const char *name;
} error_names[] = {
    ROW(CL_DEVICE_NOT_FOUND),
    ROW(CL_DEVICE_NOT_AVAILABLE),
    ROW(CL_COMPILER_NOT_AVAILABLE),
    ROW(CL_MEM_OBJECT_ALLOCATION_FAILURE),
    ROW(CL_OUT_OF_RESOURCES),
    ROW(CL_OUT_OF_HOST_MEMORY),
    ROW(CL_PROFILING_INFO_NOT_AVAILABLE),
    ROW(CL_BUILD_PROGRAM_FAILURE),
    ROW(CL_MISALIGNED_SUB_BUFFER_OFFSET),
    ROW(CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST),
    ROW(CL_INVALID_VALUE),
    ROW(CL_INVALID_DEVICE),
    ROW(CL_INVALID_CONTEXT),
    ROW(CL_INVALID_COMMAND_QUEUE),
    ROW(CL_INVALID_MEM_OBJECT),
    ROW(CL_INVALID_BINARY),
    ROW(CL_INVALID_BUILD_OPTIONS),
    ROW(CL_INVALID_PROGRAM),
    ROW(CL_INVALID_PROGRAM_EXECUTABLE),
    ROW(CL_INVALID_KERNEL_NAME),
    ROW(CL_INVALID_KERNEL),
    ROW(CL_INVALID_ARG_INDEX),
    ROW(CL_INVALID_ARG_VALUE),
    ROW(CL_INVALID_ARG_SIZE),
    ROW(CL_INVALID_KERNEL_ARGS),
    ROW(CL_INVALID_WORK_DIMENSION),
    ROW(CL_INVALID_WORK_GROUP_SIZE),
    ROW(CL_INVALID_WORK_ITEM_SIZE),
    ROW(CL_INVALID_GLOBAL_OFFSET),
    ROW(CL_INVALID_EVENT),
    ROW(CL_INVALID_OPERATION),
    ROW(CL_INVALID_BUFFER_SIZE),
    ROW(CL_INVALID_GLOBAL_WORK_SIZE),
    ROW(CL_INVALID_EVENT_WAIT_LIST),
    ROW(CL_INVALID_HOST_PTR),
    ROW(CL_INVALID_QUEUE_PROPERTIES),
    ROW(CL_DEVICE_PARTITION_FAILED),
    ROW(CL_LINK_PROGRAM_FAILURE),
    ROW(CL_MAP_FAILURE),
};

const char *gf__cl_error_name(cl_int error) {
  static _Thread_local char unknown[32];
  for (size_t i = 0; i < sizeof error_names / sizeof *error_names; i++)
    if (error_names[i].code == error) return error_names[i].name;
  /* CLBlast's own codes lie below those of OpenCL and its extensions. */
  snprintf(unknown, sizeof unknown, "%s error %d", error < -1010 ? "CLBlast" : "OpenCL",
           (int)error);
  return unknown;
}

/* What a code means to the caller, and what there is to do about it. */
typedef struct meaning {
  cl_int code;
  gf_status status;
  const char *advice;
} meaning;

static const meaning meanings[] = {
    {CL_OUT_OF_RESOURCES, GF_ERROR_DEVICE, "use a smaller batch, or another device"},
    {CL_DEVICE_NOT_AVAILABLE, GF_ERROR_DEVICE,
     "see that the device is there and free, or use another one"},
    {CL_MEM_OBJECT_ALLOCATION_FAILURE, GF_ERROR_DEVICE_MEMORY, "use a smaller batch"},
    {CL_INVALID_BUFFER_SIZE, GF_ERROR_DEVICE_MEMORY, "use a smaller batch"},
    {CL_OUT_OF_HOST_MEMORY, GF_ERROR_MEMORY, "use a smaller batch, or end other programs"},
};

static const meaning unknown_meaning = {
    0, GF_ERROR_DEVICE, "the driver is at fault, or gradflow: use another device, and report this"};

static const meaning *cl_meaning(cl_int error) {
  for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
    if (meanings[i].code == error) return &meanings[i];
  return &unknown_meaning;
}

gf_status gf__fail_cl(const gf_device *device, cl_int error, const char *format, ...) {
  char what[512];
  va_list args;
  va_start(args, format);
  vsnprintf(what, sizeof what, format, args);
  va_end(args);
  const meaning *m = cl_meaning(error);
  return gf__fail(m->status, "%s on %s: %s; %s", what, device->info.name, gf__cl_error_name(error),
                  m->advice);
}
