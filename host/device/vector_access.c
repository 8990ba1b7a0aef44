/* How kernels move vectors whose address is aligned as a float's: by vload and vstore, or through
 * pointers (cl/vector.clh). pocl with LLVM 14 or 15 takes a vload16 of private memory apart into
 * four loads and three inserts, elsewhere the two are equally fast, and a driver may refuse the
 * pointers. So both are built, checked and timed, once per device and driver version. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/embedded.h"
#include "base/os.h"
#include "device/internal.h"

/* Changes when what is tried changes. */
#define FORMAT "gradflow vectors 1"

enum {
  SIDE = 6, /* as in cl/probe_vectors.cl */
  POINTS = SIDE * SIDE,
  MOST_LANES = 16,
  INPUTS = POINTS + MOST_LANES,
  REPEATS = 300, /* a tenth of a millisecond on a CPU, and seconds on a simulator */
  RUNS = 5
};

/* Pointers have to be clearly faster, so that a device on which both are the same does not depend
 * on chance. */
static const double CLEARLY_FASTER = 0.9;

/* What the file in the cache folder says, and what GRADFLOW_VECTOR_ACCESS may. */
static const char *const names_[] = {"vload", "pointers"};
enum { VLOAD, POINTERS, FORMS };

/* A form that was built, and what it takes to run it. */
typedef struct trial {
  gf_device *device;
  int lanes;
  cl_program program[FORMS];
  cl_kernel kernel[FORMS];
  cl_mem x, y;
} trial;

/* Numbers whose sums are exact in floats. */
static float input_at(int i) { return (float)(i * 37 % 64 - 20); }

/* What cl/probe_vectors.cl leaves in a lane after so many repeats. */
static float expected_total(int lane, int repeats) {
  double total = 0;
  for (int n = 0; n < repeats; n++) {
    double column[SIDE][SIDE];
    for (int i = 0; i < SIDE; i++)
      for (int j = 0; j < SIDE; j++)
        column[i][j] = (double)input_at(i * SIDE + j + lane) -
                       (double)input_at((i + 2) % SIDE * SIDE + j + lane);
    for (int i = 0; i < SIDE; i++)
      for (int j = 0; j < SIDE; j++)
        total += (column[i][j] - column[i][(j + 1) % SIDE]) * ((i * SIDE + j) % 4);
  }
  return (float)total;
}

static cl_int build_form(trial *t, int form) {
  const gf__embedded *files[] = {gf__kernel_file("vector.clh"),
                                 gf__kernel_file("probe_vectors.cl")};
  const char *texts[] = {(const char *)files[0]->bytes, (const char *)files[1]->bytes};
  const size_t sizes[] = {files[0]->size, files[1]->size};
  char options[96];
  cl_int error;
  snprintf(options, sizeof options, "-cl-std=CL1.2 %s-DVEC=%d",
           form == POINTERS ? GF__VECTOR_POINTERS : "", t->lanes);
  t->program[form] = clCreateProgramWithSource(t->device->context, 2, texts, sizes, &error);
  if (error != CL_SUCCESS) return error;
  error = clBuildProgram(t->program[form], 1, &t->device->id, options, NULL, NULL);
  if (error == CL_SUCCESS)
    t->kernel[form] = clCreateKernel(t->program[form], "probe_vectors", &error);
  return error;
}

static cl_int open_trial(trial *t) {
  float inputs[INPUTS];
  cl_int error;
  for (int i = 0; i < INPUTS; i++) inputs[i] = input_at(i);
  t->x = clCreateBuffer(t->device->context, CL_MEM_READ_ONLY | CL_MEM_COPY_HOST_PTR, sizeof inputs,
                        inputs, &error);
  if (error == CL_SUCCESS)
    t->y = clCreateBuffer(t->device->context, CL_MEM_READ_WRITE, (MOST_LANES + 1) * sizeof(float),
                          NULL, &error);
  return error;
}

static void close_trial(trial *t) {
  for (int form = 0; form < FORMS; form++) {
    if (t->kernel[form]) clReleaseKernel(t->kernel[form]);
    if (t->program[form]) clReleaseProgram(t->program[form]);
  }
  if (t->x) clReleaseMemObject(t->x);
  if (t->y) clReleaseMemObject(t->y);
}

/* Runs a form, and waits for its result. */
static cl_int run_form(const trial *t, int form, float out[MOST_LANES + 1], double *seconds) {
  const cl_int repeats = REPEATS;
  const size_t one = 1, bytes = (size_t)(t->lanes + 1) * sizeof(float);
  cl_kernel kernel = t->kernel[form];
  double start = gf__seconds();
  cl_int error = clSetKernelArg(kernel, 0, sizeof t->x, &t->x);
  if (error == CL_SUCCESS) error = clSetKernelArg(kernel, 1, sizeof t->y, &t->y);
  if (error == CL_SUCCESS) error = clSetKernelArg(kernel, 2, sizeof repeats, &repeats);
  if (error == CL_SUCCESS)
    error = clEnqueueNDRangeKernel(t->device->queue, kernel, 1, NULL, &one, &one, 0, NULL, NULL);
  if (error == CL_SUCCESS)
    error = clEnqueueReadBuffer(t->device->queue, t->y, CL_TRUE, 0, bytes, out, 0, NULL, NULL);
  *seconds = gf__seconds() - start;
  return error;
}

/* *is_right: whether the result of a form is what it should be. */
static cl_int check_form(const trial *t, int form, bool *is_right) {
  float out[MOST_LANES + 1];
  double seconds;
  cl_int error = run_form(t, form, out, &seconds);
  *is_right = error == CL_SUCCESS;
  for (int lane = 0; lane < t->lanes && *is_right; lane++)
    *is_right = out[1 + lane] == expected_total(lane, REPEATS);
  return error;
}

/* *faster: whether pointers are clearly faster, by the best of alternating runs. */
static cl_int time_forms(const trial *t, bool *faster) {
  float out[MOST_LANES + 1];
  double best[FORMS] = {INFINITY, INFINITY}, seconds;
  cl_int error = CL_SUCCESS;
  for (int i = 0; i < RUNS; i++)
    for (int form = 0; form < FORMS && error == CL_SUCCESS; form++) {
      error = run_form(t, form, out, &seconds);
      best[form] = fmin(best[form], seconds);
    }
  *faster = best[POINTERS] < CLEARLY_FASTER * best[VLOAD];
  return error;
}

/* An error is one that may be gone another time; a driver that refuses the pointers, or computes
 * something else by them, is an answer. */
static cl_int choose_form(trial *t, int *form) {
  bool is_right = false, faster = false;
  *form = VLOAD;
  cl_int error = build_form(t, POINTERS);
  if (error == CL_BUILD_PROGRAM_FAILURE) return CL_SUCCESS;
  if (error == CL_SUCCESS) error = open_trial(t);
  if (error == CL_SUCCESS) error = check_form(t, POINTERS, &is_right);
  if (error != CL_SUCCESS || !is_right) return error;
  error = build_form(t, VLOAD);
  if (error == CL_SUCCESS) error = check_form(t, VLOAD, &is_right); /* a first run may compile */
  if (error == CL_SUCCESS) error = time_forms(t, &faster);
  if (error == CL_SUCCESS && faster) *form = POINTERS;
  return error;
}

/* The form of that name, with whatever follows it, or -1. */
static int form_named(const char *name, const char *end) {
  for (int form = 0; form < FORMS; form++) {
    size_t length = strlen(names_[form]);
    if (!strncmp(name, names_[form], length) && !strcmp(name + length, end)) return form;
  }
  return -1;
}

/* What an earlier start found, or -1. */
static int read_known_form(const gf__driver_note *note) {
  char *text = gf__driver_note_read(note);
  int form = text ? form_named(text, "\n") : -1;
  free(text);
  return form;
}

static int measure_form(gf_device *device) {
  gf__driver_note note;
  char line[32];
  int native = device->info.vector_width_float;
  if (native < 2) return VLOAD; /* kernels are built for single floats */
  gf__driver_note_find(&note, device, "vectors", FORMAT);
  int form = read_known_form(&note);
  if (form >= 0) return form;
  trial t = {.device = device, .lanes = native < MOST_LANES ? native : MOST_LANES};
  cl_int error = choose_form(&t, &form);
  close_trial(&t);
  if (error != CL_SUCCESS) return VLOAD;
  snprintf(line, sizeof line, "%s\n", names_[form]);
  gf__driver_note_keep(&note, line, "the faster access to vectors");
  return form;
}

gf_status gf__device_choose_vector_access(gf_device *device) {
  const char *wanted = getenv("GRADFLOW_VECTOR_ACCESS");
  bool is_chosen = wanted && *wanted;
  int form = is_chosen ? form_named(wanted, "") : measure_form(device);
  if (form < 0)
    return gf__fail(GF_ERROR_ARGUMENT,
                    "GRADFLOW_VECTOR_ACCESS is '%s'; it may be vload or pointers", wanted);
  device->has_vector_pointers = form == POINTERS;
  return GF_OK;
}
