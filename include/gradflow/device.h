/** @file
 * OpenCL devices, of any vendor, through the ICD loader. */
#ifndef GRADFLOW_DEVICE_H
#define GRADFLOW_DEVICE_H

#include <stdbool.h>
#include <stddef.h>

#include <gradflow/status.h>

/** An open device, with its queue and its kernels. */
typedef struct gf_device gf_device;

/** The kind of a device. */
typedef enum gf_device_type {
  GF_DEVICE_CPU,  /**< the host's processors */
  GF_DEVICE_GPU,  /**< a graphics processor */
  GF_DEVICE_OTHER /**< an accelerator, or what the driver calls a custom device */
} gf_device_type;

/** What a driver says about a device. Sizes are in bytes. */
typedef struct gf_device_info {
  int platform;                      /**< from 0; "platform:index" selects the device */
  int index;                         /**< within its platform, from 0 */
  gf_device_type type;               /**< what it is */
  char platform_name[128];           /**< the driver's */
  char name[256];                    /**< the device's */
  char vendor[128];                  /**< who makes the device */
  char driver[128];                  /**< the driver's version */
  char version[128];                 /**< of OpenCL, as the device supports it */
  char c_version[128];               /**< of OpenCL C */
  char extensions[8192];             /**< their names, with spaces between them */
  int compute_units;                 /**< as the driver counts them */
  int clock_mhz;                     /**< the highest clock, in MHz */
  int vector_width_float;            /**< the preferred number of floats in a vector */
  size_t work_group_size;            /**< of the largest work-group, in work-items */
  unsigned long long memory;         /**< global memory */
  unsigned long long max_allocation; /**< of the largest buffer */
  unsigned long long local_memory;   /**< of a work-group */
  unsigned long long cache;          /**< of global memory; 0: none */
  size_t base_alignment;             /**< for the start of a sub-buffer */
  bool local_memory_is_dedicated;    /**< a memory of its own, not within global memory */
  bool fp64;                         /**< computes in double precision */
  bool fp16;                         /**< computes in half precision */
} gf_device_info;

/** Lists all devices of all platforms: *out has *count of them, and *platforms is the number of
 * platforms. Both numbers may be 0, which is no error. The caller frees *out with
 * gf_devices_free(). */
GF_API gf_status gf_devices_list(gf_device_info **out, int *count, int *platforms) GF_MUST_USE;

/** Frees a list of devices. */
GF_API void gf_devices_free(gf_device_info **devices);

/** "cpu", "gpu" or "other". */
GF_API const char *gf_device_type_name(gf_device_type type);

/** Opens the device that selector names: NULL or "auto" for the best one present (a GPU before a
 * CPU before others, then by compute units times clock; one whose driver is found to compute wrong
 * results is passed over), "0:1" for a platform and a device, "cpu" or "gpu", or a substring of
 * exactly one name. The caller frees *out. GF_ERROR_DEVICE where none or several match. */
GF_API gf_status gf_device_open(gf_device **out, const char *selector) GF_MUST_USE;

/** Frees a device, after the models that were opened on it. */
GF_API void gf_device_free(gf_device **device);

/** What the driver says about the device; owned by the device. */
GF_API const gf_device_info *gf_device_describe(const gf_device *device);

/** Waits for everything that was queued on the device. */
GF_API gf_status gf_device_finish(gf_device *device) GF_MUST_USE;

/** What a kernel did since profiling began. */
typedef struct gf_profile_row {
  char name[64];  /**< the kernel's */
  int calls;      /**< how often it was launched */
  double seconds; /**< on the device, of all calls */
  double flops;   /**< of all calls; 0: unknown */
  double bytes;   /**< read and written by all calls; 0: unknown */
} gf_profile_row;

/** Waits for the queue, and measures every launch from here on. */
GF_API gf_status gf_profile_start(gf_device *device) GF_MUST_USE;

/** Waits for the queue, and gives a row per kernel, that of the longest time first. The caller
 * frees *out with free. */
GF_API gf_status gf_profile_read(gf_device *device, gf_profile_row **out, int *count) GF_MUST_USE;

/** Waits for the queue, and writes the launches so far, the first 100,000 at most, as a JSON file
 * that chrome://tracing and Perfetto show. GF_ERROR_FILE where path cannot be written. */
GF_API gf_status gf_profile_trace(gf_device *device, const char *path) GF_MUST_USE;

/** Versions of what the library was built with, for reports. */
typedef struct gf_versions {
  const char *program;       /**< gradflow itself */
  const char *commit;        /**< the commit that it was built from */
  const char *clblast;       /**< CLBlast */
  const char *opencl_loader; /**< the ICD loader */
} gf_versions;

/** The versions, whose texts the library owns. */
GF_API gf_versions gf_versions_get(void);

#endif
