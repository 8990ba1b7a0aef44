/* What the loader of vendors' libraries asks for, and the report at the end. */
#define _POSIX_C_SOURCE 200809L

#include <dlfcn.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

#define EXPORTED __attribute__((visibility("default")))

EXPORTED extern const icd_control *icd_control_get(void);
EXPORTED extern cl_int clIcdGetPlatformIDsKHR(cl_uint most, cl_platform_id *out, cl_uint *count);
EXPORTED extern void *CL_API_CALL clGetExtensionFunctionAddress(const char *name);
EXPORTED extern cl_int CL_API_CALL clGetPlatformInfo(cl_platform_id platform, cl_platform_info what,
                                                     size_t size, void *out, size_t *length);

typedef cl_int platforms_function(cl_uint, cl_platform_id *, cl_uint *);
typedef void *address_function(const char *);

static cl_platform_id platform_; /* of the real library; NULL without one */

static void complain(const char *what) { fprintf(stderr, "tests/icd: %s\n", what); }

/* The first line of the first file of /etc/OpenCL/vendors. */
static bool find_library(char out[4096]) {
  glob_t files;
  const char *named = getenv("GRADFLOW_ICD_REAL");
  if (named) {
    snprintf(out, 4096, "%s", named);
    return true;
  }
  if (glob("/etc/OpenCL/vendors/*.icd", 0, NULL, &files) != 0) return false;
  FILE *file = fopen(files.gl_pathv[0], "r");
  bool found = file && fgets(out, 4096, file);
  if (file) fclose(file);
  globfree(&files);
  out[found ? strcspn(out, "\n") : 0] = 0;
  return found;
}

/* ISO C has no cast from an object to a function. */
static void to_function(void *address, void *function) {
  memcpy(function, &address, sizeof address);
}

static void *find(void *library, const char *name) {
  address_function *address = NULL;
  void *found = dlsym(library, name);
  to_function(dlsym(library, "clGetExtensionFunctionAddress"), &address);
  return !found && address ? address(name) : found;
}

/* Every object of a vendor begins with the address of one table; the entry points that are in it
 * are what the loader calls, and what the vendor's own code does not. */
static void take_over(cl_icd_dispatch *table) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  size_t core = offsetof(cl_icd_dispatch, clCreateCommandQueueWithProperties); /* of OpenCL 1.2 */
  char *start = (char *)((size_t)table / page * page);
  memcpy(&icd__real, table, core);
  if (mprotect(start, (size_t)((char *)table + core - start), PROT_READ | PROT_WRITE) != 0)
    complain("the vendor's table cannot be written to");
  else
    icd__entries_install(table);
}

static void open_library(void) {
  char path[4096];
  cl_platform_id platform;
  cl_uint count = 0;
  platforms_function *list;
  void *library = find_library(path) ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
  if (!library) {
    complain("there is no OpenCL library to wrap");
    return;
  }
  to_function(find(library, "clIcdGetPlatformIDsKHR"), &list);
  if (!list || list(1, &platform, &count) != CL_SUCCESS || count == 0) {
    complain("the OpenCL library has no platform");
    return;
  }
  take_over(*(cl_icd_dispatch **)platform);
  platform_ = platform;
}

static void report(void) {
  const char *path = getenv("GRADFLOW_ICD_REPORT");
  FILE *file = path ? fopen(path, "w") : NULL;
  const icd_control *c = &icd__control;
  if (!file) return;
  for (int i = 0; i < c->entries; i++)
    if (c->calls(i)) fprintf(file, "calls %s %ld\n", c->entry(i), c->calls(i));
  for (int i = 0; i < c->kinds; i++) fprintf(file, "live %s %ld\n", c->kind(i), c->live(i));
  fprintf(file, "failed %ld\n", c->failed());
  fclose(file);
}

__attribute__((constructor)) static void begin(void) {
  icd__settings_read(getenv("GRADFLOW_ICD"));
  open_library();
}

__attribute__((destructor)) static void end(void) { report(); }

const icd_control *icd_control_get(void) { return &icd__control; }

cl_int clIcdGetPlatformIDsKHR(cl_uint most, cl_platform_id *out, cl_uint *count) {
  cl_platform_id all[16];
  cl_uint number = platform_ ? icd__platforms_make(platform_, all, 16) : 0;
  for (cl_uint i = 0; out && i < number && i < most; i++) out[i] = all[i];
  if (count) *count = number;
  return number ? CL_SUCCESS : CL_PLATFORM_NOT_FOUND_KHR;
}

cl_int CL_API_CALL clGetPlatformInfo(cl_platform_id platform, cl_platform_info what, size_t size,
                                     void *out, size_t *length) {
  return icd__get_platform_info(platform, what, size, out, length);
}

void *CL_API_CALL clGetExtensionFunctionAddress(const char *name) {
  static const struct {
    const char *name;
    void (*function)(void);
  } own[] = {
      {"clIcdGetPlatformIDsKHR", (void (*)(void))clIcdGetPlatformIDsKHR},
      {"clGetPlatformInfo", (void (*)(void))clGetPlatformInfo},
  };
  void *address = NULL;
  for (size_t i = 0; i < sizeof own / sizeof *own; i++)
    if (!strcmp(own[i].name, name)) memcpy(&address, &own[i].function, sizeof address);
  return address;
}
