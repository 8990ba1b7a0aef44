/* What the tests of studies share: files of a study, and loading them. The including file has
 * fixture.h's folder as its working place. */
#ifndef TEST_STUDY_H
#define TEST_STUDY_H

#include <gradflow/study.h>

#include "base/text.h"
#include "fixture.h"

/* Writes FOLDER/name; folders on the way are made. */
static inline void write_text(const char *name, const char *text) {
  char path[512], folder[512];
  snprintf(path, sizeof path, "%s/%s", fixture_folder, name);
  strcpy(folder, path);
  *strrchr(folder, '/') = 0;
  assert_ok(gf__make_folder(folder));
  assert_ok(gf__file_write(path, text, strlen(text)));
}

/* The content of FOLDER/name; the caller frees it. */
static inline char *read_text(const char *name) {
  char path[512], *text = NULL;
  size_t size;
  snprintf(path, sizeof path, "%s/%s", fixture_folder, name);
  assert_ok(gf__file_read(path, &text, &size));
  return text;
}

/* A study of FOLDER/name whose runs are in FOLDER/out (NULL: as the study says). */
static inline gf_study *load_study(const char *name, const char *out) {
  gf_study *study = NULL;
  char path[512], folder[512];
  snprintf(path, sizeof path, "%s/%s", fixture_folder, name);
  snprintf(folder, sizeof folder, "%s/%s", fixture_folder, out ? out : "");
  assert_ok(gf_study_load(&study, path, out ? folder : NULL));
  return study;
}

/* Every "@" of the text is the folder with a slash. The caller frees the result. */
static inline char *with_folder(const char *text) {
  gf__text out = {0};
  for (const char *p = text; *p; p++)
    if (*p == '@')
      gf__text_add(&out, "%s/", fixture_folder);
    else
      gf__text_add(&out, "%c", *p);
  assert_ok(gf__text_status(&out));
  return out.data;
}

#endif
