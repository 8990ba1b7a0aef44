/* Platforms that are not there. */
#include <stdio.h>
#include <string.h>

#include "internal.h"

/* As every object of a vendor does, it begins with the address of the table. */
typedef struct platform {
  const cl_icd_dispatch *table;
  int index;
} platform;

static platform made_[16];
static cl_platform_id real_;

static const platform *find(cl_platform_id id) {
  for (int i = 0; i < 16; i++)
    if ((cl_platform_id)&made_[i] == id) return &made_[i];
  return NULL;
}

cl_uint icd__platforms_make(cl_platform_id real, cl_platform_id *out, cl_uint most) {
  cl_uint count = icd__settings.platforms ? (cl_uint)icd__settings.platforms : 1;
  if (count > most) count = most;
  real_ = real;
  for (cl_uint i = 0; i < count; i++) {
    made_[i] = (platform){*(cl_icd_dispatch **)real, (int)i};
    out[i] = i == (count > 1) ? real : (cl_platform_id)&made_[i];
  }
  return count;
}

static cl_int give(const char *text, size_t size, void *out, size_t *length) {
  size_t needed = strlen(text) + 1;
  if (length) *length = needed;
  if (!out) return CL_SUCCESS;
  if (size < needed) return CL_INVALID_VALUE;
  memcpy(out, text, needed);
  return CL_SUCCESS;
}

cl_int CL_API_CALL icd__get_platform_info(cl_platform_id id, cl_platform_info what, size_t size,
                                          void *out, size_t *length) {
  const platform *p = find(id);
  char name[64];
  if (what == CL_PLATFORM_VERSION && icd__settings.opencl12)
    return give("OpenCL 1.2 (masked)", size, out, length);
  if (what == CL_PLATFORM_EXTENSIONS && icd__settings.no_extensions)
    return give("cl_khr_icd", size, out, length);
  if (!p) return icd__real.clGetPlatformInfo(id, what, size, out, length);
  snprintf(name, sizeof name, "Platform %d of the tests", p->index);
  if (what == CL_PLATFORM_NAME) return give(name, size, out, length);
  return icd__real.clGetPlatformInfo(real_, what, size, out, length);
}

cl_int CL_API_CALL icd__get_device_ids(cl_platform_id id, cl_device_type type, cl_uint most,
                                       cl_device_id *out, cl_uint *count) {
  const platform *p = find(id);
  if (p && p->index == 0) return CL_DEVICE_NOT_FOUND;
  if (icd__settings.gpu && type != CL_DEVICE_TYPE_ALL)
    type = type & CL_DEVICE_TYPE_GPU ? CL_DEVICE_TYPE_ALL : CL_DEVICE_TYPE_CUSTOM;
  return icd__real.clGetDeviceIDs(p ? real_ : id, type, most, out, count);
}

cl_context CL_API_CALL icd__create_context(const cl_context_properties *properties, cl_uint count,
                                           const cl_device_id *devices,
                                           void(CL_CALLBACK *notify)(const char *, const void *,
                                                                     size_t, void *),
                                           void *user, cl_int *error) {
  cl_context_properties copy[32] = {0};
  for (int i = 0; properties && properties[i] && i < 30; i += 2) {
    bool is_made = properties[i] == CL_CONTEXT_PLATFORM && find((cl_platform_id)properties[i + 1]);
    copy[i] = properties[i];
    copy[i + 1] = is_made ? (cl_context_properties)real_ : properties[i + 1];
  }
  return icd__real.clCreateContext(properties ? copy : NULL, count, devices, notify, user, error);
}
