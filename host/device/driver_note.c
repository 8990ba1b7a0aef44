#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cache.h"
#include "base/file.h"
#include "base/os.h"
#include "device/internal.h"

static gf_status find_note(gf__driver_note *note, const gf_device *device, const char *kind,
                           const char *question) {
  char name[GF__CACHE_DIGEST_SIZE + 16], digest[GF__CACHE_DIGEST_SIZE];
  gf__text key = {0};
  gf__text_add(&key, "%s\n", question);
  gf__device_key(&device->info, &key);
  GF_TRY(gf__cache_digest(&key, digest));
  snprintf(name, sizeof name, "%s-%s", kind, digest);
  return gf__cache_path(note->path, sizeof note->path, name);
}

void gf__driver_note_find(gf__driver_note *note, const gf_device *device, const char *kind,
                          const char *question) {
  if (find_note(note, device, kind, question) != GF_OK) *note->path = 0;
}

char *gf__driver_note_read(const gf__driver_note *note) {
  enum { LARGEST = 64 };
  char *text;
  size_t size;
  if (!*note->path || !gf__path_exists(note->path)) return NULL;
  if (gf__cache_read(note->path, LARGEST, &text, &size) != GF_OK) return NULL;
  if (strlen(text) == size) return text;
  free(text);
  return NULL;
}

void gf__driver_note_keep(const gf__driver_note *note, const char *text, const char *what) {
  if (*note->path && gf__cache_write(note->path, text, strlen(text)) != GF_OK)
    gf__log(GF_LOG_WARNING, "%s is not kept: %s", what, gf_error_message());
}
