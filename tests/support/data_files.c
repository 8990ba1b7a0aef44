#define _XOPEN_SOURCE 700

#include "support/data_files.h"

#include <zlib.h>

#include "support/test.h"

/* ---- files ---- */

void write_bytes(const char *name, const void *bytes, size_t size) {
  assert_int_equal(gf__file_write(in_folder(name), bytes, size), GF_OK);
}

uint8_t pixel_of(int record, int channel, int y, int x) {
  if (channel == 0 && y == 0 && x < 2) return (uint8_t)(x == 0 ? record & 255 : record >> 8);
  uint32_t h = (uint32_t)(record * 7919 + channel * 1031 + y * 97 + x * 13 + 5);
  return (uint8_t)((h * 2654435761u) >> 24);
}

void write_cifar(const char *name, int label_bytes, int classes, int first, int count) {
  size_t size = (size_t)(label_bytes + PIXELS);
  uint8_t *bytes = calloc((size_t)count, size), *p = bytes;
  assert_non_null(bytes);
  for (int i = first; i < first + count; i++) {
    if (label_bytes == 2) *p++ = (uint8_t)(200 + i % 20); /* the coarse one, not to be used */
    *p++ = (uint8_t)(i * 3 % classes);
    for (int c = 0; c < 3; c++)
      for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) *p++ = pixel_of(i, c, y, x);
  }
  write_bytes(name, bytes, (size_t)count * size);
  free(bytes);
}

void write_cifar10(void) {
  for (int i = 0; i < 5; i++) {
    char name[32];
    snprintf(name, sizeof name, "data_batch_%d.bin", i + 1);
    write_cifar(name, 1, 10, 4 * i, 4);
  }
}

size_t put_header(uint8_t *out, uint32_t magic, const uint32_t *dims, int count) {
  for (int i = -1; i < count; i++) {
    uint32_t v = i < 0 ? magic : dims[i];
    for (int b = 0; b < 4; b++) *out++ = (uint8_t)(v >> (24 - 8 * b));
  }
  return 4 + 4 * (size_t)count;
}

void write_packed(const char *name, const void *bytes, size_t size, int level) {
  if (level < 0) {
    write_bytes(name, bytes, size);
    return;
  }
  char packed[160], mode[] = {'w', 'b', (char)('0' + level), 0};
  snprintf(packed, sizeof packed, "%s.gz", in_folder(name));
  gzFile file = gzopen(packed, mode);
  assert_non_null(file);
  assert_int_equal(gzwrite(file, bytes, (unsigned)size), (int)size);
  assert_int_equal(gzclose(file), Z_OK);
}

void write_idx(const char *prefix, int count, int height, int width, int level) {
  char name[64];
  uint32_t dims[] = {(uint32_t)count, (uint32_t)height, (uint32_t)width};
  size_t pixels = (size_t)count * (size_t)height * (size_t)width;
  uint8_t *bytes = malloc(16 + pixels), *p = bytes;
  assert_non_null(bytes);
  p += put_header(p, 0x803, dims, 3);
  for (int i = 0; i < count; i++)
    for (int y = 0; y < height; y++)
      for (int x = 0; x < width; x++) *p++ = pixel_of(i, 0, y, x);
  snprintf(name, sizeof name, "%s-images-idx3-ubyte", prefix);
  write_packed(name, bytes, 16 + pixels, level);
  p = bytes + put_header(bytes, 0x801, dims, 1);
  for (int i = 0; i < count; i++) *p++ = (uint8_t)(i * 3 % 10);
  snprintf(name, sizeof name, "%s-labels-idx1-ubyte", prefix);
  write_packed(name, bytes, 8 + (size_t)count, level);
  free(bytes);
}

void damage(const char *name, size_t size, long at, uint8_t value) {
  char *bytes = NULL;
  size_t had = 0;
  assert_int_equal(gf__file_read(in_folder(name), &bytes, &had), GF_OK);
  uint8_t *copy = calloc(size ? size : 1, 1);
  assert_non_null(copy);
  memcpy(copy, bytes, had < size ? had : size);
  if (at >= 0) copy[at] = value;
  write_bytes(name, copy, size);
  free(copy);
  free(bytes);
}

size_t size_of(const char *name) {
  int64_t size = 0;
  assert_int_equal(gf__data_file_size(in_folder(name), &size), GF_OK);
  return (size_t)size;
}

/* ---- opening and reading ---- */

gf_status try_open(gf_dataset **out, gf_split split, const char *name, const char *more) {
  char yaml[512];
  snprintf(yaml, sizeof yaml, "data:\n  name: %s\n  path: %s\n%s", name, fixture_folder, more);
  gf_config *config = NULL;
  assert_int_equal(gf_config_parse(&config, "test.yaml", yaml), GF_OK);
  gf_status status = gf_dataset_open(out, config, split);
  gf_config_free(&config);
  return status;
}

void check_fails(gf_split split, const char *name, const char *more, gf_status status,
                 const char *format, ...) {
  char expected[2048];
  va_list args;
  va_start(args, format);
  vsnprintf(expected, sizeof expected, format, args);
  va_end(args);
  gf_dataset *dataset = NULL;
  assert_int_equal(try_open(&dataset, split, name, more), status);
  assert_null(dataset);
  assert_string_equal(gf_error_message(), expected);
}

gf_dataset *open_split(gf_split split, const char *name, const char *more) {
  gf_dataset *dataset = NULL;
  gf_status status = try_open(&dataset, split, name, more);
  if (status != GF_OK) fail_msg("%s", gf_error_message());
  return dataset;
}

gf_loader *open_loader(const gf_dataset *dataset, int batch, int threads, unsigned long long seed,
                       int training) {
  gf_loader *loader = NULL;
  gf_loader_options options = {
      .batch_size = batch, .threads = threads, .seed = seed, .training = training, .to = 1};
  assert_int_equal(gf_loader_open(&loader, dataset, &options), GF_OK);
  return loader;
}

gf_batch next(gf_loader *loader) {
  gf_batch batch;
  assert_int_equal(gf_loader_next(loader, &batch), GF_OK);
  return batch;
}

size_t floats_of(const gf_dataset *dataset) {
  gf_dataset_info info = gf_dataset_describe(dataset);
  return (size_t)info.height * (size_t)info.width * (size_t)info.channels;
}

int read_epoch(const gf_dataset *dataset, gf_loader *loader, int epoch, int first, float **images,
               int **labels) {
  size_t count = (size_t)gf_dataset_describe(dataset).count, floats = floats_of(dataset);
  *images = calloc(count * floats, sizeof **images);
  *labels = calloc(count, sizeof **labels);
  assert_true(*images && *labels);
  assert_int_equal(gf_loader_start(loader, epoch, first), GF_OK);
  size_t at = 0;
  for (;;) {
    gf_batch batch = next(loader);
    if (batch.count == 0) break;
    assert_true(at + (size_t)batch.count <= count);
    memcpy(*images + at * floats, batch.images, (size_t)batch.count * floats * sizeof(float));
    memcpy(*labels + at, batch.labels, (size_t)batch.count * sizeof(int));
    at += (size_t)batch.count;
  }
  return (int)at;
}
