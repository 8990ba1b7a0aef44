/* What the tests of networks and runs share: a folder for files, a device, configs. */
#ifndef FIXTURE_H
#define FIXTURE_H

/* The including file defines _XOPEN_SOURCE 700 for mkdtemp, and includes cmocka.h first. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gradflow/config.h>
#include <gradflow/device.h>
#include <gradflow/status.h>

#include "base/file.h"
#include "base/os.h"

static char fixture_folder[64];
static gf_device *fixture_device;

/* Group setup: an empty folder, and the device. */
static inline int fixture_open(void **state) {
  (void)state;
  strcpy(fixture_folder, "/tmp/gradflow-test-XXXXXX");
  if (!mkdtemp(fixture_folder)) return -1;
  gf_status status = gf_device_open(&fixture_device, NULL);
  if (status != GF_OK) fprintf(stderr, "%s\n", gf_error_message());
  return status == GF_OK ? 0 : -1;
}

static inline int fixture_close(void **state) {
  (void)state;
  gf_device_free(&fixture_device);
  return gf__remove_folder(fixture_folder) == GF_OK ? 0 : -1;
}

/* The path of name in the folder; valid until the fourth call from here. */
static inline const char *in_folder(const char *name) {
  static char paths[4][256];
  static int next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", fixture_folder, name);
  return path;
}

#define assert_ok(call)                                                \
  do {                                                                 \
    gf_status assert_ok_status = (call);                               \
    if (assert_ok_status != GF_OK) fail_msg("%s", gf_error_message()); \
  } while (0)

#define assert_fails(status, message, call)           \
  do {                                                \
    assert_int_equal((call), (status));               \
    assert_string_equal(gf_error_message(), message); \
  } while (0)

/* A config from text, called "net" in messages. */
static inline gf_config *parse_config(const char *yaml) {
  gf_config *config = NULL;
  assert_ok(gf_config_parse(&config, "net", yaml));
  return config;
}

/* A generator of test inputs that owes nothing to the library (Marsaglia's xorshift, 2003). */
static inline float next_float(uint32_t *state) { /* [-1, 1) */
  *state ^= *state << 13;
  *state ^= *state >> 17;
  *state ^= *state << 5;
  return (float)(*state >> 8) / (1 << 23) - 1;
}

#endif
