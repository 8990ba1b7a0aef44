/* The choice of convolution algorithms by measurement, and the file that keeps it. */
#define _XOPEN_SOURCE 700

#include <dirent.h>
#include <jansson.h>
#include <sys/stat.h>

#include "ops/conv2d/tuning.h"
#include "support/device.h"
#include "support/test.h"

enum { BATCH = 2 };

static const gf__conv2d_shape shape_ = {.h = 4,
                                        .w = 6,
                                        .c = 3,
                                        .filters = 5,
                                        .kernel = {3, 3},
                                        .stride = {1, 1},
                                        .padding = {1, 1},
                                        .dilation = {1, 1},
                                        .out_h = 4,
                                        .out_w = 6};

/* ---- what the library says ---- */

static int details_, warnings_; /* one detail a pass that was measured */
static char warning_[512];

static void count_log(void *user, gf_log_level level, const char *message) {
  (void)user;
  details_ += level == GF_LOG_DETAIL;
  if (level != GF_LOG_WARNING) return;
  warnings_++;
  snprintf(warning_, sizeof warning_, "%s", message);
}

/* ---- a cache folder of one's own ---- */

static char cache_[128];

static int open_cache(void **state) {
  static int number;
  (void)state;
  snprintf(cache_, sizeof cache_, "%s/cache%d", fixture_folder, number++);
  setenv("GRADFLOW_CACHE_DIR", cache_, 1);
  gf_log_to(count_log, NULL);
  return 0;
}

static int close_cache(void **state) {
  (void)state;
  gf_log_to(NULL, NULL);
  return unsetenv("GRADFLOW_CACHE_DIR");
}

/* The tuning file, or NULL; valid until the next call. */
static const char *tuning_file(void) {
  static char path[512];
  DIR *folder = opendir(cache_);
  const char *found = NULL;
  for (struct dirent *e; folder && (e = readdir(folder));)
    if (!strncmp(e->d_name, "tuning-", 7)) {
      snprintf(path, sizeof path, "%s/%s", cache_, e->d_name);
      found = path;
    }
  if (folder) closedir(folder);
  return found;
}

/* Chooses for the shape; returns how many passes were measured. */
static int choose(gf__tune mode, const char *force, gf__conv2d *out) {
  gf__tuning *tuning;
  details_ = warnings_ = 0;
  *out = (gf__conv2d){.shape = shape_};
  assert_ok(gf__tuning_open(&tuning, fixture_device, mode, force));
  assert_ok(gf__tuning_choose(tuning, out, BATCH));
  gf__tuning_close(&tuning);
  assert_null(tuning);
  for (int p = 0; p < GF__CONV2D_PASSES; p++) assert_non_null(out->algorithm[p]);
  return details_;
}

static json_t *read_choices(void) {
  assert_non_null(tuning_file());
  json_t *choices = json_load_file(tuning_file(), JSON_REJECT_DUPLICATES, NULL);
  assert_true(json_is_object(choices));
  return choices;
}

/* Sets every choice in the file to an algorithm. */
static void rewrite_choices(const char *algorithm) {
  json_t *choices = read_choices(), *value;
  const char *key;
  json_object_foreach(choices, key, value) json_string_set(value, algorithm);
  assert_int_equal(json_dump_file(choices, tuning_file(), 0), 0);
  json_decref(choices);
}

static void measured_choices_are_kept(void **state) {
  (void)state;
  gf__conv2d first, second;
  assert_int_equal(choose(GF__TUNE_FAST, NULL, &first), GF__CONV2D_PASSES);
  json_t *choices = read_choices(), *value;
  const char *key;
  assert_int_equal(json_object_size(choices), GF__CONV2D_PASSES);
  json_object_foreach(choices, key, value)
      assert_non_null(strstr(key, "n2 4x6x3 filters 5 kernel 3x3 stride 1x1 padding 1x1"));
  json_decref(choices);
  assert_int_equal(choose(GF__TUNE_FAST, NULL, &second), 0);
  assert_memory_equal(first.algorithm, second.algorithm, sizeof first.algorithm);
}

static void the_file_decides(void **state) {
  (void)state;
  gf__conv2d c;
  choose(GF__TUNE_FAST, NULL, &c);
  for (int i = 0; gf__conv2d_algorithms[i]; i++) {
    const gf__conv2d_algorithm *a = gf__conv2d_algorithms[i];
    if (!a->accepts(fixture_device, &shape_, GF__CONV2D_FORWARD)) continue;
    rewrite_choices(a->name);
    assert_int_equal(choose(GF__TUNE_FAST, NULL, &c), 0);
    assert_ptr_equal(c.algorithm[GF__CONV2D_FORWARD], a);
  }
}

static void full_measures_again(void **state) {
  (void)state;
  gf__conv2d c;
  choose(GF__TUNE_FAST, NULL, &c);
  assert_int_equal(choose(GF__TUNE_FULL, NULL, &c), GF__CONV2D_PASSES);
}

/* Text that is no JSON, another kind of JSON, and names of no algorithm that takes the shape. */
static void a_useless_file_is_as_none(void **state) {
  (void)state;
  static const char *const contents[] = {"", "{\"n2", "[1, 2]", "\xff\xfe"};
  gf__conv2d c;
  choose(GF__TUNE_FAST, NULL, &c);
  for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
    assert_ok(gf__file_write(tuning_file(), contents[i], strlen(contents[i])));
    assert_int_equal(choose(GF__TUNE_FAST, NULL, &c), GF__CONV2D_PASSES);
    json_decref(read_choices());
  }
  static const char *const names[] = {"winograd4", "fastest", ""};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    rewrite_choices(names[i]);
    assert_int_equal(choose(GF__TUNE_FAST, NULL, &c), GF__CONV2D_PASSES);
  }
}

static void off_and_force_measure_nothing(void **state) {
  (void)state;
  gf__conv2d defaults = {.shape = shape_}, c;
  gf__conv2d_choose(&defaults, fixture_device, NULL);
  assert_int_equal(choose(GF__TUNE_OFF, NULL, &c), 0);
  assert_memory_equal(c.algorithm, defaults.algorithm, sizeof c.algorithm);
  assert_int_equal(choose(GF__TUNE_FAST, "im2col", &c), 0);
  for (int p = 0; p < GF__CONV2D_PASSES; p++) assert_string_equal(c.algorithm[p]->name, "im2col");
  assert_null(tuning_file());
}

static void a_folder_that_others_can_write_is_not_used(void **state) {
  (void)state;
  gf__conv2d c;
  assert_ok(gf__make_folder(cache_));
  assert_int_equal(chmod(cache_, 0777), 0);
  assert_int_equal(choose(GF__TUNE_FAST, NULL, &c), GF__CONV2D_PASSES);
  assert_null(tuning_file());
}

/* Copies the kernels with from in file replaced by to, and lets the library read them there. */
static void plant_kernels(const char *file, const char *from, const char *to) {
  const char *folder = in_folder("kernels");
  assert_ok(gf__make_folder(folder));
  DIR *kernels = opendir(SOURCE_FOLDER "/cl");
  assert_non_null(kernels);
  bool planted = false;
  for (struct dirent *e; (e = readdir(kernels));) {
    char path[512], *text;
    size_t size;
    if (e->d_name[0] == '.') continue;
    assert_ok(gf__path_join(path, sizeof path, SOURCE_FOLDER "/cl", e->d_name));
    assert_ok(gf__file_read(path, &text, &size));
    assert_ok(gf__path_join(path, sizeof path, folder, e->d_name));
    char *at = !strcmp(e->d_name, file) ? strstr(text, from) : NULL;
    if (at) {
      planted = true;
      assert_true(strlen(to) == strlen(from));
      memcpy(at, to, strlen(to));
    }
    assert_ok(gf__file_write(path, text, size));
    free(text);
  }
  closedir(kernels);
  assert_true(planted);
  setenv("GRADFLOW_KERNEL_DIR", folder, 1);
}

static void a_wrong_result_is_refused(void **state) {
  (void)state;
  gf__conv2d c;
  if (gf_device_describe(fixture_device)->type != GF_DEVICE_CPU) skip(); /* tries no direct */
  gf_device *own = fixture_device; /* a device keeps its programs, so this one is new */
  plant_kernels("conv2d_direct.cl", "fma(v, wv[b], sum[p][b])", "fma(v, wv[b], 2 * wv[b])");
  assert_ok(gf_device_open(&fixture_device, NULL));
  choose(GF__TUNE_FAST, NULL, &c);
  assert_string_equal(c.algorithm[GF__CONV2D_FORWARD]->name, "im2col");
  assert_int_equal(warnings_, 2);
  assert_string_equal(warning_,
                      "direct is not used for n2 4x6x3 filters 5 kernel 3x3 stride 1x1 padding "
                      "1x1 dilation 1x1 backward_data: its result differs from im2col's");
  gf_device_free(&fixture_device);
  fixture_device = own;
  unsetenv("GRADFLOW_KERNEL_DIR");
}

/* Compiling is not to use up the time that GF__TUNE_FAST has. */
static int open_warm(void **state) {
  gf__conv2d c;
  if (fixture_open(state) != 0 || open_cache(state) != 0) return -1;
  choose(GF__TUNE_FULL, NULL, &c);
  return close_cache(state);
}

int main(void) {
#define IN_CACHE(test) cmocka_unit_test_setup_teardown(test, open_cache, close_cache)
  const struct CMUnitTest tests[] = {
      IN_CACHE(measured_choices_are_kept),     IN_CACHE(the_file_decides),
      IN_CACHE(full_measures_again),           IN_CACHE(a_useless_file_is_as_none),
      IN_CACHE(off_and_force_measure_nothing), IN_CACHE(a_folder_that_others_can_write_is_not_used),
      IN_CACHE(a_wrong_result_is_refused),
  };
  return cmocka_run_group_tests(tests, open_warm, fixture_close);
}
