#include "model/safetensors.h"

#include <jansson.h>
#include <sha256.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

static size_t element_size(const gf__named_tensor *t) {
  return t->integers ? sizeof *t->integers : sizeof *t->values;
}

static json_t *describe(const gf__named_tensor *t, size_t offset) {
  json_t *shape = json_array();
  for (int d = 0; d < t->dim_count; d++) json_array_append_new(shape, json_integer(t->dims[d]));
  return json_pack("{s:s, s:o, s:[I, I]}", "dtype", t->integers ? "I64" : "F32", "shape", shape,
                   "data_offsets", (json_int_t)offset,
                   (json_int_t)(offset + t->count * element_size(t)));
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

static void add_values(gf__text *out, const gf__named_tensor *t) {
  for (size_t k = 0; k < t->count; k++)
    if (t->integers)
      add_u64(out, (uint64_t)t->integers[k]);
    else
      add_float(out, t->values[k]);
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
    offset += tensors[i].count * element_size(&tensors[i]);
  }
  return header;
}

gf_status gf__safetensors_write(const char *path, const gf__named_tensor *tensors, size_t count,
                                const char *metadata) {
  gf__text data = {0}, file = {0};
  for (size_t i = 0; i < count; i++) add_values(&data, &tensors[i]);
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

void gf__named_tensors_free(gf__named_tensor *tensors, size_t count) {
  for (size_t i = 0; tensors && i < count; i++) free(tensors[i].values);
  free(tensors);
}
