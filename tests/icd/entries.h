/* The entry points that are counted and may fail. INNER is what does the work: the vendor's own
 * function, or a mask of it. */
#ifndef ICD_ENTRIES_H
#define ICD_ENTRIES_H

#define REAL(name) icd__real.name

#define NOTIFY_CONTEXT void(CL_CALLBACK * notify)(const char *, const void *, size_t, void *)
#define NOTIFY_PROGRAM void(CL_CALLBACK * notify)(cl_program, void *)

/* X(name, inner, parameters, arguments): returns an error. */
#define PLAIN_ENTRIES(X)                                                                          \
  X(clGetPlatformInfo, icd__get_platform_info,                                                    \
    (cl_platform_id platform, cl_platform_info what, size_t size, void *out, size_t *length),     \
    (platform, what, size, out, length))                                                          \
  X(clGetDeviceIDs, icd__get_device_ids,                                                          \
    (cl_platform_id platform, cl_device_type type, cl_uint most, cl_device_id * out,              \
     cl_uint * count),                                                                            \
    (platform, type, most, out, count))                                                           \
  X(clGetDeviceInfo, icd__get_device_info,                                                        \
    (cl_device_id device, cl_device_info what, size_t size, void *out, size_t *length),           \
    (device, what, size, out, length))                                                            \
  X(clGetContextInfo, REAL(clGetContextInfo),                                                     \
    (cl_context context, cl_context_info what, size_t size, void *out, size_t *length),           \
    (context, what, size, out, length))                                                           \
  X(clGetCommandQueueInfo, REAL(clGetCommandQueueInfo),                                           \
    (cl_command_queue queue, cl_command_queue_info what, size_t size, void *out, size_t *length), \
    (queue, what, size, out, length))                                                             \
  X(clGetMemObjectInfo, REAL(clGetMemObjectInfo),                                                 \
    (cl_mem memory, cl_mem_info what, size_t size, void *out, size_t *length),                    \
    (memory, what, size, out, length))                                                            \
  X(clGetProgramInfo, icd__get_program_info,                                                      \
    (cl_program program, cl_program_info what, size_t size, void *out, size_t *length),           \
    (program, what, size, out, length))                                                           \
  X(clGetProgramBuildInfo, REAL(clGetProgramBuildInfo),                                           \
    (cl_program program, cl_device_id device, cl_program_build_info what, size_t size, void *out, \
     size_t *length),                                                                             \
    (program, device, what, size, out, length))                                                   \
  X(clGetKernelInfo, REAL(clGetKernelInfo),                                                       \
    (cl_kernel kernel, cl_kernel_info what, size_t size, void *out, size_t *length),              \
    (kernel, what, size, out, length))                                                            \
  X(clGetKernelWorkGroupInfo, icd__get_kernel_work_group_info,                                    \
    (cl_kernel kernel, cl_device_id device, cl_kernel_work_group_info what, size_t size,          \
     void *out, size_t *length),                                                                  \
    (kernel, device, what, size, out, length))                                                    \
  X(clGetEventInfo, REAL(clGetEventInfo),                                                         \
    (cl_event event, cl_event_info what, size_t size, void *out, size_t *length),                 \
    (event, what, size, out, length))                                                             \
  X(clGetEventProfilingInfo, icd__get_event_profiling_info,                                       \
    (cl_event event, cl_profiling_info what, size_t size, void *out, size_t *length),             \
    (event, what, size, out, length))                                                             \
  X(clBuildProgram, icd__build_program,                                                           \
    (cl_program program, cl_uint count, const cl_device_id *devices, const char *options,         \
     NOTIFY_PROGRAM, void *user),                                                                 \
    (program, count, devices, options, notify, user))                                             \
  X(clSetKernelArg, REAL(clSetKernelArg),                                                         \
    (cl_kernel kernel, cl_uint index, size_t size, const void *value),                            \
    (kernel, index, size, value))                                                                 \
  X(clFlush, REAL(clFlush), (cl_command_queue queue), (queue))

/* The same of those that wait: one that fails has waited, so that nothing is still in use. */
#define WAIT_ENTRIES(X)                                                              \
  X(clFinish, REAL(clFinish), (cl_command_queue queue), (queue))                     \
  X(clWaitForEvents, REAL(clWaitForEvents), (cl_uint count, const cl_event *events), \
    (count, events))

/* The same of those that give an event where one is asked for. */
#define ENQUEUE_ENTRIES(X)                                                                        \
  X(clEnqueueReadBuffer, REAL(clEnqueueReadBuffer),                                               \
    (cl_command_queue queue, cl_mem buffer, cl_bool blocks, size_t offset, size_t size, void *to, \
     cl_uint count, const cl_event *wait, cl_event *event),                                       \
    (queue, buffer, blocks, offset, size, to, count, wait, event))                                \
  X(clEnqueueWriteBuffer, REAL(clEnqueueWriteBuffer),                                             \
    (cl_command_queue queue, cl_mem buffer, cl_bool blocks, size_t offset, size_t size,           \
     const void *from, cl_uint count, const cl_event *wait, cl_event *event),                     \
    (queue, buffer, blocks, offset, size, from, count, wait, event))                              \
  X(clEnqueueCopyBuffer, REAL(clEnqueueCopyBuffer),                                               \
    (cl_command_queue queue, cl_mem from, cl_mem to, size_t from_offset, size_t to_offset,        \
     size_t size, cl_uint count, const cl_event *wait, cl_event *event),                          \
    (queue, from, to, from_offset, to_offset, size, count, wait, event))                          \
  X(clEnqueueFillBuffer, REAL(clEnqueueFillBuffer),                                               \
    (cl_command_queue queue, cl_mem buffer, const void *pattern, size_t pattern_size,             \
     size_t offset, size_t size, cl_uint count, const cl_event *wait, cl_event *event),           \
    (queue, buffer, pattern, pattern_size, offset, size, count, wait, event))                     \
  X(clEnqueueNDRangeKernel, icd__enqueue_kernel,                                                  \
    (cl_command_queue queue, cl_kernel kernel, cl_uint dimensions, const size_t *offset,          \
     const size_t *global, const size_t *local, cl_uint count, const cl_event *wait,              \
     cl_event *event),                                                                            \
    (queue, kernel, dimensions, offset, global, local, count, wait, event))

/* X(name, inner, parameters, arguments, type, kind): makes an object, and takes cl_int *error. */
#define NEW_ENTRIES(X)                                                                             \
  X(clCreateContext, icd__create_context,                                                          \
    (const cl_context_properties *properties, cl_uint count, const cl_device_id *devices,          \
     NOTIFY_CONTEXT, void *user, cl_int *error),                                                   \
    (properties, count, devices, notify, user, error), cl_context, CONTEXT)                        \
  X(clCreateCommandQueue, REAL(clCreateCommandQueue),                                              \
    (cl_context context, cl_device_id device, cl_command_queue_properties properties,              \
     cl_int * error),                                                                              \
    (context, device, properties, error), cl_command_queue, QUEUE)                                 \
  X(clCreateBuffer, icd__create_buffer,                                                            \
    (cl_context context, cl_mem_flags flags, size_t size, void *host, cl_int *error),              \
    (context, flags, size, host, error), cl_mem, BUFFER)                                           \
  X(clCreateSubBuffer, REAL(clCreateSubBuffer),                                                    \
    (cl_mem buffer, cl_mem_flags flags, cl_buffer_create_type type, const void *info,              \
     cl_int *error),                                                                               \
    (buffer, flags, type, info, error), cl_mem, BUFFER)                                            \
  X(clCreateProgramWithSource, icd__create_program_with_source,                                    \
    (cl_context context, cl_uint count, const char **texts, const size_t *lengths, cl_int *error), \
    (context, count, texts, lengths, error), cl_program, PROGRAM)                                  \
  X(clCreateProgramWithBinary, REAL(clCreateProgramWithBinary),                                    \
    (cl_context context, cl_uint count, const cl_device_id *devices, const size_t *lengths,        \
     const unsigned char **binaries, cl_int *loaded, cl_int *error),                               \
    (context, count, devices, lengths, binaries, loaded, error), cl_program, PROGRAM)              \
  X(clCreateKernel, REAL(clCreateKernel), (cl_program program, const char *name, cl_int *error),   \
    (program, name, error), cl_kernel, KERNEL)

/* X(retain, release, type, kind) */
#define REFERENCE_ENTRIES(X)                                              \
  X(clRetainContext, clReleaseContext, cl_context, CONTEXT)               \
  X(clRetainCommandQueue, clReleaseCommandQueue, cl_command_queue, QUEUE) \
  X(clRetainMemObject, clReleaseMemObject, cl_mem, BUFFER)                \
  X(clRetainProgram, clReleaseProgram, cl_program, PROGRAM)               \
  X(clRetainKernel, clReleaseKernel, cl_kernel, KERNEL)                   \
  X(clRetainEvent, clReleaseEvent, cl_event, EVENT)                       \
  X(clRetainDevice, clReleaseDevice, cl_device_id, SUB_DEVICE)

#endif
