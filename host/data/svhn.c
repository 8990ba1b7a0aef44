/* SVHN's cropped digits: X of bytes (32, 32, 3, count), first index fastest, and y (count, 1) of
 * labels 1 to 10, 10 being the digit 0; in a MATLAB file of level 5. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/os.h"
#include "data/dataset.h"
#include "data/mat.h"

enum { SIDE = 32, CHANNELS = 3, PIXELS = SIDE * SIDE * CHANNELS, MOST_LABEL = 10, CLASS_UINT8 = 9 };

/* Deflate packs at most 1032 bytes into one. */
enum { MOST_PACKED = 1032 };

typedef struct svhn_file {
  char path[GF__DATA_LARGEST_PATH];
  gf__mat *mat;
  gf__mat_array images;
} svhn_file;

static gf_status fail_array(const svhn_file *file, const char *what, const gf__mat_array *found) {
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

static gf_status check_images(const svhn_file *file) {
  const gf__mat_array *x = &file->images;
  bool fits = x->class == CLASS_UINT8 && x->type == GF__MAT_UINT8 && !x->is_complex &&
              x->dim_count == 4 && x->dims[0] == SIDE && x->dims[1] == SIDE &&
              x->dims[2] == CHANNELS && x->size == (uint64_t)x->dims[3] * PIXELS;
  if (!fits) return fail_array(file, "X must be 32 x 32 x 3 x count bytes (type 2)", x);
  if (x->dims[3] < 1) return gf__fail(GF_ERROR_DATA, "%s has no images", file->path);
  int64_t size = 0;
  GF_TRY(gf__data_file_size(file->path, &size));
  if ((int64_t)x->size / MOST_PACKED <= size) return GF_OK;
  return gf__fail(GF_ERROR_DATA,
                  "%s has %lld bytes, which cannot hold the %u of the %u images that it announces; "
                  "fetch it again",
                  file->path, (long long)size, x->size, x->dims[3]);
}

/* Stands in front of the images' bytes afterwards. The caller closes file->mat whatever happens. */
static gf_status open_file(svhn_file *file, const gf__data_source *source) {
  const char *name = source->files[0];
  *file = (svhn_file){0};
  GF_TRY(gf__path_join(file->path, sizeof file->path, source->settings->path, name));
  if (!gf__path_exists(file->path)) return gf__data_missing(source, name);
  GF_TRY(gf__mat_open(&file->mat, file->path));
  GF_TRY(gf__mat_find(file->mat, "X", &file->images));
  return check_images(file);
}

gf_status gf__svhn_measure(const gf__data_source *source, gf__data_shape *out) {
  svhn_file file;
  gf_status status = open_file(&file, source);
  out->count = (int)file.images.dims[3];
  out->height = out->width = SIDE;
  gf__mat_close(&file.mat);
  return status;
}

/* From planes, y fastest, to pixels. */
static void store_image(const gf__data_sink *sink, int record, const uint8_t *planes) {
  uint8_t pixels[PIXELS], *out = pixels;
  for (int y = 0; y < SIDE; y++)
    for (int x = 0; x < SIDE; x++)
      for (int c = 0; c < CHANNELS; c++) *out++ = planes[(c * SIDE + x) * SIDE + y];
  gf__data_store(sink, record, pixels);
}

static gf_status read_images(const svhn_file *file, gf__data_sink *sink) {
  uint8_t planes[PIXELS];
  for (int i = 0; i < sink->file.count; i++) {
    GF_TRY(gf__mat_read(file->mat, planes, sizeof planes));
    store_image(sink, i, planes);
  }
  return gf__mat_finish(file->mat);
}

/* A label as it is stored: a byte, or a double. */
static gf_status read_label(const svhn_file *file, gf__mat_type type, double *out) {
  uint8_t bytes[sizeof(double)];
  GF_TRY(gf__mat_read(file->mat, bytes, type == GF__MAT_UINT8 ? 1 : sizeof bytes));
  uint64_t bits = 0;
  for (int i = 0; i < 8; i++) bits |= (uint64_t)bytes[i] << (8 * i);
  if (type == GF__MAT_UINT8)
    *out = bytes[0];
  else
    memcpy(out, &bits, sizeof bits);
  return GF_OK;
}

static gf_status read_labels(const svhn_file *file, gf__data_sink *sink) {
  gf__mat_array y;
  uint32_t count = (uint32_t)sink->file.count;
  GF_TRY(gf__mat_find(file->mat, "y", &y));
  size_t bytes = y.type == GF__MAT_UINT8 ? 1 : sizeof(double);
  bool fits = (y.type == GF__MAT_UINT8 || y.type == GF__MAT_DOUBLE) && !y.is_complex &&
              y.dim_count == 2 && y.dims[0] == count && y.dims[1] == 1 && y.size == count * bytes;
  if (!fits) {
    char what[80];
    snprintf(what, sizeof what, "y must be %u x 1 bytes or doubles (type 2 or 9)", count);
    return fail_array(file, what, &y);
  }
  for (int i = 0; i < sink->file.count; i++) {
    double label = 0;
    GF_TRY(read_label(file, y.type, &label));
    if (!(label >= 1 && label <= MOST_LABEL && label == (int)label))
      return gf__fail(GF_ERROR_DATA,
                      "%s: record %d (counted from 0) has the label %g; those of svhn are 1 to %d "
                      "(which is the digit 0): the file is damaged or of another data set",
                      file->path, i, label, MOST_LABEL);
    if (sink->place[i] >= 0) sink->labels[sink->place[i]] = (int)label % MOST_LABEL;
  }
  return gf__mat_finish(file->mat);
}

gf_status gf__svhn_read(const gf__data_source *source, gf__data_sink *sink) {
  svhn_file file;
  gf_status status = open_file(&file, source);
  if (status == GF_OK && (int)file.images.dims[3] != sink->file.count)
    status = gf__fail(GF_ERROR_FILE, "%s changed while it was read", file.path);
  if (status == GF_OK) status = gf__data_verify(source, file.path);
  if (status == GF_OK) status = read_images(&file, sink);
  if (status == GF_OK) status = read_labels(&file, sink);
  gf__mat_close(&file.mat);
  return status;
}
