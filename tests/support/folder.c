#define _XOPEN_SOURCE 700 /* mkdtemp */

#include "support/folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/os.h"

char fixture_folder[64];

int folder_open(void **state) {
  (void)state;
  strcpy(fixture_folder, "/tmp/gradflow-test-XXXXXX");
  return mkdtemp(fixture_folder) ? 0 : -1;
}

int folder_close(void **state) {
  (void)state;
  return gf__remove_folder(fixture_folder) == GF_OK ? 0 : -1;
}

const char *in_folder(const char *name) {
  static char paths[4][256];
  static int next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", fixture_folder, name);
  return path;
}
