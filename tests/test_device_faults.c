/* A device that fails in the middle of a run: one clear message, nothing leaks, and the run goes
 * on later to the bit. The entry points of OpenCL are wrapped here. */
#define _GNU_SOURCE /* RTLD_NEXT; mkdtemp */
#define CL_TARGET_OPENCL_VERSION 120

#include <CL/cl.h>
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "device/device.h"
#include "run_fixture.h"

static const char network_[] =
    "model: {graph: [{name: conv, type: conv2d, filters: 4, stride: 2}, {type: batch_norm}, "
    "{type: relu}, {type: dropout, p: 0.3}, {type: global_avg_pool}, {type: linear, outputs: "
    "100}]}\n";

/* ---- the wrapped entry points ---- */

typedef enum entry { LAUNCH, READ, WRITE, ALLOCATE, ENTRIES } entry;

static const char *const entry_names_[] = {"clEnqueueNDRangeKernel", "clEnqueueReadBuffer",
                                           "clEnqueueWriteBuffer", "clCreateBuffer"};
static long calls_[ENTRIES];
static entry failing_;
static long fails_from_; /* the call, from 1; 0: none */
static cl_int failure_;

static cl_int result_of(entry e) {
  return ++calls_[e] >= fails_from_ && fails_from_ && e == failing_ ? failure_ : CL_SUCCESS;
}

static void *real(entry e) {
  static void *found[ENTRIES];
  if (!found[e]) found[e] = dlsym(RTLD_NEXT, entry_names_[e]);
  return found[e];
}

cl_int clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint dimensions,
                              const size_t *offset, const size_t *global, const size_t *local,
                              cl_uint count, const cl_event *wait, cl_event *event) {
  cl_int (*next)(cl_command_queue, cl_kernel, cl_uint, const size_t *, const size_t *,
                 const size_t *, cl_uint, const cl_event *, cl_event *);
  *(void **)&next = real(LAUNCH);
  cl_int error = result_of(LAUNCH);
  return error ? error : next(queue, kernel, dimensions, offset, global, local, count, wait, event);
}

cl_int clEnqueueReadBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocks, size_t offset,
                           size_t size, void *to, cl_uint count, const cl_event *wait,
                           cl_event *event) {
  cl_int (*next)(cl_command_queue, cl_mem, cl_bool, size_t, size_t, void *, cl_uint,
                 const cl_event *, cl_event *);
  *(void **)&next = real(READ);
  cl_int error = result_of(READ);
  return error ? error : next(queue, buffer, blocks, offset, size, to, count, wait, event);
}

cl_int clEnqueueWriteBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocks, size_t offset,
                            size_t size, const void *from, cl_uint count, const cl_event *wait,
                            cl_event *event) {
  cl_int (*next)(cl_command_queue, cl_mem, cl_bool, size_t, size_t, const void *, cl_uint,
                 const cl_event *, cl_event *);
  *(void **)&next = real(WRITE);
  cl_int error = result_of(WRITE);
  return error ? error : next(queue, buffer, blocks, offset, size, from, count, wait, event);
}

cl_mem clCreateBuffer(cl_context context, cl_mem_flags flags, size_t size, void *host,
                      cl_int *error) {
  cl_mem (*next)(cl_context, cl_mem_flags, size_t, void *, cl_int *);
  *(void **)&next = real(ALLOCATE);
  *error = result_of(ALLOCATE);
  return *error ? NULL : next(context, flags, size, host, error);
}

/* ---- runs ---- */

static gf_status run(const char *out) {
  char path[256];
  snprintf(path, sizeof path, "%s", in_folder(out));
  gf_train_options options = {.out = path, .resume = 1, .checkpoint_steps = 4};
  gf_config *config = config_of(network_, "");
  memset(calls_, 0, sizeof calls_);
  gf_status status = gf_train(fixture_device, config, &options);
  gf_config_free(&config);
  return status;
}

static void check_fault(entry e, long at, cl_int error, gf_status expected, const char *name) {
  char out[64];
  size_t before = gf__device_allocated(fixture_device);
  snprintf(out, sizeof out, "%d-%ld", e, at);
  failing_ = e, fails_from_ = at, failure_ = error;
  gf_status status = run(out);
  fails_from_ = 0;
  if (status != expected || !strstr(gf_error_message(), name))
    fail_msg("%s %ld: status %d, %s", entry_names_[e], at, status, gf_error_message());
  assert_int_equal(gf__device_allocated(fixture_device), before);
  assert_ok(run(out));
  assert_true(is_same(out, "whole", "last.safetensors"));
  assert_true(is_same(out, "whole", "metrics.csv"));
  assert_true(is_same(out, "whole", "gradients.csv"));
  assert_ok(gf__remove_folder(in_folder(out)));
}

/* Some calls of a run, or all of them where GRADFLOW_SOAK is set. */
static void a_device_that_goes_away_loses_nothing(void **state) {
  (void)state;
  static const struct {
    entry entry;
    cl_int error;
    gf_status status;
    const char *name;
  } faults[] = {
      {LAUNCH, CL_DEVICE_NOT_AVAILABLE, GF_ERROR_DEVICE, "CL_DEVICE_NOT_AVAILABLE"},
      {LAUNCH, CL_OUT_OF_RESOURCES, GF_ERROR_DEVICE, "CL_OUT_OF_RESOURCES"},
      {READ, CL_DEVICE_NOT_AVAILABLE, GF_ERROR_DEVICE, "CL_DEVICE_NOT_AVAILABLE"},
      {WRITE, CL_OUT_OF_HOST_MEMORY, GF_ERROR_MEMORY, "CL_OUT_OF_HOST_MEMORY"},
      {ALLOCATE, CL_OUT_OF_RESOURCES, GF_ERROR_DEVICE, "CL_OUT_OF_RESOURCES"},
  };
  long whole[ENTRIES];
  assert_ok(run("warm"));
  assert_ok(run("whole"));
  memcpy(whole, calls_, sizeof whole);
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
    entry e = faults[i].entry;
    long stride = getenv("GRADFLOW_SOAK") ? 1 : whole[e] / 7 + 1, tried = 0;
    assert_true(whole[e] > 10);
    for (long at = 1; at <= whole[e]; at += stride, tried++)
      check_fault(e, at, faults[i].error, faults[i].status, faults[i].name);
    print_message("%ld of %ld calls of %s: %s\n", tried, whole[e], entry_names_[e], faults[i].name);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_device_that_goes_away_loses_nothing)};
  return cmocka_run_group_tests_name("device_faults", tests, open_all, fixture_close);
}
