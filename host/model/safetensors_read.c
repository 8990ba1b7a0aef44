/* Reading holds no more of a file in memory than its header and the tensors that are wanted. */
#include "base/numbers.h"
#include "model/safetensors.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <sha256.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"

/* A header names a few hundred tensors; what is longer is not one of ours. */
enum { LONGEST_HEADER = 16 << 20 };

/* ---- files ---- */

/* An open file and what its header says. Only what is wanted of the tensors is read. */
typedef struct source {
  const char *path;
  FILE *file;
  json_t *header;
  uint64_t begin, size; /* of the tensors' bytes */
} source;

static void close_source(source *s) {
  json_decref(s->header);
  if (s->file) fclose(s->file);
}

/* The number of bytes of the file, which is then read from its beginning. */
static gf_status file_size(source *s, uint64_t *size) {
  long end = fseek(s->file, 0, SEEK_END) == 0 ? ftell(s->file) : -1;
  if (end < 0 || fseek(s->file, 0, SEEK_SET) != 0)
    return gf__fail(GF_ERROR_FILE, "cannot read %s: %s", s->path, strerror(errno));
  *size = (uint64_t)end;
  return GF_OK;
}

static gf_status read_bytes(const source *s, uint64_t at, void *out, size_t size) {
  if (fseek(s->file, (long)at, SEEK_SET) == 0 && fread(out, 1, size, s->file) == size) return GF_OK;
  return gf__fail(GF_ERROR_FILE, "cannot read %zu bytes of %s at byte %llu: %s", size, s->path,
                  (unsigned long long)at,
                  ferror(s->file) ? strerror(errno) : "it has become shorter");
}

/* Whether a file of torch.save begins so: a zip archive, or in versions before 1.6 a pickle. */
static bool is_of_torch_save(const unsigned char bytes[8]) {
  static const unsigned char pickle[8] = {0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46};
  return !memcmp(bytes, "PK\3\4", 4) || !memcmp(bytes, pickle, sizeof pickle);
}

static gf_status fail_torch_save(const char *path) {
  return gf__fail(GF_ERROR_DATA,
                  "%s is a file of torch.save, which only Python can read; save the weights as "
                  "safetensors: safetensors.torch.save_file(torch.load('%s', map_location='cpu', "
                  "weights_only=True), 'weights.safetensors')",
                  path, path);
}

/* Close the result even after a failure. */
static gf_status open_source(source *s, const char *path) {
  unsigned char bytes[8] = {0};
  uint64_t size = 0, length = 0;
  *s = (source){.path = path};
  if (gf__path_is_folder(path))
    return gf__fail(GF_ERROR_FILE, "cannot read %s: it is a folder", path);
  s->file = fopen(path, "rb");
  if (!s->file) return gf__fail(GF_ERROR_FILE, "cannot open %s: %s", path, strerror(errno));
  GF_TRY(file_size(s, &size));
  if (size >= sizeof bytes) GF_TRY(read_bytes(s, 0, bytes, sizeof bytes));
  if (is_of_torch_save(bytes)) return fail_torch_save(path);
  length = gf__read_le64(bytes);
  json_error_t error = {.text = "its header is cut off"};
  static const char not_an_object[] = "its header is not a JSON object";
  if (size >= sizeof bytes && length <= size - sizeof bytes && length <= LONGEST_HEADER) {
    char *text = malloc((size_t)length + 1);
    if (!text) return gf__fail_host_memory((size_t)length + 1);
    gf_status status = read_bytes(s, sizeof bytes, text, (size_t)length);
    if (status == GF_OK)
      s->header = json_loadb(text, (size_t)length, JSON_REJECT_DUPLICATES, &error);
    free(text);
    GF_TRY(status);
  }
  if (!json_is_object(s->header))
    return gf__fail(GF_ERROR_DATA, "%s is not a safetensors file (%llu bytes): %s", path,
                    (unsigned long long)size, s->header ? not_an_object : error.text);
  s->begin = sizeof bytes + length;
  s->size = size - s->begin;
  return GF_OK;
}

/* ---- what does not fit ---- */

/* Every tensor of a foreign file may be wrong. */
enum { MOST_REASONS = 20 };

typedef struct reasons {
  gf__text text;
  int count;
} reasons;

/* Counts one more reason, and says whether it is to be named. */
static bool count_reason(reasons *r) { return r->count++ < MOST_REASONS; }

static void add_shape(gf__text *out, const json_t *shape) {
  gf__text_add(out, "[");
  for (size_t d = 0; d < json_array_size(shape); d++)
    gf__text_add(out, "%s%lld", d ? ", " : "",
                 (long long)json_integer_value(json_array_get(shape, d)));
  gf__text_add(out, "]");
}

/* Axes of size 1 at the end may be missing: a linear layer of every pixel is a convolution of 1x1
 * here. */
static bool shape_agrees(const json_t *shape, const gf__named_tensor *t) {
  size_t count = json_array_size(shape);
  if (!json_is_array(shape) || count > (size_t)t->dim_count || count == 0) return false;
  for (int d = 0; d < t->dim_count; d++) {
    const json_t *dim = json_array_get(shape, (size_t)d);
    if (dim ? !json_is_integer(dim) || json_integer_value(dim) != t->dims[d] : t->dims[d] != 1)
      return false;
  }
  return true;
}

static bool is_shape(const json_t *shape) {
  enum { MOST_DIMS = 8 };
  size_t known = 0;
  while (known < json_array_size(shape) && json_is_integer(json_array_get(shape, known))) known++;
  return json_is_array(shape) && known == json_array_size(shape) && known <= MOST_DIMS;
}

/* The element types of the format with their bytes, so that a message repeats no other text of the
 * file. */
typedef struct element_type {
  const char *name;
  int bytes;
} element_type;

static const element_type element_types_[] = {
    {"F32", 4}, {"F64", 8}, {"F16", 2}, {"BF16", 2}, {"I64", 8}, {"I32", 4}, {"I16", 2},
    {"I8", 1},  {"U8", 1},  {"U16", 2}, {"U32", 4},  {"U64", 8}, {"BOOL", 1}};

static const element_type *find_type(const json_t *entry) {
  const char *type = json_string_value(json_object_get(entry, "dtype"));
  for (size_t i = 0; type && i < sizeof element_types_ / sizeof *element_types_; i++)
    if (!strcmp(element_types_[i].name, type)) return &element_types_[i];
  return NULL;
}

static const char *known_type(const json_t *entry) {
  const element_type *type = find_type(entry);
  return type ? type->name : NULL;
}

static void add_misshapen(reasons *r, const json_t *entry, const gf__named_tensor *t) {
  const json_t *shape = json_object_get(entry, "shape");
  const char *type = known_type(entry);
  gf__text *out = &r->text;
  if (!count_reason(r)) return;
  gf__text_add(out, "\n  misshapen: %s, ", t->name);
  if (type && !strcmp(type, "F32") && shape_agrees(shape, t)) {
    gf__text_add(out, "whose bytes are not the %zu of its shape", t->count * sizeof(float));
    return;
  }
  gf__text_add(out, "expected F32 [");
  for (int d = 0; d < t->dim_count; d++) gf__text_add(out, "%s%d", d ? ", " : "", t->dims[d]);
  gf__text_add(out, "]");
  if (!type || !is_shape(shape)) return;
  gf__text_add(out, ", found %s ", type);
  add_shape(out, shape);
}

/* Whether the entry describes such a tensor; sets *end to where its bytes end in the data. */
static bool entry_agrees(const json_t *entry, const gf__named_tensor *t, json_int_t *end) {
  const char *type = known_type(entry);
  const json_t *offsets = json_object_get(entry, "data_offsets");
  json_int_t begin = json_integer_value(json_array_get(offsets, 0));
  *end = json_integer_value(json_array_get(offsets, 1));
  return type && !strcmp(type, "F32") && shape_agrees(json_object_get(entry, "shape"), t) &&
         json_array_size(offsets) == 2 && begin >= 0 && *end >= begin &&
         (uint64_t)(*end - begin) == t->count * sizeof(float);
}

/* PyTorch counts the batches that a norm has seen, which nothing here reads. */
static bool is_batch_count(const char *name, const gf__named_tensor *tensors, size_t count) {
  static const char ending[] = ".num_batches_tracked";
  size_t length = strlen(name), stem = length - (sizeof ending - 1);
  if (length < sizeof ending || strcmp(name + stem, ending) != 0) return false;
  for (size_t i = 0; i < count; i++)
    if (!strncmp(tensors[i].name, name, stem) && !strcmp(tensors[i].name + stem, ".running_mean"))
      return true;
  return false;
}

/* ---- the layout ---- */

/* Where a tensor's bytes are in the data. */
typedef struct extent {
  const char *name;
  uint64_t begin, end;
} extent;

static int compare_extents(const void *a, const void *b) {
  const extent *x = a, *y = b;
  if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
  return (x->end > y->end) - (x->end < y->end);
}

/* The bytes of a type and shape; false where the entry has none that are known. */
static bool entry_bytes(const json_t *entry, uint64_t *out) {
  const element_type *type = find_type(entry);
  const json_t *shape = json_object_get(entry, "shape");
  if (!type || !is_shape(shape)) return false;
  *out = (uint64_t)type->bytes;
  for (size_t d = 0; d < json_array_size(shape); d++) {
    json_int_t side = json_integer_value(json_array_get(shape, d));
    if (side < 0 || (side > 0 && *out > (uint64_t)INT64_MAX / (uint64_t)side)) return false;
    *out *= (uint64_t)side;
  }
  return true;
}

static gf_status read_extent(const source *s, const char *name, const json_t *entry, extent *out) {
  const json_t *offsets = json_object_get(entry, "data_offsets");
  const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
  uint64_t bytes = 0;
  *out = (extent){name, (uint64_t)json_integer_value(begin), (uint64_t)json_integer_value(end)};
  bool is_right = json_array_size(offsets) == 2 && json_is_integer(begin) && json_is_integer(end) &&
                  json_integer_value(begin) >= 0 && out->end >= out->begin && out->end <= s->size &&
                  entry_bytes(entry, &bytes) && bytes == out->end - out->begin;
  if (is_right) return GF_OK;
  return gf__fail(GF_ERROR_DATA,
                  "%s is damaged: the place of %s in its data is not that of its type and shape",
                  s->path, name);
}

/* extents: (count + 1), by where they begin; the last stands for the end of the file. */
static gf_status check_extents(const source *s, const extent *extents, size_t count) {
  uint64_t end = 0;
  for (size_t i = 0; i <= count; end = extents[i++].end) {
    uint64_t begin = extents[i].begin;
    if (begin < end)
      return gf__fail(GF_ERROR_DATA, "%s is damaged: %s begins at byte %llu of its data, in %s",
                      s->path, extents[i].name, (unsigned long long)begin, extents[i - 1].name);
    if (begin > end)
      return gf__fail(
          GF_ERROR_DATA,
          "%s is damaged: the %llu bytes of its data from byte %llu on are of no tensor", s->path,
          (unsigned long long)(begin - end), (unsigned long long)end);
  }
  return GF_OK;
}

/* As the format says, tensors lie one after the other, and leave no byte of the data over. */
static gf_status check_layout(const source *s) {
  size_t most = json_object_size(s->header) + 1, count = 0;
  extent *extents = malloc(most * sizeof *extents);
  if (!extents) return gf__fail_host_memory(most * sizeof *extents);
  gf_status status = GF_OK;
  const char *name;
  json_t *entry;
  json_object_foreach(s->header, name, entry) {
    if (status == GF_OK && strcmp(name, "__metadata__") != 0)
      status = read_extent(s, name, entry, &extents[count++]);
  }
  if (status == GF_OK) {
    qsort(extents, count, sizeof *extents, compare_extents);
    extents[count] = (extent){"its end", s->size, s->size};
    status = check_extents(s, extents, count);
  }
  free(extents);
  return status;
}

/* ---- the tensors of a network ---- */

/* The name that the header has for the tensor: versions before the first release called what is an
 * auxiliary classifier now a companion. former has room for such a name. */
static const char *stored_name(const json_t *header, const gf__named_tensor *t,
                               char former[sizeof(t->name)]) {
  static const char now[] = "auxiliary_", then[] = "companion_"; /* of equal length */
  const char *at = strstr(t->name, now);
  if (!at || json_object_get(header, t->name)) return t->name;
  strcpy(former, t->name);
  memcpy(former + (at - t->name), then, sizeof then - 1);
  return json_object_get(header, former) ? former : t->name;
}

/* Compares the header with the tensors, and sets ends to where each one's bytes end in the data. */
static gf_status check_tensors(const source *s, const gf__named_tensor *tensors, size_t count,
                               uint64_t *ends) {
  reasons wrong = {0};
  json_t *left = json_copy(s->header); /* entries that no tensor has asked for */
  if (!left) return gf__fail_host_memory(count);
  for (size_t i = 0; i < count; i++) {
    const gf__named_tensor *t = &tensors[i];
    char former[sizeof t->name];
    const char *name = stored_name(s->header, t, former);
    const json_t *entry = json_object_get(s->header, name);
    json_int_t end;
    if (!entry) {
      if (count_reason(&wrong)) gf__text_add(&wrong.text, "\n  missing: %s", t->name);
    } else if (!entry_agrees(entry, t, &end)) {
      add_misshapen(&wrong, entry, t);
    } else if ((uint64_t)end > s->size) {
      if (count_reason(&wrong))
        gf__text_add(&wrong.text, "\n  cut off: %s ends at byte %lld of %llu bytes of data",
                     t->name, (long long)end, (unsigned long long)s->size);
    } else {
      ends[i] = (uint64_t)end;
    }
    json_object_del(left, name);
  }
  json_object_del(left, "__metadata__");
  const char *name;
  json_t *entry;
  json_object_foreach(left, name, entry) {
    if (!is_batch_count(name, tensors, count) && count_reason(&wrong))
      gf__text_add(&wrong.text, "\n  extra: %s", name);
  }
  json_decref(left);
  if (wrong.count > MOST_REASONS)
    gf__text_add(&wrong.text, "\n  and %d more", wrong.count - MOST_REASONS);
  gf_status status = gf__text_status(&wrong.text);
  if (status == GF_OK && wrong.count)
    status = gf__fail(GF_ERROR_DATA, "%s does not fit the network:%s", s->path, wrong.text.data);
  gf__text_free(&wrong.text);
  return status == GF_OK ? check_layout(s) : status;
}

/* ---- values ---- */

enum { PIECE = 1 << 16 }; /* bytes that are read at once */

static gf_status read_values(const source *s, uint64_t end, const gf__named_tensor *t) {
  unsigned char piece[PIECE];
  uint64_t at = s->begin + end - t->count * sizeof(float);
  for (size_t done = 0; done < t->count;) {
    size_t count = GF__MIN(t->count - done, (size_t)PIECE / 4);
    GF_TRY(read_bytes(s, at + done * sizeof(float), piece, count * sizeof(float)));
    for (size_t i = 0; i < count; i++) {
      uint32_t bits = gf__read_le32(piece + 4 * i);
      memcpy(&t->values[done + i], &bits, sizeof bits);
    }
    done += count;
  }
  return GF_OK;
}

static gf_status read_tensors(const source *s, gf__named_tensor *tensors, size_t count) {
  uint64_t *ends = calloc(count + 1, sizeof *ends);
  if (!ends) return gf__fail_host_memory(count * sizeof *ends);
  gf_status status = check_tensors(s, tensors, count, ends);
  for (size_t i = 0; status == GF_OK && i < count; i++)
    status = read_values(s, ends[i], &tensors[i]);
  free(ends);
  return status;
}

gf_status gf__safetensors_read(const char *path, gf__named_tensor *tensors, size_t count) {
  source s;
  gf_status status = open_source(&s, path);
  if (status == GF_OK) status = read_tensors(&s, tensors, count);
  close_source(&s);
  return status;
}

gf_status gf__named_tensors_check_finite(const char *path, const gf__named_tensor *tensors,
                                         size_t count) {
  for (size_t i = 0; i < count; i++)
    for (size_t k = 0; k < tensors[i].count; k++)
      if (!isfinite(tensors[i].values[k]))
        return gf__fail(GF_ERROR_DATA,
                        "%s: element %zu of %s is %f, and no network can go on from such weights; "
                        "take those of an epoch before it diverged",
                        path, k, tensors[i].name, (double)tensors[i].values[k]);
  return GF_OK;
}

gf_status gf__safetensors_rows(const char *path, const char *name, long long *out) {
  source s;
  gf_status status = open_source(&s, path);
  const json_t *shape = json_object_get(json_object_get(s.header, name), "shape");
  *out = json_integer_value(json_array_get(shape, 0));
  close_source(&s);
  return status;
}

/* Adds all bytes after the header. */
static gf_status hash_tensors(const source *s, SHA2_CTX *hash) {
  unsigned char piece[PIECE];
  for (uint64_t done = 0; done < s->size;) {
    size_t size = s->size - done < PIECE ? (size_t)(s->size - done) : PIECE;
    GF_TRY(read_bytes(s, s->begin + done, piece, size));
    SHA256Update(hash, piece, size);
    done += size;
  }
  return GF_OK;
}

static gf_status begin_hash(const source *s, bool is_of_header, const char *text, SHA2_CTX *hash) {
  if (is_of_header) return gf__safetensors_hash_header(hash, s->header);
  SHA256Init(hash);
  SHA256Update(hash, (const uint8_t *)text, strlen(text));
  return GF_OK;
}

static gf_status check_metadata(const source *s, char **out) {
  char found[SHA256_DIGEST_STRING_LENGTH];
  SHA2_CTX hash;
  const json_t *notes = json_object_get(s->header, "__metadata__");
  const char *text = json_string_value(json_object_get(notes, "gradflow"));
  const char *digest = json_string_value(json_object_get(notes, "digest"));
  const char *expected = digest ? digest : json_string_value(json_object_get(notes, "sha256"));
  if (!text || !expected)
    return gf__fail(GF_ERROR_DATA, "%s is not a checkpoint of a run: it has weights alone",
                    s->path);
  *out = gf__text_copy(text);
  if (!*out) return gf__fail_host_memory(strlen(text) + 1);
  GF_TRY(begin_hash(s, digest != NULL, text, &hash));
  GF_TRY(hash_tensors(s, &hash));
  SHA256End(&hash, found);
  expected = json_string_value(json_object_get(notes, digest ? "digest" : "sha256"));
  if (strcmp(found, expected) == 0) return GF_OK;
  return gf__fail(GF_ERROR_DATA, "%s is damaged: its SHA-256 is %s and not %s", s->path, found,
                  expected);
}

gf_status gf__safetensors_metadata(const char *path, char **out) {
  source s;
  *out = NULL;
  gf_status status = open_source(&s, path);
  if (status == GF_OK) status = check_metadata(&s, out);
  close_source(&s);
  if (status == GF_OK) return GF_OK;
  free(*out);
  *out = NULL;
  return status;
}
