/* OpenCL devices, of any vendor, through the ICD loader. */
#ifndef GRADFLOW_DEVICE_H
#define GRADFLOW_DEVICE_H

#include <stddef.h>

#include <gradflow/status.h>

typedef struct gf_device gf_device;

typedef enum gf_device_type { GF_DEVICE_CPU, GF_DEVICE_GPU, GF_DEVICE_OTHER } gf_device_type;

typedef struct gf_device_info {
  int platform, index; /* "platform:index" selects it */
  gf_device_type type;
  char platform_name[128], name[256], vendor[128], driver[128], version[128], c_version[128];
  char extensions[8192];
  int compute_units, clock_mhz, vector_width_float;
  size_t work_group_size; /* largest work-group, in work-items */
  unsigned long long memory, max_allocation, local_memory, cache; /* bytes */
  size_t base_alignment;         /* bytes, for the start of a part of a buffer */
  int local_memory_is_dedicated; /* a memory of its own, not a part of global memory */
  int fp64, fp16;
} gf_device_info;

/* All devices of all platforms; *count may be 0, and so may *platforms, which
 * is no error. The caller frees *out with gf_devices_free. */
GF_API gf_status gf_devices_list(gf_device_info **out, int *count, int *platforms) GF_MUST_USE;
GF_API void gf_devices_free(gf_device_info **devices);
/* "cpu", "gpu" or "other". */
GF_API const char *gf_device_type_name(gf_device_type type);

/* Opens the device that selector names: NULL or "auto" for the best one present (a GPU before a
 * CPU before others, then by compute units times clock; one whose driver is found to compute
 * wrong results is passed over), "0:1" for a platform and a device, "cpu" or "gpu",
 * or a part of one name. The caller frees *out. */
GF_API gf_status gf_device_open(gf_device **out, const char *selector) GF_MUST_USE;
GF_API void gf_device_free(gf_device **device);
GF_API const gf_device_info *gf_device_describe(const gf_device *device);
/* Waits for everything that was queued. */
GF_API gf_status gf_device_finish(gf_device *device) GF_MUST_USE;

/* What a kernel did since profiling began. */
typedef struct gf_profile_row {
  char name[64];
  int calls;
  double seconds;      /* on the device */
  double flops, bytes; /* 0: unknown */
} gf_profile_row;

/* Measures every launch from here on. Waits for the queue. */
GF_API gf_status gf_profile_start(gf_device *device) GF_MUST_USE;
/* Rows so far, longest first; the caller frees *out with free. */
GF_API gf_status gf_profile_read(gf_device *device, gf_profile_row **out, int *count) GF_MUST_USE;
/* The launches so far, the first 100,000 at the most, as a JSON file that
 * chrome://tracing and Perfetto show. */
GF_API gf_status gf_profile_trace(gf_device *device, const char *path) GF_MUST_USE;

/* Versions of what the library was built with, for reports. */
typedef struct gf_versions {
  const char *program, *commit, *clblast, *opencl_loader;
} gf_versions;
GF_API gf_versions gf_versions_get(void);

#endif
