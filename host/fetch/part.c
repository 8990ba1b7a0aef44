#include "fetch/part.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define ADVICE "make room, or choose another folder by --to DIR"

static gf_status fail_write(gf__part *part) {
  part->unwanted = true;
  return gf__fail(GF_ERROR_FILE, "cannot write %s: %s; " ADVICE, part->path, strerror(errno));
}

static gf_status open_file(gf__part *part, const char *mode) {
  GF_TRY(gf__part_close_file(part));
  part->file = fopen(part->path, mode);
  return part->file ? GF_OK : fail_write(part);
}

/* A tag that cannot be read is none. A line's end would end the header that it goes into. */
static void read_tag(gf__part *part) {
  char *text = NULL;
  size_t size = 0;
  if (!gf__path_exists(part->tag_path)) return;
  if (gf__file_read_within(part->tag_path, sizeof part->tag - 1, &text, &size) == GF_OK)
    memcpy(part->tag, text, size + 1);
  part->tag[strcspn(part->tag, "\r\n")] = 0;
  free(text);
}

gf_status gf__part_open(gf__part *part, const char *path) {
  *part = (gf__part){0};
  enum { ENDING = sizeof ".part.tag" };
  if (strlen(path) + ENDING > sizeof part->path)
    return gf__fail(GF_ERROR_ARGUMENT, "the path is too long: %s", path);
  strcat(strcpy(part->path, path), ".part");
  strcat(strcpy(part->tag_path, part->path), ".tag");
  GF_TRY(gf__file_lock_take(&part->lock, part->path));
  GF_TRY(gf__part_resume(part));
  part->size = fseek(part->file, 0, SEEK_END) == 0 ? ftell(part->file) : 0;
  read_tag(part);
  return gf__part_close_file(part);
}

gf_status gf__part_restart(gf__part *part, const char *tag) {
  /* In this order: never a tag beside bytes of another file. */
  remove(part->tag_path);
  GF_TRY(open_file(part, "wb"));
  part->size = 0;
  snprintf(part->tag, sizeof part->tag, "%s", tag);
  if (!*part->tag) return GF_OK;
  gf_status status = gf__file_write(part->tag_path, part->tag, strlen(part->tag));
  if (status != GF_OK) part->unwanted = true;
  return status;
}

gf_status gf__part_resume(gf__part *part) { return open_file(part, "ab"); }

gf_status gf__part_write(gf__part *part, const void *bytes, size_t size) {
  if (fwrite(bytes, 1, size, part->file) != size) return fail_write(part);
  part->size += (int64_t)size;
  return GF_OK;
}

gf_status gf__part_close_file(gf__part *part) {
  FILE *file = part->file;
  if (!file) return GF_OK;
  part->file = NULL;
  gf_status status = fflush(file) == 0 ? gf__sync_file(file, part->path) : fail_write(part);
  if (fclose(file) != 0 && status == GF_OK) status = fail_write(part);
  return status;
}

gf_status gf__part_finish(gf__part *part, const char *path) {
  GF_TRY(gf__rename(part->path, path));
  remove(part->tag_path);
  gf__file_lock_release(&part->lock);
  return GF_OK;
}

void gf__part_close(gf__part *part) {
  if (part->file) fclose(part->file);
  part->file = NULL;
  bool has_use = !part->unwanted && part->size > 0 && *part->tag;
  if (part->lock && !has_use) {
    remove(part->path);
    remove(part->tag_path);
  }
  gf__file_lock_release(&part->lock);
}
