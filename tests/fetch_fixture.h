/* What the tests of fetching share: a folder, a file to serve and sources that name it. */
#ifndef FETCH_FIXTURE_H
#define FETCH_FIXTURE_H

/* The including file defines _XOPEN_SOURCE 700 and includes cmocka.h first. */
#include <md5.h>
#include <signal.h>
#include <sys/resource.h>

#include "base/file.h"
#include "base/os.h"
#include "fetch/fetch.h"
#include "http_server.h"

enum { FILE_SIZE = 300000 };

static char fetch_folder[64];           /* of all tests */
static char data_folder[80];            /* the --to of one test; not there before it */
static unsigned char bytes_[FILE_SIZE]; /* of the file that is served */
static char md5_[MD5_DIGEST_STRING_LENGTH];
static server server_;

#define ETAG "\"1234-abcd\""
#define WHOLE .body = bytes_, .size = FILE_SIZE
#define TAGGED WHOLE, .etag = ETAG
#define GOOD TAGGED, .has_ranges = true

static const gf_fetch_options quick_ = {
    .to = data_folder, .attempts = 1, .backoff_seconds = 0.01, .stall_seconds = 0.5};

static inline int fetch_open(void **state) {
  (void)state;
  strcpy(fetch_folder, "/tmp/gradflow-fetch-XXXXXX");
  if (!mkdtemp(fetch_folder)) return -1;
  snprintf(data_folder, sizeof data_folder, "%s/data", fetch_folder);
  unsigned x = 1;
  for (int i = 0; i < FILE_SIZE; i++) bytes_[i] = (unsigned char)((x = x * 69069 + 1) >> 24);
  MD5Data(bytes_, FILE_SIZE, md5_);
  /* No test leaves this machine, not even for a proxy on it. */
  setenv("no_proxy", "*", 1);
  signal(SIGXFSZ, SIG_IGN);
  return 0;
}

static inline int fetch_close(void **state) {
  (void)state;
  return gf__remove_folder(fetch_folder) == GF_OK ? 0 : -1;
}

/* Before each test. */
static inline int fetch_clear(void **state) {
  (void)state;
  return !gf__path_exists(data_folder) || gf__remove_folder(data_folder) == GF_OK ? 0 : -1;
}

/* The path of a file in the folder of a test; valid until the fourth call from here. */
static inline const char *in_data(const char *name) {
  static char paths[4][256];
  static int next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", data_folder, name);
  return path;
}

#define assert_ok(call)                                                \
  do {                                                                 \
    gf_status assert_ok_status = (call);                               \
    if (assert_ok_status != GF_OK) fail_msg("%s", gf_error_message()); \
  } while (0)

static inline void assert_message(const char *format, ...) {
  char expected[1024];
  va_list args;
  va_start(args, format);
  vsnprintf(expected, sizeof expected, format, args);
  va_end(args);
  assert_string_equal(gf_error_message(), expected);
}

static inline void assert_file(const char *path, const void *bytes, size_t size) {
  char *found = NULL;
  size_t found_size = 0;
  assert_ok(gf__file_read(path, &found, &found_size));
  assert_int_equal(found_size, size);
  assert_memory_equal(found, bytes, size);
  free(found);
}

static inline void put_file(const char *path, const void *bytes, size_t size) {
  char folder[256];
  snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
  assert_ok(gf__make_folder(folder));
  assert_ok(gf__file_write(path, bytes, size));
}

/* The names in the folder, each behind a space. */
static inline void assert_names(const char *folder, const char *expected) {
  gf__names names;
  char found[512] = "";
  assert_ok(gf__list_folder(folder, &names));
  for (size_t i = 0; i < names.count; i++) strcat(strcat(found, " "), names.v[i]);
  gf__names_free(&names);
  assert_string_equal(found, expected);
}

/* No file of this process grows beyond size until it is -1. */
static inline void limit_files(long size) {
  struct rlimit limit;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
  limit.rlim_cur = size < 0 ? limit.rlim_max : (rlim_t)size;
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

#endif
