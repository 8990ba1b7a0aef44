#include <ctype.h>
#include <errno.h>
#include <sha256.h>
#include <string.h>

#include "data/dataset.h"

enum { DIGITS = SHA256_DIGEST_STRING_LENGTH - 1 };

/* Whether name is the file, the file compressed, or something in it where it is a folder. */
static bool belongs(const gf__data_set *set, const char *name, const char *file) {
  size_t length = strlen(file);
  if (strncmp(name, file, length) != 0) return false;
  name += length;
  return set->has_folders ? name[0] == '/' && name[1] : !*name || !strcmp(name, ".gz");
}

static bool is_known(const gf__data_set *set, const gf__data_settings *settings, const char *name) {
  if (set->load) return !strcmp(name, settings->cube) || !strcmp(name, settings->ground_truth);
  for (int test = 0; test < 2; test++)
    for (const char *const *file = test ? set->test : set->train; *file; file++)
      if (belongs(set, name, *file)) return true;
  return false;
}

static bool is_digest(const gf__value *value) {
  return value->kind == GF__SCALAR && strlen(value->text) == DIGITS &&
         strspn(value->text, "0123456789abcdefABCDEF") == DIGITS;
}

gf_status gf__data_check_verify(const gf__data_set *set, gf__data_settings *settings) {
  const gf__value *verify = settings->verify;
  if (!verify) return GF_OK;
  bool is_empty = verify->kind == GF__SCALAR ? !verify->quoted && !*verify->text : !verify->count;
  if (is_empty) {
    settings->verify = NULL;
    return GF_OK;
  }
  if (verify->kind != GF__MAPPING)
    return gf__value_fail(verify, "data.verify must be a mapping of files to SHA-256 digests");
  for (size_t i = 0; i < verify->count; i++) {
    const gf__value *entry = verify->items[i];
    if (!is_known(set, settings, entry->key))
      return gf__value_fail(entry,
                            "data.verify has '%s', which is no file of %s; it is read from %s",
                            entry->key, set->name, set->files);
    if (!is_digest(entry))
      return gf__value_fail(entry,
                            "data.verify needs a SHA-256 of %d hexadecimal digits for %s, as "
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

gf_status gf__data_verify(const gf__data_source *source, const char *path) {
  const char *name = path + strlen(source->settings->path);
  char found[SHA256_DIGEST_STRING_LENGTH];
  if (!source->settings->verify) return GF_OK;
  name += *name == '/';
  const gf__value *expected = gf__value_get(source->settings->verify, name);
  if (!expected && source->set->has_folders) return GF_OK;
  if (!expected)
    return gf__value_fail(source->settings->verify,
                          "data.verify has no SHA-256 of %s, which is read", name);
  if (!SHA256File(path, found))
    return gf__fail(GF_ERROR_FILE, "cannot read %s: %s", path, strerror(errno));
  if (same_digest(found, expected->text)) return GF_OK;
  return gf__fail(GF_ERROR_DATA,
                  "%s has the SHA-256 %s, but data.verify expects %s: the file is damaged or "
                  "another one; fetch it again",
                  path, found, expected->text);
}
