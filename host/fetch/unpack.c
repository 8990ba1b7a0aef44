#include "fetch/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/os.h"

enum { BLOCK = 1 << 16, LONGEST_NAME = 256 };

#define ADVICE "nothing of it is kept; name another server by --mirror URL"

typedef struct unpacking {
  struct archive *archive;
  const char *name, *folder;
  const gf__unpack_limits *limits;
  const gf_fetch_events *events;
  int64_t size; /* of the archive file */
  int entries;
  int64_t bytes;   /* unpacked so far */
  double reported; /* when progress was reported last */
} unpacking;

/* An entry's name may hold what a terminal obeys. */
static gf_status fail_entry(const unpacking *u, const char *entry, const char *what) {
  char shown[LONGEST_NAME];
  size_t length = 0;
  for (; entry && entry[length] && length < sizeof shown - 1; length++) {
    shown[length] = entry[length];
    if (entry[length] < ' ' || entry[length] > '~') shown[length] = '?';
  }
  shown[length] = 0;
  return gf__fail(GF_ERROR_DATA, "%s: its entry '%s' %s; " ADVICE, u->name, shown, what);
}

static gf_status fail_damaged(const unpacking *u) {
  const char *what = archive_error_string(u->archive);
  return gf__fail(GF_ERROR_DATA, "%s is damaged (%s); " ADVICE, u->name,
                  what ? what : "libarchive says no more");
}

/* Neither absolute nor upwards, on any system: a backslash separates and a colon names a drive or
 * a stream on some. */
static bool is_safe(const char *name) {
  if (!name || !*name || *name == '/' || strlen(name) >= LONGEST_NAME) return false;
  for (const char *c = name; *c; c++)
    if (*c == '\\' || *c == ':' || (unsigned char)*c < ' ' || *c == 0x7f) return false;
  for (const char *component = name; component; component = strchr(component, '/')) {
    component += *component == '/';
    if (strcspn(component, "/") == 2 && component[0] == '.' && component[1] == '.') return false;
  }
  return true;
}

static gf_status report_progress(unpacking *u) {
  enum { PER_SECOND = 10 };
  const gf_fetch_events *e = u->events;
  if (e->stop && e->stop(e->user))
    return gf__fail(GF_ERROR_INTERRUPTED,
                    "stopped while %s was unpacked; run the command again to unpack it", u->name);
  double now = gf__seconds();
  if (!e->progress || now - u->reported < 1.0 / PER_SECOND) return GF_OK;
  u->reported = now;
  e->progress(e->user, &(gf_fetch_progress){.phase = "unpack",
                                            .file = u->name,
                                            .done = archive_filter_bytes(u->archive, -1),
                                            .size = u->size,
                                            .seconds_left = NAN});
  return GF_OK;
}

static gf_status fail_write(const char *path) {
  return gf__fail(GF_ERROR_FILE,
                  "cannot write %s: %s; make room, or choose another folder by --to DIR", path,
                  strerror(errno));
}

/* Counts what arrives, whatever the header announces. */
static gf_status copy_entry(unpacking *u, const char *entry, FILE *file, const char *path) {
  char block[BLOCK];
  int64_t bytes = 0;
  for (;;) {
    la_ssize_t got = archive_read_data(u->archive, block, sizeof block);
    if (got < 0) return fail_damaged(u);
    if (got == 0) break;
    bytes += got;
    u->bytes += got;
    if (bytes > u->limits->file_bytes) return fail_entry(u, entry, "is larger than expected");
    if (u->bytes > u->limits->bytes) return fail_entry(u, entry, "makes it larger than expected");
    if (fwrite(block, 1, (size_t)got, file) != (size_t)got) return fail_write(path);
    GF_TRY(report_progress(u));
  }
  return fflush(file) == 0 ? gf__sync_file(file, path) : fail_write(path);
}

static gf_status unpack_file(unpacking *u, const char *entry, const char *path) {
  char parent[GF__PATH_SIZE];
  snprintf(parent, sizeof parent, "%.*s", (int)(gf__path_base(path) - path) - 1, path);
  GF_TRY(gf__make_folder(parent));
  FILE *file = fopen(path, "wbx");
  if (!file && errno == EEXIST) return fail_entry(u, entry, "is in it twice");
  if (!file) return gf__fail(GF_ERROR_FILE, "cannot create %s: %s", path, strerror(errno));
  gf_status status = copy_entry(u, entry, file, path);
  if (fclose(file) != 0 && status == GF_OK) status = fail_write(path);
  return status;
}

static gf_status unpack_entry(unpacking *u, struct archive_entry *entry) {
  const char *name = archive_entry_pathname(entry);
  char path[GF__PATH_SIZE];
  if (!is_safe(name)) return fail_entry(u, name, "leads out of its folder");
  if (++u->entries > u->limits->entries) return fail_entry(u, name, "is one more than expected");
  GF_TRY(gf__path_join(path, sizeof path, u->folder, name));
  bool is_link = archive_entry_hardlink(entry) || archive_entry_symlink(entry);
  if (!is_link && archive_entry_filetype(entry) == AE_IFDIR) return gf__make_folder(path);
  if (!is_link && archive_entry_filetype(entry) == AE_IFREG) return unpack_file(u, name, path);
  return fail_entry(u, name, "is neither a file nor a folder");
}

static gf_status unpack_all(unpacking *u) {
  for (;;) {
    struct archive_entry *entry;
    int code = archive_read_next_header(u->archive, &entry);
    if (code == ARCHIVE_EOF) break;
    /* A warning is of metadata that is not used. */
    if (code != ARCHIVE_OK && code != ARCHIVE_WARN) return fail_damaged(u);
    GF_TRY(unpack_entry(u, entry));
    GF_TRY(report_progress(u));
  }
  return u->entries ? GF_OK : gf__fail(GF_ERROR_DATA, "%s is an empty archive; " ADVICE, u->name);
}

static gf_status open_archive(unpacking *u, const char *path) {
  struct archive *a = u->archive;
  bool opened = archive_read_support_filter_gzip(a) == ARCHIVE_OK &&
                archive_read_support_format_tar(a) == ARCHIVE_OK &&
                archive_read_open_filename(a, path, BLOCK) == ARCHIVE_OK;
  return opened ? GF_OK : fail_damaged(u);
}

gf_status gf__unpack(const char *archive, const char *name, const char *folder,
                     const gf__unpack_limits *limits, const gf_fetch_events *events) {
  unpacking u = {.archive = archive_read_new(),
                 .name = name,
                 .folder = folder,
                 .limits = limits,
                 .events = events};
  if (!u.archive) return gf__fail(GF_ERROR_MEMORY, "out of host memory for an archive");
  FILE *file = fopen(archive, "rb");
  if (file) {
    if (fseek(file, 0, SEEK_END) == 0) u.size = ftell(file);
    fclose(file);
  }
  gf_status status = gf__make_folder(folder);
  if (status == GF_OK) status = open_archive(&u, archive);
  if (status == GF_OK) status = unpack_all(&u);
  archive_read_free(u.archive);
  return status;
}
