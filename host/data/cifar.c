#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/os.h"
#include "data/dataset.h"

/* A record is one label byte (CIFAR-10) or a coarse and a fine one (CIFAR-100),
 * of which the last is the class, then a plane of 32x32 bytes a channel. */
enum { SIDE = 32, PLANE = SIDE * SIDE, CHANNELS = 3, PIXELS = CHANNELS * PLANE, MOST_LABELS = 2 };

static gf_status locate(const gf__data_source *source, const char *file,
                        char path[GF__DATA_LARGEST_PATH], int *records) {
  GF_TRY(gf__path_join(path, GF__DATA_LARGEST_PATH, source->settings->path, file));
  if (!gf__path_exists(path)) return gf__data_missing(source, file);
  int64_t size = 0;
  GF_TRY(gf__data_file_size(path, &size));
  int record = source->set->label_bytes + PIXELS;
  if (size == 0 || size % record != 0)
    return gf__fail(GF_ERROR_DATA,
                    "%s has %lld bytes; a %s file is a whole number of records of %d bytes each: "
                    "the file is damaged or of another data set; fetch it again",
                    path, (long long)size, source->set->name, record);
  if (size / record > GF__DATA_LARGEST_COUNT)
    return gf__fail(GF_ERROR_DATA, "%s has %lld records; at most %d are supported", path,
                    (long long)(size / record), GF__DATA_LARGEST_COUNT);
  *records = (int)(size / record);
  return GF_OK;
}

gf_status gf__cifar_measure(const gf__data_source *source, gf__data_shape *out) {
  out->height = out->width = SIDE;
  for (const char *const *file = source->files; *file; file++) {
    char path[GF__DATA_LARGEST_PATH];
    int records = 0;
    GF_TRY(locate(source, *file, path, &records));
    out->count += records;
  }
  return GF_OK;
}

static void interleave(uint8_t *out, const uint8_t *planes) {
  for (int i = 0; i < PLANE; i++)
    for (int c = 0; c < CHANNELS; c++) out[i * CHANNELS + c] = planes[c * PLANE + i];
}

static gf_status read_records(const gf__data_set *set, FILE *file, const char *path, int records,
                              int first, gf__data_sink *sink) {
  uint8_t record[MOST_LABELS + PIXELS], pixels[PIXELS];
  size_t labels = (size_t)set->label_bytes;
  for (int i = 0; i < records; i++) {
    if (fread(record, 1, labels + PIXELS, file) != labels + PIXELS)
      return gf__fail(GF_ERROR_FILE, "cannot read record %d of %d of %s: %s", i, records, path,
                      ferror(file) ? strerror(errno) : "the file became shorter");
    int label = record[labels - 1];
    GF_TRY(gf__data_check_label(set, path, i, label));
    if (sink->place[first + i] < 0) continue;
    sink->labels[sink->place[first + i]] = label;
    interleave(pixels, record + labels);
    gf__data_store(sink, first + i, pixels);
  }
  return GF_OK;
}

gf_status gf__cifar_read(const gf__data_source *source, gf__data_sink *sink) {
  int first = 0;
  for (const char *const *name = source->files; *name; name++) {
    char path[GF__DATA_LARGEST_PATH];
    int records = 0;
    GF_TRY(locate(source, *name, path, &records));
    if (records > sink->file.count - first)
      return gf__fail(GF_ERROR_FILE, "%s changed while it was read", path);
    GF_TRY(gf__data_verify(source, path));
    FILE *file = fopen(path, "rb");
    if (!file) return gf__fail(GF_ERROR_FILE, "cannot open %s: %s", path, strerror(errno));
    gf_status status = read_records(source->set, file, path, records, first, sink);
    fclose(file);
    GF_TRY(status);
    first += records;
  }
  if (first != sink->file.count)
    return gf__fail(GF_ERROR_FILE, "the files in %s changed while they were read",
                    source->settings->path);
  return GF_OK;
}
