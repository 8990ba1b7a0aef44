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

static bool contains_ignoring_case(const char *text, const char *word) {
  size_t length = strlen(word);
  for (; *text; text++) {
    size_t i = 0;
    while (i < length && tolower((unsigned char)text[i]) == tolower((unsigned char)word[i])) i++;
    if (i == length) return true;
  }
  return length == 0;
}

/* Order of preference when nothing is asked for: the fastest kind first. */
static int preference_of(gf_device_type type) {
  static const int preference[] = {[GF_DEVICE_GPU] = 0, [GF_DEVICE_OTHER] = 1, [GF_DEVICE_CPU] = 2};
  return preference[type];
}

typedef struct choice {
  const char *selector; /* NULL: the best kind */
  int platform, index;  /* of a selector "platform:index", else -1 */
  const char *type;     /* "cpu", "gpu" or "other" as the selector, else NULL */
  cl_device_id id;
  gf_device_info info;
  int matches, seen;
  int of_kind, nth;      /* devices of the kind that was chosen, and how many to pass over */
  gf__text matched, all; /* one line per device */
} choice;

static bool consider(void *user, cl_device_id id, const gf_device_info *info) {
  choice *c = user;
  c->seen++;
  gf__text_add(&c->all, "\n  %d:%d  %s (%s)", info->platform, info->index, info->name,
               info->platform_name);
  bool better = c->matches == 0;
  bool match;
  if (!c->selector) {
    match = true;
    better = better || preference_of(info->type) < preference_of(c->info.type);
  } else if (c->index >= 0) {
    match = info->platform == c->platform && info->index == c->index;
  } else if (c->type) {
    match = !strcmp(gf_device_type_name(info->type), c->type);
  } else {
    match = contains_ignoring_case(info->name, c->selector) ||
            contains_ignoring_case(info->platform_name, c->selector);
  }
  if (!match) return true;
  if (better) {
    c->id = id;
    c->info = *info;
  }
  c->matches++;
  gf__text_add(&c->matched, "\n  %d:%d  %s (%s)", info->platform, info->index, info->name,
               info->platform_name);
  return true;
}

/* "0:1": the index of a platform and of a device of it. */
static bool read_indices(const char *selector, int *platform, int *index) {
  enum { MOST = 1000 };
  char *end;
  long first = strtol(selector, &end, 10), second;
  if (end == selector || *end != ':' || first < 0 || first > MOST) return false;
  const char *rest = end + 1;
  second = strtol(rest, &end, 10);
  if (end == rest || *end || second < 0 || second > MOST) return false;
  *platform = (int)first;
  *index = (int)second;
  return true;
}

static gf_status choose(choice *c, const char *selector) {
  if (selector && strcmp(selector, "auto") && *selector) c->selector = selector;
  c->index = -1;
  if (c->selector) (void)read_indices(c->selector, &c->platform, &c->index);
  for (gf_device_type t = GF_DEVICE_CPU; c->selector && t <= GF_DEVICE_OTHER; t++)
    if (!strcmp(c->selector, gf_device_type_name(t))) c->type = gf_device_type_name(t);
  int platforms;
  GF_TRY(gf__devices_visit(consider, c, &platforms));
  GF_TRY(gf__text_status(&c->all));
  GF_TRY(gf__text_status(&c->matched));
  if (c->seen == 0)
    return gf__fail(GF_ERROR_DEVICE,
                    "no OpenCL device: the loader found %d platform%s and no device. Install the "
                    "driver of your GPU, or pocl (Debian's pocl-opencl-icd) to run on the CPU",
                    platforms, platforms == 1 ? "" : "s");
  if (c->matches == 0)
    return gf__fail(GF_ERROR_DEVICE, "no device matches '%s'; there are:%s", selector, c->all.data);
  /* A type, like auto, means the first of its kind; a name must mean one device. */
  if (c->matches > 1 && c->selector && !c->type)
    return gf__fail(GF_ERROR_DEVICE, "'%s' matches %d devices; name one by its index:%s", selector,
                    c->matches, c->matched.data);
  return GF_OK;
}

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

/* Stops at device number c->nth of the kind that was chosen. */
static bool consider_nth(void *user, cl_device_id id, const gf_device_info *info) {
  choice *c = user;
  if (info->type != c->info.type) return true;
  if (c->nth-- > 0) return true;
  c->id = id;
  c->info = *info;
  return false;
}

static bool count_kind(void *user, cl_device_id id, const gf_device_info *info) {
  (void)id;
  choice *c = user;
  c->of_kind += info->type == c->info.type;
  return true;
}

static gf_status choose_nth(choice *c, const char *selector, int nth) {
  int platforms;
  GF_TRY(choose(c, selector));
  if (c->selector && !c->type) return GF_OK;
  GF_TRY(gf__devices_visit(count_kind, c, &platforms));
  if (c->of_kind == 0)
    return gf__fail(GF_ERROR_DEVICE, "%s is no longer listed by its driver", c->info.name);
  c->nth = nth % c->of_kind;
  return gf__devices_visit(consider_nth, c, &platforms);
}

static gf_status choose_and_free(choice *c, const char *selector, int nth) {
  gf_status status = choose_nth(c, selector, nth);
  gf__text_free(&c->all);
  gf__text_free(&c->matched);
  return status;
}

gf_status gf__device_find(const char *selector, int nth, gf_device_info *out) {
  choice c = {0};
  GF_TRY(choose_and_free(&c, selector, nth));
  *out = c.info;
  return GF_OK;
}

/* Replaces the device's id by that of a sub-device, if it can be divided. */
static void use_sub_device(gf_device *device, int index, int sub_devices) {
  enum { MOST = 1024 };
  cl_device_id ids[MOST];
  cl_uint count = 0, units = (cl_uint)device->info.compute_units;
  cl_uint each = units / (cl_uint)sub_devices ? units / (cl_uint)sub_devices : 1;
  const cl_device_partition_property equally[] = {CL_DEVICE_PARTITION_EQUALLY, each, 0};
  if (device->info.type != GF_DEVICE_CPU || units < 2 || units / each > MOST) return;
  if (clCreateSubDevices(device->id, equally, MOST, ids, &count) != CL_SUCCESS || count == 0)
    return;
  for (cl_uint i = 0; i < count; i++)
    if (i != (cl_uint)index % count) clReleaseDevice(ids[i]);
  device->id = ids[(cl_uint)index % count];
  device->is_sub_device = true;
  device->info.compute_units = (int)each;
}

gf_status gf__sub_device_open(gf_device **out, const char *selector, int index, int count) {
  *out = NULL;
  choice c = {0};
  GF_TRY(choose_and_free(&c, selector, 0));
  gf_device *device = calloc(1, sizeof *device);
  if (!device) return gf__fail_host_memory(sizeof *device);
  device->info = c.info;
  device->id = c.id;
  if (count > 1) use_sub_device(device, index, count);
  gf_status status = GF_OK;
  cl_int error;
  device->context = clCreateContext(NULL, 1, &device->id, NULL, NULL, &error);
  if (error != CL_SUCCESS) {
    device->context = NULL;
    status = gf__fail_cl(device, error, "cannot create a context");
  } else {
    status = gf__queue_open(device, false);
  }
  if (status != GF_OK) gf_device_free(&device);
  *out = device;
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
