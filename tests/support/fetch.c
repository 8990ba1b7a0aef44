#define _XOPEN_SOURCE 700

#include "support/fetch.h"

#include <signal.h>
#include <sys/resource.h>

#include "support/test.h"

char fetch_folder[64];
char data_folder[80];
unsigned char served_bytes[FILE_SIZE];
char served_md5[MD5_DIGEST_STRING_LENGTH];
server fetch_server;
const gf_fetch_options fetch_options = {.to = data_folder,
                                        .attempts = 1,
                                        .backoff_seconds = 0.01,
                                        .connect_seconds = 20,
                                        .stall_seconds = 0.5};

int fetch_open(void **state) {
  (void)state;
  strcpy(fetch_folder, "/tmp/gradflow-fetch-XXXXXX");
  if (!mkdtemp(fetch_folder)) return -1;
  snprintf(data_folder, sizeof data_folder, "%s/data", fetch_folder);
  unsigned x = 1;
  for (int i = 0; i < FILE_SIZE; i++) served_bytes[i] = (unsigned char)((x = x * 69069 + 1) >> 24);
  MD5Data(served_bytes, FILE_SIZE, served_md5);
  /* No test leaves this machine, not even for a proxy on it. */
  setenv("no_proxy", "*", 1);
  signal(SIGXFSZ, SIG_IGN);
  return 0;
}

int fetch_close(void **state) {
  (void)state;
  return gf__remove_folder(fetch_folder) == GF_OK ? 0 : -1;
}

int fetch_clear(void **state) {
  (void)state;
  return !gf__path_exists(data_folder) || gf__remove_folder(data_folder) == GF_OK ? 0 : -1;
}

const char *in_data(const char *name) {
  static char paths[4][256];
  static int next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", data_folder, name);
  return path;
}

void assert_message(const char *format, ...) {
  char expected[1024];
  va_list args;
  va_start(args, format);
  vsnprintf(expected, sizeof expected, format, args);
  va_end(args);
  assert_string_equal(gf_error_message(), expected);
}

void assert_file(const char *path, const void *bytes, size_t size) {
  char *found = NULL;
  size_t found_size = 0;
  assert_ok(gf__file_read(path, &found, &found_size));
  assert_int_equal(found_size, size);
  assert_memory_equal(found, bytes, size);
  free(found);
}

void put_file(const char *path, const void *bytes, size_t size) {
  char folder[256];
  snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
  assert_ok(gf__make_folder(folder));
  assert_ok(gf__file_write(path, bytes, size));
}

void assert_names(const char *folder, const char *expected) {
  gf__names names;
  char found[512] = "";
  assert_ok(gf__list_folder(folder, &names));
  for (size_t i = 0; i < names.count; i++) strcat(strcat(found, " "), names.v[i]);
  gf__names_free(&names);
  assert_string_equal(found, expected);
}

void limit_files(long size) {
  struct rlimit limit;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
  limit.rlim_cur = size < 0 ? limit.rlim_max : (rlim_t)size;
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}
