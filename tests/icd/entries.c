/* Counts calls and references, and lets calls fail. */
#include "entries.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

cl_icd_dispatch icd__real;

typedef enum entry {
#define FIRST(name, ...) ENTRY_##name,
#define BOTH(retain, release, ...) ENTRY_##retain, ENTRY_##release,
  PLAIN_ENTRIES(FIRST) WAIT_ENTRIES(FIRST) ENQUEUE_ENTRIES(FIRST) NEW_ENTRIES(FIRST)
      REFERENCE_ENTRIES(BOTH) ENTRY_clCreateSubDevices,
  ENTRIES
} entry;

static const char *const names_[] = {
#define NAME(name, ...) #name,
#define NAMES(retain, release, ...) #retain, #release,
    PLAIN_ENTRIES(NAME) WAIT_ENTRIES(NAME) ENQUEUE_ENTRIES(NAME) NEW_ENTRIES(NAME)
        REFERENCE_ENTRIES(NAMES) "clCreateSubDevices"};

static const char *const kind_names_[] = {"context", "queue", "buffer",    "program",
                                          "kernel",  "event", "sub-device"};

static atomic_long calls_[ENTRIES], all_calls_, failed_, live_[KINDS];

int icd__entry_find(const char *name) {
  for (int i = 0; i < ENTRIES; i++)
    if (!strcmp(names_[i], name)) return i;
  return NO_ENTRY;
}

void icd__calls_reset(void) {
  for (int i = 0; i < ENTRIES; i++) calls_[i] = 0;
  all_calls_ = failed_ = 0;
}

/* Counts a call; what it has to fail with, or CL_SUCCESS. */
static cl_int check_in(entry e) {
  const settings *s = &icd__settings;
  long of_entry = ++calls_[e], of_all = ++all_calls_;
  if (s->failing != ANY_ENTRY && s->failing != (int)e) return CL_SUCCESS;
  long n = s->failing == ANY_ENTRY ? of_all : of_entry;
  if (n != s->fails_at && !(s->fails_on && n > s->fails_at)) return CL_SUCCESS;
  failed_++;
  return s->error;
}

/* ---- the entry points ---- */

#define PLAIN(name, inner, parameters, arguments)     \
  static cl_int CL_API_CALL count_##name parameters { \
    cl_int failure = check_in(ENTRY_##name);          \
    return failure ? failure : inner arguments;       \
  }
#define WAIT(name, inner, parameters, arguments)      \
  static cl_int CL_API_CALL count_##name parameters { \
    cl_int failure = check_in(ENTRY_##name);          \
    cl_int error = inner arguments;                   \
    return failure ? failure : error;                 \
  }
#define ENQUEUE(name, inner, parameters, arguments)   \
  static cl_int CL_API_CALL count_##name parameters { \
    cl_int failure = check_in(ENTRY_##name);          \
    if (failure) return failure;                      \
    cl_int done = inner arguments;                    \
    if (done == CL_SUCCESS && event) live_[EVENT]++;  \
    return done;                                      \
  }
#define NEW(name, inner, parameters, arguments, type, kind) \
  static type CL_API_CALL count_##name parameters {         \
    cl_int failure = check_in(ENTRY_##name);                \
    if (failure) {                                          \
      if (error) *error = failure;                          \
      return NULL;                                          \
    }                                                       \
    type made = inner arguments;                            \
    if (made) live_[kind]++;                                \
    return made;                                            \
  }
#define REFERENCE(retain, release, type, kind)             \
  static cl_int CL_API_CALL count_##retain(type object) {  \
    cl_int failure = check_in(ENTRY_##retain);             \
    if (failure) return failure;                           \
    cl_int done = icd__real.retain(object);                \
    if (done == CL_SUCCESS) live_[kind]++;                 \
    return done;                                           \
  }                                                        \
  static cl_int CL_API_CALL count_##release(type object) { \
    cl_int failure = check_in(ENTRY_##release);            \
    cl_int done = icd__real.release(object);               \
    if (done == CL_SUCCESS) live_[kind]--;                 \
    return failure ? failure : done;                       \
  }

PLAIN_ENTRIES(PLAIN)
WAIT_ENTRIES(WAIT)
ENQUEUE_ENTRIES(ENQUEUE)
NEW_ENTRIES(NEW)
REFERENCE_ENTRIES(REFERENCE)

static cl_int CL_API_CALL count_clCreateSubDevices(cl_device_id device,
                                                   const cl_device_partition_property *how,
                                                   cl_uint most, cl_device_id *out, cl_uint *made) {
  cl_uint number = 0;
  cl_int failure = check_in(ENTRY_clCreateSubDevices);
  if (failure) return failure;
  cl_int error = icd__real.clCreateSubDevices(device, how, most, out, &number);
  if (error == CL_SUCCESS && out) live_[SUB_DEVICE] += number;
  if (made) *made = number;
  return error;
}

void icd__entries_install(cl_icd_dispatch *table) {
#define INSTALL(name, ...) table->name = count_##name;
#define INSTALL_BOTH(retain, release, ...) \
  table->retain = count_##retain;          \
  table->release = count_##release;
  PLAIN_ENTRIES(INSTALL)
  WAIT_ENTRIES(INSTALL)
  ENQUEUE_ENTRIES(INSTALL)
  NEW_ENTRIES(INSTALL)
  REFERENCE_ENTRIES(INSTALL_BOTH)
  table->clCreateSubDevices = count_clCreateSubDevices;
}

/* ---- what a test may ask ---- */

static void set(const char *text) {
  icd__settings_read(text);
  icd__calls_reset();
}

static const char *entry_name(int i) { return names_[i]; }
static long entry_calls(int i) { return calls_[i]; }
static long failed_calls(void) { return failed_; }
static const char *kind_name(int i) { return kind_names_[i]; }
static long live_objects(int i) { return live_[i]; }

const icd_control icd__control = {.set = set,
                                  .entries = ENTRIES,
                                  .entry = entry_name,
                                  .calls = entry_calls,
                                  .failed = failed_calls,
                                  .kinds = KINDS,
                                  .kind = kind_name,
                                  .live = live_objects,
                                  .bytes = icd__bytes};
