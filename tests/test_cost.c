/* What a reader does for a file grows as the file does: of each kind one is made by a generator and
 * one of twice the size, and the bytes that the library allocates, compares and searches are
 * counted by wrappers that the linker puts in (tests/CMakeLists.txt). */
#define _XOPEN_SOURCE 700
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gradflow/config.h>

#include "base/file.h"
#include "base/index.h"
#include "base/text.h"
#include "run/run_records.h"
#include "support/assert.h"
#include "support/folder.h"
#include "support/test.h"

/* ---- counting ---- */

static double work_;

/* The names are the linker's. NOLINTBEGIN(bugprone-reserved-identifier) */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_memchr(const void *at, int byte, size_t size);
int __real_strcmp(const char *a, const char *b);
int __real_strncmp(const char *a, const char *b, size_t size);
int __real_memcmp(const void *a, const void *b, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_memchr(const void *at, int byte, size_t size);
int __wrap_strcmp(const char *a, const char *b);
int __wrap_strncmp(const char *a, const char *b, size_t size);
int __wrap_memcmp(const void *a, const void *b, size_t size);

void *__wrap_malloc(size_t size) {
  work_ += (double)size;
  return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
  work_ += (double)count * (double)size;
  return __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size) {
  work_ += (double)size;
  return __real_realloc(old, size);
}

void *__wrap_memchr(const void *at, int byte, size_t size) {
  const char *found = __real_memchr(at, byte, size);
  work_ += found ? (double)(found - (const char *)at) + 1 : (double)size;
  return (void *)found;
}

/* A call costs something, too. */
int __wrap_strcmp(const char *a, const char *b) {
  work_ += 8;
  return __real_strcmp(a, b);
}

int __wrap_strncmp(const char *a, const char *b, size_t size) {
  work_ += 8;
  return __real_strncmp(a, b, size);
}

int __wrap_memcmp(const void *a, const void *b, size_t size) {
  work_ += 8;
  return __real_memcmp(a, b, size);
}

/* NOLINTEND(bugprone-reserved-identifier) */

/* ---- configs ---- */

static void tabs(gf__text *out, int size) {
  gf__text_add(out, "model: {family: vgg_stages}\n#");
  for (int i = 0; i < 8 * size; i++) gf__text_add(out, "\t");
  gf__text_add(out, "\n");
}

static void anchors(gf__text *out, int size) {
  gf__text_add(out, "x:\n");
  for (int i = 0; i < size; i++) gf__text_add(out, "- &a%d 1\n", i);
  for (int i = 0; i < size; i++) gf__text_add(out, "- *a%d\n", i);
}

static void keys(gf__text *out, int size) {
  gf__text_add(out, "x:\n");
  for (int i = 0; i < size; i++) gf__text_add(out, "  key_of_a_mapping_%d: 1\n", i);
}

static void items(gf__text *out, int size) {
  gf__text_add(out, "x: [");
  for (int i = 0; i < size; i++) gf__text_add(out, "%d, ", i);
  gf__text_add(out, "0]\n");
}

static double work_of_config(void (*generate)(gf__text *, int), int size) {
  gf__text text = {0};
  gf_config *config;
  generate(&text, size);
  assert_ok(gf__text_status(&text));
  work_ = 0;
  assert_ok(gf_config_parse(&config, "x", text.data));
  double work = work_;
  gf_config_free(&config);
  gf__text_free(&text);
  return work;
}

static void reading_a_config_is_linear(void **state) {
  (void)state;
  static const struct {
    const char *name;
    void (*generate)(gf__text *, int);
  } kinds[] = {{"tabs", tabs}, {"anchors", anchors}, {"keys", keys}, {"items", items}};
  enum { SIZE = 2000 }; /* within the limits on keys and values */
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    double once = work_of_config(kinds[i].generate, SIZE);
    double twice = work_of_config(kinds[i].generate, 2 * SIZE);
    if (!(twice <= 2.2 * once)) fail_msg("%s: %g and then %g", kinds[i].name, once, twice);
  }
}

/* An alias of a long text is a short way to ask for much memory. */
static void aliases_repeat_no_more_than_a_config_holds(void **state) {
  (void)state;
  gf__text text = {0};
  gf_config *config;
  gf__text_add(&text, "a: &a ");
  for (int i = 0; i < 50000; i++) gf__text_add(&text, "long ");
  gf__text_add(&text, "\nb: [");
  for (int i = 0; i < 10000; i++) gf__text_add(&text, "*a, ");
  gf__text_add(&text, "*a]\n");
  work_ = 0;
  assert_int_equal(gf_config_parse(&config, "x", text.data), GF_ERROR_CONFIG);
  assert_non_null(
      strstr(gf_error_message(), "aliases repeat more than 1048576 bytes; is this a config?"));
  assert_true(work_ <= 64.0 * (1 << 20));
  gf__text_free(&text);
}

/* ---- records ---- */

static void write_records(int epochs, int layers, int layers_later) {
  gf__text metrics = {0}, gradients = {0};
  gf__text_add(&metrics, "epoch,train_loss,train_accuracy,validation_loss,validation_accuracy\n");
  gf__text_add(&gradients, "epoch,step,parameter,mean_abs,l2,zeros,update_ratio\n");
  for (int e = 0; e < epochs; e++) {
    gf__text_add(&metrics, "%d,2,0.1,2,0.1\n", e);
    /* From the last layer on, which is not the order of the first record. */
    for (int i = 0; i < (e ? layers_later : layers); i++)
      gf__text_add(&gradients, "%d,%d,layer_%d.weight,1,1,0,1\n", e, e, e ? layers - 1 - i : i);
  }
  assert_ok(gf__file_write(in_folder("metrics.csv"), metrics.data, metrics.size));
  assert_ok(gf__file_write(in_folder("gradients.csv"), gradients.data, gradients.size));
  gf__text_free(&metrics);
  gf__text_free(&gradients);
}

static double work_of_records(int epochs, int layers) {
  gf__run run;
  write_records(epochs, layers, layers);
  work_ = 0;
  assert_ok(gf__run_load(&run, fixture_folder));
  double work = work_;
  assert_int_equal(run.epoch_count, epochs);
  assert_int_equal(run.layer_count, layers);
  assert_true(run.mean_gradients[(size_t)epochs * (size_t)layers - 1] == 1);
  gf__run_free(&run);
  return work;
}

static void reading_records_is_linear(void **state) {
  (void)state;
  double once = work_of_records(1000, 3), epochs = work_of_records(2000, 3);
  if (!(epochs <= 2.2 * once)) fail_msg("epochs: %g and then %g", once, epochs);
  once = work_of_records(3, 1000);
  double layers = work_of_records(3, 2000);
  if (!(layers <= 2.2 * once)) fail_msg("layers: %g and then %g", once, layers);
}

/* 10,000 layers in the first record, and 2,000 records of one: room for all of them would be 640 MB
 * for a file of 400 kB. */
static void records_that_lack_layers_take_no_memory(void **state) {
  (void)state;
  gf__run run;
  char expected[512];
  write_records(2001, 10000, 1);
  work_ = 0;
  snprintf(expected, sizeof expected,
           "%s has 12000 rows, which are too few for 2001 epochs of 10000 parameters: most records "
           "lack most of theirs; it is damaged",
           in_folder("gradients.csv"));
  assert_fails(GF_ERROR_DATA, expected, gf__run_load(&run, fixture_folder));
  assert_true(work_ <= 16e6);
}

/* ---- the index ---- */

static void the_index_finds_what_was_set_last(void **state) {
  (void)state;
  enum { KEYS = 5000 };
  static char names[KEYS][16];
  gf__index index = {0};
  size_t number = 7;
  assert_false(gf__index_find(&index, "a", 1, &number));
  for (size_t i = 0; i < KEYS; i++) {
    snprintf(names[i], sizeof names[i], "name %zu", i);
    assert_ok(gf__index_set(&index, names[i], strlen(names[i]), i));
  }
  assert_ok(gf__index_set(&index, names[3], strlen(names[3]), 99));
  assert_int_equal(index.count, KEYS);
  for (size_t i = 0; i < KEYS; i++) {
    assert_true(gf__index_find(&index, names[i], strlen(names[i]), &number));
    assert_int_equal(number, i == 3 ? 99 : i);
  }
  assert_false(gf__index_find(&index, "name", 4, &number));
  gf__index_free(&index);
  assert_int_equal(index.count, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reading_a_config_is_linear),
      cmocka_unit_test(aliases_repeat_no_more_than_a_config_holds),
      IN_FOLDER(reading_records_is_linear),
      IN_FOLDER(records_that_lack_layers_take_no_memory),
      cmocka_unit_test(the_index_finds_what_was_set_last),
  };
  return cmocka_run_group_tests_name("cost", tests, NULL, NULL);
}
