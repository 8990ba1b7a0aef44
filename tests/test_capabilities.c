/* Devices that can less than the real one: what is claimed is enforced, and the library works
 * within it, with the same results. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include "device/internal.h"
#include "device/kernel_cache.h"
#include "ops/conv/tuning.h"
#include "support/icd.h"
#include "support/runs.h"
#include "support/test.h"
#include "support/warnings.h"

/* The device under a mask, for the length of a test. */
static void open_masked(const char *mask) {
  gf_device_free(&fixture_device);
  icd->set(mask);
  assert_ok(gf_device_open(&fixture_device, NULL));
}

static int unmask(void **state) {
  (void)state;
  gf_log_to(NULL, NULL);
  unsetenv("GRADFLOW_KERNEL_DIR");
  gf_device_free(&fixture_device);
  icd->set("");
  return 0;
}

/* ---- what the device says ---- */

static void the_masks_are_what_the_device_says(void **state) {
  (void)state;
  gf_device_info real, masked;
  assert_ok(gf__device_find(NULL, 0, &real));
  icd->set("group=64,local=16384,alloc=1000000,memory=9000000");
  assert_ok(gf__device_find(NULL, 0, &masked));
  assert_int_equal(masked.work_group_size, 64);
  assert_int_equal(masked.local_memory, 16384);
  assert_int_equal(masked.max_allocation, 1000000);
  assert_int_equal(masked.memory, 9000000);
  assert_int_equal(masked.type, real.type);
  assert_string_equal(masked.extensions, real.extensions);
  icd->set("no_fp64,no_subgroups,opencl12,gpu");
  assert_ok(gf__device_find(NULL, 0, &masked));
  assert_false(masked.fp64);
  assert_null(strstr(masked.extensions, "subgroup"));
  assert_memory_equal(masked.version, "OpenCL 1.2 ", 11);
  assert_memory_equal(masked.c_version, "OpenCL C 1.2 ", 13);
  assert_int_equal(masked.type, GF_DEVICE_GPU);
  assert_int_equal(masked.work_group_size, real.work_group_size);
  icd->set("no_extensions");
  assert_ok(gf__device_find(NULL, 0, &masked));
  assert_null(strstr(masked.extensions, "fp64"));
  assert_null(strstr(masked.extensions, "int64"));
}

static void several_platforms_are_told_apart(void **state) {
  (void)state;
  gf_device_info *devices;
  int count, platforms;
  char message[2048], selector[16];
  icd->set("");
  assert_ok(gf_devices_list(&devices, &count, &platforms));
  assert_int_equal(platforms, 3); /* the loader asks for them once, so main has set them */
  assert_int_equal(count % 2, 0);
  const gf_device_info *a = &devices[0], *b = &devices[count / 2];
  assert_string_equal(a->name, b->name);
  assert_string_not_equal(a->platform_name, b->platform_name);
  snprintf(selector, sizeof selector, "%d:%d", b->platform, b->index);
  assert_ok(gf_device_open(&fixture_device, selector));
  assert_string_equal(gf_device_describe(fixture_device)->platform_name, "Platform 2 of the tests");
  gf_device_free(&fixture_device);
  assert_ok(gf_device_open(&fixture_device, "Platform 2"));
  gf_device *none = NULL;
  snprintf(message, sizeof message,
           "'%s' matches 2 devices; name one by its index:\n  %d:%d  %s (%s)\n  %d:%d  %s (%s)",
           a->name, a->platform, a->index, a->name, a->platform_name, b->platform, b->index,
           b->name, b->platform_name);
  if (count == 2) assert_fails(GF_ERROR_DEVICE, message, gf_device_open(&none, a->name));
  gf_devices_free(&devices);
}

/* A device that does not answer what cannot be done without. */
static void a_mute_device_is_passed_over(void **state) {
  (void)state;
  gf_device *device = NULL;
  keep_warnings(NULL);
  icd->set("fail=clGetDeviceInfo:1+:CL_OUT_OF_RESOURCES");
  assert_fails(GF_ERROR_DEVICE,
               "no OpenCL device: the loader found 3 platforms and no device. Install the driver "
               "of your GPU, or pocl (Debian's pocl-opencl-icd) to run on the CPU",
               gf_device_open(&device, NULL));
  assert_non_null(
      strstr(kept_warnings, "OpenCL device 0:0 is passed over: it does not report its name\n"));
  kept_warnings[0] = 0;
  icd->set("fail=clGetDeviceIDs:1:CL_OUT_OF_HOST_MEMORY");
  assert_ok(gf_device_open(&device, NULL));
  gf_device_free(&device);
  assert_string_equal(kept_warnings,
                      "OpenCL platform 0 is passed over: it does not list its devices: "
                      "CL_OUT_OF_HOST_MEMORY\n");
}

/* ---- what the device enforces ---- */

static const char probe_[] =
    "__kernel void probe(__global float *out) { out[get_global_id(0)] = 1; }\n"
    "#ifdef LOCAL\n"
    "__kernel void local_probe(__global float *out) {\n"
    "  __local float all[LOCAL];\n"
    "  for (int i = 0; i < LOCAL; i++) all[i] = out[i % 4];\n"
    "  out[get_global_id(0)] = all[(int)out[0]];\n"
    "}\n"
    "#endif\n"
    "#ifdef DOUBLE\n"
    "__kernel void double_probe(__global double *out) { out[get_global_id(0)] *= 2.5; }\n"
    "#endif\n";

static gf_status launch_probe(const char *name, const char *options, gf__grid grid) {
  gf__kernel *kernel;
  gf_buffer *out;
  assert_ok(gf__buffer_new(&out, fixture_device, 1024 * sizeof(float), "the probe"));
  assert_ok(gf__buffer_zero(out));
  gf_status status = gf__kernel_get(&kernel, fixture_device, "probe.cl", name, options);
  if (status == GF_OK) status = GF_LAUNCH(kernel, grid, GF_BUFFER(out));
  if (status == GF_OK) status = gf_device_finish(fixture_device);
  gf__buffer_free(&out);
  return status;
}

static void assert_refused(const char *name, const char *options, gf__grid grid, const char *what) {
  char message[512];
  snprintf(message, sizeof message, what, gf_device_describe(fixture_device)->name);
  assert_fails(GF_ERROR_DEVICE, message, launch_probe(name, options, grid));
}

static void use_probe(void) {
  assert_ok(gf__file_write(in_folder("probe.cl"), probe_, strlen(probe_)));
  setenv("GRADFLOW_KERNEL_DIR", fixture_folder, 1);
}

#define OUR_FAULT "; the driver is at fault, or gradflow: use another device, and report this"

static void the_masks_are_enforced(void **state) {
  (void)state;
  gf__grid square = {.global = {16, 16, 1}, .local = {16, 8, 1}};
  gf__grid one = gf__grid_single(1, 1, 1);
  use_probe();
  open_masked("");
  assert_ok(launch_probe("probe", "", square));
  assert_ok(launch_probe("local_probe", "-DLOCAL=5000", one));
  open_masked("group=64");
  assert_refused("probe", "", square,
                 "kernel probe over 16 x 16 x 1 work-items failed on %s: "
                 "CL_INVALID_WORK_GROUP_SIZE" OUR_FAULT);
  square.local[1] = 4;
  assert_ok(launch_probe("probe", "", square));
  open_masked("group=8");
  square.local[0] = 1, square.local[1] = 16;
  assert_refused("probe", "", square,
                 "kernel probe over 16 x 16 x 1 work-items failed on %s: "
                 "CL_INVALID_WORK_ITEM_SIZE" OUR_FAULT);
  open_masked("local=16384");
  assert_ok(launch_probe("local_probe", "-DLOCAL=4000", one));
  assert_refused("local_probe", "-DLOCAL=5000", one,
                 "kernel local_probe over 1 x 1 x 1 work-items failed on %s: CL_OUT_OF_RESOURCES; "
                 "use a smaller batch, or another device");
}

static void programs_are_held_to_the_masks(void **state) {
  (void)state;
  gf__grid one = gf__grid_single(1, 1, 1);
  const char *cache = getenv("GRADFLOW_CACHE_DIR");
  use_probe();
  setenv("GRADFLOW_CACHE_DIR", fixture_folder, 1); /* nothing that was compiled before */
  open_masked("");
  if (gf_device_describe(fixture_device)->fp64)
    assert_ok(launch_probe("double_probe", "-DDOUBLE", one));
  open_masked("no_fp64");
  assert_int_equal(launch_probe("double_probe", "-DDOUBLE -DMASKED", one), GF_ERROR_BUILD);
  assert_non_null(strstr(gf_error_message(), "double"));
  open_masked("opencl12");
  assert_int_equal(launch_probe("probe", "-cl-std=CL3.0", one), GF_ERROR_BUILD);
  assert_non_null(strstr(gf_error_message(), "CL_INVALID_BUILD_OPTIONS"));
  if (cache)
    setenv("GRADFLOW_CACHE_DIR", cache, 1);
  else
    unsetenv("GRADFLOW_CACHE_DIR");
}

/* The limits come after the device is open, so that the library does not know them. */
static void buffers_are_held_to_the_masks(void **state) {
  (void)state;
  gf_buffer *first, *second;
  char message[512];
  open_masked("");
  const char *name = gf_device_describe(fixture_device)->name;
  double memory = (double)gf_device_describe(fixture_device)->memory / 0x1p20;
  icd->set("alloc=1048576,memory=2097152");
  snprintf(message, sizeof message,
           "cannot allocate 1.5 MiB for a test beside the 0.0 MiB in use (the device has %.1f "
           "MiB) on %s: CL_INVALID_BUFFER_SIZE; use a smaller batch",
           memory, name);
  assert_fails(GF_ERROR_DEVICE_MEMORY, message,
               gf__buffer_new(&first, fixture_device, 3 << 19, "a test"));
  icd->set("memory=2097152");
  assert_ok(gf__buffer_new(&first, fixture_device, 3 << 19, "a test"));
  assert_int_equal(icd->bytes(), 3 << 19);
  snprintf(message, sizeof message,
           "cannot allocate 1.0 MiB for a test beside the 1.5 MiB in use (the device has %.1f "
           "MiB) on %s: CL_MEM_OBJECT_ALLOCATION_FAILURE; use a smaller batch",
           memory, name);
  assert_fails(GF_ERROR_DEVICE_MEMORY, message,
               gf__buffer_new(&second, fixture_device, 1 << 20, "a test"));
  gf__buffer_free(&first);
  assert_int_equal(icd_bytes_left(), 0);
  assert_ok(gf__buffer_new(&second, fixture_device, 1 << 20, "a test"));
  gf__buffer_free(&second);
}

/* Groups of one dimension are made to fit the kernel; a kernel may ask for less than its device. */
static void groups_are_as_small_as_the_kernel_wants(void **state) {
  (void)state;
  use_probe();
  open_masked("kernel_group=32");
  gf__kernel *kernel;
  assert_ok(gf__kernel_get(&kernel, fixture_device, "probe.cl", "probe", ""));
  assert_int_equal(gf__kernel_group(kernel), 32);
  gf__grid grid = gf__grid_flat(fixture_device, 1024);
  assert_true(grid.local[0] > 32);
  assert_ok(launch_probe("probe", "", grid));
}

/* Mesa's rusticl claims fewer work-items for a kernel than the kernel requires, and runs it. */
static void what_a_kernel_requires_is_launched(void **state) {
  (void)state;
  static const char kernels[] =
      "__attribute__((reqd_work_group_size(64, 1, 1)))\n"
      "__kernel void required(__global float *out) { out[get_global_id(0)] = 1; }\n";
  assert_ok(gf__file_write(in_folder("probe.cl"), kernels, strlen(kernels)));
  setenv("GRADFLOW_KERNEL_DIR", fixture_folder, 1);
  open_masked("claimed_group=32");
  gf__kernel *kernel;
  assert_ok(gf__kernel_get(&kernel, fixture_device, "probe.cl", "required", ""));
  assert_int_equal(gf__kernel_group(kernel), 64);
  assert_ok(launch_probe("required", "", gf__grid_groups(fixture_device, 256, 64)));
}

/* ---- drivers that say one thing and do another ---- */

static void drivers_that_end_loops_are_refused(void **state) {
  (void)state;
  char message[1024];
  gf_device *device = NULL;
  const char *cache = getenv("GRADFLOW_CACHE_DIR");
  gf_device_info info;
  icd->set("loops=65535");
  assert_ok(gf__device_find(NULL, 0, &info));
  setenv("GRADFLOW_CACHE_DIR", in_folder("empty-cache"), 1); /* no driver is known as good */
  /* Two loops of 70,000: the second is ended, too, so that 131,070 are left. */
  snprintf(message, sizeof message,
           "the driver of %s (%s %s) ends the loops of a kernel after 131070 of 140000 iterations "
           "and reports success, so that results would be wrong; use a newer driver, or another "
           "device (gradflow devices)",
           info.name, info.platform_name, info.driver);
  char selector[32];
  snprintf(selector, sizeof selector, "%d:%d", info.platform, info.index);
  assert_fails(GF_ERROR_DEVICE, message, gf_device_open(&device, selector));
  assert_null(device);
  assert_string_equal(icd_leaks(), "");
  /* Left to choose, the library tries the others before it gives up. */
  keep_warnings(NULL);
  assert_int_equal(gf_device_open(&device, "auto"), GF_ERROR_DEVICE);
  assert_non_null(strstr(kept_warnings, " is passed over: the driver of "));
  icd->set("");
  assert_ok(gf_device_open(&device, selector));
  gf_device_free(&device);
  /* A driver that is known is not tried again. */
  icd->set("loops=65535");
  assert_ok(gf_device_open(&device, selector));
  gf_device_free(&device);
  if (cache)
    setenv("GRADFLOW_CACHE_DIR", cache, 1);
  else
    unsetenv("GRADFLOW_CACHE_DIR");
}

static void drivers_without_times_are_timed_by_the_host(void **state) {
  (void)state;
  gf_profile_row *rows;
  int count;
  use_probe();
  for (int measures = 0; measures < 2; measures++) {
    open_masked(measures ? "" : "no_times");
    keep_warnings(NULL);
    assert_ok(gf_profile_start(fixture_device));
    bool is_warned = strstr(kept_warnings, "does not measure how long a kernel takes") != NULL;
    assert_int_equal(is_warned, !measures);
    assert_ok(launch_probe("probe", "", gf__grid_flat(fixture_device, 1024)));
    assert_ok(gf_profile_read(fixture_device, &rows, &count));
    assert_true(count > 0);
    int found = 0;
    while (found < count && strcmp(rows[found].name, "probe")) found++;
    assert_true(found < count);
    /* A launch takes at least a tenth of a microsecond; the events under the mask say 1 ns. */
    assert_true(rows[found].seconds > 1e-7 && rows[found].seconds < 10);
    free(rows);
  }
}

/* The file of the cache folder that says how vectors are moved, or "none". */
static const char *kept_access(const char *folder) {
  static char text[64];
  gf__names names;
  snprintf(text, sizeof text, "none");
  assert_ok(gf__list_folder(folder, &names));
  for (size_t i = 0; i < names.count; i++) {
    char path[GF__PATH_SIZE], *read;
    size_t size;
    if (strncmp(names.v[i], "vectors-", 8) != 0) continue;
    assert_ok(gf__path_join(path, sizeof path, folder, names.v[i]));
    assert_ok(gf__file_read_within(path, sizeof text - 1, &read, &size));
    snprintf(text, sizeof text, "%s", read);
    free(read);
  }
  gf__names_free(&names);
  return text;
}

/* The second program of an empty cache folder is that of the pointers; the first is the probe of
 * loops. A refusal is kept, and what may be gone another time is not. */
static void drivers_that_refuse_pointers_get_none(void **state) {
  (void)state;
  const char *cache = getenv("GRADFLOW_CACHE_DIR");
  static const struct {
    const char *fault, *kept;
  } rows[] = {{"fail=clBuildProgram:2:CL_BUILD_PROGRAM_FAILURE", "vload\n"},
              {"fail=clBuildProgram:2:CL_OUT_OF_HOST_MEMORY", "none"},
              {"fail=clCreateBuffer:2:CL_OUT_OF_RESOURCES", "none"}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char folder[64];
    snprintf(folder, sizeof folder, "refused-%zu", i);
    setenv("GRADFLOW_CACHE_DIR", in_folder(folder), 1);
    open_masked(rows[i].fault);
    assert_false(fixture_device->has_vector_pointers);
    gf_device_free(&fixture_device);
    if (icd_leaks()[0]) fail_msg("%s leaves%s", rows[i].fault, icd_leaks());
    assert_string_equal(kept_access(getenv("GRADFLOW_CACHE_DIR")), rows[i].kept);
  }
  if (cache)
    setenv("GRADFLOW_CACHE_DIR", cache, 1);
  else
    unsetenv("GRADFLOW_CACHE_DIR");
}

static void the_best_device_comes_first(void **state) {
  (void)state;
  /* Best first. */
  static const gf_device_info infos[] = {
      {.type = GF_DEVICE_GPU, .platform = 3, .compute_units = 1, .clock_mhz = 100},
      {.type = GF_DEVICE_CPU, .platform = 2, .compute_units = 8, .clock_mhz = 2000},
      {.type = GF_DEVICE_CPU, .platform = 1, .compute_units = 8, .clock_mhz = 300},
      {.type = GF_DEVICE_CPU, .platform = 4, .index = 0, .compute_units = 16},
      {.type = GF_DEVICE_CPU, .platform = 4, .index = 1, .compute_units = 32},
      {.type = GF_DEVICE_OTHER, .platform = 0, .compute_units = 64, .clock_mhz = 4000},
  };
  enum { COUNT = sizeof infos / sizeof *infos };
  for (int i = 0; i < COUNT; i++)
    for (int k = 0; k < COUNT; k++) {
      int order = gf__device_compare(&infos[i], &infos[k]);
      assert_true(i < k ? order < 0 : i > k ? order > 0 : order == 0);
    }
}

/* ---- caches ---- */

static const char *const masks_[] = {"group=64", "local=16384", "gpu", "opencl12", "no_fp64"};
enum { MASKS = sizeof masks_ / sizeof *masks_ };

static void find_caches(char kernel[4096], char tuning[4096]) {
  gf__text source = {0};
  gf__tuning *opened;
  gf__text_add(&source, "%s", probe_);
  assert_ok(gf__kernel_cache_path(fixture_device, &source, "-DA", kernel, 4096));
  gf__text_free(&source);
  assert_ok(gf__tuning_open(&opened, fixture_device, GF__TUNE_FAST, NULL));
  snprintf(tuning, 4096, "%s", gf__tuning_path(opened));
  gf__tuning_close(&opened);
}

/* What is compiled and measured under one mask is never taken for that of another. */
static void caches_know_the_masks(void **state) {
  (void)state;
  static char kernel[MASKS + 1][4096], tuning[MASKS + 1][4096];
  for (int i = 0; i <= MASKS; i++) {
    open_masked(i < MASKS ? masks_[i] : "");
    find_caches(kernel[i], tuning[i]);
    assert_true(kernel[i][0] && tuning[i][0]);
    for (int k = 0; k < i; k++) {
      assert_string_not_equal(kernel[i], kernel[k]);
      assert_string_not_equal(tuning[i], tuning[k]);
    }
  }
  char again[2][4096];
  open_masked("");
  find_caches(again[0], again[1]);
  assert_string_equal(again[0], kernel[MASKS]);
  assert_string_equal(again[1], tuning[MASKS]);
}

/* ---- runs ---- */

static const char network_[] =
    "model: {tune: off, algorithm: %s, graph: [{name: conv, type: conv2d, filters: 8, padding: 1}, "
    "{type: leaky_relu}, {type: dropout, p: 0.3}, {type: avg_pool, kernel: 2}, {name: conv2, "
    "type: conv2d, filters: 4}, {type: tanh}, {type: global_avg_pool}, {type: linear, outputs: "
    "100}]}\n";
static const char clipped_[] = "optimizer: {name: sgd, clip_norm: 0.01}\n";

static gf_status train_by(const char *algorithm, const char *out) {
  char model[512];
  snprintf(model, sizeof model, network_, algorithm);
  return train(config_of(model, clipped_), out, NULL);
}

/* Every algorithm that the masked device takes, and its own choice, which must be no other than
 * those. */
static void runs_agree_under_every_mask(void **state) {
  (void)state;
  static const char *const masks[] = {
      "no_fp64,no_subgroups,no_extensions,opencl12",
      "group=64",
      "group=1",
      "local=16384",
      "kernel_group=32",
      "gpu",
      "gpu,group=64,local=16384",
      "gpu,group=1",
      "alloc=4194304,memory=33554432",
  };
  static const char *const algorithms[] = {"auto", "im2col", "winograd2"};
  open_masked("");
  assert_ok(train_by("auto", "real"));
  for (size_t i = 0; i < sizeof masks / sizeof *masks; i++)
    for (size_t k = 0; k < sizeof algorithms / sizeof *algorithms; k++) {
      char out[32];
      snprintf(out, sizeof out, "masked-%zu-%zu", i, k);
      open_masked(masks[i]);
      if (train_by(algorithms[k], out) != GF_OK)
        fail_msg("%s, %s: %s", masks[i], algorithms[k], gf_error_message());
      compare_run_csv(out, "real", "metrics.csv", 1e-5);
      compare_run_csv(out, "real", "gradients.csv", 2e-3);
      gf_device_free(&fixture_device);
      if (icd_leaks()[0] || icd_bytes_left())
        fail_msg("%s, %s leaves%s and %zu bytes", masks[i], algorithms[k], icd_leaks(),
                 icd->bytes());
    }
}

/* A piece that is too large for one allocation, though there is memory enough in all. */
static void small_allocations_split_the_batch(void **state) {
  (void)state;
  open_masked("");
  assert_ok(train_by("direct", "whole"));
  open_masked("alloc=700000");
  keep_warnings(FEW_IMAGES);
  assert_ok(train_by("direct", "split"));
  assert_string_equal(kept_warnings,
                      "the device has no memory for a batch of 50: its gradient is added up over "
                      "micro-batches of 16 images; batch norm sees one of them at a time\n");
  compare_run_csv("split", "whole", "metrics.csv", 1e-5);
  compare_run_csv("split", "whole", "gradients.csv", 2e-3);
}

static int close_all(void **state) {
  icd->set("");
  return fixture_close(state);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(the_masks_are_what_the_device_says, unmask),
      cmocka_unit_test_teardown(several_platforms_are_told_apart, unmask),
      cmocka_unit_test_teardown(a_mute_device_is_passed_over, unmask),
      cmocka_unit_test_teardown(the_masks_are_enforced, unmask),
      cmocka_unit_test_teardown(programs_are_held_to_the_masks, unmask),
      cmocka_unit_test_teardown(buffers_are_held_to_the_masks, unmask),
      cmocka_unit_test_teardown(groups_are_as_small_as_the_kernel_wants, unmask),
      cmocka_unit_test_teardown(what_a_kernel_requires_is_launched, unmask),
      cmocka_unit_test_teardown(drivers_that_end_loops_are_refused, unmask),
      cmocka_unit_test_teardown(drivers_without_times_are_timed_by_the_host, unmask),
      cmocka_unit_test_teardown(drivers_that_refuse_pointers_get_none, unmask),
      cmocka_unit_test(the_best_device_comes_first),
      cmocka_unit_test_teardown(caches_know_the_masks, unmask),
      cmocka_unit_test_teardown(runs_agree_under_every_mask, unmask),
      cmocka_unit_test_teardown(small_allocations_split_the_batch, unmask),
  };
  if (!icd_open()) return 1;
  icd->set("platforms=3"); /* asked for once, by the first call */
  return cmocka_run_group_tests_name("capabilities", tests, open_all, close_all);
}
