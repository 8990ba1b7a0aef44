/* Kernels from the embedded sources, and the disk cache of their binaries. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/embedded.h"
#include "base/file.h"
#include "base/os.h"
#include "device/internal.h"
#include "device/kernel_cache.h"

enum { LARGEST_SOURCE = 1 << 20 }; /* bytes */

const gf__embedded *gf__kernel_file(const char *name) {
  const gf__embedded *file = gf__kernel_files;
  while (file->name && strcmp(file->name, name)) file++;
  return file->name ? file : NULL;
}

/* The text of a kernel file: of GRADFLOW_KERNEL_DIR if that is set, else the
 * embedded one. The caller frees *out. */
static gf_status read_source(const char *name, char **out) {
  const char *folder = getenv("GRADFLOW_KERNEL_DIR");
  size_t size;
  *out = NULL;
  if (folder && *folder) {
    char path[GF__PATH_SIZE];
    GF_TRY(gf__path_join(path, sizeof path, folder, name));
    return gf__file_read_within(path, LARGEST_SOURCE, out, &size);
  }
  const gf__embedded *file = gf__kernel_file(name);
  if (!file) return gf__fail(GF_ERROR_BUILD, "there is no kernel file %s in the library", name);
  *out = gf__text_copy_bytes((const char *)file->bytes, file->size);
  return *out ? GF_OK : gf__fail_host_memory(file->size + 1);
}

static gf_status add_file(gf__text *out, const char *name, int depth);

/* Appends the text of name with its #include "…" lines replaced by what they name, and
 * #line directives, so that a build error names the file and its line. */
static gf_status add_source(gf__text *out, const char *name, const char *text, int depth) {
  gf__text_add(out, "#line 1 \"%s\"\n", name);
  gf_status status = GF_OK;
  int line = 1;
  for (const char *start = text; status == GF_OK && *start; line++) {
    size_t length = strcspn(start, "\n");
    char included[64];
    if (sscanf(start, "#include \"%63[^\"\n]\"", included) == 1) {
      status = add_file(out, included, depth + 1);
      gf__text_add(out, "#line %d \"%s\"\n", line + 1, name);
    } else {
      gf__text_add_bytes(out, start, length);
      gf__text_add(out, "\n");
    }
    start += length + (start[length] == '\n');
  }
  return status;
}

static gf_status add_file(gf__text *out, const char *name, int depth) {
  if (depth > 8) return gf__fail(GF_ERROR_BUILD, "the kernel file %s includes itself", name);
  char *source;
  GF_TRY(read_source(name, &source));
  gf_status status = add_source(out, name, source, depth);
  free(source);
  return status;
}

/* A cached binary that does not load, for whatever reason, is the same as none. */
static cl_program load_binary(const gf_device *device, const char *path, const char *options) {
  size_t size;
  unsigned char *bytes = gf__kernel_cache_read(path, &size);
  if (!bytes) return NULL;
  cl_int loaded = CL_SUCCESS, error;
  const unsigned char *binary = bytes;
  cl_program program =
      clCreateProgramWithBinary(device->context, 1, &device->id, &size, &binary, &loaded, &error);
  free(bytes);
  if (error != CL_SUCCESS) return NULL;
  if (loaded == CL_SUCCESS &&
      clBuildProgram(program, 1, &device->id, options, NULL, NULL) == CL_SUCCESS)
    return program;
  clReleaseProgram(program);
  return NULL;
}

/* The driver's binary, which the caller frees, or NULL. */
static unsigned char *get_binary(cl_program program, size_t *size) {
  *size = 0;
  if (clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof *size, size, NULL) != CL_SUCCESS ||
      *size == 0)
    return NULL;
  unsigned char *bytes = malloc(*size);
  if (bytes &&
      clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof bytes, &bytes, NULL) == CL_SUCCESS)
    return bytes;
  free(bytes);
  return NULL;
}

/* The cache is a convenience: what cannot be written is compiled again next time. A driver that
 * compiles a kernel when it is first launched, for that size of work-group, may compile all of them
 * for any size when it is asked for the binary. That takes longer than the cache will ever save,
 * so it is asked once. */
static void save_binary(gf_device *device, cl_program program, double compile_seconds,
                        const char *path) {
  size_t size;
  if (device->binary_query_is_slow) return;
  double started = gf__seconds();
  unsigned char *bytes = get_binary(program, &size);
  device->binary_query_is_slow = gf__seconds() - started > compile_seconds / 4;
  if (bytes && gf__kernel_cache_write(path, bytes, size) != GF_OK)
    gf__log(GF_LOG_WARNING, "compiled kernels are not kept: %s", gf_error_message());
  free(bytes);
}

static gf_status fail_build(gf_device *device, cl_program program, cl_int error, const char *file,
                            const char *options) {
  size_t size = 0;
  clGetProgramBuildInfo(program, device->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &size);
  char *log = calloc(1, size + 1);
  if (log) clGetProgramBuildInfo(program, device->id, CL_PROGRAM_BUILD_LOG, size, log, NULL);
  gf_status status = gf__fail(
      GF_ERROR_BUILD, "the kernels of %s do not build on %s (driver %s): %s\noptions: %s\n%s", file,
      device->info.name, device->info.driver, gf__cl_error_name(error), options, log ? log : "");
  free(log);
  return status;
}

static gf_status compile_program(gf_device *device, const gf__text *source, const char *file,
                                 const char *options, cl_program *out) {
  const char *text = source->data;
  cl_int error;
  cl_program program = clCreateProgramWithSource(device->context, 1, &text, &source->size, &error);
  if (error != CL_SUCCESS) return gf__fail_cl(device, error, "cannot create the program %s", file);
  error = clBuildProgram(program, 1, &device->id, options, NULL, NULL);
  if (error != CL_SUCCESS) {
    gf_status status = fail_build(device, program, error, file, options);
    clReleaseProgram(program);
    return status;
  }
  *out = program;
  return GF_OK;
}

/* Every program on the device would hit this, so warn once. */
static void warn_once(gf_device *device) {
  if (!device->has_warned_of_cache)
    gf__log(GF_LOG_WARNING, "compiled kernels are not kept: %s", gf_error_message());
  device->has_warned_of_cache = true;
}

/* Drivers keep programs by source and options as well, so the options change. */
void gf__device_build_afresh(gf_device *device) {
  snprintf(device->fresh, sizeof device->fresh, "-DGF_FRESH=%d_%.0f", gf__process_id(),
           1e6 * gf__seconds());
}

static void count_build(gf_device *device, bool is_loaded, double seconds) {
  gf__builds *b = &device->builds;
  *(is_loaded ? &b->loaded : &b->compiled) += 1;
  *(is_loaded ? &b->load_seconds : &b->compile_seconds) += seconds;
}

/* text is the file's, or NULL where it is the library's own. */
static gf_status build_program(gf_device *device, const char *file, const char *text,
                               const char *options, cl_program *out) {
  char path[GF__PATH_SIZE];
  gf__text source = {0};
  double started = gf__seconds();
  gf_status status = text ? add_source(&source, file, text, 0) : add_file(&source, file, 0);
  if (status == GF_OK) status = gf__text_status(&source);
  if (status == GF_OK) {
    bool fresh = *device->fresh, cached = false;
    if (!fresh)
      cached = gf__kernel_cache_path(device, &source, options, path, sizeof path) == GF_OK;
    if (!cached && !fresh) warn_once(device);
    *out = cached ? load_binary(device, path, options) : NULL;
    bool is_loaded = *out;
    if (!*out) {
      status = compile_program(device, &source, file, options, out);
      if (status == GF_OK && cached) save_binary(device, *out, gf__seconds() - started, path);
    }
    if (status == GF_OK) count_build(device, is_loaded, gf__seconds() - started);
  }
  gf__text_free(&source);
  return status;
}

static gf_status get_program(gf_device *device, const char *file, const char *text,
                             const char *options, gf__program **out) {
  for (gf__program *p = device->programs; p; p = p->next)
    if (!strcmp(p->file, file) && !strcmp(p->options, options)) {
      *out = p;
      return GF_OK;
    }
  gf__program *row = calloc(1, sizeof *row);
  if (!row) return gf__fail_host_memory(sizeof *row);
  row->file = gf__text_copy(file);
  row->options = gf__text_copy(options);
  gf_status status = row->file && row->options
                         ? build_program(device, file, text, options, &row->program)
                         : gf__fail_host_memory(strlen(options));
  if (status != GF_OK) {
    free(row->file);
    free(row->options);
    free(row);
    return status;
  }
  row->next = device->programs;
  device->programs = row;
  *out = row;
  return GF_OK;
}

/* The most work-items that a group of the kernel may have. Mesa's rusticl (22.3) claims fewer than
 * a kernel requires by its attribute, and runs it all the same: what is required is taken, and
 * refused by the driver when it is launched, if at all. */
static size_t largest_group(const gf_device *device, cl_kernel kernel) {
  size_t most = 0, required[3] = {0};
  if (clGetKernelWorkGroupInfo(kernel, device->id, CL_KERNEL_COMPILE_WORK_GROUP_SIZE,
                               sizeof required, required, NULL) == CL_SUCCESS &&
      required[0])
    return required[0] * required[1] * required[2];
  if (clGetKernelWorkGroupInfo(kernel, device->id, CL_KERNEL_WORK_GROUP_SIZE, sizeof most, &most,
                               NULL) != CL_SUCCESS ||
      most == 0)
    return device->info.work_group_size;
  return most;
}

size_t gf__kernel_group(const gf__kernel *kernel) { return kernel->group; }

gf_status gf__kernel_get(gf__kernel **out, gf_device *device, const char *file, const char *name,
                         const char *options) {
  return gf__kernel_get_from(out, device, file, NULL, name, options);
}

static gf_status fill_kernel(gf__kernel *kernel, gf_device *device, gf__program *program,
                             const char *name) {
  cl_int error;
  kernel->name = gf__text_copy(name);
  if (!kernel->name) return gf__fail_host_memory(strlen(name) + 1);
  kernel->kernel = clCreateKernel(program->program, name, &error);
  if (error == CL_INVALID_KERNEL_NAME)
    return gf__fail(GF_ERROR_BUILD, "there is no kernel %s in %s", name, program->file);
  if (error != CL_SUCCESS)
    return gf__fail_cl(device, error, "cannot make the kernel %s of %s", name, program->file);
  kernel->group = largest_group(device, kernel->kernel);
  kernel->device = device;
  kernel->program = program;
  return GF_OK;
}

static gf_status add_kernel(gf__kernel **out, gf_device *device, gf__program *program,
                            const char *name) {
  gf__kernel *kernel = calloc(1, sizeof *kernel);
  if (!kernel) return gf__fail_host_memory(sizeof *kernel);
  gf_status status = fill_kernel(kernel, device, program, name);
  if (status != GF_OK) {
    free(kernel->name);
    free(kernel);
    return status;
  }
  kernel->next = device->kernels;
  device->kernels = kernel;
  *out = kernel;
  return GF_OK;
}

gf_status gf__kernel_get_from(gf__kernel **out, gf_device *device, const char *file,
                              const char *source, const char *name, const char *options) {
  char all[1200];
  *out = NULL;
  /* Denormals are kept: vanishing gradients are the subject. */
  int n = snprintf(all, sizeof all, "-cl-std=CL1.2 %s%s%s%s",
                   device->has_vector_pointers ? GF__VECTOR_POINTERS : "", options,
                   *device->fresh ? " " : "", device->fresh);
  if (n < 0 || (size_t)n >= sizeof all)
    return gf__fail(GF_ERROR_BUILD, "the build options of %s are too long", file);
  gf__program *program = NULL;
  GF_TRY(get_program(device, file, source, all, &program));
  for (gf__kernel *k = device->kernels; k; k = k->next)
    if (k->program == program && !strcmp(k->name, name)) {
      *out = k;
      return GF_OK;
    }
  return add_kernel(out, device, program, name);
}
