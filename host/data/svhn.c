/* SVHN's cropped digits: X of bytes (32, 32, 3, count), first index fastest, and y (count, 1) of
 * labels 1 to 10, 10 being the digit 0; in a MATLAB file of level 5. */
#include <stdio.h>
#include <stdlib.h>

#include "data/byte_images.h"
#include "data/mat.h"

enum { SIDE = 32, CHANNELS = 3, PIXELS = SIDE * SIDE * CHANNELS, MOST_LABEL = 10, CLASS_UINT8 = 9 };

typedef struct svhn_file {
  char path[GF__PATH_SIZE];
  gf__mat *mat;
  gf__mat_array images;
} svhn_file;

static gf_status svhn_fail_array(const svhn_file *file, const char *what,
                                 const gf__mat_array *found) {
  gf__text dims = {0};
  for (int i = 0; i < found->dim_count; i++)
    gf__text_add(&dims, "%s%u", i ? " x " : "", found->dims[i]);
  gf_status status = gf__text_status(&dims);
  if (status == GF_OK)
    status = gf__fail(GF_ERROR_DATA, "%s: %s, but there are %s of type %d; fetch it again",
                      file->path, what, dims.data ? dims.data : "none", (int)found->type);
  gf__text_free(&dims);
  return status;
}

static gf_status svhn_check_images(const svhn_file *file) {
  const gf__mat_array *x = &file->images;
  bool fits = x->class == CLASS_UINT8 && x->type == GF__MAT_UINT8 && !x->is_complex &&
              x->dim_count == 4 && x->dims[0] == SIDE && x->dims[1] == SIDE &&
              x->dims[2] == CHANNELS && x->size == (uint64_t)x->dims[3] * PIXELS;
  if (!fits) return svhn_fail_array(file, "X must be 32 x 32 x 3 x count bytes (type 2)", x);
  if (x->dims[3] < 1) return gf__fail(GF_ERROR_DATA, "%s has no images", file->path);
  int64_t size = 0;
  GF_TRY(gf__data_file_size(file->path, &size));
  if ((int64_t)x->size / GF__DEFLATE_MOST <= size) return GF_OK;
  return gf__fail(GF_ERROR_DATA,
                  "%s has %lld bytes, which cannot hold the %u of the %u images that it announces; "
                  "fetch it again",
                  file->path, (long long)size, x->size, x->dims[3]);
}

/* Leaves the reader positioned at the image bytes. The caller closes file->mat whatever happens. */
static gf_status svhn_open(svhn_file *file, const gf__data_source *source) {
  const char *name = source->files[0];
  *file = (svhn_file){0};
  GF_TRY(gf__data_find_file(source, name, file->path));
  GF_TRY(gf__mat_open(&file->mat, file->path));
  GF_TRY(gf__mat_find(file->mat, "X", &file->images));
  return svhn_check_images(file);
}

static gf_status svhn_measure(const gf__data_source *source, gf__byte_file *out) {
  svhn_file file;
  gf_status status = svhn_open(&file, source);
  out->count = (int)file.images.dims[3];
  out->height = out->width = SIDE;
  gf__mat_close(&file.mat);
  return status;
}

/* The same of a file that was measured, and whose checksum is right. */
static gf_status svhn_open_again(svhn_file *file, const gf__data_source *source, int count) {
  GF_TRY(svhn_open(file, source));
  if ((int)file->images.dims[3] != count)
    return gf__fail(GF_ERROR_FILE, "%s changed while it was read", file->path);
  return gf__data_compare_checksum(source, file->path);
}

/* From planes, y fastest, to pixels. */
static void svhn_store(const gf__byte_sink *sink, int record, const uint8_t *planes) {
  uint8_t pixels[PIXELS], *out = pixels;
  for (int y = 0; y < SIDE; y++)
    for (int x = 0; x < SIDE; x++)
      for (int c = 0; c < CHANNELS; c++) *out++ = planes[(c * SIDE + x) * SIDE + y];
  gf__byte_images_store(sink, record, pixels);
}

static gf_status svhn_read_images(const svhn_file *file, gf__byte_sink *sink) {
  uint8_t planes[PIXELS];
  for (int i = 0; i < sink->file.count; i++) {
    GF_TRY(gf__mat_read(file->mat, planes, sizeof planes));
    svhn_store(sink, i, planes);
  }
  return gf__mat_finish(file->mat);
}

/* Labels are numbers of any type. */
static gf_status svhn_find_labels(const svhn_file *file, uint32_t count, gf__mat_array *y) {
  GF_TRY(gf__mat_find(file->mat, "y", y));
  uint64_t bytes = (uint64_t)count * gf__mat_number_size(y->type);
  bool fits =
      gf__mat_is_numeric(y, 2) && y->dims[0] == count && y->dims[1] == 1 && y->size == bytes;
  if (fits) return GF_OK;
  char what[80];
  snprintf(what, sizeof what, "y must be %u x 1 numbers", count);
  return svhn_fail_array(file, what, y);
}

static gf_status svhn_read_y(const svhn_file *file, int count, int *labels) {
  gf__mat_array y;
  GF_TRY(svhn_find_labels(file, (uint32_t)count, &y));
  for (int i = 0; i < count; i++) {
    double label = 0;
    GF_TRY(gf__mat_read_numbers(file->mat, y.type, &label, 1));
    if (!(label >= 1 && label <= MOST_LABEL && label == (int)label))
      return gf__fail(GF_ERROR_DATA,
                      "%s: record %d (counted from 0) has the label %g; those of svhn are 1 to %d "
                      "(which is the digit 0): the file is damaged or of another data set",
                      file->path, i, label, MOST_LABEL);
    labels[i] = (int)label % MOST_LABEL;
  }
  return gf__mat_finish(file->mat);
}

static gf_status svhn_read_labels(const gf__data_source *source, const gf__byte_file *measured,
                                  int *labels) {
  svhn_file file;
  gf_status status = svhn_open_again(&file, source, measured->count);
  if (status == GF_OK) status = svhn_read_y(&file, measured->count, labels);
  gf__mat_close(&file.mat);
  return status;
}

static gf_status svhn_store_labels(const svhn_file *file, gf__byte_sink *sink) {
  size_t bytes = (size_t)sink->file.count * sizeof(int);
  int *labels = malloc(bytes);
  if (!labels) return gf__fail_host_memory(bytes);
  gf_status status = svhn_read_y(file, sink->file.count, labels);
  for (int i = 0; i < sink->file.count && status == GF_OK; i++)
    if (sink->index_of[i] >= 0) sink->labels[sink->index_of[i]] = labels[i];
  free(labels);
  return status;
}

static gf_status svhn_read(const gf__data_source *source, gf__byte_sink *sink) {
  svhn_file file;
  gf_status status = svhn_open_again(&file, source, sink->file.count);
  if (status == GF_OK) status = svhn_read_images(&file, sink);
  if (status == GF_OK) status = svhn_store_labels(&file, sink);
  gf__mat_close(&file.mat);
  return status;
}

/* ---- the row ---- */

static const gf__byte_reader svhn_reader_ = {svhn_measure, svhn_read_labels, svhn_read};

static const char *const digits_[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};

#define FILES(...) ((const char *const[]){__VA_ARGS__, NULL})

const gf__data_format gf__format_svhn = {
    .name = "svhn",
    .help = "99,289 digits of house numbers, colour, 32x32 (cropped digits, MATLAB files)",
    .files = "train_32x32.mat and test_32x32.mat",
    .source = "run gradflow fetch svhn, or get them from http://ufldl.stanford.edu/housenumbers/",
    .input = GF__RGB_INPUT,
    .height = SIDE,
    .width = SIDE,
    .channels = CHANNELS,
    .classes = 10,
    .class_names = digits_,
    .validation = 5000,
    .full_count = 73257,
    .pad_to = 32,
    .mean = {0.4377, 0.4438, 0.4728},
    .std = {0.1980, 0.2010, 0.1970},
    .train = FILES("train_32x32.mat"),
    .test = FILES("test_32x32.mat"),
    .check = gf__byte_images_check,
    .expect = gf__byte_images_expect,
    .open = gf__byte_images_open,
    .prepare = gf__byte_images_prepare,
    .input_of = gf__byte_images_input,
    .reader = &svhn_reader_,
    GF__BYTE_IMAGES};
