/* A tuning file, and the same as the choices of a run in algorithms.json. */
#define _XOPEN_SOURCE 700
#define CL_TARGET_OPENCL_VERSION 120
#include "device/internal.h"
#include "fuzz.h"
#include "ops/conv/tuning.h"
#include "run/run_folder.h"

/* Describes itself; nothing is computed on it. */
static gf_device device_ = {.info = {.name = "fuzz", .driver = "1", .type = GF_DEVICE_CPU}};

static const gf__conv_shape shape_ = {.window = {.size = {1, 4, 6},
                                                 .kernel = {1, 3, 3},
                                                 .stride = {1, 1, 1},
                                                 .padding = {0, 1, 1},
                                                 .dilation = {1, 1, 1},
                                                 .out = {1, 4, 6}},
                                      .c = 3,
                                      .filters = 5,
                                      .groups = 1};

static void check_choices(const gf__tuning *tuning) {
  char *made;
  if (gf__tuning_choices(tuning, &made) != GF_OK) fuzz_fail("no choices");
  free(made);
}

/* The cache's file, which the first opening names. */
static void open_file(const uint8_t *data, size_t size) {
  gf__tuning *tuning;
  static char path[4096];
  if (!*path) {
    setenv("GRADFLOW_CACHE_DIR", fuzz_folder(), 1);
    if (gf__tuning_open(&tuning, &device_, GF__TUNE_FAST, NULL) != GF_OK) fuzz_fail("no tuning");
    snprintf(path, sizeof path, "%s", gf__tuning_path(tuning));
    gf__tuning_close(&tuning);
    if (!*path) fuzz_fail("the folder is not used");
  }
  fuzz_file(strrchr(path, '/') + 1, data, size);
  if (gf__tuning_open(&tuning, &device_, GF__TUNE_FAST, NULL) != GF_OK) fuzz_fail("no tuning");
  check_choices(tuning);
  gf__tuning_close(&tuning);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  gf__tuning *tuning;
  gf__conv convolution = {.shape = shape_};
  open_file(data, size);
  char *choices = gf__algorithms_read(fuzz_file("algorithms.json", data, size), &device_.info);
  char *text = choices ? choices : fuzz_text(data, size);
  if (gf__tuning_open(&tuning, &device_, GF__TUNE_OFF, NULL) != GF_OK) fuzz_fail("no tuning");
  gf__tuning_prefer(tuning, text);
  if (gf__conv_tune(&convolution, tuning, 2) != GF_OK) fuzz_fail("no choice");
  for (gf__conv_direction pass = 0; pass < GF__CONV_DIRECTIONS; pass++)
    if (!convolution.algorithm[pass] ||
        !convolution.algorithm[pass]->accepts(convolution.algorithm[pass], &device_, &shape_, pass))
      fuzz_fail("an algorithm that does not take the shape");
  check_choices(tuning);
  gf__tuning_close(&tuning);
  free(text);
  return 0;
}
