/* The files in the cache folder: compiled kernels and measured algorithms. They are used where only
 * this user can have written them, and as none elsewhere; what is damaged never reaches the driver.
 */
#define _XOPEN_SOURCE 700 /* mkdtemp, symlink, truncate */

#include <stdbool.h>

#include <sys/stat.h>
#include <unistd.h>

#include "base/cache.h"
#include "device/device.h"
#include "device/kernel_cache.h"
#include "ops/conv/tuning.h"
#include "support/device.h"
#include "support/test.h"

/* ---- a cache folder in a folder, one for each test ---- */

static char parent_[128], cache_[160];

static int open_cache(void **state) {
  static int number;
  (void)state;
  snprintf(parent_, sizeof parent_, "%s/parent%d", fixture_folder, number++);
  snprintf(cache_, sizeof cache_, "%s/cache", parent_);
  return mkdir(parent_, 0755) || setenv("GRADFLOW_CACHE_DIR", cache_, 1);
}

static int close_cache(void **state) {
  (void)state;
  gf_log_to(NULL, NULL);
  return unsetenv("GRADFLOW_CACHE_DIR");
}

static int warnings_;
static char warning_[1024];

static void keep_warning(void *user, gf_log_level level, const char *message) {
  (void)user;
  if (level != GF_LOG_WARNING) return;
  warnings_++;
  snprintf(warning_, sizeof warning_, "%s", message);
}

/* The beginnings of the names of the files in the cache; kernels have none. */
static const char *kind_of(const char *name) {
  static const char *const kinds[] = {"tuning-", "probe-", "vectors-"};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (!strncmp(name, kinds[i], strlen(kinds[i]))) return kinds[i];
  return "";
}

/* The one file in the cache whose name begins so; valid until the next call. */
static const char *file_like(const char *start) {
  static char path[512];
  gf__names names;
  int count = 0;
  if (!gf__path_exists(cache_)) return NULL;
  assert_ok(gf__list_folder(cache_, &names));
  for (size_t i = 0; i < names.count; i++) {
    if (strcmp(start, kind_of(names.v[i])) != 0) continue;
    snprintf(path, sizeof path, "%s/%s", cache_, names.v[i]);
    count++;
  }
  gf__names_free(&names);
  assert_true(count < 2);
  return count ? path : NULL;
}

/* ---- what uses the cache ---- */

/* On a device of its own, since a device keeps its programs: doubles a buffer by a kernel. */
static void use_kernel(void) {
  gf_device *device;
  gf__kernel *kernel;
  gf_buffer *buffer, *results;
  float values[4] = {1, 2, 3, 4};
  assert_ok(gf_device_open(&device, NULL));
  assert_ok(gf__kernel_get(&kernel, device, "accumulate.cl", "accumulate", ""));
  assert_ok(gf__buffer_new(&buffer, device, sizeof values, "a test"));
  assert_ok(gf__buffer_new(&results, device, sizeof values, "a test"));
  assert_ok(gf__buffer_write(buffer, 0, sizeof values, values));
  assert_ok(gf__buffer_zero(results));
  assert_ok(GF_LAUNCH(kernel, gf__grid_flat(device, 4), GF_BUFFER(buffer), GF_BUFFER(buffer),
                      GF_INT(4), GF_FLOAT(1), GF_INT(0), GF_BUFFER(results), GF_INT(0), GF_INT(1)));
  assert_ok(gf__buffer_read(buffer, 0, sizeof values, values));
  for (int i = 0; i < 4; i++) assert_true(values[i] == 2.0f * (float)(i + 1));
  gf__buffer_free(&buffer);
  gf__buffer_free(&results);
  gf_device_free(&device);
}

static void use_tuning(void) {
  gf__tuning *tuning;
  gf__conv c = {.shape = {.window = {.size = {1, 4, 4},
                                     .kernel = {1, 1, 1},
                                     .stride = {1, 1, 1},
                                     .dilation = {1, 1, 1},
                                     .out = {1, 4, 4}},
                          .c = 2,
                          .filters = 3,
                          .groups = 1}};
  assert_ok(gf__tuning_open(&tuning, fixture_device, GF__TUNE_FAST, NULL));
  assert_ok(gf__conv_tune(&c, tuning, 2));
  gf__tuning_close(&tuning);
}

/* The check of the driver, when a device is opened. */
static void use_check(void) {
  gf_device *device;
  assert_ok(gf_device_open(&device, NULL));
  gf_device_free(&device);
}

/* Each keeps one file of the cache, which is written anew unless it is used. */
static const struct {
  const char *name, *start;
  void (*use)(void);
} users_[] = {{"kernels", "", use_kernel},
              {"tuning", "tuning-", use_tuning},
              {"the check of the driver", "probe-", use_check},
              {"the access to vectors", "vectors-", use_check}};
enum { USERS = sizeof users_ / sizeof *users_ };

/* Whether the file of the user is the same one after a use as before. */
static bool is_used(int user) {
  struct stat before, after;
  const char *path = file_like(users_[user].start);
  assert_non_null(path);
  assert_int_equal(lstat(path, &before), 0);
  users_[user].use();
  path = file_like(users_[user].start);
  assert_non_null(path);
  assert_int_equal(lstat(path, &after), 0);
  return before.st_ino == after.st_ino && before.st_mtim.tv_sec == after.st_mtim.tv_sec &&
         before.st_mtim.tv_nsec == after.st_mtim.tv_nsec;
}

static void fill(void) {
  for (int i = 0; i < USERS; i++) {
    users_[i].use();
    if (!file_like(users_[i].start)) fail_msg("%s is not kept", users_[i].name);
  }
}

/* ---- tests ---- */

static void what_is_kept_is_used_and_is_private(void **state) {
  (void)state;
  struct stat info;
  mode_t mask = umask(0002);
  fill();
  umask(mask);
  assert_int_equal(stat(cache_, &info), 0);
  assert_int_equal(info.st_mode & 0777, 0700);
  for (int i = 0; i < USERS; i++) {
    assert_int_equal(stat(file_like(users_[i].start), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    if (!is_used(i)) fail_msg("%s is not used", users_[i].name);
  }
}

static void a_file_that_others_can_write_is_replaced(void **state) {
  (void)state;
  static const mode_t modes[] = {0620, 0602, 0666};
  struct stat info;
  fill();
  for (int i = 0; i < USERS; i++)
    for (size_t m = 0; m < sizeof modes / sizeof *modes; m++) {
      assert_int_equal(chmod(file_like(users_[i].start), modes[m]), 0);
      if (is_used(i)) fail_msg("%s is used with mode %o", users_[i].name, (unsigned)modes[m]);
      assert_int_equal(stat(file_like(users_[i].start), &info), 0);
      assert_int_equal(info.st_mode & 0777, 0600);
      assert_true(is_used(i));
    }
}

static void a_file_of_another_user_is_replaced(void **state) {
  (void)state;
  if (geteuid() != 0) {
    print_message("skipped: only root can give files away\n");
    skip();
  }
  fill();
  for (int i = 0; i < USERS; i++) {
    assert_int_equal(chown(file_like(users_[i].start), 12345, (gid_t)-1), 0);
    if (is_used(i)) fail_msg("%s is used", users_[i].name);
  }
}

/* A link to a file elsewhere counts as that file, and what is written does not go through it. */
static void a_link_to_what_others_can_write_is_replaced(void **state) {
  (void)state;
  char target[256], *bytes;
  size_t size;
  fill();
  for (int i = 0; i < USERS; i++) {
    snprintf(target, sizeof target, "%s/target%d", parent_, i);
    char path[512];
    snprintf(path, sizeof path, "%s", file_like(users_[i].start));
    assert_int_equal(rename(path, target), 0);
    assert_int_equal(chmod(target, 0666), 0);
    assert_ok(gf__file_read(target, &bytes, &size));
    assert_int_equal(symlink(target, path), 0);
    if (is_used(i)) fail_msg("%s is used", users_[i].name);
    struct stat info;
    assert_int_equal(lstat(path, &info), 0);
    assert_true(S_ISREG(info.st_mode));
    char *again;
    size_t size_again;
    assert_ok(gf__file_read(target, &again, &size_again));
    assert_int_equal(size_again, size);
    assert_memory_equal(again, bytes, size);
    free(bytes), free(again);
  }
}

static void damaged_files_are_replaced(void **state) {
  (void)state;
  char *bytes;
  size_t size;
  fill();
  for (int i = 0; i < USERS; i++)
    for (int damage = 0; damage < 5; damage++) {
      char path[512];
      snprintf(path, sizeof path, "%s", file_like(users_[i].start));
      assert_ok(gf__file_read(path, &bytes, &size));
      if (damage == 0) bytes[size / 2] ^= 0x40;
      if (damage == 1) bytes[3] ^= 1;
      size_t kept[] = {size, size, size - 2, size > 30 ? 30 : 1, 0};
      assert_ok(gf__file_write_private(path, bytes, kept[damage]));
      free(bytes);
      if (is_used(i)) fail_msg("%s is used with damage %d", users_[i].name, damage);
      assert_true(is_used(i));
    }
}

/* The driver is not asked what it makes of it. */
static void every_changed_byte_of_a_binary_is_found(void **state) {
  (void)state;
  static const unsigned char binary[] = {1, 2, 3, 0, 255};
  char path[256], *file;
  size_t size, read;
  unsigned char *bytes;
  snprintf(path, sizeof path, "%s/a.bin", parent_);
  assert_ok(gf__kernel_cache_write(path, binary, sizeof binary));
  bytes = gf__kernel_cache_read(path, &read);
  assert_non_null(bytes);
  assert_int_equal(read, sizeof binary);
  assert_memory_equal(bytes, binary, sizeof binary);
  free(bytes);
  assert_ok(gf__file_read(path, &file, &size));
  for (size_t i = 0; i <= size; i++) { /* at last one byte more */
    file[i] ^= 1;
    assert_ok(gf__file_write_private(path, file, i < size ? size : size + 1));
    if ((bytes = gf__kernel_cache_read(path, &read))) fail_msg("byte %zu", i);
    file[i] ^= 1;
    assert_ok(gf__file_write_private(path, file, i));
    if (i < size && (bytes = gf__kernel_cache_read(path, &read))) fail_msg("%zu bytes", i);
  }
  free(file);
}

/* 1 GiB of zeros that take no room on the disk. */
static void huge_files_are_replaced_unread(void **state) {
  (void)state;
  fill();
  size_t before = gf__peak_memory();
  for (int i = 0; i < USERS; i++) {
    assert_int_equal(truncate(file_like(users_[i].start), (off_t)1 << 30), 0);
    if (is_used(i)) fail_msg("%s is used", users_[i].name);
  }
  assert_true(gf__peak_memory() - before < (size_t)256 << 20);
}

/* ---- folders ---- */

/* How the folder, or the one above it, may be, and which of them is wrong. */
static const struct {
  mode_t parent, cache;
  bool is_used;
  const char *culprit; /* behind fixture_folder's parentN */
} folders_[] = {
    {0755, 0700, true, NULL},      {0755, 0755, true, NULL},       {0755, 0720, false, "/cache"},
    {0755, 0702, false, "/cache"}, {0755, 01777, false, "/cache"}, {0777, 0700, false, ""},
    {0775, 0700, false, ""},       {01777, 0700, true, NULL},
};

static void folders_that_others_can_write_are_not_used(void **state) {
  (void)state;
  char expected[1024];
  for (size_t i = 0; i < sizeof folders_ / sizeof *folders_; i++) {
    assert_int_equal(chmod(parent_, 0755), 0);
    if (gf__path_exists(cache_)) assert_ok(gf__remove_folder(cache_));
    assert_int_equal(mkdir(cache_, 0700), 0);
    assert_int_equal(chmod(cache_, folders_[i].cache), 0);
    assert_int_equal(chmod(parent_, folders_[i].parent), 0);
    warnings_ = 0;
    gf_log_to(keep_warning, NULL);
    for (int u = 0; u < USERS; u++) {
      users_[u].use();
      if ((file_like(users_[u].start) != NULL) != folders_[i].is_used)
        fail_msg("%s with the modes %o and %o", users_[u].name, (unsigned)folders_[i].parent,
                 (unsigned)folders_[i].cache);
    }
    gf_log_to(NULL, NULL);
    if (folders_[i].is_used) continue;
    snprintf(expected, sizeof expected,
             "compiled kernels are not kept: %s is not used: others than this user own %s%s or can "
             "write there; chmod go-w, or set GRADFLOW_CACHE_DIR",
             cache_, parent_, folders_[i].culprit);
    assert_string_equal(warning_, expected);
    assert_int_equal(warnings_, 1);
  }
}

static void a_link_to_a_folder_counts_as_that_folder(void **state) {
  (void)state;
  char other[200], path[512], expected[512];
  snprintf(other, sizeof other, "%s/other", parent_);
  assert_int_equal(mkdir(other, 0700), 0);
  assert_int_equal(symlink("other", cache_), 0);
  assert_ok(gf__cache_path(path, sizeof path, "name"));
  snprintf(expected, sizeof expected, "%s/name", other);
  assert_string_equal(path, expected);
  assert_int_equal(chmod(other, 0777), 0);
  assert_int_equal(gf__cache_path(path, sizeof path, "name"), GF_ERROR_FILE);
}

/* The fixture's device may have warned before. */
static void without_a_folder_all_is_computed(void **state) {
  (void)state;
  assert_ok(gf__file_write(cache_, "a file", 6));
  warnings_ = 0;
  gf_log_to(keep_warning, NULL);
  use_kernel();
  use_tuning();
  gf_log_to(NULL, NULL);
  char expected[512];
  snprintf(expected, sizeof expected,
           "compiled kernels are not kept: cannot create the folder %s: File exists", cache_);
  assert_string_equal(warning_, expected);
}

/* What its kernels are built from must not depend on a test's cache folder. */
static int open_warm(void **state) {
  if (fixture_open(state) != 0 || open_cache(state) != 0) return -1;
  use_tuning();
  return close_cache(state);
}

/* ---- a device keeps its kernels ---- */

/* 80 characters, more than a row of the profile shows. */
#define LONG_NAME "scale_by_two_scale_by_two_scale_by_two_scale_by_two_scale_by_two_scale_by_two___"

static void a_kernel_of_a_long_name_is_made_once(void **state) {
  static const char source[] =
      "kernel void " LONG_NAME "(global float *x) { x[get_global_id(0)] *= 2; }\n";
  (void)state;
  gf_device *device;
  gf__kernel *kernel, *again;
  gf_buffer *buffer;
  gf_profile_row *rows;
  int count;
  float values[4] = {1, 2, 3, 4};
  assert_ok(gf_device_open(&device, NULL));
  assert_ok(gf_profile_start(device));
  assert_ok(gf__buffer_new(&buffer, device, sizeof values, "a test"));
  assert_ok(gf__buffer_write(buffer, 0, sizeof values, values));
  assert_ok(gf__kernel_get_from(&kernel, device, "own.cl", source, LONG_NAME, ""));
  for (int i = 0; i < 3; i++) {
    assert_ok(gf__kernel_get_from(&again, device, "own.cl", source, LONG_NAME, ""));
    assert_ptr_equal(again, kernel);
    assert_ok(GF_LAUNCH(again, gf__grid_single(4, 1, 1), GF_BUFFER(buffer)));
  }
  assert_ok(gf__buffer_read(buffer, 0, sizeof values, values));
  for (int i = 0; i < 4; i++) assert_true(values[i] == 8.0f * (float)(i + 1));
  assert_ok(gf_profile_read(device, &rows, &count));
  assert_int_equal(count, 3); /* upload, the kernel, download */
  int row = 0;
  while (row < count && strncmp(rows[row].name, LONG_NAME, sizeof rows[row].name - 1) != 0) row++;
  assert_true(row < count);
  assert_int_equal(rows[row].calls, 3);
  free(rows);
  gf__buffer_free(&buffer);
  gf_device_free(&device);
}

int main(void) {
#define IN_CACHE(test) cmocka_unit_test_setup_teardown(test, open_cache, close_cache)
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_kernel_of_a_long_name_is_made_once),
      IN_CACHE(what_is_kept_is_used_and_is_private),
      IN_CACHE(a_file_that_others_can_write_is_replaced),
      IN_CACHE(a_file_of_another_user_is_replaced),
      IN_CACHE(a_link_to_what_others_can_write_is_replaced),
      IN_CACHE(damaged_files_are_replaced),
      IN_CACHE(every_changed_byte_of_a_binary_is_found),
      IN_CACHE(huge_files_are_replaced_unread),
      IN_CACHE(folders_that_others_can_write_are_not_used),
      IN_CACHE(a_link_to_a_folder_counts_as_that_folder),
      IN_CACHE(without_a_folder_all_is_computed),
  };
  return cmocka_run_group_tests_name("cache", tests, open_warm, fixture_close);
}
