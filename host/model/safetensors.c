#include "model/safetensors.h"

#include <jansson.h>
#include <sha256.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/numbers.h"

static size_t element_size(const gf__named_tensor *t) {
  return t->integers ? sizeof *t->integers : sizeof *t->values;
}

static json_t *tensor_entry(const gf__named_tensor *t, size_t offset) {
  json_t *shape = json_array();
  for (int d = 0; d < t->dim_count; d++) json_array_append_new(shape, json_integer(t->dims[d]));
  return json_pack("{s:s, s:o, s:[I, I]}", "dtype", t->integers ? "I64" : "F32", "shape", shape,
                   "data_offsets", (json_int_t)offset,
                   (json_int_t)(offset + t->count * element_size(t)));
}

/* ---- the tensors' bytes ---- */

enum { PIECE = 1 << 16 }; /* bytes that are in memory at once */

static void write_little_endian(unsigned char *out, uint64_t value, size_t size) {
  for (size_t i = 0; i < size; i++) out[i] = (unsigned char)(value >> (8 * i));
}

static uint64_t element_bits(const gf__named_tensor *t, size_t index) {
  uint32_t bits;
  if (t->integers) return (uint64_t)t->integers[index];
  memcpy(&bits, &t->values[index], sizeof bits);
  return bits;
}

/* Passes the tensors' bytes to visit in pieces, in the order of the file. */
static gf_status for_each_piece(const gf__named_tensor *tensors, size_t count,
                                gf_status (*visit)(void *user, const void *bytes, size_t size),
                                void *user) {
  unsigned char piece[PIECE];
  for (size_t i = 0; i < count; i++) {
    const gf__named_tensor *t = &tensors[i];
    size_t each = element_size(t), most = sizeof piece / each, size;
    for (size_t done = 0; done < t->count; done += size) {
      size = GF__MIN(t->count - done, most);
      for (size_t k = 0; k < size; k++)
        write_little_endian(piece + k * each, element_bits(t, done + k), each);
      GF_TRY(visit(user, piece, size * each));
    }
  }
  return GF_OK;
}

static gf_status hash_piece(void *user, const void *bytes, size_t size) {
  SHA256Update(user, bytes, size);
  return GF_OK;
}

static gf_status put_piece(void *user, const void *bytes, size_t size) {
  return gf__file_put(user, bytes, size);
}

/* ---- the header ---- */

gf_status gf__safetensors_hash_header(SHA2_CTX *hash, json_t *header) {
  json_t *notes = json_object_get(header, "__metadata__");
  json_t *kept = json_incref(json_object_get(notes, "digest"));
  json_object_del(notes, "digest");
  char *text = json_dumps(header, JSON_COMPACT | JSON_SORT_KEYS);
  if (kept) json_object_set_new(notes, "digest", kept);
  if (!text) return gf__fail(GF_ERROR_MEMORY, "out of host memory for the names of tensors");
  SHA256Init(hash);
  SHA256Update(hash, (const uint8_t *)text, strlen(text));
  free(text);
  return GF_OK;
}

/* Notes the digest of header and tensors in the header. */
static gf_status add_digest(json_t *header, const gf__named_tensor *tensors, size_t count) {
  char digest[SHA256_DIGEST_STRING_LENGTH];
  SHA2_CTX hash;
  GF_TRY(gf__safetensors_hash_header(&hash, header));
  GF_TRY(for_each_piece(tensors, count, hash_piece, &hash));
  SHA256End(&hash, digest);
  json_object_set_new(json_object_get(header, "__metadata__"), "digest", json_string(digest));
  return GF_OK;
}

/* The header's text, which the caller frees. */
static gf_status write_header(const gf__named_tensor *tensors, size_t count, const char *metadata,
                              char **out) {
  json_t *header = json_object(), *notes = json_pack("{s:s}", "format", "pt");
  if (metadata) json_object_set_new(notes, "gradflow", json_string(metadata));
  json_object_set_new(header, "__metadata__", notes);
  size_t offset = 0;
  for (size_t i = 0; i < count; i++) {
    json_object_set_new(header, tensors[i].name, tensor_entry(&tensors[i], offset));
    offset += tensors[i].count * element_size(&tensors[i]);
  }
  gf_status status = metadata ? add_digest(header, tensors, count) : GF_OK;
  *out = status == GF_OK ? json_dumps(header, JSON_COMPACT) : NULL;
  json_decref(header);
  if (status != GF_OK || *out) return status;
  return gf__fail(GF_ERROR_MEMORY, "out of host memory for the names of tensors");
}

/* ---- the file ---- */

typedef struct content {
  const gf__named_tensor *tensors;
  size_t count;
  const char *header;
} content;

static gf_status put_content(gf__file_sink *sink, void *user) {
  const content *c = user;
  static const char padding[7] = "       ";
  size_t length = strlen(c->header), padded = gf__align(length, 8);
  unsigned char bytes[8];
  write_little_endian(bytes, padded, sizeof bytes);
  GF_TRY(gf__file_put(sink, bytes, sizeof bytes));
  GF_TRY(gf__file_put(sink, c->header, length));
  GF_TRY(gf__file_put(sink, padding, padded - length));
  return for_each_piece(c->tensors, c->count, put_piece, sink);
}

gf_status gf__safetensors_write(const char *path, const gf__named_tensor *tensors, size_t count,
                                const char *metadata) {
  char *header;
  GF_TRY(write_header(tensors, count, metadata, &header));
  gf_status status = gf__file_stream(path, put_content, &(content){tensors, count, header});
  free(header);
  return status;
}

void gf__named_tensors_free(gf__named_tensor *tensors, size_t count) {
  for (size_t i = 0; tensors && i < count; i++) free(tensors[i].values);
  free(tensors);
}
