/* Fewer capabilities and smaller limits than the real device has: what is said of them, and what
 * happens to a program that asks for more. */
#define _POSIX_C_SOURCE 200809L /* nanosleep */

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "internal.h"

static size_t least(size_t a, size_t limit) { return limit && limit < a ? limit : a; }

/* ---- what the device says ---- */

/* A number of the device that is at most the setting. */
static const struct {
  cl_device_info what;
  size_t limit; /* in settings */
  size_t other; /* another, or the same */
} limits_[] = {
    {CL_DEVICE_MAX_WORK_GROUP_SIZE, offsetof(settings, group), offsetof(settings, group)},
    {CL_DEVICE_LOCAL_MEM_SIZE, offsetof(settings, local), offsetof(settings, local)},
    {CL_DEVICE_GLOBAL_MEM_SIZE, offsetof(settings, memory), offsetof(settings, memory)},
    {CL_DEVICE_MAX_MEM_ALLOC_SIZE, offsetof(settings, alloc), offsetof(settings, memory)},
};

/* A number of the device that is 0 where the flag is set. */
static const struct {
  cl_device_info what;
  size_t flag; /* in settings */
} absent_[] = {
    {CL_DEVICE_DOUBLE_FP_CONFIG, offsetof(settings, no_fp64)},
    {CL_DEVICE_PREFERRED_VECTOR_WIDTH_DOUBLE, offsetof(settings, no_fp64)},
    {CL_DEVICE_NATIVE_VECTOR_WIDTH_DOUBLE, offsetof(settings, no_fp64)},
    {CL_DEVICE_MAX_NUM_SUB_GROUPS, offsetof(settings, no_subgroups)},
};

static size_t setting(size_t offset) {
  size_t value;
  memcpy(&value, (const char *)&icd__settings + offset, sizeof value);
  return value;
}

static bool hides(const char *name, size_t length) {
  static const char *const core[] = {
      "cl_khr_byte_addressable_store", "cl_khr_global_int32_base_atomics",
      "cl_khr_global_int32_extended_atomics", "cl_khr_local_int32_base_atomics",
      "cl_khr_local_int32_extended_atomics"};
  const settings *s = &icd__settings;
  if (s->no_fp64 && length == 11 && !strncmp(name, "cl_khr_fp64", length)) return true;
  for (size_t i = 0; s->no_subgroups && i + 8 <= length; i++)
    if (!strncmp(name + i, "subgroup", 8)) return true;
  if (!s->no_extensions) return false;
  for (size_t i = 0; i < sizeof core / sizeof *core; i++)
    if (strlen(core[i]) == length && !strncmp(core[i], name, length)) return false;
  return true;
}

static void filter_extensions(char *text) {
  char *to = text;
  for (const char *from = text; *from; from += *from == ' ') {
    size_t length = strcspn(from, " ");
    if (length && !hides(from, length)) {
      if (to > text) *to++ = ' ';
      memmove(to, from, length);
      to += length;
    }
    from += length;
  }
  *to = 0;
}

/* Makes "OpenCL 3.0 PoCL" of the device "OpenCL 1.2 PoCL"; no longer than it was. */
static void change_version(char *text, const char *before) {
  size_t length = strlen(before);
  if (!strncmp(text, before, length) && strlen(text) >= length + 3) memcpy(text + length, "1.2", 3);
}

static void mask_text(cl_device_info what, char *text) {
  if (what == CL_DEVICE_EXTENSIONS) filter_extensions(text);
  if (what == CL_DEVICE_VERSION && icd__settings.opencl12) change_version(text, "OpenCL ");
  if (what == CL_DEVICE_OPENCL_C_VERSION && icd__settings.opencl12)
    change_version(text, "OpenCL C ");
}

static void mask_number(cl_device_info what, size_t size, void *out) {
  uint64_t number = 0;
  memcpy(&number, out, size);
  for (size_t i = 0; i < sizeof limits_ / sizeof *limits_; i++)
    if (limits_[i].what == what)
      number = least(least(number, setting(limits_[i].limit)), setting(limits_[i].other));
  for (size_t i = 0; i < sizeof absent_ / sizeof *absent_; i++)
    if (absent_[i].what == what && setting(absent_[i].flag)) number = 0;
  if (what == CL_DEVICE_TYPE && icd__settings.gpu) number = CL_DEVICE_TYPE_GPU;
  memcpy(out, &number, size);
}

static void mask_sizes(size_t *sizes, size_t count) {
  for (size_t i = 0; i < count; i++) sizes[i] = least(sizes[i], icd__settings.group);
}

cl_int CL_API_CALL icd__get_device_info(cl_device_id device, cl_device_info what, size_t size,
                                        void *out, size_t *length) {
  /* The first question of OpenCL 2.0, and the last of 3.0 among the numbers of the standard. */
  if (icd__settings.opencl12 && what >= 0x104A && what <= 0x1073) return CL_INVALID_VALUE;
  size_t got = 0;
  cl_int error = icd__real.clGetDeviceInfo(device, what, size, out, &got);
  if (length) *length = got;
  if (error != CL_SUCCESS || !out) return error;
  bool is_text = what == CL_DEVICE_EXTENSIONS || what == CL_DEVICE_VERSION ||
                 what == CL_DEVICE_OPENCL_C_VERSION;
  if (is_text) {
    mask_text(what, out);
    if (length) *length = strlen(out) + 1;
  } else if (what == CL_DEVICE_MAX_WORK_ITEM_SIZES) {
    mask_sizes(out, got / sizeof(size_t));
  } else if (got == sizeof(cl_uint) || got == sizeof(cl_ulong)) {
    mask_number(what, got, out);
  }
  return CL_SUCCESS;
}

/* ---- kernels ---- */

static bool requires_size(cl_kernel kernel, cl_device_id device) {
  size_t required[3] = {0};
  icd__real.clGetKernelWorkGroupInfo(kernel, device, CL_KERNEL_COMPILE_WORK_GROUP_SIZE,
                                     sizeof required, required, NULL);
  return required[0] != 0;
}

/* The largest work-group of the kernel. */
static size_t group_limit(cl_kernel kernel, cl_device_id device) {
  size_t most = SIZE_MAX;
  icd__real.clGetKernelWorkGroupInfo(kernel, device, CL_KERNEL_WORK_GROUP_SIZE, sizeof most, &most,
                                     NULL);
  most = least(most, icd__settings.group);
  return requires_size(kernel, device) ? most : least(most, icd__settings.kernel_group);
}

cl_int CL_API_CALL icd__get_kernel_work_group_info(cl_kernel kernel, cl_device_id device,
                                                   cl_kernel_work_group_info what, size_t size,
                                                   void *out, size_t *length) {
  cl_int error = icd__real.clGetKernelWorkGroupInfo(kernel, device, what, size, out, length);
  if (error == CL_SUCCESS && out && what == CL_KERNEL_WORK_GROUP_SIZE) {
    size_t most = least(group_limit(kernel, device), icd__settings.claimed_group);
    memcpy(out, &most, sizeof most);
  }
  return error;
}

cl_int CL_API_CALL icd__get_event_profiling_info(cl_event event, cl_profiling_info what,
                                                 size_t size, void *out, size_t *length) {
  cl_int error = icd__real.clGetEventProfilingInfo(event, what, size, out, length);
  cl_ulong time = what == CL_PROFILING_COMMAND_END ? 2 : 1;
  if (error == CL_SUCCESS && out && icd__settings.no_times) memcpy(out, &time, sizeof time);
  return error;
}

cl_int CL_API_CALL icd__get_program_info(cl_program program, cl_program_info what, size_t size,
                                         void *out, size_t *length) {
  size_t ms = icd__settings.slow_binary;
  if (what == CL_PROGRAM_BINARIES)
    nanosleep(&(struct timespec){(time_t)ms / 1000, (long)(ms % 1000) * 1000000}, NULL);
  return icd__real.clGetProgramInfo(program, what, size, out, length);
}

static cl_int check_local(const size_t *local, cl_uint dimensions, size_t most) {
  size_t all = 1;
  for (cl_uint d = 0; d < dimensions; d++) {
    if (icd__settings.group && local[d] > icd__settings.group) return CL_INVALID_WORK_ITEM_SIZE;
    all *= local[d];
  }
  return all > most ? CL_INVALID_WORK_GROUP_SIZE : CL_SUCCESS;
}

static cl_int check_local_memory(cl_kernel kernel, cl_device_id device) {
  cl_ulong used = 0;
  if (!icd__settings.local) return CL_SUCCESS;
  icd__real.clGetKernelWorkGroupInfo(kernel, device, CL_KERNEL_LOCAL_MEM_SIZE, sizeof used, &used,
                                     NULL);
  return used > icd__settings.local ? CL_OUT_OF_RESOURCES : CL_SUCCESS;
}

/* A driver that is left the choice takes groups within its limit. */
static void choose_local(const size_t *global, cl_uint dimensions, size_t most, size_t local[3]) {
  for (cl_uint d = 0; d < dimensions; d++) local[d] = 1;
  while (local[0] * 2 <= most && global[0] % (local[0] * 2) == 0) local[0] *= 2;
}

cl_int CL_API_CALL icd__enqueue_kernel(cl_command_queue queue, cl_kernel kernel, cl_uint dimensions,
                                       const size_t *offset, const size_t *global,
                                       const size_t *local, cl_uint count, const cl_event *wait,
                                       cl_event *event) {
  const settings *s = &icd__settings;
  size_t chosen[3];
  cl_device_id device;
  if (s->group || s->kernel_group || s->local) {
    cl_int error =
        icd__real.clGetCommandQueueInfo(queue, CL_QUEUE_DEVICE, sizeof device, &device, NULL);
    if (error != CL_SUCCESS) return error;
    size_t most = group_limit(kernel, device);
    if (!local && !requires_size(kernel, device)) {
      choose_local(global, dimensions, most, chosen);
      local = chosen;
    }
    if (local) error = check_local(local, dimensions, most);
    if (error == CL_SUCCESS) error = check_local_memory(kernel, device);
    if (error != CL_SUCCESS) return error;
  }
  return icd__real.clEnqueueNDRangeKernel(queue, kernel, dimensions, offset, global, local, count,
                                          wait, event);
}

/* ---- programs ---- */

/* Ends each while loop after so many iterations, as some drivers do without a word. */
static const char *limit_loops(char *out, size_t size) {
  snprintf(out, size,
           "#define while(condition) for (uint spent_ = 0; spent_ < %zu && (condition); spent_++)\n"
           "#line 1\n",
           icd__settings.loops);
  return icd__settings.loops ? out : "";
}

/* A device without fp64 does not define the macro, and refuses the type; strings that are empty
 * are texts like others. */
cl_program CL_API_CALL icd__create_program_with_source(cl_context context, cl_uint count,
                                                       const char **texts, const size_t *lengths,
                                                       cl_int *error) {
  enum { MOST = 63 };
  static const char without[] =
      "#undef cl_khr_fp64\n#define double a_device_without_fp64_has_no_double\n"
      "#define double2 double\n#define double3 double\n#define double4 double\n"
      "#define double8 double\n#define double16 double\n#line 1\n";
  char loops[256];
  const char *all[MOST + 2] = {icd__settings.no_fp64 ? without : "",
                               limit_loops(loops, sizeof loops)};
  size_t sizes[MOST + 2] = {strlen(all[0]), strlen(all[1])};
  if (!(sizes[0] + sizes[1]) || count > MOST)
    return icd__real.clCreateProgramWithSource(context, count, texts, lengths, error);
  for (cl_uint i = 0; i < count; i++) {
    all[i + 2] = texts[i];
    sizes[i + 2] = lengths && lengths[i] ? lengths[i] : strlen(texts[i]);
  }
  return icd__real.clCreateProgramWithSource(context, count + 2, all, sizes, error);
}

cl_int CL_API_CALL icd__build_program(cl_program program, cl_uint count,
                                      const cl_device_id *devices, const char *options,
                                      void(CL_CALLBACK *notify)(cl_program, void *), void *user) {
  if (icd__settings.opencl12 && options &&
      (strstr(options, "-cl-std=CL2") || strstr(options, "-cl-std=CL3")))
    return CL_INVALID_BUILD_OPTIONS;
  return icd__real.clBuildProgram(program, count, devices, options, notify, user);
}

/* ---- buffers ---- */

static atomic_size_t bytes_;

size_t icd__bytes(void) { return bytes_; }

static void CL_CALLBACK forget(cl_mem buffer, void *size) {
  (void)buffer;
  bytes_ -= (size_t)(uintptr_t)size;
}

cl_mem CL_API_CALL icd__create_buffer(cl_context context, cl_mem_flags flags, size_t size,
                                      void *host, cl_int *error) {
  const settings *s = &icd__settings;
  size_t most = least(s->alloc ? s->alloc : SIZE_MAX, s->memory);
  cl_int refused = size > most                              ? CL_INVALID_BUFFER_SIZE
                   : s->memory && bytes_ + size > s->memory ? CL_MEM_OBJECT_ALLOCATION_FAILURE
                                                            : CL_SUCCESS;
  if (refused) {
    if (error) *error = refused;
    return NULL;
  }
  cl_mem buffer = icd__real.clCreateBuffer(context, flags, size, host, error);
  if (!buffer) return NULL;
  if (icd__real.clSetMemObjectDestructorCallback(buffer, forget, (void *)(uintptr_t)size) ==
      CL_SUCCESS)
    bytes_ += size;
  return buffer;
}
