#include "fetch/fetch.h"

#include <ctype.h>
#include <errno.h>
#include <md5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/os.h"
#include "base/text.h"
#include "fetch/download.h"
#include "fetch/partial_download.h"

_Static_assert(MD5_DIGEST_STRING_LENGTH == GF__MD5_DIGITS + 1, "MD5 has 128 bits");

typedef struct fetch {
  const gf__fetch_source *source;
  gf_fetch_options options;
  char folder[GF__PATH_SIZE];
} fetch;

/* ---- what is there ---- */

static gf_status file_size(const char *path, int64_t *out) {
  FILE *file = fopen(path, "rb");
  *out = file && fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
  int error = errno;
  if (file) fclose(file);
  if (*out >= 0) return GF_OK;
  return gf__fail(GF_ERROR_FILE, "cannot read %s: %s", path, strerror(error));
}

static gf_status find_md5(const char *path, char out[GF__MD5_DIGITS + 1]) {
  if (MD5File(path, out)) return GF_OK;
  return gf__fail(GF_ERROR_FILE, "cannot read %s: %s", path, strerror(errno));
}

/* Whether the folder has all that comes out of the archive, by its sizes. */
static gf_status check_unpacked(const gf__fetch_source *source, const char *folder,
                                const char *advice) {
  for (const gf__fetch_file *file = source->unpacked; file->name; file++) {
    char path[GF__PATH_SIZE];
    int64_t size = 0;
    GF_TRY(gf__path_join(path, sizeof path, folder, file->name));
    if (!gf__path_exists(path)) return gf__fail(GF_ERROR_DATA, "there is no %s; %s", path, advice);
    GF_TRY(file_size(path, &size));
    if (size != file->size)
      return gf__fail(GF_ERROR_DATA, "%s has %lld bytes where %lld are expected; %s", path,
                      (long long)size, (long long)file->size, advice);
  }
  return GF_OK;
}

static gf_status find_file(const gf__fetch_file *file, const char *path, bool *is_there) {
  char md5[GF__MD5_DIGITS + 1];
  *is_there = false;
  if (!gf__path_exists(path)) return GF_OK;
  GF_TRY(find_md5(path, md5));
  *is_there = strcmp(md5, file->md5) == 0;
  if (*is_there)
    gf__log(GF_LOG_INFO, "%s is there", path);
  else
    gf__log(GF_LOG_WARNING, "%s has the MD5 %s where %s is expected, and is replaced", path, md5,
            file->md5);
  return GF_OK;
}

/* ---- one file ---- */

static gf_status check_md5(const gf__fetch_file *file, const char *url,
                           gf__partial_download *partial) {
  char md5[GF__MD5_DIGITS + 1];
  GF_TRY(find_md5(partial->path, md5));
  if (strcmp(md5, file->md5) == 0) return GF_OK;
  partial->unwanted = true;
  return gf__fail(GF_ERROR_DATA,
                  "%s has the MD5 %s where %s is expected: it is damaged or another file, and was "
                  "removed; try again, or name another server by --mirror URL",
                  url, md5, file->md5);
}

static gf_status fetch_from(const fetch *f, const gf__fetch_file *file, const char *server,
                            gf__partial_download *partial, bool *is_server) {
  char url[GF__PATH_SIZE];
  GF_TRY(gf__path_join(url, sizeof url, server, file->name));
  /* All of it may be there from a call that was stopped while it unpacked. */
  if (partial->size != file->size || file->size == 0) {
    gf__download download = {
        .url = url, .name = file->name, .size = file->size, .options = &f->options};
    GF_TRY(gf__download_run(&download, partial, is_server));
  }
  *is_server = true;
  return check_md5(file, url, partial);
}

/* From the mirror, or from the first of the source's servers that has it. */
static gf_status fetch_file(const fetch *f, const gf__fetch_file *file,
                            gf__partial_download *partial) {
  const char *const mirror[] = {f->options.mirror, NULL};
  const char *const *server = f->options.mirror ? mirror : f->source->servers;
  for (;; server++) {
    bool is_server = false;
    partial->unwanted = false;
    gf_status status = fetch_from(f, file, *server, partial, &is_server);
    if (status == GF_OK || !is_server || !server[1]) return status;
    gf__log(GF_LOG_WARNING, "%s; going on with %s", gf_error_message(), server[1]);
  }
}

/* ---- a source ---- */

/* Unpacks into folder, which is gone at the end, and moves the result to where it belongs. */
static gf_status unpack_archive(const fetch *f, const gf__partial_download *partial,
                                const char *folder) {
  const gf__fetch_source *s = f->source;
  char top[GF__PATH_SIZE], message[GF__PATH_SIZE];
  GF_TRY(gf__path_join(top, sizeof top, folder, s->folder));
  /* A crash may have left it. */
  if (gf__path_exists(folder)) GF_TRY(gf__remove_folder(folder));
  gf_status status =
      gf__unpack(partial->path, s->files->name, folder, &s->limits, &f->options.events);
  if (status == GF_OK)
    status =
        check_unpacked(s, top, "the archive is another one; name another server by --mirror URL");
  if (status == GF_OK) status = gf__rename(top, f->folder);
  if (status == GF_OK) return gf__remove_folder(folder);
  snprintf(message, sizeof message, "%s", gf_error_message());
  if (!gf__path_exists(folder) || gf__remove_folder(folder) == GF_OK) return status;
  return gf__fail(status, "%s; %s could not be removed", message, folder);
}

static gf_status fetch_archive(const fetch *f) {
  char path[GF__PATH_SIZE], folder[GF__PATH_SIZE];
  gf__partial_download partial;
  if (gf__path_exists(f->folder)) {
    GF_TRY(check_unpacked(f->source, f->folder,
                          "move the folder away or remove it, then fetch the data set again"));
    gf__log(GF_LOG_INFO, "%s is there", f->folder);
    return GF_OK;
  }
  GF_TRY(gf__path_join(path, sizeof path, f->options.to, f->source->files->name));
  GF_TRY(gf__path_join(folder, sizeof folder - sizeof ".unpack", f->options.to, f->source->folder));
  strcat(folder, ".unpack");
  gf_status status = gf__partial_open(&partial, path);
  if (status == GF_OK) status = fetch_file(f, f->source->files, &partial);
  if (status == GF_OK) {
    status = unpack_archive(f, &partial, folder);
    partial.unwanted = status != GF_ERROR_INTERRUPTED;
  }
  gf__partial_close(&partial);
  return status;
}

static gf_status fetch_files(const fetch *f) {
  GF_TRY(gf__make_folder(f->folder));
  for (const gf__fetch_file *file = f->source->files; file->name; file++) {
    char path[GF__PATH_SIZE];
    bool is_there;
    gf__partial_download partial;
    GF_TRY(gf__path_join(path, sizeof path, f->folder, file->name));
    GF_TRY(find_file(file, path, &is_there));
    if (is_there) continue;
    gf_status status = gf__partial_open(&partial, path);
    if (status == GF_OK) status = fetch_file(f, file, &partial);
    if (status == GF_OK) status = gf__partial_finish(&partial, path);
    gf__partial_close(&partial);
    GF_TRY(status);
  }
  return GF_OK;
}

/* ---- the call ---- */

static bool is_web(const char *url) {
  static const char *const schemes[] = {"http://", "https://"};
  for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
    size_t n = 0;
    while (schemes[i][n] && tolower((unsigned char)url[n]) == schemes[i][n]) n++;
    if (!schemes[i][n] && url[n]) return true;
  }
  return false;
}

gf_fetch_options gf_fetch_options_default(void) {
  return (gf_fetch_options){.to = "data",
                            .attempts = 5,
                            .backoff_seconds = 1,
                            .connect_seconds = 20,
                            .stall_seconds = 30};
}

static gf_status check_options(fetch *f) {
  const gf_fetch_options *o = &f->options;
  if (!o->to || !*o->to) return gf__fail(GF_ERROR_ARGUMENT, "the folder to fetch to has no name");
  if (o->mirror && !is_web(o->mirror))
    return gf__fail(GF_ERROR_ARGUMENT,
                    "the mirror '%s' must be an address of a folder that begins with http:// or "
                    "https://",
                    o->mirror);
  if (o->attempts < 1 || !(o->backoff_seconds > 0) || !(o->connect_seconds > 0) ||
      !(o->stall_seconds > 0))
    return gf__fail(
        GF_ERROR_ARGUMENT,
        "%d attempts, %g seconds apart, with %g for a connection and %g without a byte: "
        "all must be above 0; gf_fetch_options_default() gives usual ones",
        o->attempts, o->backoff_seconds, o->connect_seconds, o->stall_seconds);
  return gf__path_join(f->folder, sizeof f->folder, o->to, f->source->folder);
}

gf_status gf__fetch_source_to(const gf__fetch_source *source, const gf_fetch_options *options,
                              gf_fetched *out) {
  fetch f = {.source = source, .options = options ? *options : gf_fetch_options_default()};
  *out = (gf_fetched){.data_name = source->data_name};
  GF_TRY(check_options(&f));
  char *path = gf__text_copy(f.folder);
  if (!path) return gf__fail_host_memory(strlen(f.folder) + 1);
  bool had_to = gf__path_exists(f.options.to), had_folder = gf__path_exists(f.folder);
  gf_status status = gf__make_folder(f.options.to);
  if (status == GF_OK) status = source->unpacked ? fetch_archive(&f) : fetch_files(&f);
  if (status == GF_OK) {
    out->data_path = path;
    return GF_OK;
  }
  free(path);
  /* Only those that are empty can be removed. */
  if (!had_folder) remove(f.folder);
  if (!had_to) remove(f.options.to);
  return status;
}

/* "fashion_mnist", as configs write it, is found as well. */
static bool is_same_name(const char *a, const char *b) {
  for (; *a && *b; a++, b++)
    if (*a != *b && !(*a == '_' && *b == '-')) return false;
  return *a == *b;
}

static gf_status fail_unknown(const char *name) {
  gf__text known = {0};
  for (size_t i = 0; i < gf__fetch_source_count; i++)
    gf__text_add(&known, "%s%s", i ? ", " : "", gf__fetch_sources[i].name);
  gf_status status = gf__text_status(&known);
  const char *guess =
      gf__did_you_mean(name, gf__fetch_sources, gf__fetch_source_count, sizeof *gf__fetch_sources);
  if (status == GF_OK)
    status = gf__fail(GF_ERROR_ARGUMENT, "no data set '%s' can be fetched%s%s%s; known: %s", name,
                      guess ? "; did you mean '" : "", guess ? guess : "", guess ? "'?" : "",
                      known.data);
  gf__text_free(&known);
  return status;
}

gf_status gf_fetch(const char *name, const gf_fetch_options *options, gf_fetched *out) {
  *out = (gf_fetched){0};
  for (size_t i = 0; i < gf__fetch_source_count; i++)
    if (is_same_name(name, gf__fetch_sources[i].name))
      return gf__fetch_source_to(&gf__fetch_sources[i], options, out);
  return fail_unknown(name);
}
