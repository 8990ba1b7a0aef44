/* All platforms and devices, as the ICD loader sees them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "device/internal.h"

enum { MOST_PLATFORMS = 32, MOST_DEVICES = 64 };

static void query_text(cl_device_id id, cl_device_info what, char *out, size_t size) {
  size_t length = 0;
  out[0] = 0;
  if (clGetDeviceInfo(id, what, 0, NULL, &length) != CL_SUCCESS || length == 0) return;
  char *text = malloc(length);
  if (text && clGetDeviceInfo(id, what, length, text, NULL) == CL_SUCCESS)
    snprintf(out, size, "%s", text + strspn(text, " "));
  free(text);
}

/* 0 where the device does not say. */
static unsigned long long query_number(cl_device_id id, cl_device_info what) {
  unsigned char bytes[8] = {0};
  size_t size = 0;
  if (clGetDeviceInfo(id, what, sizeof bytes, bytes, &size) != CL_SUCCESS) return 0;
  cl_uint narrow;
  cl_ulong wide;
  memcpy(&narrow, bytes, sizeof narrow);
  memcpy(&wide, bytes, sizeof wide);
  return size == sizeof narrow ? narrow : wide;
}

/* The first indispensable property that the device does not report, as a broken one may; NULL where
 * it reports all of them. */
static const char *find_unknown(const gf_device_info *info, cl_device_type type) {
  return !info->name[0]            ? "name"
         : !type                   ? "type"
         : info->compute_units < 1 ? "number of compute units"
         : !info->work_group_size  ? "largest work-group"
         : !info->memory           ? "size of memory"
         : !info->max_allocation   ? "largest allocation"
         : !info->base_alignment   ? "alignment of buffers"
                                   : NULL;
}

/* Returns what the device does not report, or NULL. */
static const char *query_device(cl_platform_id platform, int platform_index, cl_device_id id,
                                int index, gf_device_info *out) {
  *out = (gf_device_info){.platform = platform_index, .index = index};
  clGetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof out->platform_name - 1, out->platform_name,
                    NULL);
  query_text(id, CL_DEVICE_NAME, out->name, sizeof out->name);
  query_text(id, CL_DEVICE_VENDOR, out->vendor, sizeof out->vendor);
  query_text(id, CL_DRIVER_VERSION, out->driver, sizeof out->driver);
  query_text(id, CL_DEVICE_VERSION, out->version, sizeof out->version);
  query_text(id, CL_DEVICE_OPENCL_C_VERSION, out->c_version, sizeof out->c_version);
  query_text(id, CL_DEVICE_EXTENSIONS, out->extensions, sizeof out->extensions);
  cl_device_type type = (cl_device_type)query_number(id, CL_DEVICE_TYPE);
  /* A simulator may claim to be of every type; it runs on the CPU. */
  out->type = type & CL_DEVICE_TYPE_CPU   ? GF_DEVICE_CPU
              : type & CL_DEVICE_TYPE_GPU ? GF_DEVICE_GPU
                                          : GF_DEVICE_OTHER;
  out->compute_units = (int)query_number(id, CL_DEVICE_MAX_COMPUTE_UNITS);
  out->clock_mhz = (int)query_number(id, CL_DEVICE_MAX_CLOCK_FREQUENCY);
  out->vector_width_float = (int)query_number(id, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT);
  out->work_group_size = (size_t)query_number(id, CL_DEVICE_MAX_WORK_GROUP_SIZE);
  out->memory = query_number(id, CL_DEVICE_GLOBAL_MEM_SIZE);
  out->max_allocation = query_number(id, CL_DEVICE_MAX_MEM_ALLOC_SIZE);
  out->local_memory = query_number(id, CL_DEVICE_LOCAL_MEM_SIZE);
  out->cache = query_number(id, CL_DEVICE_GLOBAL_MEM_CACHE_SIZE);
  out->base_alignment = (size_t)query_number(id, CL_DEVICE_MEM_BASE_ADDR_ALIGN) / 8;
  out->local_memory_is_dedicated = query_number(id, CL_DEVICE_LOCAL_MEM_TYPE) == CL_LOCAL;
  out->fp64 = strstr(out->extensions, "cl_khr_fp64") != NULL;
  out->fp16 = strstr(out->extensions, "cl_khr_fp16") != NULL;
  return find_unknown(out, type);
}

typedef bool visitor(void *user, cl_device_id id, const gf_device_info *info);

/* The devices of a platform; false to stop. */
static bool visit_platform(cl_platform_id platform, int index, visitor *visit, void *user,
                           bool reports) {
  cl_device_id device[MOST_DEVICES];
  cl_uint count = 0;
  cl_int error = clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, MOST_DEVICES, device, &count);
  /* A platform without a device is common (mesa) and not an error. */
  if (error == CL_DEVICE_NOT_FOUND || (error == CL_SUCCESS && count == 0)) {
    if (reports) gf__platform_report_empty(platform, index);
    return true;
  }
  if (error != CL_SUCCESS) {
    gf__log(GF_LOG_WARNING, "OpenCL platform %d is passed over: it does not list its devices: %s",
            index, gf__cl_error_name(error));
    return true;
  }
  if (count > MOST_DEVICES) count = MOST_DEVICES;
  for (cl_uint d = 0; d < count; d++) {
    gf_device_info info;
    const char *unknown = query_device(platform, index, device[d], (int)d, &info);
    if (unknown)
      gf__log(GF_LOG_WARNING, "OpenCL device %d:%d is passed over: it does not report its %s",
              index, (int)d, unknown);
    else if (!visit(user, device[d], &info))
      return false;
  }
  return true;
}

static gf_status visit_devices(visitor *visit, void *user, int *platforms, bool reports) {
  cl_platform_id platform[MOST_PLATFORMS];
  cl_uint platform_count = 0;
  cl_int error = clGetPlatformIDs(MOST_PLATFORMS, platform, &platform_count);
  /* The loader's way to say that no vendor is installed (cl_khr_icd). */
  enum { PLATFORM_NOT_FOUND = -1001 };
  if (error == PLATFORM_NOT_FOUND)
    platform_count = 0;
  else if (error != CL_SUCCESS)
    return gf__fail(GF_ERROR_DEVICE, "the OpenCL loader lists no platforms: %s",
                    gf__cl_error_name(error));
  if (platform_count > MOST_PLATFORMS) platform_count = MOST_PLATFORMS;
  *platforms = (int)platform_count;
  for (int p = 0; p < *platforms && visit_platform(platform[p], p, visit, user, reports); p++)
    continue;
  if (reports) gf__vendors_report_broken();
  return GF_OK;
}

gf_status gf__devices_visit(visitor *visit, void *user, int *platforms) {
  return visit_devices(visit, user, platforms, false);
}

gf_status gf__devices_report(visitor *visit, void *user, int *platforms) {
  return visit_devices(visit, user, platforms, true);
}

bool gf__device_divides(cl_device_id id, int count) {
  enum { MOST = 16 };
  cl_device_partition_property ways[MOST] = {0};
  size_t size = 0;
  if (clGetDeviceInfo(id, CL_DEVICE_PARTITION_PROPERTIES, sizeof ways, ways, &size) != CL_SUCCESS)
    return false;
  bool equally = false;
  for (size_t i = 0; i < size / sizeof *ways && i < MOST; i++)
    equally |= ways[i] == CL_DEVICE_PARTITION_EQUALLY;
  return equally &&
         query_number(id, CL_DEVICE_PARTITION_MAX_SUB_DEVICES) >= (unsigned long long)count;
}

typedef struct list {
  gf_device_info *rows;
  int count;
  bool failed;
} list;

static bool add_row(void *user, cl_device_id id, const gf_device_info *info) {
  (void)id;
  list *all = user;
  all->failed = gf__grow(&all->rows, (size_t)all->count, sizeof *all->rows) != GF_OK;
  if (!all->failed) all->rows[all->count++] = *info;
  return !all->failed;
}

gf_status gf_devices_list(gf_device_info **out, int *count, int *platforms) {
  list all = {0};
  *out = NULL;
  *count = *platforms = 0;
  gf_status status = gf__devices_report(add_row, &all, platforms);
  if (status == GF_OK && all.failed)
    status = gf__fail_host_memory((size_t)(all.count + 1) * sizeof *all.rows);
  if (status != GF_OK) {
    free(all.rows);
    return status;
  }
  *out = all.rows;
  *count = all.count;
  return GF_OK;
}

void gf_devices_free(gf_device_info **devices) {
  free(*devices);
  *devices = NULL;
}

void gf__device_key(const gf_device_info *info, gf__text *out) {
  gf__text_add(out, "%s\n%s\n%s\n%s\n%s\n%s\ngroup %zu, local %llu\n", info->platform_name,
               info->name, info->driver, info->version, gf_device_type_name(info->type),
               info->extensions, info->work_group_size, info->local_memory);
}

const char *gf_device_type_name(gf_device_type type) {
  static const char *const names[] = {
      [GF_DEVICE_CPU] = "cpu", [GF_DEVICE_GPU] = "gpu", [GF_DEVICE_OTHER] = "other"};
  return names[type];
}
