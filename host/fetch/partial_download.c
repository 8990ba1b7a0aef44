#include "fetch/partial_download.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define ADVICE "make room, or choose another folder by --to DIR"

static gf_status fail_write(gf__partial_download *partial) {
  partial->unwanted = true;
  return gf__fail(GF_ERROR_FILE, "cannot write %s: %s; " ADVICE, partial->path, strerror(errno));
}

static gf_status open_file(gf__partial_download *partial, const char *mode) {
  GF_TRY(gf__partial_close_file(partial));
  partial->file = fopen(partial->path, mode);
  return partial->file ? GF_OK : fail_write(partial);
}

/* A tag that cannot be read is none. A line's end would end the header that it goes into. */
static void read_tag(gf__partial_download *partial) {
  char *text = NULL;
  size_t size = 0;
  if (!gf__path_exists(partial->tag_path)) return;
  if (gf__file_read_within(partial->tag_path, sizeof partial->tag - 1, &text, &size) == GF_OK)
    memcpy(partial->tag, text, size + 1);
  partial->tag[strcspn(partial->tag, "\r\n")] = 0;
  free(text);
}

gf_status gf__partial_open(gf__partial_download *partial, const char *path) {
  *partial = (gf__partial_download){0};
  enum { ENDING = sizeof ".part.tag" };
  if (strlen(path) + ENDING > sizeof partial->path)
    return gf__fail(GF_ERROR_ARGUMENT, "the path is too long: %s", path);
  strcat(strcpy(partial->path, path), ".part");
  strcat(strcpy(partial->tag_path, partial->path), ".tag");
  GF_TRY(gf__file_lock_take(&partial->lock, partial->path));
  GF_TRY(gf__partial_resume(partial));
  partial->size = fseek(partial->file, 0, SEEK_END) == 0 ? ftell(partial->file) : 0;
  read_tag(partial);
  return gf__partial_close_file(partial);
}

gf_status gf__partial_restart(gf__partial_download *partial, const char *tag) {
  /* In this order: never a tag beside bytes of another file. */
  remove(partial->tag_path);
  GF_TRY(open_file(partial, "wb"));
  partial->size = 0;
  snprintf(partial->tag, sizeof partial->tag, "%s", tag);
  if (!*partial->tag) return GF_OK;
  gf_status status = gf__file_write(partial->tag_path, partial->tag, strlen(partial->tag));
  if (status != GF_OK) partial->unwanted = true;
  return status;
}

gf_status gf__partial_resume(gf__partial_download *partial) { return open_file(partial, "ab"); }

gf_status gf__partial_write(gf__partial_download *partial, const void *bytes, size_t size) {
  if (fwrite(bytes, 1, size, partial->file) != size) return fail_write(partial);
  partial->size += (int64_t)size;
  return GF_OK;
}

gf_status gf__partial_close_file(gf__partial_download *partial) {
  FILE *file = partial->file;
  if (!file) return GF_OK;
  partial->file = NULL;
  gf_status status = fflush(file) == 0 ? gf__sync_file(file, partial->path) : fail_write(partial);
  if (fclose(file) != 0 && status == GF_OK) status = fail_write(partial);
  return status;
}

gf_status gf__partial_finish(gf__partial_download *partial, const char *path) {
  GF_TRY(gf__rename(partial->path, path));
  remove(partial->tag_path);
  gf__file_lock_release(&partial->lock);
  return GF_OK;
}

void gf__partial_close(gf__partial_download *partial) {
  if (partial->file) fclose(partial->file);
  partial->file = NULL;
  bool has_use = !partial->unwanted && partial->size > 0 && *partial->tag;
  if (partial->lock && !has_use) {
    remove(partial->path);
    remove(partial->tag_path);
  }
  gf__file_lock_release(&partial->lock);
}
