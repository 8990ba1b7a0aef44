/* Whether a driver runs a kernel to its end: some stop a long loop, and report success. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/embedded.h"
#include "base/os.h"
#include "device/internal.h"

/* Changes when what is tried changes. */
#define FORMAT "gradflow probe 1"
/* What the file in the cache folder says. */
#define GOOD "good\n"

/* More than the 65,535 iterations that Mesa 22.3's llvmpipe allows the loops of a work-item in
 * all, by two loops of which each alone is longer, too. */
enum { OUTER = 2, INNER = 70000 };

/* The step of cl/probe.cl (the constants of Numerical Recipes). */
static cl_uint recur(cl_uint x) { return x * 1664525U + 1013904223U; }

/* The number of iterations after which the recurrence has this value, or -1. */
static long count_iterations(cl_uint value) {
  cl_uint x = 1;
  long n = 0;
  while (n < (long)OUTER * INNER && x != value) {
    x = recur(x);
    n++;
  }
  return x == value ? n : -1;
}

/* The value that the kernel leaves. With an event, it is that of the kernel, which the caller
 * releases where it is not NULL. */
static gf_status run_kernel(gf_device *device, cl_kernel kernel, cl_mem out, cl_uint *value,
                            cl_event *event) {
  const cl_uint outer = OUTER, inner = INNER;
  const size_t one = 1;
  cl_int error = clSetKernelArg(kernel, 0, sizeof out, &out);
  if (error == CL_SUCCESS) error = clSetKernelArg(kernel, 1, sizeof outer, &outer);
  if (error == CL_SUCCESS) error = clSetKernelArg(kernel, 2, sizeof inner, &inner);
  if (error == CL_SUCCESS)
    error = clEnqueueNDRangeKernel(device->queue, kernel, 1, NULL, &one, &one, 0, NULL, event);
  if (error == CL_SUCCESS)
    error =
        clEnqueueReadBuffer(device->queue, out, CL_TRUE, 0, sizeof *value, value, 0, NULL, NULL);
  return error == CL_SUCCESS ? GF_OK : gf__fail_cl(device, error, "the first kernel did not run");
}

typedef gf_status use_kernel(gf_device *device, cl_kernel kernel, cl_mem out, void *result);

/* Builds the probe, and hands it to use with four bytes for its value. */
static gf_status use_program(gf_device *device, cl_program program, use_kernel *use, void *result) {
  cl_int error = clBuildProgram(program, 1, &device->id, "-cl-std=CL1.2", NULL, NULL);
  if (error != CL_SUCCESS) return gf__fail_cl(device, error, "probe.cl does not build");
  cl_kernel kernel = clCreateKernel(program, "probe_loops", &error);
  if (error != CL_SUCCESS) return gf__fail_cl(device, error, "cannot make the kernel probe_loops");
  cl_mem out = clCreateBuffer(device->context, CL_MEM_READ_WRITE, sizeof(cl_uint), NULL, &error);
  gf_status status = error == CL_SUCCESS ? use(device, kernel, out, result)
                                         : gf__fail_cl(device, error, "cannot allocate four bytes");
  if (error == CL_SUCCESS) clReleaseMemObject(out);
  clReleaseKernel(kernel);
  return status;
}

static gf_status use_probe(gf_device *device, use_kernel *use, void *result) {
  const gf__embedded *file = gf__kernel_file("probe.cl");
  if (!file) return gf__fail(GF_ERROR_BUILD, "there is no kernel file probe.cl");
  const char *text = (const char *)file->bytes;
  cl_int error;
  cl_program program = clCreateProgramWithSource(device->context, 1, &text, &file->size, &error);
  if (error != CL_SUCCESS) return gf__fail_cl(device, error, "cannot create the program probe.cl");
  gf_status status = use_program(device, program, use, result);
  clReleaseProgram(program);
  return status;
}

/* result: long, the iterations that the driver ran. */
static gf_status probe_iterations(gf_device *device, cl_kernel kernel, cl_mem out, void *result) {
  cl_uint value = 0;
  GF_TRY(run_kernel(device, kernel, out, &value, NULL));
  *(long *)result = count_iterations(value);
  return GF_OK;
}

/* ---- times ---- */

/* result: bool, whether the event of a kernel says how long it took. */
static gf_status probe_times(gf_device *device, cl_kernel kernel, cl_mem out, void *result) {
  cl_uint value;
  cl_ulong start = 0, end = 0;
  cl_event event = NULL;
  GF_TRY(run_kernel(device, kernel, out, &value, NULL)); /* a first launch may compile */
  double started = gf__seconds();
  gf_status status = run_kernel(device, kernel, out, &value, &event);
  double seconds = gf__seconds() - started;
  /* The kernel's loops are most of the time; a thousandth of it is no measurement. */
  if (status == GF_OK) gf__event_times(event, &start, &end);
  *(bool *)result = 1e-9 * (double)(end - start) > seconds / 1000;
  if (event) clReleaseEvent(event);
  return status;
}

gf_status gf__device_measures_times(gf_device *device, bool *measures) {
  return use_probe(device, probe_times, measures);
}

/* ---- loops ---- */

static gf_status judge(const gf_device *device, long iterations) {
  const gf_device_info *info = &device->info;
  if (iterations == (long)OUTER * INNER) return GF_OK;
  char what[96] = "computes a wrong result for a simple loop";
  if (iterations >= 0)
    snprintf(what, sizeof what, "ends the loops of a kernel after %ld of %ld iterations",
             iterations, (long)OUTER * INNER);
  return gf__fail(GF_ERROR_DEVICE,
                  "the driver of %s (%s %s) %s and reports success, so that results would be "
                  "wrong; use a newer driver, or another device (gradflow devices)",
                  info->name, info->platform_name, info->driver, what);
}

/* Whether an earlier start found that the driver runs the probe right. */
static bool is_known_good(const gf__driver_note *note) {
  char *text = gf__driver_note_read(note);
  bool is_good = text && !strcmp(text, GOOD);
  free(text);
  return is_good;
}

gf_status gf__device_probe(gf_device *device) {
  gf__driver_note note;
  long iterations = -1;
  gf__driver_note_find(&note, device, "probe", FORMAT);
  if (is_known_good(&note)) return GF_OK;
  GF_TRY(use_probe(device, probe_iterations, &iterations));
  GF_TRY(judge(device, iterations));
  gf__driver_note_keep(&note, GOOD, "the check of the driver");
  return GF_OK;
}
