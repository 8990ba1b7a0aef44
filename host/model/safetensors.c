#include "model/safetensors.h"

#include <inttypes.h>
#include <jansson.h>
#include <sha256.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

/* A header names a few hundred tensors; what is longer is not one of ours. */
enum { LONGEST_HEADER = 16 << 20 };

static json_t *describe(const gf__named_tensor *t, size_t offset) {
  json_t *shape = json_array();
  for (int d = 0; d < t->dim_count; d++) json_array_append_new(shape, json_integer(t->dims[d]));
  return json_pack("{s:s, s:o, s:[I, I]}", "dtype", "F32", "shape", shape, "data_offsets",
                   (json_int_t)offset, (json_int_t)(offset + t->count * sizeof(float)));
}

static void add_u64(gf__text *out, uint64_t value) {
  unsigned char bytes[8];
  for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)(value >> (8 * i));
  gf__text_add_bytes(out, bytes, sizeof bytes);
}

static void add_float(gf__text *out, float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  unsigned char bytes[4];
  for (int i = 0; i < 4; i++) bytes[i] = (unsigned char)(bits >> (8 * i));
  gf__text_add_bytes(out, bytes, sizeof bytes);
}

/* Over the text that the file carries and the bytes of its tensors. */
static void checksum(const char *metadata, const void *data, size_t size,
                     char out[SHA256_DIGEST_STRING_LENGTH]) {
  SHA2_CTX context;
  SHA256Init(&context);
  SHA256Update(&context, (const uint8_t *)metadata, strlen(metadata));
  SHA256Update(&context, data, size);
  SHA256End(&context, out);
}

static json_t *describe_all(const gf__named_tensor *tensors, size_t count, const char *metadata,
                            const gf__text *data) {
  json_t *header = json_object(), *notes = json_pack("{s:s}", "format", "pt");
  if (metadata) {
    char digest[SHA256_DIGEST_STRING_LENGTH];
    checksum(metadata, data->data, data->size, digest);
    json_object_set_new(notes, "gradflow", json_string(metadata));
    json_object_set_new(notes, "sha256", json_string(digest));
  }
  json_object_set_new(header, "__metadata__", notes);
  size_t offset = 0;
  for (size_t i = 0; i < count; i++) {
    json_object_set_new(header, tensors[i].name, describe(&tensors[i], offset));
    offset += tensors[i].count * sizeof(float);
  }
  return header;
}

gf_status gf__safetensors_write(const char *path, const gf__named_tensor *tensors, size_t count,
                                const char *metadata) {
  gf__text data = {0}, file = {0};
  for (size_t i = 0; i < count; i++)
    for (size_t k = 0; k < tensors[i].count; k++) add_float(&data, tensors[i].values[k]);
  gf_status status = gf__text_status(&data);
  json_t *header = status == GF_OK ? describe_all(tensors, count, metadata, &data) : NULL;
  char *json = header ? json_dumps(header, JSON_COMPACT) : NULL;
  json_decref(header);
  if (status == GF_OK && !json) status = gf__fail_host_memory(data.size);
  if (status == GF_OK) {
    size_t length = strlen(json), padded = (length + 7) / 8 * 8;
    add_u64(&file, padded);
    gf__text_add(&file, "%s%*s", json, (int)(padded - length), "");
    gf__text_add_bytes(&file, data.data, data.size);
    status = gf__text_status(&file);
  }
  if (status == GF_OK) status = gf__file_write(path, file.data, file.size);
  free(json);
  gf__text_free(&data);
  gf__text_free(&file);
  return status;
}

static bool shape_agrees(const json_t *entry, const gf__named_tensor *t) {
  const json_t *shape = json_object_get(entry, "shape");
  if (json_array_size(shape) != (size_t)t->dim_count) return false;
  for (int d = 0; d < t->dim_count; d++)
    if (json_integer_value(json_array_get(shape, (size_t)d)) != t->dims[d]) return false;
  return true;
}

/* Whether the entry is of such a tensor; *end becomes where its bytes end in the data. */
static bool entry_agrees(const json_t *entry, const gf__named_tensor *t, json_int_t *end) {
  const char *type = json_string_value(json_object_get(entry, "dtype"));
  const json_t *offsets = json_object_get(entry, "data_offsets");
  json_int_t begin = json_integer_value(json_array_get(offsets, 0));
  *end = json_integer_value(json_array_get(offsets, 1));
  return type && !strcmp(type, "F32") && shape_agrees(entry, t) && json_array_size(offsets) == 2 &&
         begin >= 0 && *end >= begin && (uint64_t)(*end - begin) == t->count * sizeof(float);
}

static void read_floats(const unsigned char *bytes, size_t count, float *out) {
  for (size_t i = 0; i < count; i++) {
    uint32_t bits = 0;
    for (int b = 0; b < 4; b++) bits |= (uint32_t)bytes[4 * i + (size_t)b] << (8 * b);
    memcpy(&out[i], &bits, sizeof bits);
  }
}

static gf_status read_tensors(const char *path, json_t *header, const unsigned char *data,
                              size_t size, gf__named_tensor *tensors, size_t count) {
  gf__text wrong = {0};
  for (size_t i = 0; i < count; i++) {
    gf__named_tensor *t = &tensors[i];
    const json_t *entry = json_object_get(header, t->name);
    json_int_t end;
    if (!entry)
      gf__text_add(&wrong, "\n  missing: %s", t->name);
    else if (!entry_agrees(entry, t, &end)) {
      gf__text_add(&wrong, "\n  misshapen: %s, expected F32 [", t->name);
      for (int d = 0; d < t->dim_count; d++)
        gf__text_add(&wrong, "%s%d", d ? ", " : "", t->dims[d]);
      gf__text_add(&wrong, "]");
    } else if ((uint64_t)end > size) {
      gf__text_add(&wrong, "\n  cut off: %s ends at byte %lld of %zu bytes of data", t->name,
                   (long long)end, size);
    } else {
      read_floats(data + end - t->count * sizeof(float), t->count, t->values);
    }
    json_object_del(header, t->name);
  }
  json_object_del(header, "__metadata__");
  const char *name;
  json_t *entry;
  json_object_foreach(header, name, entry) gf__text_add(&wrong, "\n  extra: %s", name);
  gf_status status = gf__text_status(&wrong);
  if (status == GF_OK && wrong.size)
    status = gf__fail(GF_ERROR_DATA, "%s does not fit the network:%s", path, wrong.data);
  gf__text_free(&wrong);
  return status;
}

/* A file in memory: its header, and the bytes of its tensors. */
typedef struct content {
  char *file;
  json_t *header;
  const unsigned char *data;
  size_t size; /* of data */
} content;

static void free_content(content *c) {
  json_decref(c->header);
  free(c->file);
}

/* Free the result even after a failure. */
static gf_status read_content(const char *path, content *out) {
  size_t size;
  *out = (content){0};
  GF_TRY(gf__file_read(path, &out->file, &size));
  const unsigned char *bytes = (const unsigned char *)out->file;
  uint64_t length = 0;
  for (int i = 0; i < 8 && size >= 8; i++) length |= (uint64_t)bytes[i] << (8 * i);
  json_error_t error = {.text = "its header is cut off"};
  static const char not_an_object[] = "its header is not a JSON object";
  if (size >= 8 && length <= size - 8 && length <= LONGEST_HEADER)
    out->header = json_loadb(out->file + 8, (size_t)length, JSON_REJECT_DUPLICATES, &error);
  if (!json_is_object(out->header))
    return gf__fail(GF_ERROR_DATA, "%s is not a safetensors file (%zu bytes): %s", path, size,
                    out->header ? not_an_object : error.text);
  out->data = bytes + 8 + length;
  out->size = size - 8 - (size_t)length;
  return GF_OK;
}

gf_status gf__safetensors_read(const char *path, gf__named_tensor *tensors, size_t count) {
  content c;
  gf_status status = read_content(path, &c);
  if (status == GF_OK) status = read_tensors(path, c.header, c.data, c.size, tensors, count);
  free_content(&c);
  return status;
}

static gf_status check_metadata(const char *path, const content *c, char **out) {
  char digest[SHA256_DIGEST_STRING_LENGTH];
  const json_t *notes = json_object_get(c->header, "__metadata__");
  const char *text = json_string_value(json_object_get(notes, "gradflow"));
  const char *expected = json_string_value(json_object_get(notes, "sha256"));
  if (!text || !expected)
    return gf__fail(GF_ERROR_DATA, "%s is not a checkpoint of a run: it has weights alone", path);
  checksum(text, c->data, c->size, digest);
  if (strcmp(digest, expected) != 0)
    return gf__fail(GF_ERROR_DATA, "%s is damaged: its SHA-256 is %s and not %s", path, digest,
                    expected);
  size_t size = strlen(text) + 1;
  *out = malloc(size);
  if (!*out) return gf__fail_host_memory(size);
  memcpy(*out, text, size);
  return GF_OK;
}

gf_status gf__safetensors_metadata(const char *path, char **out) {
  content c;
  *out = NULL;
  gf_status status = read_content(path, &c);
  if (status == GF_OK) status = check_metadata(path, &c, out);
  free_content(&c);
  return status;
}

void gf__named_tensors_free(gf__named_tensor *tensors, size_t count) {
  for (size_t i = 0; tensors && i < count; i++) free(tensors[i].values);
  free(tensors);
}
