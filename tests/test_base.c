/* The base layer: text, arrays, numbers, files, random numbers, threads, folders, messages. */
#define _XOPEN_SOURCE 700 /* mkdtemp, setenv, setrlimit */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/config.h"
#include "base/file.h"
#include "base/json.h"
#include "base/numbers.h"
#include "base/os.h"
#include "base/random.h"
#include "base/text.h"
#include "support/test.h"

static char folder_[] = "/tmp/gradflow-test-XXXXXX";

static int make_scratch(void **state) {
  (void)state;
  return mkdtemp(folder_) ? 0 : -1;
}

static int remove_scratch(void **state) {
  (void)state;
  return gf__remove_folder(folder_) == GF_OK ? 0 : -1;
}

static const char *scratch(const char *name) {
  static char path[256];
  assert_int_equal(gf__path_join(path, sizeof path, folder_, name), GF_OK);
  return path;
}

static void assert_message(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void assert_message(const char *format, ...) {
  char expected[8192];
  va_list args;
  va_start(args, format);
  vsnprintf(expected, sizeof expected, format, args);
  va_end(args);
  assert_string_equal(gf_error_message(), expected);
}

/* ---- messages ---- */

static void every_status_has_a_name(void **state) {
  (void)state;
  for (int i = GF_OK; i <= GF_ERROR_RANK; i++) {
    assert_string_not_equal(gf_status_name((gf_status)i), "unknown");
    for (int j = GF_OK; j < i; j++)
      assert_string_not_equal(gf_status_name((gf_status)i), gf_status_name((gf_status)j));
  }
  assert_string_equal(gf_status_name((gf_status)(GF_ERROR_RANK + 1)), "unknown");
  assert_string_equal(gf_status_name((gf_status)-1), "unknown");
}

static void failure_may_quote_the_message_it_replaces(void **state) {
  (void)state;
  assert_int_equal(gf__fail(GF_ERROR_SHAPE, "%d x %d", 3, 4), GF_ERROR_SHAPE);
  assert_int_equal(gf__fail(GF_ERROR_DATA, "in a.b: %s", gf_error_message()), GF_ERROR_DATA);
  assert_message("in a.b: 3 x 4");
}

static void collect_log(void *user, gf_log_level level, const char *message) {
  gf__text_add(user, "%d:%s;", level == GF_LOG_WARNING, message);
}

static void the_log_goes_to_the_callback(void **state) {
  (void)state;
  gf__text seen = {0};
  gf_log_to(collect_log, &seen);
  gf__log(GF_LOG_INFO, "epoch %d", 3);
  gf__log(GF_LOG_WARNING, "slow");
  gf_log_to(NULL, NULL);
  gf__log(GF_LOG_WARNING, "dropped");
  assert_string_equal(seen.data, "0:epoch 3;1:slow;");
  gf__text_free(&seen);
}

/* ---- text ---- */

static void a_text_grows(void **state) {
  (void)state;
  gf__text text = {0};
  for (int i = 0; i < 1000; i++) gf__text_add(&text, "%d,", i % 10);
  gf__text_add_bytes(&text, "a\0b", 3);
  assert_int_equal(gf__text_status(&text), GF_OK);
  assert_int_equal(text.size, 2003);
  assert_memory_equal(text.data, "0,1,2,3,4,5,6,7,8,9,0,", 22);
  assert_memory_equal(text.data + 1998, "9,a\0b", 6);
  gf__text_free(&text);
  assert_null(text.data);
  text.failed = true;
  gf__text_add(&text, "x");
  assert_null(text.data);
  assert_int_equal(gf__text_status(&text), GF_ERROR_MEMORY);
}

static void copies_of_texts_are_whole(void **state) {
  (void)state;
  char text[] = "conv1";
  char *copy = gf__text_copy(text), *empty = gf__text_copy("");
  char *beginning = gf__text_copy_bytes(text, 4), *none = gf__text_copy_bytes(NULL, 0);
  text[0] = 'C';
  assert_string_equal(copy, "conv1");
  assert_string_equal(empty, "");
  assert_string_equal(beginning, "conv");
  assert_string_equal(none, "");
  free(copy);
  free(empty);
  free(beginning);
  free(none);
}

static void scalars_have_their_words(void **state) {
  (void)state;
  gf_config *config;
  static const char yaml[] = "text: a b\nlist: [1, 2]\nmap: {a: 1}\nempty:\n";
  assert_int_equal(gf_config_parse(&config, "x.yaml", yaml), GF_OK);
  const gf__value *root = gf__config_root(config);
  assert_string_equal(gf__scalar_words(gf__value_get(root, "text")), "a b");
  assert_string_equal(gf__scalar_words(gf__value_get(root, "list")), "");
  assert_string_equal(gf__scalar_words(gf__value_get(root, "map")), "");
  assert_string_equal(gf__scalar_words(gf__value_get(root, "empty")), "");
  assert_string_equal(gf__scalar_words(NULL), "");
  gf_config_free(&config);
}

/* ---- arrays and numbers ---- */

static void arrays_grow(void **state) {
  (void)state;
  enum { COUNT = 1000 };
  uint64_t *items = NULL;
  for (size_t i = 0; i < COUNT; i++) {
    assert_int_equal(gf__grow(&items, i, sizeof *items), GF_OK);
    items[i] = i * i;
  }
  for (size_t i = 0; i < COUNT; i++) assert_int_equal(items[i], i * i);
  uint64_t *before = items;
  assert_int_equal(gf__grow(&items, (size_t)1 << 60, sizeof *items), GF_ERROR_MEMORY);
  assert_ptr_equal(items, before);
  free(items);
}

static void min_max_and_clamp_keep_their_bounds(void **state) {
  (void)state;
  assert_int_equal(GF__MIN(3, -4), -4);
  assert_int_equal(GF__MAX(3, -4), 3);
  assert_int_equal(GF__CLAMP(7, 0, 5), 5);
  assert_int_equal(GF__CLAMP(-7, 0, 5), 0);
  assert_int_equal(GF__CLAMP(4, 0, 5), 4);
  assert_true(isnan(GF__CLAMP((double)NAN, 0.0, 1.0)));
}

static void sizes_are_aligned(void **state) {
  (void)state;
  static const size_t cases[][3] = {{0, 16, 0},   {1, 16, 16}, {16, 16, 16}, {17, 16, 32},
                                    {25, 12, 36}, {7, 1, 7},   {7, 0, 7}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    assert_int_equal(gf__align(cases[i][0], cases[i][1]), cases[i][2]);
}

static void little_endian_numbers_are_read(void **state) {
  (void)state;
  static const uint8_t bytes[] = {0xff, 0x01, 0x02, 0x83, 0xf4, 0x05, 0x06, 0x07, 0x98};
  assert_int_equal(gf__read_le32(bytes + 1), 0xf4830201u);
  assert_true(gf__read_le64(bytes + 1) == 0x98070605f4830201u);
}

static void a_near_word_is_offered(void **state) {
  (void)state;
  static const char *const names[] = {"epochs", "batch_size", "lr", "weight_decay", "k"};
  char longer[301];
  memset(longer, 'x', 300);
  longer[300] = 0;
  const struct {
    const char *word, *expected;
  } cases[] = {
      {"epoch", "epochs"},
      {"epohcs", "epochs"},
      {"batchsize", "batch_size"},
      {"weigth_decay", "weight_decay"},
      {"l", NULL},
      {"lr", "lr"},
      {"optimizer", NULL},
      {"x", NULL},
      {"zz", NULL},
      {"", NULL},
      {longer, NULL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *found = gf__did_you_mean(cases[i].word, names, 5, sizeof *names);
    if (!cases[i].expected) {
      assert_null(found);
      continue;
    }
    assert_non_null(found);
    assert_string_equal(found, cases[i].expected);
  }
  const struct {
    const char *name;
    int other;
  } rows[] = {{"adam", 1}, {"sgd", 2}};
  assert_string_equal(gf__did_you_mean("sgdd", rows, 2, sizeof *rows), "sgd");
  assert_null(gf__did_you_mean("adam", rows, 0, sizeof *rows));
}

/* ---- files ---- */

static void write_text(const char *path, const char *text) {
  assert_int_equal(gf__file_write(path, text, strlen(text)), GF_OK);
}

static void assert_content(const char *path, const char *expected) {
  char *data;
  size_t size;
  assert_int_equal(gf__file_read(path, &data, &size), GF_OK);
  assert_int_equal(size, strlen(expected));
  assert_string_equal(data, expected);
  free(data);
}

static void assert_no_temporary(const char *path) {
  gf__names names;
  const char *base = gf__path_base(path);
  assert_int_equal(gf__list_folder(folder_, &names), GF_OK);
  for (size_t i = 0; i < names.count; i++)
    assert_false(!strncmp(names.v[i], base, strlen(base)) && strstr(names.v[i], ".tmp."));
  gf__names_free(&names);
}

static void a_file_reads_back_as_written(void **state) {
  (void)state;
  const char *path = scratch("round");
  write_text(path, "old");
  write_text(path, "");
  assert_content(path, "");
  size_t size = 300001; /* read grows its buffer on the way */
  unsigned char *bytes = malloc(size);
  for (size_t i = 0; i < size; i++) bytes[i] = (unsigned char)(i * 7 + i / 256);
  assert_int_equal(gf__file_write(path, bytes, size), GF_OK);
  char *data;
  size_t read;
  assert_int_equal(gf__file_read(path, &data, &read), GF_OK);
  assert_int_equal(read, size);
  assert_memory_equal(data, bytes, size);
  assert_int_equal(data[size], 0);
  free(data);
  free(bytes);
  assert_no_temporary(path);
}

static void a_file_that_cannot_be_read_is_named(void **state) {
  (void)state;
  char *data = (char *)1;
  size_t size;
  const char *path = scratch("absent");
  assert_int_equal(gf__file_read(path, &data, &size), GF_ERROR_FILE);
  assert_null(data);
  assert_message("cannot open %s: No such file or directory", path);
  assert_int_equal(gf__file_read(folder_, &data, &size), GF_ERROR_FILE);
  assert_message("cannot read %s: it is a folder", folder_);
}

static void a_file_in_a_missing_folder_is_not_written(void **state) {
  (void)state;
  const char *path = scratch("absent/file");
  assert_int_equal(gf__file_write(path, "x", 1), GF_ERROR_FILE);
  assert_message("cannot create %s: No such file or directory", path);
}

static void a_write_that_fails_keeps_the_old_file(void **state) {
  (void)state;
  const char *path = scratch("kept");
  write_text(path, "old");
  char big[8192] = {1};
  struct rlimit before, small;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
  small = before;
  small.rlim_cur = 4096;
  void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
  gf_status status = gf__file_write(path, big, sizeof big);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, handler);
  assert_int_equal(status, GF_ERROR_FILE);
  assert_message("cannot write 8192 bytes to %s: File too large; the old file is untouched", path);
  assert_content(path, "old");
  assert_no_temporary(path);
}

static gf_status put_two_pieces(gf__file_sink *sink, void *user) {
  GF_TRY(gf__file_put(sink, "one, ", 5));
  return user ? gf__fail(GF_ERROR_DATA, "no second piece") : gf__file_put(sink, "two", 3);
}

static void file_in_pieces(void **state) {
  (void)state;
  const char *path = scratch("pieces");
  assert_int_equal(gf__file_stream(path, put_two_pieces, NULL), GF_OK);
  assert_content(path, "one, two");
  write_text(path, "old");
  assert_int_equal(gf__file_stream(path, put_two_pieces, &path), GF_ERROR_DATA);
  assert_message("no second piece");
  assert_content(path, "old");
  assert_no_temporary(path);
}

static void a_file_does_not_replace_a_folder(void **state) {
  (void)state;
  char inner[256];
  snprintf(inner, sizeof inner, "%s/target/inner", folder_);
  const char *path = scratch("target");
  assert_int_equal(gf__make_folder(path), GF_OK);
  write_text(inner, "kept");
  assert_int_equal(gf__file_write(path, "x", 1), GF_ERROR_FILE);
  assert_message("cannot replace %s: Is a directory", path);
  assert_content(inner, "kept");
  assert_no_temporary(path);
}

static void a_file_in_a_read_only_folder_is_not_written(void **state) {
  (void)state;
  if (geteuid() == 0) skip(); /* nothing is read-only for root */
  char inner[256];
  snprintf(inner, sizeof inner, "%s/locked/inner", folder_);
  const char *path = scratch("locked");
  assert_int_equal(gf__make_folder(path), GF_OK);
  write_text(inner, "old");
  assert_int_equal(chmod(path, 0555), 0);
  gf_status status = gf__file_write(inner, "new", 3);
  assert_int_equal(chmod(path, 0755), 0);
  assert_int_equal(status, GF_ERROR_FILE);
  assert_message("cannot create %s: Permission denied", inner);
  assert_content(inner, "old");
}

static void the_base_of_a_path_follows_the_last_slash(void **state) {
  (void)state;
  static const char *const cases[][2] = {
      {"a.yaml", "a.yaml"}, {"/x/y/a.yaml", "a.yaml"}, {"x/", ""}, {"", ""}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    assert_string_equal(gf__path_base(cases[i][0]), cases[i][1]);
}

static void json_is_written(void **state) {
  (void)state;
  char *text;
  size_t size;
  const char *path = scratch("written.json");
  assert_int_equal(gf__json_write(path, json_pack("{s:i}", "epochs", 3)), GF_OK);
  assert_int_equal(gf__file_read(path, &text, &size), GF_OK);
  assert_string_equal(text, "{\n  \"epochs\": 3\n}");
  free(text);
  assert_int_equal(gf__json_write(path, NULL), GF_ERROR_MEMORY);
  assert_message("out of host memory for the JSON of %s", path);
}

static void a_path_that_is_too_long_is_refused(void **state) {
  (void)state;
  char out[8], name[5000];
  assert_int_equal(gf__path_join(out, sizeof out, "abc", "def"), GF_OK);
  assert_string_equal(out, "abc/def");
  assert_int_equal(gf__path_join(out, sizeof out, "abc", "defg"), GF_ERROR_ARGUMENT);
  assert_message("the path is too long: abc/defg");
  memset(name, 'n', sizeof name - 1);
  name[sizeof name - 1] = 0;
  assert_int_equal(gf__file_write(name, "x", 1), GF_ERROR_ARGUMENT);
  assert_message("the path is too long: %s", name);
}

static void folders_are_made_listed_and_removed(void **state) {
  (void)state;
  char path[320], file[300];
  snprintf(path, sizeof path, "%s/a/b//c/", folder_);
  assert_int_equal(gf__make_folder(path), GF_OK);
  assert_int_equal(gf__make_folder(path), GF_OK);
  assert_true(gf__path_is_folder(path));
  snprintf(file, sizeof file, "%s/a/file", folder_);
  write_text(file, "x");
  assert_true(gf__path_exists(file));
  assert_false(gf__path_is_folder(file));
  snprintf(path, sizeof path, "%s/b", file);
  assert_int_equal(gf__make_folder(path), GF_ERROR_FILE);
  assert_message("cannot create the folder %s: File exists", file);
  assert_int_equal(gf__make_folder(""), GF_ERROR_ARGUMENT);
  assert_message("not a path for a folder: ''");
  snprintf(path, sizeof path, "%s/a", folder_);
  assert_int_equal(chmod(path, 0700), 0);
  char real[512];
  assert_int_equal(gf__private_path(real, sizeof real, path), GF_OK);
  assert_string_equal(real, path);
  assert_int_equal(chmod(path, 0722), 0);
  assert_int_equal(gf__private_path(real, sizeof real, path), GF_ERROR_FILE);
  assert_int_equal(gf__remove_folder(path), GF_OK);
  assert_false(gf__path_exists(path));
  assert_int_equal(gf__remove_folder(path), GF_ERROR_FILE);
  assert_message("cannot remove %s: No such file or directory", path);
}

static void the_cache_folder_follows_the_environment(void **state) {
  (void)state;
  char out[64];
  setenv("HOME", "/home/someone", 1);
  unsetenv("GRADFLOW_CACHE_DIR");
  unsetenv("XDG_CACHE_HOME");
  assert_int_equal(gf__cache_folder(out, sizeof out), GF_OK);
  assert_string_equal(out, "/home/someone/.cache/gradflow");
  setenv("XDG_CACHE_HOME", "/cache", 1);
  assert_int_equal(gf__cache_folder(out, sizeof out), GF_OK);
  assert_string_equal(out, "/cache/gradflow");
  setenv("GRADFLOW_CACHE_DIR", "/own", 1);
  assert_int_equal(gf__cache_folder(out, sizeof out), GF_OK);
  assert_string_equal(out, "/own");
  assert_int_equal(gf__cache_folder(out, 4), GF_ERROR_FILE);
  assert_message("no cache folder: set GRADFLOW_CACHE_DIR or HOME");
  unsetenv("GRADFLOW_CACHE_DIR");
  unsetenv("XDG_CACHE_HOME");
  setenv("HOME", "", 1);
  assert_int_equal(gf__cache_folder(out, sizeof out), GF_ERROR_FILE);
}

static void clocks_run_and_the_machine_is_described(void **state) {
  (void)state;
  char now[21];
  gf__utc_now(now);
  assert_int_equal(strlen(now), 20);
  static const char pattern[] = "dddd-dd-ddTdd:dd:ddZ";
  for (int i = 0; i < 20; i++) {
    if (pattern[i] == 'd')
      assert_in_range(now[i], '0', '9');
    else
      assert_int_equal(now[i], pattern[i]);
  }
  double start = gf__seconds();
  while (!(gf__seconds() > start)) continue;
  assert_true(gf__seconds() - start < 60);
  assert_true(gf__cpu_count() >= 1);
  assert_true(gf__peak_memory() > 100000); /* bytes, not kilobytes: no process is that small */
}

/* ---- random numbers ---- */

/* Philox 4x32-10 as the paper writes it. */
static void philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
  uint32_t k0 = key[0], k1 = key[1];
  memcpy(out, counter, 4 * sizeof *out);
  for (int round = 0; round < 10; round++) {
    uint64_t left = (uint64_t)0xD2511F53u * out[0], right = (uint64_t)0xCD9E8D57u * out[2];
    uint32_t next[4] = {(uint32_t)(right >> 32) ^ out[1] ^ k0, (uint32_t)right,
                        (uint32_t)(left >> 32) ^ out[3] ^ k1, (uint32_t)left};
    memcpy(out, next, sizeof next);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
}

/* The reference reproduces the vectors that Random123 publishes. */
static void philox_gives_the_published_numbers(void **state) {
  (void)state;
  static const struct {
    uint32_t counter[4], key[2], expected[4];
  } vectors[] = {
      {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
       {0xffffffff, 0xffffffff},
       {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
       {0xa4093822, 0x299f31d0},
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (size_t i = 0; i < 3; i++) {
    uint32_t out[4];
    philox(vectors[i].counter, vectors[i].key, out);
    assert_memory_equal(out, vectors[i].expected, sizeof out);
  }
}

static void random_is_philox(void **state) {
  (void)state;
  /* The seed whose key of this stream is zero. */
  uint64_t seed = 0 - (uint64_t)GF__STREAM_TEST * 0x9E3779B97F4A7C15u;
  static const uint32_t zero[4] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
  assert_memory_equal(gf__random(seed, GF__STREAM_TEST, 0, 0, 0).v, zero, sizeof zero);
  for (uint32_t i = 1; i < 200; i++) {
    uint32_t counter[4] = {i * 2654435761u, i * i, ~i, 0}, key[2], expected[4];
    gf__stream stream = (gf__stream)(i % GF__STREAM_TEST + 1);
    gf__random_key(i * 0x123456789abcdefu, stream, key);
    philox(counter, key, expected);
    gf__random4 got =
        gf__random(i * 0x123456789abcdefu, stream, counter[0], counter[1], counter[2]);
    assert_memory_equal(got.v, expected, sizeof expected);
  }
}

static void random_keys_differ(void **state) {
  (void)state;
  static const uint64_t seeds[] = {0, 1, 11132, 186285, 2045458, 2122020, UINT64_MAX};
  enum { SEEDS = sizeof seeds / sizeof *seeds, KEYS = SEEDS * GF__STREAM_TEST };
  uint32_t keys[KEYS][2];
  for (int i = 0; i < KEYS; i++) {
    gf__random_key(seeds[i % SEEDS], (gf__stream)(i / SEEDS + 1), keys[i]);
    for (int j = 0; j < i; j++) assert_memory_not_equal(keys[i], keys[j], sizeof keys[i]);
  }
}

static void random_floats_are_uniform(void **state) {
  (void)state;
  assert_true(gf__random_float(0) == 0.0f);
  assert_true(gf__random_float(UINT32_MAX) == 1.0f - 0x1p-24f);
  enum { COUNT = 1 << 18, BINS = 64 };
  double sum = 0, squares = 0, products = 0, before = 0.5;
  int bins[BINS] = {0};
  for (uint32_t i = 0; i < COUNT; i++) {
    float x = gf__random_float(gf__random(7, GF__STREAM_TEST, i / 4, 0, 0).v[i % 4]);
    assert_true(x >= 0 && x < 1);
    bins[(int)(x * BINS)]++;
    sum += x;
    squares += (x - 0.5) * (x - 0.5);
    products += (x - 0.5) * (before - 0.5);
    before = x;
  }
  /* Five standard deviations of the mean, the variance and the lag-1 covariance. */
  double n = COUNT;
  assert_true(fabs(sum / n - 0.5) <= 5 * sqrt(1 / 12.0 / n));
  assert_true(fabs(squares / n - 1 / 12.0) <= 5 * sqrt(1 / 180.0 / n));
  assert_true(fabs(products / n) <= 5 * (1 / 12.0) / sqrt(n));
  double chi = 0;
  for (int i = 0; i < BINS; i++) chi += pow(bins[i] - n / BINS, 2) / (n / BINS);
  assert_true(fabs(chi - (BINS - 1)) <= 5 * sqrt(2.0 * (BINS - 1)));
}

static void random_integers_are_below_their_bound(void **state) {
  (void)state;
  assert_int_equal(gf__random_below(0, 10), 0);
  assert_int_equal(gf__random_below(UINT32_MAX, 10), 9);
  assert_int_equal(gf__random_below(UINT32_MAX, 1), 0);
  assert_int_equal(gf__random_below(0x80000000u, 10), 5);
  assert_int_equal(gf__random_below(UINT32_MAX, UINT32_MAX), UINT32_MAX - 1);
}

static void assert_permutation(const uint32_t *values, uint32_t count) {
  unsigned char *seen = calloc(count + 1, 1);
  for (uint32_t i = 0; i < count; i++) {
    assert_true(values[i] < count);
    assert_int_equal(seen[values[i]]++, 0);
  }
  free(seen);
}

static void a_permutation_has_each_index_once(void **state) {
  (void)state;
  enum { COUNT = 1000 };
  uint32_t a[COUNT], b[COUNT];
  gf__random_permutation(5, GF__STREAM_SHUFFLE, 2, a, COUNT);
  gf__random_permutation(5, GF__STREAM_SHUFFLE, 2, b, COUNT);
  assert_permutation(a, COUNT);
  assert_memory_equal(a, b, sizeof a);
  gf__random_permutation(5, GF__STREAM_SHUFFLE, 3, b, COUNT);
  assert_memory_not_equal(a, b, sizeof a);
  gf__random_permutation(6, GF__STREAM_SHUFFLE, 2, b, COUNT);
  assert_memory_not_equal(a, b, sizeof a);
  gf__random_permutation(5, GF__STREAM_SPLIT, 2, b, COUNT);
  assert_memory_not_equal(a, b, sizeof a);
  for (uint32_t count = 0; count < 40; count++) {
    gf__random_permutation(9, GF__STREAM_TEST, 0, a, count);
    assert_permutation(a, count);
  }
  /* All six orders of three are equally likely: five standard deviations. */
  enum { TRIALS = 6000 };
  int orders[27] = {0};
  for (uint32_t t = 0; t < TRIALS; t++) {
    gf__random_permutation(1, GF__STREAM_TEST, t, a, 3);
    orders[a[0] * 9 + a[1] * 3 + a[2]]++;
  }
  static const int valid[] = {0 + 3 + 2, 0 + 6 + 1, 9 + 0 + 2, 9 + 6 + 0, 18 + 0 + 1, 18 + 3 + 0};
  for (int i = 0; i < 6; i++)
    assert_true(abs(orders[valid[i]] - TRIALS / 6) <= 5 * sqrt(TRIALS * (1 / 6.0) * (5 / 6.0)));
}

/* ---- threads ---- */

enum { THREADS = 4, ROUNDS = 5000 };

typedef struct shared {
  gf__lock *lock;
  long sum;
  int running, wrong;
  bool go;
} shared;

static void work(void *argument) {
  shared *s = argument;
  gf__lock_take(s->lock);
  while (!s->go) gf__lock_wait(s->lock);
  gf__lock_release(s->lock);
  for (int i = 0; i < ROUNDS; i++) {
    gf__lock_take(s->lock);
    s->sum++;
    gf__lock_release(s->lock);
  }
  gf__lock_take(s->lock);
  gf_status status = gf__fail(GF_ERROR_DATA, "of a worker");
  s->wrong += status != GF_ERROR_DATA || strcmp(gf_error_message(), "of a worker") != 0;
  s->running--;
  gf__lock_wake_all(s->lock);
  gf__lock_release(s->lock);
}

static void threads_run_and_are_joined(void **state) {
  (void)state;
  shared s = {.running = THREADS};
  gf__thread *threads[THREADS];
  assert_int_equal(gf__lock_new(&s.lock), GF_OK);
  assert_int_equal(gf__fail(GF_ERROR_SHAPE, "of the main thread"), GF_ERROR_SHAPE);
  for (int i = 0; i < THREADS; i++)
    assert_int_equal(gf__thread_start(&threads[i], work, &s), GF_OK);
  gf__lock_take(s.lock);
  assert_int_equal(s.sum, 0);
  s.go = true;
  gf__lock_wake_all(s.lock);
  while (s.running > 0) gf__lock_wait(s.lock);
  gf__lock_release(s.lock);
  for (int i = 0; i < THREADS; i++) {
    gf__thread_join(&threads[i]);
    assert_null(threads[i]);
    gf__thread_join(&threads[i]);
  }
  assert_int_equal(s.sum, THREADS * ROUNDS);
  assert_int_equal(s.wrong, 0);
  assert_message("of the main thread");
  gf__lock_free(&s.lock);
  assert_null(s.lock);
  gf__lock_free(&s.lock);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_status_has_a_name),
      cmocka_unit_test(failure_may_quote_the_message_it_replaces),
      cmocka_unit_test(the_log_goes_to_the_callback),
      cmocka_unit_test(a_text_grows),
      cmocka_unit_test(copies_of_texts_are_whole),
      cmocka_unit_test(scalars_have_their_words),
      cmocka_unit_test(arrays_grow),
      cmocka_unit_test(min_max_and_clamp_keep_their_bounds),
      cmocka_unit_test(sizes_are_aligned),
      cmocka_unit_test(little_endian_numbers_are_read),
      cmocka_unit_test(a_near_word_is_offered),
      cmocka_unit_test(a_file_reads_back_as_written),
      cmocka_unit_test(a_file_that_cannot_be_read_is_named),
      cmocka_unit_test(a_file_in_a_missing_folder_is_not_written),
      cmocka_unit_test(a_write_that_fails_keeps_the_old_file),
      cmocka_unit_test(file_in_pieces),
      cmocka_unit_test(a_file_does_not_replace_a_folder),
      cmocka_unit_test(a_file_in_a_read_only_folder_is_not_written),
      cmocka_unit_test(the_base_of_a_path_follows_the_last_slash),
      cmocka_unit_test(json_is_written),
      cmocka_unit_test(a_path_that_is_too_long_is_refused),
      cmocka_unit_test(folders_are_made_listed_and_removed),
      cmocka_unit_test(the_cache_folder_follows_the_environment),
      cmocka_unit_test(clocks_run_and_the_machine_is_described),
      cmocka_unit_test(philox_gives_the_published_numbers),
      cmocka_unit_test(random_is_philox),
      cmocka_unit_test(random_keys_differ),
      cmocka_unit_test(random_floats_are_uniform),
      cmocka_unit_test(random_integers_are_below_their_bound),
      cmocka_unit_test(a_permutation_has_each_index_once),
      cmocka_unit_test(threads_run_and_are_joined),
  };
  return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
