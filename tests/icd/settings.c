#define _POSIX_C_SOURCE 200809L /* strtok_r */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

settings icd__settings = {.failing = NO_ENTRY};

static const struct {
  const char *name;
  size_t offset;
  bool is_number;
} names_[] = {
    {"no_fp64", offsetof(settings, no_fp64), false},
    {"no_subgroups", offsetof(settings, no_subgroups), false},
    {"no_extensions", offsetof(settings, no_extensions), false},
    {"opencl12", offsetof(settings, opencl12), false},
    {"gpu", offsetof(settings, gpu), false},
    {"group", offsetof(settings, group), true},
    {"kernel_group", offsetof(settings, kernel_group), true},
    {"local", offsetof(settings, local), true},
    {"alloc", offsetof(settings, alloc), true},
    {"memory", offsetof(settings, memory), true},
    {"platforms", offsetof(settings, platforms), true},
    {"slow_binary", offsetof(settings, slow_binary), true},
    {"no_times", offsetof(settings, no_times), false},
    {"claimed_group", offsetof(settings, claimed_group), true},
    {"loops", offsetof(settings, loops), true},
};

static const struct {
  const char *name;
  cl_int error;
} errors_[] = {
    {"CL_OUT_OF_RESOURCES", CL_OUT_OF_RESOURCES},
    {"CL_OUT_OF_HOST_MEMORY", CL_OUT_OF_HOST_MEMORY},
    {"CL_MEM_OBJECT_ALLOCATION_FAILURE", CL_MEM_OBJECT_ALLOCATION_FAILURE},
    {"CL_DEVICE_NOT_AVAILABLE", CL_DEVICE_NOT_AVAILABLE},
    {"CL_BUILD_PROGRAM_FAILURE", CL_BUILD_PROGRAM_FAILURE},
    {"CL_INVALID_BINARY", CL_INVALID_BINARY},
    {"CL_INVALID_EVENT", CL_INVALID_EVENT},
};

static void refuse(const char *part) {
  fprintf(stderr, "GRADFLOW_ICD: '%s' is not a setting; see tests/icd/icd.h\n", part);
  exit(2);
}

/* "ENTRY:N:ERROR" or "ENTRY:N+:ERROR". */
static void read_fault(settings *s, const char *text) {
  char entry[64], error[64], plus[2] = "";
  if (sscanf(text, "%63[^:]:%ld:%63s", entry, &s->fails_at, error) != 3 &&
      sscanf(text, "%63[^:]:%ld%1[+]:%63s", entry, &s->fails_at, plus, error) != 4)
    refuse(text);
  s->fails_on = plus[0] != 0;
  s->failing = strcmp(entry, "*") ? icd__entry_find(entry) : ANY_ENTRY;
  for (size_t i = 0; i < sizeof errors_ / sizeof *errors_; i++)
    if (!strcmp(errors_[i].name, error)) s->error = errors_[i].error;
  if (s->failing == NO_ENTRY || s->fails_at < 1 || s->error == CL_SUCCESS) refuse(text);
}

static void read_one(settings *s, const char *part) {
  size_t length = strcspn(part, "=");
  const char *value = part[length] ? part + length + 1 : NULL;
  if (!strncmp(part, "fail=", 5)) {
    read_fault(s, value);
    return;
  }
  for (size_t i = 0; i < sizeof names_ / sizeof *names_; i++) {
    if (strlen(names_[i].name) != length || strncmp(names_[i].name, part, length)) continue;
    size_t number = value ? strtoull(value, NULL, 10) : 1;
    if (names_[i].is_number != (value != NULL) || number == 0) break;
    memcpy((char *)s + names_[i].offset, &number, sizeof number);
    return;
  }
  refuse(part);
}

void icd__settings_read(const char *text) {
  settings s = {.failing = NO_ENTRY};
  char copy[512], *rest;
  snprintf(copy, sizeof copy, "%s", text ? text : "");
  for (char *part = strtok_r(copy, ",", &rest); part; part = strtok_r(NULL, ",", &rest))
    read_one(&s, part);
  icd__settings = s;
}
