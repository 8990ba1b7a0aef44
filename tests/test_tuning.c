/* The choice of convolution algorithms by measurement, and the file that keeps it. */
#define _XOPEN_SOURCE 700

#include <dirent.h>
#include <jansson.h>
#include <sys/stat.h>

#include "model/model.h"
#include "ops/conv/tuning.h"
#include "support/device.h"
#include "support/test.h"

enum { BATCH = 2 };

static const gf__conv_shape shape_ = {.window = {.size = {1, 4, 6},
                                                 .kernel = {1, 3, 3},
                                                 .stride = {1, 1, 1},
                                                 .padding = {0, 1, 1},
                                                 .dilation = {1, 1, 1},
                                                 .out = {1, 4, 6}},
                                      .c = 3,
                                      .filters = 5,
                                      .groups = 1};

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

/* Chooses for a shape; returns how many directions were measured. */
static int choose_for(const gf__conv_shape *shape, gf__tune mode, const char *force,
                      gf__conv *out) {
  gf__tuning *tuning;
  details_ = warnings_ = 0;
  *out = (gf__conv){.shape = *shape};
  assert_ok(gf__tuning_open(&tuning, fixture_device, mode, force));
  assert_ok(gf__conv_tune(out, tuning, BATCH));
  gf__tuning_close(&tuning);
  assert_null(tuning);
  for (int p = 0; p < GF__CONV_DIRECTIONS; p++) assert_non_null(out->algorithm[p]);
  return details_;
}

static int choose(gf__tune mode, const char *force, gf__conv *out) {
  return choose_for(&shape_, mode, force, out);
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
  gf__conv first, second;
  assert_int_equal(choose(GF__TUNE_FAST, NULL, &first), GF__CONV_DIRECTIONS);
  json_t *choices = read_choices(), *value;
  const char *key;
  assert_int_equal(json_object_size(choices), GF__CONV_DIRECTIONS);
  json_object_foreach(choices, key, value)
      assert_non_null(strstr(key, "n2 4x6x3 filters 5 kernel 3x3 stride 1x1 padding 1x1"));
  json_decref(choices);
  assert_int_equal(choose(GF__TUNE_FAST, NULL, &second), 0);
  assert_memory_equal(first.algorithm, second.algorithm, sizeof first.algorithm);
}

static void the_file_decides(void **state) {
  (void)state;
  gf__conv c;
  choose(GF__TUNE_FAST, NULL, &c);
  for (int i = 0; gf__conv_algorithms[i]; i++) {
    const gf__conv_algorithm *a = gf__conv_algorithms[i];
    if (!a->accepts(a, fixture_device, &shape_, GF__CONV_FORWARD)) continue;
    rewrite_choices(a->name);
    assert_int_equal(choose(GF__TUNE_FAST, NULL, &c), 0);
    assert_ptr_equal(c.algorithm[GF__CONV_FORWARD], a);
  }
}

static void full_measures_again(void **state) {
  (void)state;
  gf__conv c;
  choose(GF__TUNE_FAST, NULL, &c);
  assert_int_equal(choose(GF__TUNE_FULL, NULL, &c), GF__CONV_DIRECTIONS);
}

/* Text that is no JSON, another kind of JSON, and names of no algorithm that takes the shape. */
static void a_useless_file_is_as_none(void **state) {
  (void)state;
  static const char *const contents[] = {"", "{\"n2", "[1, 2]", "\xff\xfe"};
  gf__conv c;
  choose(GF__TUNE_FAST, NULL, &c);
  for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
    assert_ok(gf__file_write(tuning_file(), contents[i], strlen(contents[i])));
    assert_int_equal(choose(GF__TUNE_FAST, NULL, &c), GF__CONV_DIRECTIONS);
    json_decref(read_choices());
  }
  static const char *const names[] = {"winograd4", "fastest", ""};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    rewrite_choices(names[i]);
    assert_int_equal(choose(GF__TUNE_FAST, NULL, &c), GF__CONV_DIRECTIONS);
  }
}

static void off_and_force_measure_nothing(void **state) {
  (void)state;
  gf__conv defaults = {.shape = shape_}, c;
  gf__conv_choose(&defaults, fixture_device, NULL);
  assert_int_equal(choose(GF__TUNE_OFF, NULL, &c), 0);
  assert_memory_equal(c.algorithm, defaults.algorithm, sizeof c.algorithm);
  assert_int_equal(choose(GF__TUNE_FAST, "im2col", &c), 0);
  for (int p = 0; p < GF__CONV_DIRECTIONS; p++) assert_string_equal(c.algorithm[p]->name, "im2col");
  assert_null(tuning_file());
}

static int announcements_;

static void count_announcements(void *user, gf_log_level level, const char *message) {
  (void)user;
  announcements_ += level == GF_LOG_INFO && strstr(message, "--tune off skips it") != NULL;
}

static void what_is_measured_is_said_before(void **state) {
  (void)state;
  gf__tuning *tuning;
  gf__conv c = {.shape = shape_};
  assert_ok(gf__tuning_open(&tuning, fixture_device, GF__TUNE_FAST, NULL));
  gf_log_to(count_announcements, NULL);
  assert_ok(gf__conv_tune(&c, tuning, BATCH));
  assert_int_equal(announcements_, 1);
  gf__tuning_close(&tuning);
  /* All is known now. */
  assert_ok(gf__tuning_open(&tuning, fixture_device, GF__TUNE_FAST, NULL));
  assert_ok(gf__conv_tune(&c, tuning, BATCH));
  assert_int_equal(announcements_, 1);
  gf__tuning_close(&tuning);
  gf_log_to(NULL, NULL);
}

static void known_takes_the_file_and_measures_nothing(void **state) {
  (void)state;
  gf__conv defaults = {.shape = shape_}, c;
  gf__conv_choose(&defaults, fixture_device, NULL);
  assert_int_equal(choose(GF__TUNE_KNOWN, NULL, &c), 0);
  assert_memory_equal(c.algorithm, defaults.algorithm, sizeof c.algorithm);
  assert_null(tuning_file());
  choose(GF__TUNE_FAST, NULL, &c);
  rewrite_choices("im2col");
  assert_int_equal(choose(GF__TUNE_KNOWN, NULL, &c), 0);
  for (int p = 0; p < GF__CONV_DIRECTIONS; p++) assert_string_equal(c.algorithm[p]->name, "im2col");
}

/* A run's config says fast, and what only looks at a run would wait for it. */
static void a_model_may_measure_nothing(void **state) {
  (void)state;
  gf_config *config = parse_config(
      "model: {tune: full, graph: [{name: conv, type: conv2d, filters: 3}, {type: "
      "global_avg_pool}, "
      "{type: linear, outputs: 2}]}");
  for (int measures = 0; measures < 2; measures++) {
    gf_model *model;
    assert_ok(gf__model_open_with(&model, fixture_device, config, (gf_image_shape){6, 6, 2}, 2, 2,
                                  0, &(gf__model_options){.measures_nothing = !measures}));
    gf_model_free(&model);
    assert_int_equal(tuning_file() != NULL, measures);
  }
  gf_config_free(&config);
}

static void a_folder_that_others_can_write_is_not_used(void **state) {
  (void)state;
  gf__conv c;
  assert_ok(gf__make_folder(cache_));
  assert_int_equal(chmod(cache_, 0777), 0);
  assert_int_equal(choose(GF__TUNE_FAST, NULL, &c), GF__CONV_DIRECTIONS);
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
  gf__conv c;
  if (gf_device_describe(fixture_device)->type != GF_DEVICE_CPU) skip(); /* tries no direct */
  gf_device *own = fixture_device; /* a device keeps its programs, so this one is new */
  plant_kernels("conv2d_direct.cl", "fma(v, wv[b], sum[p][b])", "fma(v, wv[b], 2 * wv[b])");
  assert_ok(gf_device_open(&fixture_device, NULL));
  choose(GF__TUNE_FAST, NULL, &c);
  assert_string_equal(c.algorithm[GF__CONV_FORWARD]->name, "im2col");
  assert_int_equal(warnings_, 2);
  assert_string_equal(warning_,
                      "direct is not used for n2 4x6x3 filters 5 kernel 3x3 stride 1x1 padding "
                      "1x1 dilation 1x1 backward_data: its result differs from im2col's");
  gf_device_free(&fixture_device);
  fixture_device = own;
  unsetenv("GRADFLOW_KERNEL_DIR");
}

/* ---- volumes ---- */

static const gf__conv_shape volume_ = {.window = {.size = {5, 4, 6},
                                                  .kernel = {3, 2, 3},
                                                  .stride = {2, 1, 1},
                                                  .padding = {1, 0, 1},
                                                  .dilation = {1, 1, 1},
                                                  .out = {3, 3, 6}},
                                       .c = 2,
                                       .filters = 4,
                                       .groups = 1};

/* The same rules hold: measured, kept under a key of three axes, read again, and forced. */
static void volumes_are_tuned(void **state) {
  (void)state;
  static const char *const names[] = {"im2col", "direct3d"};
  gf__conv c, again;
  assert_int_equal(choose_for(&volume_, GF__TUNE_OFF, NULL, &c), 0);
  for (int d = 0; d < GF__CONV_DIRECTIONS; d++)
    assert_string_equal(c.algorithm[d]->name, "direct3d");
  assert_int_equal(choose_for(&volume_, GF__TUNE_FAST, NULL, &c), GF__CONV_DIRECTIONS);
  assert_int_equal(warnings_, 0);
  json_t *choices = read_choices();
  assert_non_null(json_object_get(choices,
                                  "n2 5x4x6x2 filters 4 kernel 3x2x3 stride 2x1x1 padding 1x0x1 "
                                  "dilation 1x1x1 backward_data"));
  json_decref(choices);
  assert_int_equal(choose_for(&volume_, GF__TUNE_FAST, NULL, &again), 0);
  assert_memory_equal(c.algorithm, again.algorithm, sizeof c.algorithm);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    rewrite_choices(names[i]);
    assert_int_equal(choose_for(&volume_, GF__TUNE_FAST, NULL, &c), 0);
    assert_int_equal(choose_for(&volume_, GF__TUNE_OFF, names[i], &again), 0);
    for (int d = 0; d < GF__CONV_DIRECTIONS; d++) {
      assert_string_equal(c.algorithm[d]->name, names[i]);
      assert_string_equal(again.algorithm[d]->name, names[i]);
    }
  }
  /* What does not accept volumes is not chosen for them, forced or kept. */
  rewrite_choices("tiled");
  assert_int_equal(choose_for(&volume_, GF__TUNE_FAST, NULL, &c), GF__CONV_DIRECTIONS);
  assert_int_equal(choose_for(&volume_, GF__TUNE_OFF, "direct", &c), 0);
  assert_string_equal(c.algorithm[GF__CONV_FORWARD]->name, "direct3d");
}

static void a_wrong_result_of_volumes_is_refused(void **state) {
  (void)state;
  gf__conv c;
  gf_device *own = fixture_device;
  plant_kernels("conv3d.cl", "TAKE(line + at[t], c) :", "TAKE(line + at[t], 0) :");
  assert_ok(gf_device_open(&fixture_device, NULL));
  choose_for(&volume_, GF__TUNE_FULL, NULL, &c);
  assert_string_equal(c.algorithm[GF__CONV_FORWARD]->name, "im2col");
  assert_string_equal(c.algorithm[GF__CONV_BACKWARD_DATA]->name, "im2col");
  assert_int_equal(warnings_, 2);
  assert_string_equal(warning_,
                      "direct3d is not used for n2 5x4x6x2 filters 4 kernel 3x2x3 stride 2x1x1 "
                      "padding 1x0x1 dilation 1x1x1 backward_data: its result differs from "
                      "im2col's");
  gf_device_free(&fixture_device);
  fixture_device = own;
  unsetenv("GRADFLOW_KERNEL_DIR");
}

/* Compiling is not to use up the time that GF__TUNE_FAST has. */
static int open_warm(void **state) {
  gf__conv c;
  if (fixture_open(state) != 0 || open_cache(state) != 0) return -1;
  choose(GF__TUNE_FULL, NULL, &c);
  choose_for(&volume_, GF__TUNE_FULL, NULL, &c);
  return close_cache(state);
}

int main(void) {
#define IN_CACHE(test) cmocka_unit_test_setup_teardown(test, open_cache, close_cache)
  const struct CMUnitTest tests[] = {
      IN_CACHE(measured_choices_are_kept),
      IN_CACHE(the_file_decides),
      IN_CACHE(full_measures_again),
      IN_CACHE(a_useless_file_is_as_none),
      IN_CACHE(off_and_force_measure_nothing),
      IN_CACHE(a_folder_that_others_can_write_is_not_used),
      IN_CACHE(a_wrong_result_is_refused),
      IN_CACHE(volumes_are_tuned),
      IN_CACHE(what_is_measured_is_said_before),
      IN_CACHE(known_takes_the_file_and_measures_nothing),
      IN_CACHE(a_model_may_measure_nothing),
      IN_CACHE(a_wrong_result_of_volumes_is_refused),
  };
  return cmocka_run_group_tests(tests, open_warm, fixture_close);
}
