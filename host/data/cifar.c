#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "data/byte_images.h"

/* A record is one label byte (CIFAR-10) or a coarse and a fine one (CIFAR-100),
 * of which the last is the class, then a plane of 32x32 bytes a channel. */
enum { SIDE = 32, PLANE = SIDE * SIDE, CHANNELS = 3, PIXELS = CHANNELS * PLANE, MOST_LABELS = 2 };

static gf_status cifar_find(const gf__data_source *source, const char *file,
                            char path[GF__PATH_SIZE], int *records) {
  int64_t size = 0;
  GF_TRY(gf__data_find_file(source, file, path));
  GF_TRY(gf__data_file_size(path, &size));
  int record = source->format->label_bytes + PIXELS;
  if (size == 0 || size % record != 0)
    return gf__fail(GF_ERROR_DATA,
                    "%s has %lld bytes; a %s file is a whole number of records of %d bytes each: "
                    "the file is damaged or of another data set; fetch it again",
                    path, (long long)size, source->format->name, record);
  if (size / record > GF__DATA_LARGEST_COUNT)
    return gf__fail(GF_ERROR_DATA, "%s has %lld records; at most %d are supported", path,
                    (long long)(size / record), GF__DATA_LARGEST_COUNT);
  *records = (int)(size / record);
  return GF_OK;
}

static gf_status cifar_measure(const gf__data_source *source, gf__byte_file *out) {
  out->height = out->width = SIDE;
  for (const char *const *file = source->files; *file; file++) {
    char path[GF__PATH_SIZE];
    int records = 0;
    GF_TRY(cifar_find(source, *file, path, &records));
    out->count += records;
  }
  return GF_OK;
}

/* ---- records ---- */

/* One of the files while it is read. */
typedef struct cifar_file {
  const gf__data_format *format;
  char path[GF__PATH_SIZE];
  FILE *file;
  int records, first; /* of all files' records, the number of the first one in it */
} cifar_file;

/* What is done with each record: its labels and its planes. */
typedef gf_status (*cifar_visit)(const cifar_file *file, int record, const uint8_t *bytes,
                                 void *user);

static gf_status cifar_read_records(const cifar_file *file, cifar_visit visit, void *user) {
  uint8_t record[MOST_LABELS + PIXELS];
  size_t size = (size_t)file->format->label_bytes + PIXELS;
  for (int i = 0; i < file->records; i++) {
    if (fread(record, 1, size, file->file) != size)
      return gf__fail(GF_ERROR_FILE, "cannot read record %d of %d of %s: %s", i, file->records,
                      file->path, ferror(file->file) ? strerror(errno) : "the file became shorter");
    GF_TRY(gf__byte_images_check_label(file->format, file->path, i,
                                       record[file->format->label_bytes - 1]));
    GF_TRY(visit(file, file->first + i, record, user));
  }
  return GF_OK;
}

/* Goes through count records of all files in order. */
static gf_status cifar_read_files(const gf__data_source *source, int count, cifar_visit visit,
                                  void *user) {
  cifar_file file = {.format = source->format};
  for (const char *const *name = source->files; *name; name++) {
    GF_TRY(cifar_find(source, *name, file.path, &file.records));
    if (file.records > count - file.first)
      return gf__fail(GF_ERROR_FILE, "%s changed while it was read", file.path);
    GF_TRY(gf__data_compare_checksum(source, file.path));
    file.file = fopen(file.path, "rb");
    if (!file.file)
      return gf__fail(GF_ERROR_FILE, "cannot open %s: %s", file.path, strerror(errno));
    gf_status status = cifar_read_records(&file, visit, user);
    fclose(file.file);
    GF_TRY(status);
    file.first += file.records;
  }
  if (file.first == count) return GF_OK;
  return gf__fail(GF_ERROR_FILE, "the files in %s changed while they were read",
                  source->settings->path);
}

static gf_status cifar_keep_label(const cifar_file *file, int record, const uint8_t *bytes,
                                  void *user) {
  ((int *)user)[record] = bytes[file->format->label_bytes - 1];
  return GF_OK;
}

static gf_status cifar_read_labels(const gf__data_source *source, const gf__byte_file *file,
                                   int *labels) {
  return cifar_read_files(source, file->count, cifar_keep_label, labels);
}

static gf_status cifar_store(const cifar_file *file, int record, const uint8_t *bytes, void *user) {
  const gf__byte_sink *sink = user;
  uint8_t pixels[PIXELS];
  const uint8_t *planes = bytes + file->format->label_bytes;
  if (sink->index_of[record] < 0) return GF_OK;
  sink->labels[sink->index_of[record]] = planes[-1];
  for (int i = 0; i < PLANE; i++)
    for (int c = 0; c < CHANNELS; c++) pixels[i * CHANNELS + c] = planes[c * PLANE + i];
  gf__byte_images_store(sink, record, pixels);
  return GF_OK;
}

static gf_status cifar_read(const gf__data_source *source, gf__byte_sink *sink) {
  return cifar_read_files(source, sink->file.count, cifar_store, sink);
}

/* ---- the rows ---- */

static const gf__byte_reader cifar_reader_ = {cifar_measure, cifar_read_labels, cifar_read};

#define CIFAR_PAGE "https://www.cs.toronto.edu/~kriz/cifar.html"
#define FILES(...) ((const char *const[]){__VA_ARGS__, NULL})
#define CIFAR                                                                                     \
  .height = SIDE, .width = SIDE, .channels = CHANNELS, .validation = 2500, .full_count = 50000,   \
  .pad_to = 32, .crop_padding = 4, .flip = true, .mean = {0.4914, 0.4822, 0.4465},                \
  .std = {0.2023, 0.1994, 0.2010}, .input = GF__RGB_INPUT, GF__BYTE_IMAGES,                       \
  .check = gf__byte_images_check, .expect = gf__byte_images_expect, .open = gf__byte_images_open, \
  .prepare = gf__byte_images_prepare, .input_of = gf__byte_images_input, .reader = &cifar_reader_

const gf__data_format gf__format_cifar100 = {
    .name = "cifar100",
    .help = "60,000 colour photographs, 32x32, of 100 kinds (binary version)",
    .files = "train.bin and test.bin",
    .source = "run gradflow fetch cifar100, or get cifar-100-binary.tar.gz from " CIFAR_PAGE
              " and unpack it",
    .classes = 100,
    .label_bytes = 2,
    .names_file = "fine_label_names.txt",
    .train = FILES("train.bin"),
    .test = FILES("test.bin"),
    CIFAR};

const gf__data_format gf__format_cifar10 = {
    .name = "cifar10",
    .help = "60,000 colour photographs, 32x32, of 10 kinds (binary version)",
    .files = "data_batch_1.bin to data_batch_5.bin and test_batch.bin",
    .source = "run gradflow fetch cifar10, or get cifar-10-binary.tar.gz from " CIFAR_PAGE
              " and unpack it",
    .classes = 10,
    .label_bytes = 1,
    .names_file = "batches.meta.txt",
    .train = FILES("data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
                   "data_batch_5.bin"),
    .test = FILES("test_batch.bin"),
    CIFAR};
