#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/file.h"
#include "base/os.h"
#include "data/byte_images.h"

/* IDX: a big-endian magic number (0, 0, type 8 for unsigned bytes, number of
 * dimensions), that many big-endian 32-bit sizes, then the bytes. */
enum { IMAGE_DIMS = 3, LABEL_DIMS = 1, MAGIC = 0x0800 };

enum { SIDE = 28 }; /* of MNIST's images, which is what is expected without files */

/* The formats' own keys. */
typedef struct idx_options {
  int image_shape[2]; /* height, width of the images in the files; 0: what the files say */
} idx_options;

static const gf__key idx_keys_[] = {
    GF__KEY(idx_options, image_shape, PAIR, .initial = "0", .maximum = GF__DATA_LARGEST_SIDE,
            .help =
                "height and width of the images in the files, which have to have it; 0: what the "
                "files say"),
};

static const idx_options *idx_options_of(const gf__data_settings *settings) {
  return settings->options;
}

static bool idx_knows_shape(const gf__data_settings *settings) {
  const int *shape = idx_options_of(settings)->image_shape;
  return shape[0] > 0 && shape[1] > 0;
}

typedef struct idx_file {
  char path[GF__PATH_SIZE];
  gzFile file;
  int64_t at, size; /* uncompressed bytes: read, and announced by the header */
  uint32_t dims[IMAGE_DIMS];
} idx_file;

/* zlib tells a truncated stream from a good one only by an error after the last byte. */
static gf_status idx_fail_read(const idx_file *idx) {
  int code = Z_OK;
  const char *what = gzerror(idx->file, &code);
  if (code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR)
    return gf__fail(GF_ERROR_DATA,
                    "%s is truncated: it ends after %lld of %lld bytes of data; fetch it again",
                    idx->path, (long long)idx->at, (long long)idx->size);
  if (code == Z_ERRNO)
    return gf__fail(GF_ERROR_FILE, "cannot read %s: %s", idx->path, strerror(errno));
  size_t prefix = strlen(idx->path);
  if (strncmp(what, idx->path, prefix) == 0 && what[prefix] == ':') what += prefix + 2;
  return gf__fail(GF_ERROR_DATA, "%s is corrupt (zlib: %s); fetch it again", idx->path, what);
}

static gf_status idx_read_bytes(idx_file *idx, uint8_t *out, size_t size) {
  int got = gzread(idx->file, out, (unsigned)size);
  if (got > 0) idx->at += got;
  return got == (int)size ? GF_OK : idx_fail_read(idx);
}

static uint32_t big_endian(const uint8_t *b) {
  return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static gf_status idx_check_dims(const idx_file *idx, int dim_count) {
  const uint32_t *d = idx->dims;
  if (d[0] == 0 || d[0] > GF__DATA_LARGEST_COUNT)
    return gf__fail(GF_ERROR_DATA, "%s: the header announces %u records; 1 to %d are supported",
                    idx->path, d[0], GF__DATA_LARGEST_COUNT);
  for (int i = 1; i < dim_count; i++)
    if (d[i] == 0 || d[i] > GF__DATA_LARGEST_SIDE)
      return gf__fail(GF_ERROR_DATA,
                      "%s: the header announces images of %u x %u pixels; 1 to %d a side are "
                      "supported",
                      idx->path, d[1], d[2], GF__DATA_LARGEST_SIDE);
  return GF_OK;
}

static gf_status idx_read_header(idx_file *idx, int dim_count) {
  uint8_t header[4 + 4 * IMAGE_DIMS];
  size_t size = 4 + 4 * (size_t)dim_count;
  int64_t file_size = 0;
  GF_TRY(gf__data_file_size(idx->path, &file_size));
  idx->size = (int64_t)size;
  GF_TRY(idx_read_bytes(idx, header, size));
  uint32_t magic = big_endian(header);
  if (magic != (uint32_t)(MAGIC + dim_count))
    return gf__fail(GF_ERROR_DATA,
                    "%s begins with 0x%08x instead of 0x%08x: it is no IDX file of bytes with %d "
                    "dimension%s",
                    idx->path, magic, MAGIC + dim_count, dim_count, dim_count == 1 ? "" : "s");
  for (int i = 0; i < dim_count; i++) idx->dims[i] = big_endian(header + 4 + 4 * i);
  GF_TRY(idx_check_dims(idx, dim_count));
  int64_t bytes = 1;
  for (int i = 0; i < dim_count; i++) bytes *= idx->dims[i];
  idx->size += bytes;
  if (idx->size / GF__DEFLATE_MOST > file_size)
    return gf__fail(GF_ERROR_DATA,
                    "%s has %lld bytes, which cannot hold the %lld that its header announces; "
                    "fetch it again",
                    idx->path, (long long)file_size, (long long)idx->size);
  return GF_OK;
}

static void idx_close(idx_file *idx) {
  if (idx->file) gzclose(idx->file);
  idx->file = NULL;
}

/* The caller closes idx whatever happens. */
static gf_status idx_open_file(idx_file *idx, const gf__data_source *source, const char *file,
                               int dim_count) {
  char packed[GF__PATH_SIZE];
  int n = snprintf(packed, sizeof packed, "%s.gz", file);
  *idx = (idx_file){0};
  GF_TRY(gf__path_join(idx->path, sizeof idx->path, source->settings->path, packed));
  if (n < 0 || !gf__path_exists(idx->path)) snprintf(packed, sizeof packed, "%s", file);
  if (gf__data_find_file(source, packed, idx->path) != GF_OK)
    return gf__path_exists(idx->path) ? GF_ERROR_FILE : gf__data_fail_missing(source, file);
  idx->file = gzopen(idx->path, "rb");
  if (!idx->file) return gf__fail(GF_ERROR_FILE, "cannot open %s: %s", idx->path, strerror(errno));
  gzbuffer(idx->file, 1 << 17);
  return idx_read_header(idx, dim_count);
}

/* After the last record: the checksum, and that nothing follows. */
static gf_status idx_finish(idx_file *idx) {
  uint8_t more;
  int got = gzread(idx->file, &more, 1), code = Z_OK;
  if (got > 0)
    return gf__fail(GF_ERROR_DATA,
                    "%s holds more than the %lld bytes that its header announces; fetch it again",
                    idx->path, (long long)idx->size);
  gzerror(idx->file, &code);
  if (code == Z_OK || code == Z_STREAM_END) {
    code = gzclose(idx->file);
    idx->file = NULL;
  }
  if (code == Z_BUF_ERROR)
    return gf__fail(GF_ERROR_DATA, "%s is truncated: its checksum is missing; fetch it again",
                    idx->path);
  if (idx->file) return idx_fail_read(idx);
  return code == Z_OK ? GF_OK
                      : gf__fail(GF_ERROR_FILE, "cannot close %s: zlib error %d", idx->path, code);
}

static gf_status idx_open_pair(idx_file pair[2], const gf__data_source *source) {
  GF_TRY(idx_open_file(&pair[0], source, source->files[0], IMAGE_DIMS));
  GF_TRY(idx_open_file(&pair[1], source, source->files[1], LABEL_DIMS));
  if (pair[0].dims[0] != pair[1].dims[0])
    return gf__fail(GF_ERROR_DATA,
                    "%s announces %u images, but %s announces %u labels; the two files do not "
                    "belong together",
                    pair[0].path, pair[0].dims[0], pair[1].path, pair[1].dims[0]);
  return GF_OK;
}

static gf_status idx_check_shape(const gf__data_settings *settings, const idx_file *idx) {
  const int *shape = idx_options_of(settings)->image_shape;
  const uint32_t *dims = idx->dims;
  if (!idx_knows_shape(settings) || ((int)dims[1] == shape[0] && (int)dims[2] == shape[1]))
    return GF_OK;
  return gf__fail(GF_ERROR_DATA,
                  "%s has images of %u x %u pixels, but data.image_shape is %d x %d, as in the run "
                  "that the config is of; leave the key out to train on these",
                  idx->path, dims[1], dims[2], shape[0], shape[1]);
}

static gf_status idx_measure(const gf__data_source *source, gf__byte_file *out) {
  idx_file pair[2] = {0};
  gf_status status = idx_open_pair(pair, source);
  if (status == GF_OK) status = idx_check_shape(source->settings, &pair[0]);
  if (status == GF_OK) {
    out->count = (int)pair[0].dims[0];
    out->height = (int)pair[0].dims[1];
    out->width = (int)pair[0].dims[2];
  }
  for (int i = 0; i < 2; i++) idx_close(&pair[i]);
  return status;
}

/* ---- records ---- */

static gf_status idx_read_label_file(idx_file *idx, const gf__data_format *format, int count,
                                     int *labels) {
  for (int i = 0; i < count; i++) {
    uint8_t label;
    GF_TRY(idx_read_bytes(idx, &label, 1));
    GF_TRY(gf__byte_images_check_label(format, idx->path, i, label));
    labels[i] = label;
  }
  return idx_finish(idx);
}

static gf_status idx_read_labels(const gf__data_source *source, const gf__byte_file *file,
                                 int *labels) {
  idx_file idx;
  gf_status status = idx_open_file(&idx, source, source->files[1], LABEL_DIMS);
  if (status == GF_OK && (int)idx.dims[0] != file->count)
    status = gf__fail(GF_ERROR_FILE, "%s changed while it was read", idx.path);
  if (status == GF_OK) status = gf__data_compare_checksum(source, idx.path);
  if (status == GF_OK) status = idx_read_label_file(&idx, source->format, file->count, labels);
  idx_close(&idx);
  return status;
}

static gf_status idx_store_labels(const gf__data_source *source, gf__byte_sink *sink) {
  size_t bytes = (size_t)sink->file.count * sizeof(int);
  int *labels = malloc(bytes);
  if (!labels) return gf__fail_host_memory(bytes);
  gf_status status = idx_read_labels(source, &sink->file, labels);
  for (int i = 0; i < sink->file.count && status == GF_OK; i++)
    if (sink->index_of[i] >= 0) sink->labels[sink->index_of[i]] = labels[i];
  free(labels);
  return status;
}

static gf_status idx_store_images(idx_file *idx, gf__byte_sink *sink) {
  size_t size = (size_t)sink->file.height * (size_t)sink->file.width;
  uint8_t *pixels = malloc(size);
  if (!pixels) return gf__fail_host_memory(size);
  gf_status status = GF_OK;
  for (int i = 0; i < sink->file.count && status == GF_OK; i++) {
    status = idx_read_bytes(idx, pixels, size);
    if (status == GF_OK) gf__byte_images_store(sink, i, pixels);
  }
  free(pixels);
  return status == GF_OK ? idx_finish(idx) : status;
}

static gf_status idx_read(const gf__data_source *source, gf__byte_sink *sink) {
  idx_file idx;
  const gf__byte_file *file = &sink->file;
  gf_status status = idx_open_file(&idx, source, source->files[0], IMAGE_DIMS);
  if (status == GF_OK && ((int)idx.dims[0] != file->count || (int)idx.dims[1] != file->height ||
                          (int)idx.dims[2] != file->width))
    status = gf__fail(GF_ERROR_FILE, "%s changed while it was read", idx.path);
  if (status == GF_OK) status = gf__data_compare_checksum(source, idx.path);
  if (status == GF_OK) status = idx_store_labels(source, sink);
  if (status == GF_OK) status = idx_store_images(&idx, sink);
  idx_close(&idx);
  return status;
}

/* ---- the shape, which the files tell ---- */

static bool idx_is_there(const gf__data_source *source) {
  char path[GF__PATH_SIZE], packed[GF__PATH_SIZE];
  const char *folder = source->settings->path, *file = source->files[0];
  snprintf(packed, sizeof packed, "%s.gz", file);
  if (!*folder || gf__path_join(path, sizeof path, folder, packed) != GF_OK) return false;
  return gf__path_exists(path) ||
         (gf__path_join(path, sizeof path, folder, file) == GF_OK && gf__path_exists(path));
}

/* The shape of the images: by the key, else by the files if they are there, else MNIST's. */
static gf_status idx_find_shape(const gf__data_source *source, int shape[2]) {
  const int *known = idx_options_of(source->settings)->image_shape;
  bool is_known = idx_knows_shape(source->settings);
  idx_file idx;
  shape[0] = is_known ? known[0] : SIDE;
  shape[1] = is_known ? known[1] : SIDE;
  if (is_known || !idx_is_there(source)) return GF_OK;
  gf_status status = idx_open_file(&idx, source, source->files[0], IMAGE_DIMS);
  for (int i = 0; i < 2 && status == GF_OK; i++) shape[i] = (int)idx.dims[1 + i];
  idx_close(&idx);
  return status;
}

static void idx_expect(const gf__data_format *format, const gf__data_settings *settings,
                       gf_dataset_info *out) {
  const int *shape = idx_options_of(settings)->image_shape;
  bool is_known = idx_knows_shape(settings);
  gf__byte_images_shape(format, settings, is_known ? shape[0] : SIDE, is_known ? shape[1] : SIDE,
                        out);
}

static gf_status idx_describe(const gf__data_source *source, gf_dataset_info *out) {
  int shape[2];
  GF_TRY(idx_find_shape(source, shape));
  gf__byte_images_shape(source->format, source->settings, shape[0], shape[1], out);
  return GF_OK;
}

static gf_status idx_open(gf_dataset *dataset, const gf__data_source *source, gf_split split) {
  gf__byte_file file;
  idx_options *options = dataset->settings.options;
  GF_TRY(gf__byte_images_open_measured(dataset, source, split, &file));
  options->image_shape[0] = file.height;
  options->image_shape[1] = file.width;
  return GF_OK;
}

static gf_status idx_prepare(gf_dataset *dataset) {
  gf__data_source source = {
      .format = dataset->format, .settings = &dataset->settings, .files = dataset->format->train};
  idx_options *options = dataset->settings.options;
  GF_TRY(idx_find_shape(&source, options->image_shape));
  return gf__byte_images_prepare(dataset);
}

static gf__data_input idx_input(const gf_dataset *dataset) {
  const int *shape = idx_options_of(&dataset->settings)->image_shape;
  return gf__byte_images_frame(dataset, shape, shape);
}

/* ---- the rows ---- */

static const gf__byte_reader idx_reader_ = {idx_measure, idx_read_labels, idx_read};

static const char *const digits_[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
static const char *const clothes_[] = {"t-shirt/top", "trouser", "pullover", "dress", "coat",
                                       "sandal",      "shirt",   "sneaker",  "bag",   "ankle boot"};

#define FILES(...) ((const char *const[]){__VA_ARGS__, NULL})
#define IDX                                                                                   \
  .files =                                                                                    \
      "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and "         \
      "t10k-labels-idx1-ubyte, each compressed (.gz) or not",                                 \
  .keys = idx_keys_, .key_count = sizeof idx_keys_ / sizeof *idx_keys_,                       \
  .options_size = sizeof(idx_options), .height = SIDE, .width = SIDE, .channels = 1,          \
  .classes = 10, .has_shape_in_files = true, .validation = 5000, .full_count = 60000,         \
  .pad_to = 32, .train = FILES("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),         \
  .test = FILES("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"), .input = GF__GREY_INPUT, \
  .check = gf__byte_images_check, .expect = idx_expect, .describe = idx_describe,             \
  .open = idx_open, .prepare = idx_prepare, .input_of = idx_input, .reader = &idx_reader_,    \
  GF__BYTE_IMAGES

const gf__data_format gf__format_mnist = {
    .name = "mnist",
    .help = "70,000 handwritten digits, grey, 28x28 (IDX files)",
    .source =
        "run gradflow fetch mnist, or get them from https://ossci-datasets.s3.amazonaws.com/mnist/",
    .class_names = digits_,
    .mean = {0.1307},
    .std = {0.3081},
    IDX};

const gf__data_format gf__format_fashion_mnist = {
    .name = "fashion_mnist",
    .help = "70,000 pictures of clothes, grey, 28x28 (IDX files)",
    .source =
        "run gradflow fetch fashion-mnist, or install Debian's dataset-fashion-mnist, or get them "
        "from "
        "https://github.com/zalandoresearch/fashion-mnist",
    .folder = "/usr/share/datasets/fashion-mnist",
    .class_names = clothes_,
    .flip = true,
    .mean = {0.2860},
    .std = {0.3530},
    IDX};
