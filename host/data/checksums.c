#include <ctype.h>
#include <errno.h>
#include <sha256.h>
#include <string.h>

#include "data/dataset.h"

enum { DIGITS = SHA256_DIGEST_STRING_LENGTH - 1 };

/* Whether name is the file, the file compressed, or something in it where it is a folder. */
static bool belongs(const gf__data_format *format, const char *name, const char *file) {
  size_t length = strlen(file);
  if (strncmp(name, file, length) != 0) return false;
  name += length;
  return format->has_folders ? name[0] == '/' && name[1] : !*name || !strcmp(name, ".gz");
}

static bool is_known(const gf__data_format *format, const gf__data_settings *settings,
                     const char *name) {
  if (format->reads_file) return format->reads_file(settings, name);
  for (int test = 0; test < 2; test++)
    for (const char *const *file = test ? format->test : format->train; *file; file++)
      if (belongs(format, name, *file)) return true;
  return false;
}

static bool is_digest(const gf__value *value) {
  return value->kind == GF__SCALAR && strlen(value->text) == DIGITS &&
         strspn(value->text, "0123456789abcdefABCDEF") == DIGITS;
}

gf_status gf__data_check_checksums(const gf__data_format *format, gf__data_settings *settings) {
  const gf__value *checksums = settings->checksums;
  if (!checksums) return GF_OK;
  bool is_empty =
      checksums->kind == GF__SCALAR ? !checksums->quoted && !*checksums->text : !checksums->count;
  if (is_empty) {
    settings->checksums = NULL;
    return GF_OK;
  }
  if (checksums->kind != GF__MAPPING)
    return gf__value_fail(checksums,
                          "data.checksums must be a mapping of files to SHA-256 digests");
  for (size_t i = 0; i < checksums->count; i++) {
    const gf__value *entry = checksums->items[i];
    if (!is_known(format, settings, entry->key))
      return gf__value_fail(entry,
                            "data.checksums has '%s', which is no file of %s; it is read from %s",
                            entry->key, format->name, format->files);
    if (!is_digest(entry))
      return gf__value_fail(entry,
                            "data.checksums needs a SHA-256 of %d hexadecimal digits for %s, as "
                            "sha256sum prints it",
                            DIGITS, entry->key);
  }
  return GF_OK;
}

static bool same_digest(const char *a, const char *b) {
  int i = 0;
  while (i < DIGITS && tolower((unsigned char)a[i]) == tolower((unsigned char)b[i])) i++;
  return i == DIGITS;
}

gf_status gf__data_compare_checksum(const gf__data_source *source, const char *path) {
  const char *name = path + strlen(source->settings->path);
  char found[SHA256_DIGEST_STRING_LENGTH];
  if (!source->settings->checksums) return GF_OK;
  name += *name == '/';
  const gf__value *expected = gf__value_get(source->settings->checksums, name);
  if (!expected && source->format->has_folders) return GF_OK;
  if (!expected)
    return gf__value_fail(source->settings->checksums,
                          "data.checksums has no SHA-256 of %s, which is read", name);
  if (!SHA256File(path, found))
    return gf__fail(GF_ERROR_FILE, "cannot read %s: %s", path, strerror(errno));
  if (same_digest(found, expected->text)) return GF_OK;
  return gf__fail(GF_ERROR_DATA,
                  "%s has the SHA-256 %s, but data.checksums expects %s: the file is damaged or "
                  "another one; fetch it again",
                  path, found, expected->text);
}
