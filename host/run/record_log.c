#include "run/record_log.h"

#include <stdlib.h>
#include <string.h>

#include "base/csv.h"
#include "base/file.h"

static gf_status begin_at(gf__record_log *log, const char *bytes, size_t size) {
  GF_TRY(gf__file_write(log->path, bytes, size));
  log->size = size;
  SHA256Init(&log->hash);
  SHA256Update(&log->hash, (const uint8_t *)bytes, size);
  return GF_OK;
}

gf_status gf__record_log_begin(gf__record_log *log, const char *folder, const char *name,
                               const char *header) {
  *log = (gf__record_log){0};
  GF_TRY(gf__path_join(log->path, sizeof log->path, folder, name));
  return begin_at(log, header, strlen(header));
}

/* The bytes of the file, once those before the mark are found to be what they were. The caller
 * frees *bytes. */
static gf_status read_marked(const char *path, const gf__record_mark *mark, char **bytes) {
  char digest[SHA256_DIGEST_STRING_LENGTH];
  size_t size;
  GF_TRY(gf__file_read_within(path, GF__CSV_LARGEST, bytes, &size));
  gf_status status = GF_OK;
  if (size >= mark->size) SHA256Data((const uint8_t *)*bytes, mark->size, digest);
  if (size < mark->size)
    status = gf__fail(GF_ERROR_DATA, "%s has %zu bytes, and had %zu at the checkpoint", path, size,
                      mark->size);
  else if (strcmp(digest, mark->sha256) != 0)
    status = gf__fail(GF_ERROR_DATA, "%s was changed: its first %zu bytes are not those of the run",
                      path, mark->size);
  if (status == GF_OK) return GF_OK;
  free(*bytes);
  *bytes = NULL;
  return status;
}

gf_status gf__record_log_check(const char *folder, const char *name, const gf__record_mark *mark) {
  char path[GF__PATH_SIZE], *bytes;
  GF_TRY(gf__path_join(path, sizeof path, folder, name));
  GF_TRY(read_marked(path, mark, &bytes));
  free(bytes);
  return GF_OK;
}

/* The cells of a CSV's row, which ends at a line end; names in the header have no commas. */
static int count_cells(const char *bytes, size_t size) {
  int cells = 1;
  for (size_t i = 0; i < size && bytes[i] != '\n'; i++) cells += bytes[i] == ',';
  return cells;
}

/* Cuts the rows of a text to a number of cells, in place. */
static void trim_rows(gf__text *rows, int columns) {
  size_t kept = 0;
  int cell = 1;
  bool is_quoted = false;
  for (size_t i = 0; i < rows->size; i++) {
    char c = rows->data[i];
    is_quoted ^= c == '"';
    if (c == ',' && !is_quoted) cell++;
    if (c == '\n' && !is_quoted) cell = 1;
    if (cell <= columns) rows->data[kept++] = c;
  }
  rows->size = kept;
  if (rows->data) rows->data[kept] = 0;
}

gf_status gf__record_log_resume(gf__record_log *log, const char *folder, const char *name,
                                const gf__record_mark *mark) {
  char *bytes;
  *log = (gf__record_log){0};
  GF_TRY(gf__path_join(log->path, sizeof log->path, folder, name));
  GF_TRY(read_marked(log->path, mark, &bytes));
  gf_status status = begin_at(log, bytes, mark->size);
  const char *suffix = strrchr(name, '.');
  if (suffix && !strcmp(suffix, ".csv")) log->columns = count_cells(bytes, mark->size);
  free(bytes);
  return status;
}

gf_status gf__record_log_flush(gf__record_log *log) {
  gf__text *records = &log->pending;
  GF_TRY(gf__text_status(records));
  if (records->size == 0) return GF_OK;
  if (log->columns) trim_rows(records, log->columns);
  GF_TRY(gf__file_append(log->path, records->data, records->size));
  SHA256Update(&log->hash, (const uint8_t *)records->data, records->size);
  log->size += records->size;
  gf__text_free(records);
  return GF_OK;
}

gf__record_mark gf__record_log_mark(const gf__record_log *log) {
  gf__record_mark mark = {.size = log->size};
  if (!*log->path) return mark;
  SHA2_CTX copy = log->hash;
  SHA256End(&copy, mark.sha256);
  return mark;
}

void gf__record_log_free(gf__record_log *log) { gf__text_free(&log->pending); }
