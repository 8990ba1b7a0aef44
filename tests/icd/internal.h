/* What the files of the shim share. */
#ifndef ICD_INTERNAL_H
#define ICD_INTERNAL_H

#define CL_TARGET_OPENCL_VERSION 300
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS

#include <CL/cl_icd.h>
#include <stdbool.h>

#include "icd.h"

typedef struct settings {
  size_t no_fp64, no_subgroups, no_extensions, opencl12, gpu;  /* 0 or 1 */
  size_t group, kernel_group, local, alloc, memory, platforms; /* 0: as it is */
  size_t slow_binary;                                          /* milliseconds */
  size_t no_times, claimed_group, loops;                       /* 0: as it is */
  int failing; /* an entry, or ANY_ENTRY, NO_ENTRY */
  long fails_at;
  bool fails_on; /* after that too */
  cl_int error;
} settings;

extern settings icd__settings;
extern cl_icd_dispatch icd__real; /* the vendor's own entry points */

enum { ANY_ENTRY = -1, NO_ENTRY = -2 };

typedef enum kind { CONTEXT, QUEUE, BUFFER, PROGRAM, KERNEL, EVENT, SUB_DEVICE, KINDS } kind;

/* Reads the settings, or ends the process with a message. */
void icd__settings_read(const char *text);
/* Number of the entry point in entries.h, or NO_ENTRY. */
int icd__entry_find(const char *name);
/* Puts the entry points of entries.h into the vendor's table. */
void icd__entries_install(cl_icd_dispatch *table);
void icd__calls_reset(void);
extern const icd_control icd__control;
/* The bytes in buffers, of which a vendor's library may free some later than they are released. */
size_t icd__bytes(void);
/* Puts platforms without a device, and others with the same, around the real one. */
cl_uint icd__platforms_make(cl_platform_id real, cl_platform_id *out, cl_uint most);

/* The masks: what is asked and done with the settings in force. */
cl_int CL_API_CALL icd__get_platform_info(cl_platform_id platform, cl_platform_info what,
                                          size_t size, void *out, size_t *length);
cl_int CL_API_CALL icd__get_device_ids(cl_platform_id platform, cl_device_type type, cl_uint most,
                                       cl_device_id *out, cl_uint *count);
cl_int CL_API_CALL icd__get_device_info(cl_device_id device, cl_device_info what, size_t size,
                                        void *out, size_t *length);
cl_int CL_API_CALL icd__get_kernel_work_group_info(cl_kernel kernel, cl_device_id device,
                                                   cl_kernel_work_group_info what, size_t size,
                                                   void *out, size_t *length);
cl_context CL_API_CALL icd__create_context(const cl_context_properties *properties, cl_uint count,
                                           const cl_device_id *devices,
                                           void(CL_CALLBACK *notify)(const char *, const void *,
                                                                     size_t, void *),
                                           void *user, cl_int *error);
cl_mem CL_API_CALL icd__create_buffer(cl_context context, cl_mem_flags flags, size_t size,
                                      void *host, cl_int *error);
cl_program CL_API_CALL icd__create_program_with_source(cl_context context, cl_uint count,
                                                       const char **texts, const size_t *lengths,
                                                       cl_int *error);
cl_int CL_API_CALL icd__get_event_profiling_info(cl_event event, cl_profiling_info what,
                                                 size_t size, void *out, size_t *length);
cl_int CL_API_CALL icd__get_program_info(cl_program program, cl_program_info what, size_t size,
                                         void *out, size_t *length);
cl_int CL_API_CALL icd__build_program(cl_program program, cl_uint count,
                                      const cl_device_id *devices, const char *options,
                                      void(CL_CALLBACK *notify)(cl_program, void *), void *user);
cl_int CL_API_CALL icd__enqueue_kernel(cl_command_queue queue, cl_kernel kernel, cl_uint dimensions,
                                       const size_t *offset, const size_t *global,
                                       const size_t *local, cl_uint count, const cl_event *wait,
                                       cl_event *event);

#endif
