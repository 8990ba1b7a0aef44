/* Why a driver that is installed shows no device. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/os.h"
#include "device/internal.h"

/* Platforms that show nothing until they are asked to, and how to ask. */
static const struct {
  const char *platform, *advice;
} quiet_platforms[] = {
    /* Mesa 22.3 and later: every driver is off until it is named. */
    {"rusticl", "; RUSTICL_ENABLE names the drivers that it may show, such as radeonsi or iris"},
};

static const char *advice_for(const char *platform) {
  for (size_t i = 0; i < sizeof quiet_platforms / sizeof *quiet_platforms; i++)
    if (!strcmp(platform, quiet_platforms[i].platform)) return quiet_platforms[i].advice;
  return "";
}

void gf__platform_report_empty(cl_platform_id platform, int index) {
  char name[128] = "without a name";
  (void)clGetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof name - 1, name, NULL);
  gf__log(GF_LOG_WARNING, "OpenCL platform %d, %s, shows no device%s", index, name,
          advice_for(name));
}

/* A file of the loader's folder: its first line is the driver's library. */
static void check_icd(const char *path) {
  enum { LARGEST = 4096 };
  char *text, why[512];
  size_t size;
  if (gf__file_read_within(path, LARGEST, &text, &size) != GF_OK) {
    gf__log(GF_LOG_WARNING, "an OpenCL driver is passed over: %s", gf_error_message());
    return;
  }
  text[strcspn(text, "\r\n")] = 0;
  if (*text && !gf__library_loads(text, why, sizeof why))
    gf__log(GF_LOG_WARNING, "the OpenCL driver of %s does not load: %s", path, why);
  free(text);
}

static bool is_icd(const char *name) {
  size_t length = strlen(name);
  return length > 4 && !strcmp(name + length - 4, ".icd");
}

void gf__vendors_report_broken(void) {
  const char *folder = getenv("OCL_ICD_VENDORS");
  if (!folder || !*folder) folder = "/etc/OpenCL/vendors";
  if (!gf__path_is_folder(folder)) {
    if (is_icd(folder)) check_icd(folder);
    return;
  }
  gf__names names;
  if (gf__list_folder(folder, &names) != GF_OK) return;
  for (size_t i = 0; i < names.count; i++) {
    char path[GF__PATH_SIZE];
    if (is_icd(names.v[i]) && gf__path_join(path, sizeof path, folder, names.v[i]) == GF_OK)
      check_icd(path);
  }
  gf__names_free(&names);
}
