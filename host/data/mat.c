#include "data/mat.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/text.h"

enum { HEADER = 128, TAG = 8, LONGEST_NAME = 63 };
enum { TYPE_INT8 = 1, TYPE_INT32 = 5, TYPE_UINT32 = 6, TYPE_MATRIX = 14, TYPE_COMPRESSED = 15 };
enum { FLAG_COMPLEX = 1 << 11 };

struct gf__mat {
  const char *path;
  FILE *file;
  uint32_t left; /* bytes of the variable in the file that are not read yet */
  bool packed, inflating;
  z_stream stream;
  uint8_t buffer[1 << 16]; /* of packed bytes */
};

/* What every variable begins with; a tag's data follow it, padded to 8 bytes, or stand in it. */
typedef struct tag {
  uint32_t type, size;
  uint8_t small[4]; /* the data of up to 4 bytes */
  bool is_small;
} tag;

static uint32_t little_endian(const uint8_t *b) {
  return (uint32_t)b[3] << 24 | (uint32_t)b[2] << 16 | (uint32_t)b[1] << 8 | b[0];
}

static gf_status fail_damaged(const gf__mat *mat, const char *how) {
  return gf__fail(GF_ERROR_DATA, "%s is damaged: %s; fetch it again", mat->path, how);
}

/* ---- bytes ---- */

static gf_status read_file(gf__mat *mat, void *out, uint32_t size) {
  if (size > mat->left) return fail_damaged(mat, "a variable ends before its numbers do");
  if (fread(out, 1, size, mat->file) == size) {
    mat->left -= size;
    return GF_OK;
  }
  if (ferror(mat->file))
    return gf__fail(GF_ERROR_FILE, "cannot read %s: %s", mat->path, strerror(errno));
  return fail_damaged(mat, "it is truncated");
}

static gf_status refill(gf__mat *mat) {
  uint32_t size = mat->left < sizeof mat->buffer ? mat->left : sizeof mat->buffer;
  if (size == 0) return fail_damaged(mat, "a variable ends before its numbers do");
  GF_TRY(read_file(mat, mat->buffer, size));
  mat->stream.next_in = mat->buffer;
  mat->stream.avail_in = size;
  return GF_OK;
}

/* Z_OK or Z_STREAM_END; what zlib still holds goes before new input. */
static gf_status inflate_some(gf__mat *mat, int *code) {
  *code = inflate(&mat->stream, Z_NO_FLUSH);
  if (*code == Z_BUF_ERROR) {
    GF_TRY(refill(mat));
    *code = inflate(&mat->stream, Z_NO_FLUSH);
  }
  if (*code == Z_OK || *code == Z_STREAM_END) return GF_OK;
  return fail_damaged(mat, mat->stream.msg ? mat->stream.msg : "zlib wants a dictionary");
}

static gf_status read_packed(gf__mat *mat, void *out, uint32_t size) {
  mat->stream.next_out = out;
  mat->stream.avail_out = size;
  while (mat->stream.avail_out > 0) {
    int code = Z_OK;
    GF_TRY(inflate_some(mat, &code));
    if (code == Z_STREAM_END && mat->stream.avail_out > 0)
      return fail_damaged(mat, "a variable ends before its numbers do");
  }
  return GF_OK;
}

gf_status gf__mat_read(gf__mat *mat, void *out, uint32_t size) {
  return mat->packed ? read_packed(mat, out, size) : read_file(mat, out, size);
}

gf_status gf__mat_finish(gf__mat *mat) {
  uint8_t padding[TAG];
  int code = mat->packed ? Z_OK : Z_STREAM_END;
  mat->stream.next_out = padding;
  mat->stream.avail_out = sizeof padding;
  while (code != Z_STREAM_END) {
    GF_TRY(inflate_some(mat, &code));
    if (code != Z_STREAM_END && mat->stream.avail_out == 0)
      return fail_damaged(mat, "a variable goes on after its numbers");
  }
  return GF_OK;
}

/* ---- elements ---- */

static gf_status read_tag(gf__mat *mat, tag *out) {
  uint8_t bytes[TAG] = {0};
  GF_TRY(gf__mat_read(mat, bytes, TAG));
  uint32_t first = little_endian(bytes);
  out->is_small = first >> 16;
  out->type = out->is_small ? first & 0xffff : first;
  out->size = out->is_small ? first >> 16 : little_endian(bytes + 4);
  memcpy(out->small, bytes + 4, sizeof out->small);
  return out->is_small && out->size > sizeof out->small ? fail_damaged(mat, "a tag is too long")
                                                        : GF_OK;
}

/* An element of a type and of at most most bytes, with its padding. */
static gf_status read_element(gf__mat *mat, uint32_t type, void *out, uint32_t most,
                              uint32_t *size) {
  tag t;
  uint8_t padding[TAG];
  GF_TRY(read_tag(mat, &t));
  if (t.type != type || t.size > most) return fail_damaged(mat, "a variable has no header");
  *size = t.size;
  if (t.is_small) {
    memcpy(out, t.small, t.size);
    return GF_OK;
  }
  GF_TRY(gf__mat_read(mat, out, t.size));
  return gf__mat_read(mat, padding, (TAG - t.size % TAG) % TAG);
}

static gf_status read_array(gf__mat *mat, gf__mat_array *out, char name[LONGEST_NAME + 1]) {
  uint8_t flags[8], dims[4 * GF__MAT_MOST_DIMS];
  uint32_t size = 0, name_size = 0;
  GF_TRY(read_element(mat, TYPE_UINT32, flags, sizeof flags, &size));
  if (size != sizeof flags) return fail_damaged(mat, "a variable has no header");
  GF_TRY(read_element(mat, TYPE_INT32, dims, sizeof dims, &size));
  GF_TRY(read_element(mat, TYPE_INT8, name, LONGEST_NAME, &name_size));
  name[name_size] = 0;
  *out = (gf__mat_array){.class = flags[0],
                         .is_complex = little_endian(flags) & FLAG_COMPLEX,
                         .dim_count = (int)(size / 4)};
  for (int i = 0; i < out->dim_count; i++) out->dims[i] = little_endian(dims + 4 * i);
  tag numbers;
  GF_TRY(read_tag(mat, &numbers));
  if (numbers.is_small) return GF_OK;
  out->type = numbers.type;
  out->size = numbers.size;
  return GF_OK;
}

/* ---- variables ---- */

/* Puts the file behind the tag of the variable at an offset, and starts to inflate at need. */
static gf_status begin_variable(gf__mat *mat, int64_t at, uint32_t *size, bool *is_last) {
  uint8_t bytes[TAG];
  if (fseek(mat->file, (long)at, SEEK_SET) != 0)
    return gf__fail(GF_ERROR_FILE, "cannot read %s: %s", mat->path, strerror(errno));
  size_t got = fread(bytes, 1, TAG, mat->file);
  *is_last = got == 0;
  if (*is_last) return GF_OK;
  if (got < TAG) return fail_damaged(mat, "it is truncated");
  uint32_t type = little_endian(bytes);
  mat->left = *size = little_endian(bytes + 4);
  mat->packed = type == TYPE_COMPRESSED;
  mat->stream.avail_in = 0;
  if (!mat->packed)
    return type == TYPE_MATRIX ? GF_OK : fail_damaged(mat, "it holds something unknown");
  int code = mat->inflating ? inflateReset(&mat->stream) : inflateInit(&mat->stream);
  if (code != Z_OK) return gf__fail_host_memory(1 << 16);
  mat->inflating = true;
  tag inner;
  GF_TRY(read_tag(mat, &inner));
  return inner.type == TYPE_MATRIX ? GF_OK : fail_damaged(mat, "it holds something unknown");
}

/* Appends "name (145 x 145 x 200, uint16)". */
static void describe_array(gf__text *out, const char *name, const gf__mat_array *array) {
  static const char *const classes[] = {"?",      "cell",   "struct", "object", "char",  "sparse",
                                        "double", "single", "int8",   "uint8",  "int16", "uint16",
                                        "int32",  "uint32", "int64",  "uint64"};
  size_t class = (size_t)array->class < sizeof classes / sizeof *classes ? (size_t)array->class : 0;
  gf__text_add(out, "%s (", name);
  for (int i = 0; i < array->dim_count; i++)
    gf__text_add(out, "%s%u", i ? " x " : "", array->dims[i]);
  gf__text_add(out, ", %s%s)", array->is_complex ? "complex " : "", classes[class]);
}

/* The format's names are letters, digits and underscores; a damaged file has others. */
static bool is_name(const char *name) {
  for (; *name; name++)
    if ((unsigned char)*name <= ' ' || (unsigned char)*name >= 127) return false;
  return true;
}

/* Appends what variables the file has. */
static gf_status list_variables(gf__mat *mat, gf__text *out) {
  enum { MOST_LISTED = 12 };
  char name[LONGEST_NAME + 1];
  gf__mat_array array;
  uint32_t size = 0;
  int count = 0;
  for (int64_t at = HEADER;; at += TAG + (int64_t)size) {
    bool is_last = false;
    GF_TRY(begin_variable(mat, at, &size, &is_last));
    if (is_last) break;
    GF_TRY(read_array(mat, &array, name));
    if (count++ >= MOST_LISTED) continue;
    gf__text_add(out, "%s", count > 1 ? ", " : "");
    describe_array(out, is_name(name) ? name : "?", &array);
  }
  if (count > MOST_LISTED) gf__text_add(out, " and %d more", count - MOST_LISTED);
  if (count == 0) gf__text_add(out, "none");
  return gf__text_status(out);
}

/* GF_ERROR_DATA: the file has no such variable, but others. */
static gf_status fail_missing(gf__mat *mat, const char *what) {
  gf__text found = {0};
  gf_status status = list_variables(mat, &found);
  if (status == GF_OK)
    status = gf__fail(GF_ERROR_DATA, "%s has no %s; is it another file? Its variables: %s",
                      mat->path, what, found.data);
  gf__text_free(&found);
  return status;
}

gf_status gf__mat_find(gf__mat *mat, const char *name, gf__mat_array *out) {
  char found[LONGEST_NAME + 1], what[LONGEST_NAME + 32];
  for (int64_t at = HEADER;;) {
    uint32_t size = 0;
    bool is_last = false;
    GF_TRY(begin_variable(mat, at, &size, &is_last));
    if (is_last) break;
    GF_TRY(read_array(mat, out, found));
    if (strcmp(found, name) == 0) return GF_OK;
    at += TAG + (int64_t)size;
  }
  snprintf(what, sizeof what, "variable %.63s", name);
  return fail_missing(mat, what);
}

bool gf__mat_is_numeric(gf__mat_array *array, int dim_count) {
  enum { CLASS_DOUBLE = 6, CLASS_UINT64 = 15 };
  int more = array->dim_count;
  while (more > dim_count && array->dims[more - 1] == 1) more--;
  bool fits = more == dim_count && array->class >= CLASS_DOUBLE && array->class <= CLASS_UINT64 &&
              !array->is_complex && gf__mat_number_size(array->type) > 0;
  if (fits) array->dim_count = dim_count;
  return fits;
}

gf_status gf__mat_find_largest(gf__mat *mat, int dim_count, gf__mat_array *out) {
  char name[LONGEST_NAME + 1], what[64];
  int64_t largest_at = -1;
  uint32_t size = 0, largest = 0;
  bool is_last = false;
  for (int64_t at = HEADER;; at += TAG + (int64_t)size) {
    GF_TRY(begin_variable(mat, at, &size, &is_last));
    if (is_last) break;
    GF_TRY(read_array(mat, out, name));
    if (!gf__mat_is_numeric(out, dim_count) || out->size <= largest) continue;
    largest_at = at;
    largest = out->size;
  }
  snprintf(what, sizeof what, "array of real numbers with %d dimensions", dim_count);
  if (largest_at < 0) return fail_missing(mat, what);
  GF_TRY(begin_variable(mat, largest_at, &size, &is_last));
  GF_TRY(read_array(mat, out, name));
  (void)gf__mat_is_numeric(out, dim_count);
  return GF_OK;
}

/* ---- numbers ---- */

static double of_int8(uint64_t bits) { return (int8_t)bits; }
static double of_int16(uint64_t bits) { return (int16_t)bits; }
static double of_int32(uint64_t bits) { return (int32_t)bits; }
static double of_int64(uint64_t bits) { return (double)(int64_t)bits; }
static double of_unsigned(uint64_t bits) { return (double)bits; }
static double of_single(uint64_t bits) {
  uint32_t low = (uint32_t)bits;
  float number;
  memcpy(&number, &low, sizeof number);
  return (double)number;
}
static double of_double(uint64_t bits) {
  double number;
  memcpy(&number, &bits, sizeof number);
  return number;
}

static const struct {
  uint32_t size;
  double (*read)(uint64_t bits);
} numbers_[] = {
    [GF__MAT_INT8] = {1, of_int8},     [GF__MAT_UINT8] = {1, of_unsigned},
    [GF__MAT_INT16] = {2, of_int16},   [GF__MAT_UINT16] = {2, of_unsigned},
    [GF__MAT_INT32] = {4, of_int32},   [GF__MAT_UINT32] = {4, of_unsigned},
    [GF__MAT_SINGLE] = {4, of_single}, [GF__MAT_DOUBLE] = {8, of_double},
    [GF__MAT_INT64] = {8, of_int64},   [GF__MAT_UINT64] = {8, of_unsigned},
};

uint32_t gf__mat_number_size(gf__mat_type type) {
  return (size_t)type < sizeof numbers_ / sizeof *numbers_ ? numbers_[type].size : 0;
}

gf_status gf__mat_read_numbers(gf__mat *mat, gf__mat_type type, double *out, uint32_t count) {
  uint8_t bytes[4096];
  uint32_t size = numbers_[type].size, most = (uint32_t)sizeof bytes / size;
  for (uint32_t done = 0; done < count;) {
    uint32_t some = count - done < most ? count - done : most;
    GF_TRY(gf__mat_read(mat, bytes, some * size));
    for (uint32_t i = 0; i < some; i++) {
      uint64_t bits = 0;
      /* All are set. NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
      for (uint32_t b = 0; b < size; b++) bits |= (uint64_t)bytes[i * size + b] << (8 * b);
      out[done + i] = numbers_[type].read(bits);
    }
    done += some;
  }
  return GF_OK;
}

/* The version and the order of bytes are at the header's end. */
static gf_status check_header(const char *path, const uint8_t *header, size_t size) {
  static const char again[] = "write it again with MATLAB's save(…, '-v7') or scipy.io.savemat";
  const uint8_t *version = header + HEADER - 4;
  if (size == HEADER && memcmp(version, "\0\1IM", 4) == 0) return GF_OK;
  bool is_hdf5 = memcmp(header, "\x89HDF\r\n\x1a\n", 8) == 0;
  if (size == HEADER && (is_hdf5 || memcmp(version, "\0\2IM", 4) == 0))
    return gf__fail(GF_ERROR_DATA, "%s is %s, which is not read; %s", path,
                    is_hdf5 ? "an HDF5 file" : "a file of MATLAB 7.3 (HDF5)", again);
  if (size == HEADER && memcmp(version, "\1\0MI", 4) == 0)
    return gf__fail(GF_ERROR_DATA, "%s is a big-endian MATLAB file, which is not read; %s", path,
                    again);
  return gf__fail(GF_ERROR_DATA,
                  "%s is no MATLAB file of level 5: it is damaged or another file; fetch it again",
                  path);
}

gf_status gf__mat_open(gf__mat **out, const char *path) {
  uint8_t header[HEADER] = {0};
  *out = NULL;
  gf__mat *mat = calloc(1, sizeof *mat);
  if (!mat) return gf__fail_host_memory(sizeof *mat);
  mat->path = path;
  mat->file = fopen(path, "rb");
  gf_status status = GF_OK;
  if (!mat->file)
    status = gf__fail(GF_ERROR_FILE, "cannot open %s: %s", path, strerror(errno));
  else
    status = check_header(path, header, fread(header, 1, HEADER, mat->file));
  *out = mat;
  if (status != GF_OK) gf__mat_close(out);
  return status;
}

void gf__mat_close(gf__mat **mat) {
  if (!*mat) return;
  if ((*mat)->inflating) inflateEnd(&(*mat)->stream);
  if ((*mat)->file) fclose((*mat)->file);
  free(*mat);
  *mat = NULL;
}
