#include "base/file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"

gf_status gf__path_join(char *out, size_t size, const char *folder, const char *name) {
  size_t length = strlen(folder);
  bool ends_in_slash = length > 0 && folder[length - 1] == '/';
  int n = snprintf(out, size, "%s%s%s", folder, ends_in_slash ? "" : "/", name);
  if (n < 0 || (size_t)n >= size)
    return gf__fail(GF_ERROR_ARGUMENT, "the path is too long: %s/%s", folder, name);
  return GF_OK;
}

const char *gf__path_base(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

/* All that is left of the file; of a pipe the size is not known before. */
static gf_status read_all(FILE *file, const char *path, size_t largest, char **data, size_t *used) {
  long end = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
  rewind(file);
  size_t capacity = end > 0 ? (size_t)end + 1 : 1 << 16;
  for (;;) {
    if ((end > 0 && (size_t)end > largest) || *used > largest)
      return gf__fail(GF_ERROR_DATA,
                      "%s has more than %zu bytes, too many for what it should be; is it the right "
                      "file?",
                      path, largest);
    char *grown = realloc(*data, capacity + 1);
    if (!grown) return gf__fail_host_memory(capacity + 1);
    *data = grown;
    *used += fread(grown + *used, 1, capacity - *used, file);
    if (*used < capacity) break;
    capacity *= 2;
  }
  if (ferror(file)) return gf__fail(GF_ERROR_FILE, "cannot read %s: %s", path, strerror(errno));
  (*data)[*used] = 0;
  return GF_OK;
}

gf_status gf__file_read_within(const char *path, size_t largest, char **out, size_t *size) {
  *out = NULL;
  *size = 0;
  if (gf__path_is_folder(path))
    return gf__fail(GF_ERROR_FILE, "cannot read %s: it is a folder", path);
  FILE *file = fopen(path, "rb");
  if (!file) return gf__fail(GF_ERROR_FILE, "cannot open %s: %s", path, strerror(errno));
  gf_status status = read_all(file, path, largest, out, size);
  fclose(file);
  if (status != GF_OK) {
    free(*out);
    *out = NULL;
  }
  return status;
}

gf_status gf__file_read(const char *path, char **out, size_t *size) {
  return gf__file_read_within(path, SIZE_MAX, out, size);
}

gf_status (*gf__file_fault)(const char *step, const char *path);

static gf_status fault(const char *step, const char *path) {
  return gf__file_fault ? gf__file_fault(step, path) : GF_OK;
}

struct gf__file_sink {
  FILE *file;
  const char *path, *note; /* the note ends a message */
  size_t size;             /* bytes put so far */
};

static gf_status fail_put(const gf__file_sink *sink) {
  return gf__fail(GF_ERROR_FILE, "cannot write %zu bytes to %s: %s%s", sink->size, sink->path,
                  strerror(errno), sink->note);
}

gf_status gf__file_put(gf__file_sink *sink, const void *bytes, size_t size) {
  sink->size += size;
  return fwrite(bytes, 1, size, sink->file) == size ? GF_OK : fail_put(sink);
}

/* Lets fill write into a file that was opened for it, and syncs and closes that. */
static gf_status fill_and_close(gf__file_sink *sink,
                                gf_status (*fill)(gf__file_sink *sink, void *user), void *user) {
  gf_status status = fault("write", sink->path);
  if (status == GF_OK) status = fill(sink, user);
  if (status == GF_OK && fflush(sink->file) != 0) status = fail_put(sink);
  if (status == GF_OK) status = fault("sync", sink->path);
  if (status == GF_OK) status = gf__sync_file(sink->file, sink->path);
  if (fclose(sink->file) != 0 && status == GF_OK)
    status =
        gf__fail(GF_ERROR_FILE, "cannot write %s: %s%s", sink->path, strerror(errno), sink->note);
  return status;
}

/* ---- temporary files ---- */

static const char temporary_infix_[] = ".tmp.";
enum { ENTROPY_DIGITS = 16 };
static const double abandoned_after_ = 3600; /* seconds; whatever writes a file does so steadily */

/* Earlier versions put their process's number there. */
static bool is_temporary_ending(const char *text) {
  size_t length = strlen(text);
  return (length == ENTROPY_DIGITS && strspn(text, "0123456789abcdef") == length) ||
         (length > 0 && length < ENTROPY_DIGITS && strspn(text, "0123456789") == length);
}

size_t gf__temporary_stem(const char *name) {
  const char *found = NULL;
  for (const char *p = name; (p = strstr(p, temporary_infix_)); p++) found = p;
  bool is_temporary =
      found && found > name && is_temporary_ending(found + sizeof temporary_infix_ - 1);
  return is_temporary ? (size_t)(found - name) : 0;
}

void gf__remove_abandoned(const char *folder, const char *stem) {
  gf__names names;
  if (gf__list_folder(folder, &names) != GF_OK) return;
  for (size_t i = 0; i < names.count; i++) {
    char path[GF__PATH_SIZE];
    const char *name = names.v[i];
    size_t length = gf__temporary_stem(name);
    bool is_meant =
        length && (!stem || (strlen(stem) == length && strncmp(name, stem, length) == 0));
    if (is_meant && gf__path_join(path, sizeof path, folder, name) == GF_OK &&
        gf__path_age(path) > abandoned_after_)
      remove(path);
  }
  gf__names_free(&names);
}

/* What killed processes have left that were to write this very file. */
static void remove_abandoned_of(const char *path) {
  char folder[GF__PATH_SIZE];
  const char *base = gf__path_base(path);
  if (base == path)
    snprintf(folder, sizeof folder, ".");
  else
    snprintf(folder, sizeof folder, "%.*s", (int)(base - path), path);
  gf__remove_abandoned(folder, base);
}

/* Names that no other process or thread has, on whichever machine or in whichever container. */
static gf_status open_temporary(const char *path, bool is_private, char temporary[GF__PATH_SIZE],
                                FILE **out) {
  enum { MOST_TRIES = 8 };
  *out = NULL;
  for (int i = 0; i < MOST_TRIES && !*out; i++) {
    int n = snprintf(temporary, GF__PATH_SIZE, "%s%s%0*" PRIx64, path, temporary_infix_,
                     ENTROPY_DIGITS, gf__entropy());
    if (n < 0 || n >= GF__PATH_SIZE)
      return gf__fail(GF_ERROR_ARGUMENT, "the path is too long: %s", path);
    *out = gf__file_create(temporary, is_private);
    if (!*out && errno != EEXIST) break;
  }
  if (*out) return GF_OK;
  return gf__fail(GF_ERROR_FILE, "cannot create %s: %s", path, strerror(errno));
}

static gf_status rename_temporary(const char *temporary, const char *path) {
  GF_TRY(fault("rename", path));
  errno = 0;
  if (gf__rename(temporary, path) == GF_OK) return GF_OK;
  return gf__fail(GF_ERROR_FILE, "cannot replace %s: %s", path, strerror(errno));
}

static gf_status replace_file(const char *path, bool is_private,
                              gf_status (*fill)(gf__file_sink *sink, void *user), void *user) {
  char temporary[GF__PATH_SIZE];
  gf__file_sink sink = {.path = path, .note = "; the old file is untouched"};
  GF_TRY(fault("create", path));
  GF_TRY(open_temporary(path, is_private, temporary, &sink.file));
  gf_status status = fill_and_close(&sink, fill, user);
  if (status == GF_OK) status = rename_temporary(temporary, path);
  if (status != GF_OK) remove(temporary);
  if (status == GF_OK) remove_abandoned_of(path);
  return status;
}

gf_status gf__file_stream(const char *path, gf_status (*fill)(gf__file_sink *sink, void *user),
                          void *user) {
  return replace_file(path, false, fill, user);
}

typedef struct whole {
  const void *bytes;
  size_t size;
} whole;

static gf_status put_whole(gf__file_sink *sink, void *user) {
  const whole *all = user;
  return gf__file_put(sink, all->bytes, all->size);
}

gf_status gf__file_write(const char *path, const void *bytes, size_t size) {
  return replace_file(path, false, put_whole, &(whole){bytes, size});
}

gf_status gf__file_write_private(const char *path, const void *bytes, size_t size) {
  return replace_file(path, true, put_whole, &(whole){bytes, size});
}

gf_status gf__file_append(const char *path, const void *bytes, size_t size) {
  GF_TRY(fault("append", path));
  gf__file_sink sink = {.file = fopen(path, "ab"), .path = path, .note = ""};
  if (!sink.file) return gf__fail(GF_ERROR_FILE, "cannot open %s: %s", path, strerror(errno));
  return fill_and_close(&sink, put_whole, &(whole){bytes, size});
}
