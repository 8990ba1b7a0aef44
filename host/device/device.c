/* Choosing, opening and closing a device. */
#define CL_USE_DEPRECATED_OPENCL_1_1_APIS /* the loader reports its version by a call of \
                                           * OpenCL 1.1                                  \
                                           */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/blas.h"
#include "device/internal.h"
#include "version.h"

gf_status gf__queue_open(gf_device *device, bool profiling) {
  cl_int error;
  device->queue = clCreateCommandQueue(device->context, device->id,
                                       profiling ? CL_QUEUE_PROFILING_ENABLE : 0, &error);
  if (error != CL_SUCCESS) {
    device->queue = NULL;
    return gf__fail_cl(device, error, "cannot create a command queue");
  }
  return GF_OK;
}

/* Makes the device one of several equal sub-devices, if it can be divided. */
static void use_sub_device(gf_device *device, int index, int sub_devices) {
  enum { MOST = 1024 };
  cl_device_id ids[MOST];
  cl_uint count = 0, units = (cl_uint)device->info.compute_units;
  cl_uint each = units / (cl_uint)sub_devices ? units / (cl_uint)sub_devices : 1;
  const cl_device_partition_property equally[] = {CL_DEVICE_PARTITION_EQUALLY, each, 0};
  if (device->info.type != GF_DEVICE_CPU || units / each < 2 || units / each > MOST) return;
  if (!gf__device_divides(device->id, (int)(units / each))) return;
  if (clCreateSubDevices(device->id, equally, MOST, ids, &count) != CL_SUCCESS || count == 0)
    return;
  for (cl_uint i = 0; i < count; i++)
    if (i != (cl_uint)index % count) clReleaseDevice(ids[i]);
  device->id = ids[(cl_uint)index % count];
  device->is_sub_device = true;
  device->info.compute_units = (int)each;
}

static gf_status open_context(gf_device *device) {
  cl_int error;
  device->context = clCreateContext(NULL, 1, &device->id, NULL, NULL, &error);
  if (error != CL_SUCCESS) {
    device->context = NULL;
    return gf__fail_cl(device, error, "cannot create a context");
  }
  GF_TRY(gf__queue_open(device, false));
  GF_TRY(gf__device_probe(device));
  return gf__device_choose_vector_access(device);
}

static gf_status open_candidate(gf_device **out, const gf__candidate *candidate, int index,
                                int count) {
  gf_device *device = calloc(1, sizeof *device);
  if (!device) return gf__fail_host_memory(sizeof *device);
  device->info = candidate->info;
  device->id = candidate->id;
  if (count > 1) use_sub_device(device, index, count);
  gf_status status = open_context(device);
  if (status != GF_OK) gf_device_free(&device);
  *out = device;
  return status;
}

/* Names the devices that were left aside where nobody asked for one of them. */
static void report_others(const gf__candidates *all, int taken) {
  gf__text others = {0};
  for (int i = 0; i < all->count; i++) {
    const gf_device_info *info = &all->rows[i].info;
    if (i != taken)
      gf__text_add(&others, "%s%d:%d %s", others.size ? ", " : "", info->platform, info->index,
                   info->name);
  }
  const gf_device_info *info = &all->rows[taken].info;
  if (others.data)
    gf__log(GF_LOG_INFO, "device %d:%d is used; --device chooses another: %s", info->platform,
            info->index, others.data);
  gf__text_free(&others);
}

gf_status gf__sub_device_open(gf_device **out, const char *selector, int index, int count) {
  gf__candidates all;
  *out = NULL;
  GF_TRY(gf__candidates_find(&all, selector));
  gf_status status = GF_OK;
  int tried = 0;
  do {
    if (status != GF_OK)
      gf__log(GF_LOG_WARNING, "device %d:%d is passed over: %s", all.rows[tried - 1].info.platform,
              all.rows[tried - 1].info.index, gf_error_message());
    status = open_candidate(out, &all.rows[tried++], index, count);
  } while (status == GF_ERROR_DEVICE && all.is_any && tried < all.count);
  if (status == GF_OK && all.is_any) report_others(&all, tried - 1);
  gf__candidates_free(&all);
  return status;
}

gf_status gf_device_open(gf_device **out, const char *selector) {
  return gf__sub_device_open(out, selector, 0, 1);
}

void gf_device_free(gf_device **device_pointer) {
  gf_device *device = *device_pointer;
  if (!device) return;
  if (device->queue) clFinish(device->queue);
  gf__gemm_release(device);
  gf__profile_free(&device->profile);
  while (device->kernels) {
    gf__kernel *next = device->kernels->next;
    clReleaseKernel(device->kernels->kernel);
    free(device->kernels->name);
    free(device->kernels);
    device->kernels = next;
  }
  while (device->programs) {
    gf__program *next = device->programs->next;
    clReleaseProgram(device->programs->program);
    free(device->programs->file);
    free(device->programs->options);
    free(device->programs);
    device->programs = next;
  }
  if (device->queue) clReleaseCommandQueue(device->queue);
  if (device->context) clReleaseContext(device->context);
  if (device->is_sub_device) clReleaseDevice(device->id);
  free(device);
  *device_pointer = NULL;
}

const gf_device_info *gf_device_describe(const gf_device *device) { return &device->info; }

gf_status gf_device_finish(gf_device *device) {
  cl_int error = clFinish(device->queue);
  return error == CL_SUCCESS ? GF_OK : gf__fail_cl(device, error, "waiting for the queue failed");
}

size_t gf__device_allocated(const gf_device *device) { return device->allocated; }
size_t gf__device_allocated_peak(const gf_device *device) { return device->allocated_peak; }

const gf__builds *gf__device_builds(const gf_device *device) { return &device->builds; }

long gf__device_launches(const gf_device *device) { return device->launches; }

int gf__device_parallelism(const gf_device *device) {
  /* A CPU's unit runs one work-item at a time; a GPU's wants several groups in flight. */
  return device->info.compute_units * (device->info.type == GF_DEVICE_CPU ? 1 : 8);
}

/* The loader's name and version, by an extension that ocl-icd and the Khronos loader have. */
static const char *loader_version(void) {
  static char text[128];
  enum { ICDL_VERSION = 2, ICDL_NAME = 3 };
  typedef cl_int query_function(cl_uint what, size_t size, void *out, size_t *length);
  void *address = clGetExtensionFunctionAddress("clGetICDLoaderInfoOCLICD");
  if (!address) return "unknown";
  query_function *query;
  memcpy(&query, &address, sizeof query); /* ISO C has no cast from an object to a function */
  char name[64] = "unknown", version[32] = "";
  query(ICDL_NAME, sizeof name, name, NULL);
  query(ICDL_VERSION, sizeof version, version, NULL);
  snprintf(text, sizeof text, "%s %s", name, version);
  return text;
}

gf_versions gf_versions_get(void) {
  return (gf_versions){GF_VERSION, GF_COMMIT, gf__blas_version(), loader_version()};
}
