#define _XOPEN_SOURCE 700

#include "support/studies.h"

#include "support/test.h"

void study_write(const char *name, const char *text) {
  char path[512], folder[512];
  snprintf(path, sizeof path, "%s/%s", fixture_folder, name);
  strcpy(folder, path);
  *strrchr(folder, '/') = 0;
  assert_ok(gf__make_folder(folder));
  assert_ok(gf__file_write(path, text, strlen(text)));
}

char *study_read(const char *name) {
  char path[512], *text = NULL;
  size_t size;
  snprintf(path, sizeof path, "%s/%s", fixture_folder, name);
  assert_ok(gf__file_read(path, &text, &size));
  return text;
}

gf_study *load_study(const char *name, const char *out) {
  gf_study *study = NULL;
  char path[512], folder[512];
  snprintf(path, sizeof path, "%s/%s", fixture_folder, name);
  snprintf(folder, sizeof folder, "%s/%s", fixture_folder, out ? out : "");
  assert_ok(gf_study_load(&study, path, out ? folder : NULL));
  return study;
}

char *with_folder(const char *text) {
  gf__text out = {0};
  for (const char *p = text; *p; p++)
    if (*p == '@')
      gf__text_add(&out, "%s/", fixture_folder);
    else
      gf__text_add(&out, "%c", *p);
  assert_ok(gf__text_status(&out));
  return out.data;
}
