#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/file.h"
#include "base/os.h"
#include "data/dataset.h"

/* IDX: a big-endian magic number (0, 0, type 8 for unsigned bytes, number of
 * dimensions), that many big-endian 32-bit sizes, then the bytes. */
enum { IMAGE_DIMS = 3, LABEL_DIMS = 1, MAGIC = 0x0800 };

/* Deflate packs at most 1032 bytes into one. */
enum { MOST_PACKED = 1032 };

typedef struct idx_file {
  char path[GF__DATA_LARGEST_PATH];
  gzFile file;
  int64_t at, size; /* uncompressed bytes: read, and announced by the header */
  uint32_t dims[IMAGE_DIMS];
} idx_file;

/* zlib tells a truncated stream from a good one only by an error after the last byte. */
static gf_status fail_read(const idx_file *idx) {
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

static gf_status read_bytes(idx_file *idx, uint8_t *out, size_t size) {
  int got = gzread(idx->file, out, (unsigned)size);
  if (got > 0) idx->at += got;
  return got == (int)size ? GF_OK : fail_read(idx);
}

static uint32_t big_endian(const uint8_t *b) {
  return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static gf_status check_dims(const idx_file *idx, int dim_count) {
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

static gf_status read_header(idx_file *idx, int dim_count) {
  uint8_t header[4 + 4 * IMAGE_DIMS];
  size_t size = 4 + 4 * (size_t)dim_count;
  int64_t file_size = 0;
  GF_TRY(gf__data_file_size(idx->path, &file_size));
  idx->size = (int64_t)size;
  GF_TRY(read_bytes(idx, header, size));
  uint32_t magic = big_endian(header);
  if (magic != (uint32_t)(MAGIC + dim_count))
    return gf__fail(GF_ERROR_DATA,
                    "%s begins with 0x%08x instead of 0x%08x: it is no IDX file of bytes with %d "
                    "dimension%s",
                    idx->path, magic, MAGIC + dim_count, dim_count, dim_count == 1 ? "" : "s");
  for (int i = 0; i < dim_count; i++) idx->dims[i] = big_endian(header + 4 + 4 * i);
  GF_TRY(check_dims(idx, dim_count));
  int64_t bytes = 1;
  for (int i = 0; i < dim_count; i++) bytes *= idx->dims[i];
  idx->size += bytes;
  if (idx->size / MOST_PACKED > file_size)
    return gf__fail(GF_ERROR_DATA,
                    "%s has %lld bytes, which cannot hold the %lld that its header announces; "
                    "fetch it again",
                    idx->path, (long long)file_size, (long long)idx->size);
  return GF_OK;
}

static void close_file(idx_file *idx) {
  if (idx->file) gzclose(idx->file);
  idx->file = NULL;
}

/* The caller closes idx whatever happens. */
static gf_status open_file(idx_file *idx, const gf__data_source *source, const char *file,
                           int dim_count) {
  const char *folder = source->settings->path;
  *idx = (idx_file){0};
  char packed[GF__DATA_LARGEST_PATH];
  GF_TRY(gf__path_join(idx->path, sizeof idx->path, folder, file));
  GF_TRY(gf__path_join(packed, sizeof packed - 3, folder, file));
  strcat(packed, ".gz");
  if (gf__path_exists(packed))
    memcpy(idx->path, packed, strlen(packed) + 1);
  else if (!gf__path_exists(idx->path))
    return gf__data_missing(source, file);
  idx->file = gzopen(idx->path, "rb");
  if (!idx->file) return gf__fail(GF_ERROR_FILE, "cannot open %s: %s", idx->path, strerror(errno));
  gzbuffer(idx->file, 1 << 17);
  return read_header(idx, dim_count);
}

/* After the last record: the checksum, and that nothing follows. */
static gf_status finish(idx_file *idx) {
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
  if (idx->file) return fail_read(idx);
  return code == Z_OK ? GF_OK
                      : gf__fail(GF_ERROR_FILE, "cannot close %s: zlib error %d", idx->path, code);
}

static gf_status open_pair(idx_file pair[2], const gf__data_source *source) {
  GF_TRY(open_file(&pair[0], source, source->files[0], IMAGE_DIMS));
  GF_TRY(open_file(&pair[1], source, source->files[1], LABEL_DIMS));
  if (pair[0].dims[0] != pair[1].dims[0])
    return gf__fail(GF_ERROR_DATA,
                    "%s announces %u images, but %s announces %u labels; the two files do not "
                    "belong together",
                    pair[0].path, pair[0].dims[0], pair[1].path, pair[1].dims[0]);
  return GF_OK;
}

gf_status gf__idx_measure(const gf__data_source *source, gf__data_shape *out) {
  idx_file pair[2] = {0};
  gf_status status = open_pair(pair, source);
  if (status == GF_OK) {
    out->count = (int)pair[0].dims[0];
    out->height = (int)pair[0].dims[1];
    out->width = (int)pair[0].dims[2];
  }
  for (int i = 0; i < 2; i++) close_file(&pair[i]);
  return status;
}

static gf_status read_labels(idx_file *idx, const gf__data_set *set, gf__data_sink *sink) {
  for (int i = 0; i < sink->file.count; i++) {
    uint8_t label;
    GF_TRY(read_bytes(idx, &label, 1));
    GF_TRY(gf__data_check_label(set, idx->path, i, label));
    if (sink->place[i] >= 0) sink->labels[sink->place[i]] = label;
  }
  return finish(idx);
}

static gf_status read_images(idx_file *idx, gf__data_sink *sink) {
  size_t size = (size_t)sink->file.height * (size_t)sink->file.width;
  uint8_t *pixels = malloc(size);
  if (!pixels) return gf__fail_host_memory(size);
  gf_status status = GF_OK;
  for (int i = 0; i < sink->file.count && status == GF_OK; i++) {
    status = read_bytes(idx, pixels, size);
    if (status == GF_OK) gf__data_store(sink, i, pixels);
  }
  free(pixels);
  return status == GF_OK ? finish(idx) : status;
}

gf_status gf__idx_read(const gf__data_source *source, gf__data_sink *sink) {
  idx_file pair[2] = {0};
  gf_status status = open_pair(pair, source);
  if (status == GF_OK &&
      ((int)pair[0].dims[0] != sink->file.count || (int)pair[0].dims[1] != sink->file.height ||
       (int)pair[0].dims[2] != sink->file.width))
    status = gf__fail(GF_ERROR_FILE, "%s changed while it was read", pair[0].path);
  for (int i = 0; i < 2 && status == GF_OK; i++) status = gf__data_verify(source, pair[i].path);
  if (status == GF_OK) status = read_labels(&pair[1], source->set, sink);
  if (status == GF_OK) status = read_images(&pair[0], sink);
  for (int i = 0; i < 2; i++) close_file(&pair[i]);
  return status;
}
