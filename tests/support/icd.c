#define _XOPEN_SOURCE 700

#include "support/icd.h"

#include <dlfcn.h>
#include <time.h>

#include "support/test.h"

const icd_control *icd;

bool icd_open(void) {
  const icd_control *(*get)(void) = NULL;
  unsetenv("GRADFLOW_ICD");
  unsetenv("GRADFLOW_ICD_REPORT");
  setenv("OCL_ICD_VENDORS", ICD_VENDORS, 1);
  void *library = dlopen(ICD_LIBRARY, RTLD_NOW | RTLD_LOCAL);
  void *address = library ? dlsym(library, "icd_control_get") : NULL;
  memcpy(&get, &address, sizeof get); /* ISO C has no cast from an object to a function */
  icd = get ? get() : NULL;
  if (!icd) fprintf(stderr, "%s: %s\n", ICD_LIBRARY, dlerror());
  return icd != NULL;
}

int icd_entry(const char *name) {
  for (int i = 0; i < icd->entries; i++)
    if (!strcmp(icd->entry(i), name)) return i;
  fprintf(stderr, "tests/icd has no entry point %s\n", name);
  abort();
}

const char *icd_leaks(void) {
  static char text[256];
  text[0] = 0;
  for (int i = 0; i < icd->kinds; i++) {
    size_t used = strlen(text);
    if (icd->live(i))
      snprintf(text + used, sizeof text - used, " %s %ld", icd->kind(i), icd->live(i));
  }
  return text;
}

size_t icd_bytes_left(void) {
  const struct timespec moment = {.tv_nsec = 1000000};
  for (int i = 0; i < 1000 && icd->bytes(); i++) nanosleep(&moment, NULL);
  return icd->bytes();
}
