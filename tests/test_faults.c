/* Every call of OpenCL that a short run makes fails in turn: the run ends with a message that says
 * so, or gets over it with the same result, and nothing is left on the device. All calls where
 * GRADFLOW_SOAK is set, else some; the errors take turns. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include <limits.h>
#include <sys/wait.h>

#include "device/device.h"
#include "support/icd.h"
#include "support/runs.h"
#include "support/test.h"
#include "support/warnings.h"

/* The last of these algorithms is CLBlast's. Parts of a batch, of which batch norm would see one at
 * a time, are a way out of memory that fails. */
static const char *const networks_[] = {
    "model: {tune: off, graph: [{name: conv, type: conv2d, filters: 4, stride: 2}, {type: "
    "batch_norm}, {type: relu}, {type: dropout, p: 0.3}, {type: global_avg_pool}, {type: linear, "
    "outputs: 100}]}\n",
    "model: {tune: off, algorithm: im2col, graph: [{name: conv, type: conv2d, filters: 4, stride: "
    "2}, {type: relu}, {type: global_avg_pool}, {type: linear, outputs: 100}]}\n",
};
enum { NETWORKS = 2 };

static const char *const errors_[] = {"CL_OUT_OF_RESOURCES", "CL_OUT_OF_HOST_MEMORY",
                                      "CL_DEVICE_NOT_AVAILABLE", "CL_BUILD_PROGRAM_FAILURE",
                                      "CL_INVALID_EVENT"};
enum { ERRORS = sizeof errors_ / sizeof *errors_ };

static bool soaks(void) { return getenv("GRADFLOW_SOAK") != NULL; }

/* One epoch of two batches. */
static int open_small(void **state) {
  if (fixture_open(state) != 0) return -1;
  gf_device_free(&fixture_device);
  return write_records("train.bin", 24, 1) == GF_OK && write_records("test.bin", 8, 2) == GF_OK
             ? 0
             : -1;
}

static gf_config *small_config(int network) {
  gf_config *config = config_of(networks_[network], "");
  assert_ok(gf_config_set(config, "train.epochs=1"));
  assert_ok(gf_config_set(config, "train.batch_size=9"));
  assert_ok(gf_config_set(config, "data.validation=6"));
  return config;
}

/* All that the device does: it is opened, used and closed. */
static gf_status run(int network, const char *out) {
  gf_device *device;
  char path[256];
  snprintf(path, sizeof path, "%s", in_folder(out));
  gf_train_options options = {.out = path, .keep_checkpoints = 2};
  gf_status status = gf_device_open(&device, NULL);
  if (status != GF_OK) return status;
  gf_config *config = small_config(network);
  status = gf_train(device, config, &options);
  gf_config_free(&config);
  gf_device_free(&device);
  return status;
}

typedef struct tally {
  long calls, tried, survived;
} tally;

/* A run that is got over is the run, or says what is different. */
static void check_survivor(const char *fault, const char *out, const char *whole) {
  bool in_parts = strstr(kept_warnings, "the device has no memory for a batch of 9");
  if (!in_parts && !is_same(out, whole, "last.safetensors"))
    fail_msg("%s: another result; warnings: %s", fault, kept_warnings);
}

/* By OpenCL's name, or by what CLBlast makes of it: a code of its own, or another of OpenCL's. */
static bool is_told(const char *error) {
  const char *message = gf_error_message();
  return strstr(message, error) || strstr(kept_warnings, error) ||
         strstr(kept_warnings, "does not report") ||
         (strstr(message, "CLBlast's product of") &&
          (strstr(message, ": CLBlast error -") || strstr(message, ": CL_")));
}

static void check_fault(int network, const char *entry, long at, int error, tally *t) {
  char fault[128], whole[32];
  snprintf(fault, sizeof fault, "fail=%s:%ld:%s", entry, at, errors_[error]);
  snprintf(whole, sizeof whole, "whole-%d", network);
  kept_warnings[0] = 0;
  icd->set(fault);
  gf_status status = run(network, "faulty");
  long failed = icd->failed();
  icd->set("");
  if (failed != 1) fail_msg("%s: %ld calls failed", fault, failed);
  if (icd_leaks()[0] || icd_bytes_left())
    fail_msg("%s: left%s and %zu bytes; status %d", fault, icd_leaks(), icd->bytes(), status);
  t->tried++;
  if (status == GF_OK) {
    t->survived++;
    check_survivor(fault, "faulty", whole);
  } else if (!is_told(errors_[error])) {
    fail_msg("%s: status %d, %s", fault, status, gf_error_message());
  }
  if (gf__path_exists(in_folder("faulty"))) assert_ok(gf__remove_folder(in_folder("faulty")));
}

static long compiled_by_run(int network) {
  icd->set("");
  assert_ok(run(network, "warm"));
  assert_ok(gf__remove_folder(in_folder("warm")));
  return icd->calls(icd_entry("clCreateProgramWithSource"));
}

/* Of each entry point: the first call, the last and some between. */
static void sweep(int network) {
  char whole[32];
  long calls[128];
  snprintf(whole, sizeof whole, "whole-%d", network);
  /* Until the cache has all programs, of which a run may keep one only. */
  for (long before = LONG_MAX, now; (now = compiled_by_run(network)) < before;) before = now;
  icd->set("");
  assert_ok(run(network, whole));
  assert_true(icd->entries <= 128);
  tally all = {0};
  for (int e = 0; e < icd->entries; e++) calls[e] = icd->calls(e);
  for (int e = 0; e < icd->entries; e++) {
    tally t = {.calls = calls[e]};
    long stride = soaks() ? 1 : calls[e] / 3 + 1;
    for (long at = 1; at <= calls[e]; at += stride)
      check_fault(network, icd->entry(e), at, (int)((e + at / stride) % ERRORS), &t);
    if (t.calls)
      print_message("%-26s %5ld calls, %5ld faults, %5ld got over\n", icd->entry(e), t.calls,
                    t.tried, t.survived);
    all.calls += t.calls, all.tried += t.tried, all.survived += t.survived;
  }
  print_message("%-26s %5ld calls, %5ld faults, %5ld got over\n", "all", all.calls, all.tried,
                all.survived);
  assert_true(all.calls > 1000);
  assert_true(all.survived < all.tried);
}

static void every_call_of_a_run_may_fail(void **state) {
  (void)state;
  keep_warnings(NULL);
  for (int network = 0; network < NETWORKS; network++) sweep(network);
  gf_log_to(NULL, NULL);
}

/* The devices are listed once, so that none can go between the choice of a kind and of a device. */
static void a_device_may_go_while_it_is_chosen(void **state) {
  (void)state;
  gf_device_info info;
  icd->set("");
  assert_ok(gf__device_find(NULL, 1, &info));
  assert_int_equal(icd->calls(icd_entry("clGetDeviceIDs")), 1);
  icd->set("fail=clGetDeviceIDs:1+:CL_DEVICE_NOT_AVAILABLE");
  assert_int_equal(gf__device_find(NULL, 1, &info), GF_ERROR_DEVICE);
  assert_int_equal(icd->failed(), 1);
  icd->set("");
}

/* What the cache has and the driver refuses is compiled. */
static void a_binary_that_is_refused_is_compiled(void **state) {
  (void)state;
  static const char *const faults[] = {"fail=clCreateProgramWithBinary:1+:CL_INVALID_BINARY",
                                       "fail=clBuildProgram:1:CL_INVALID_BINARY"};
  assert_ok(run(0, "cached"));
  for (int i = 0; i < 2; i++) {
    icd->set(faults[i]);
    assert_ok(run(0, "refused"));
    assert_true(icd->failed() > 0);
    assert_true(icd->calls(icd_entry("clCreateProgramWithSource")) > 0);
    icd->set("");
    assert_true(is_same("refused", "cached", "last.safetensors"));
    assert_ok(gf__remove_folder(in_folder("refused")));
  }
}

/* What it says of its first program is kept. */
static void a_driver_slow_to_give_binaries_is_asked_once(void **state) {
  (void)state;
  assert_int_equal(setenv("GRADFLOW_CACHE_DIR", in_folder("slow-cache"), 1), 0);
  icd->set("slow_binary=1000");
  assert_ok(run(0, "slow"));
  assert_true(icd->calls(icd_entry("clCreateProgramWithSource")) > 2);
  assert_int_equal(icd->calls(icd_entry("clGetProgramInfo")), 2); /* size and binary */
  icd->set("");
  assert_ok(run(0, "again"));
  assert_int_equal(icd->calls(icd_entry("clCreateProgramWithBinary")), 1);
  assert_true(is_same("slow", "again", "last.safetensors"));
  assert_int_equal(unsetenv("GRADFLOW_CACHE_DIR"), 0);
}

/* ---- the program ---- */

/* Runs the program; what it printed to stderr, and its exit code. */
static int run_program(const char *fault, char *printed, size_t size) {
  char command[1024];
  snprintf(command, sizeof command,
           "GRADFLOW_ICD='%s' GRADFLOW_ICD_REPORT=%s " PROGRAM
           " train %s --out %s --overwrite --quiet 2>&1 >/dev/null",
           fault, in_folder("report"), in_folder("config.yaml"), in_folder("program"));
  FILE *pipe = popen(command, "r");
  assert_non_null(pipe);
  size_t n = fread(printed, 1, size - 1, pipe);
  printed[n] = 0;
  int ended = pclose(pipe);
  return WIFEXITED(ended) ? WEXITSTATUS(ended) : 256 + ended;
}

/* The number behind the words in the report; -1 without them. */
static long reported(const char *words) {
  char *text = NULL, line[128];
  size_t size;
  assert_ok(gf__file_read(in_folder("report"), &text, &size));
  snprintf(line, sizeof line, "%s ", words);
  const char *found = strstr(text, line);
  long value = found ? strtol(found + strlen(line), NULL, 10) : -1;
  free(text);
  return value;
}

static void check_program(const char *entry, long at, const char *error) {
  char fault[128], printed[8192], line[64];
  snprintf(fault, sizeof fault, "fail=%s:%ld+:%s", entry, at, error);
  int code = run_program(fault, printed, sizeof printed);
  if (reported("failed") < 1) fail_msg("%s: no call failed", fault);
  for (int i = 0; i < icd->kinds; i++) {
    snprintf(line, sizeof line, "live %s", icd->kind(i));
    if (reported(line) != 0) fail_msg("%s: %s %ld", fault, line, reported(line));
  }
  if (code == 0) return;
  if (code != 1 || !strstr(printed, "gradflow: "))
    fail_msg("%s: exit %d, %s", fault, code, printed);
}

/* A device that is gone from some call on. */
static void the_program_ends_well(void **state) {
  (void)state;
  char printed[8192], words[64];
  FILE *file = fopen(in_folder("config.yaml"), "w");
  assert_non_null(file);
  fprintf(file,
          "data: {name: cifar100, path: %s, validation: 6}\n"
          "train: {epochs: 1, batch_size: 9, seed: 5}\n%s",
          fixture_folder, networks_[0]);
  fclose(file);
  assert_int_equal(run_program("", printed, sizeof printed), 0);
  assert_string_equal(printed,
                      "gradflow: warning: of 6 validation images an accuracy is known to 41 points "
                      "or so, and the best epoch is chosen by it; take some 200 or more "
                      "(data.validation)\n");
  long calls[128], tried = 0;
  for (int e = 0; e < icd->entries; e++) {
    snprintf(words, sizeof words, "calls %s", icd->entry(e));
    calls[e] = reported(words);
  }
  for (int e = 0; e < icd->entries; e++) {
    long stride = soaks() ? calls[e] / 20 + 1 : calls[e];
    for (long at = calls[e] > 0 ? (calls[e] + 1) / 2 : 1; at <= calls[e]; at += stride, tried++)
      check_program(icd->entry(e), at, errors_[e % ERRORS]);
  }
  print_message("%ld runs of the program\n", tried);
  assert_true(tried > 20);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_call_of_a_run_may_fail),
      cmocka_unit_test(a_device_may_go_while_it_is_chosen),
      cmocka_unit_test(a_binary_that_is_refused_is_compiled),
      cmocka_unit_test(a_driver_slow_to_give_binaries_is_asked_once),
      cmocka_unit_test(the_program_ends_well),
  };
  if (!icd_open()) return 1;
  return cmocka_run_group_tests_name("faults", tests, open_small, fixture_close);
}
