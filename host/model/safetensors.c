#include "model/safetensors.h"

#include <inttypes.h>
#include <jansson.h>
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

gf_status gf__safetensors_write(const char *path, const gf__named_tensor *tensors, size_t count) {
  json_t *header = json_object();
  json_object_set_new(header, "__metadata__", json_pack("{s:s}", "format", "pt"));
  size_t offset = 0;
  for (size_t i = 0; i < count; i++) {
    json_object_set_new(header, tensors[i].name, describe(&tensors[i], offset));
    offset += tensors[i].count * sizeof(float);
  }
  char *json = json_dumps(header, JSON_COMPACT);
  json_decref(header);
  if (!json) return gf__fail_host_memory(offset);
  gf__text file = {0};
  size_t length = strlen(json), padded = (length + 7) / 8 * 8;
  add_u64(&file, padded);
  gf__text_add(&file, "%s%*s", json, (int)(padded - length), "");
  free(json);
  for (size_t i = 0; i < count; i++)
    for (size_t k = 0; k < tensors[i].count; k++) add_float(&file, tensors[i].values[k]);
  gf_status status = gf__text_status(&file);
  if (status == GF_OK) status = gf__file_write(path, file.data, file.size);
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

gf_status gf__safetensors_read(const char *path, gf__named_tensor *tensors, size_t count) {
  char *file;
  size_t size;
  GF_TRY(gf__file_read(path, &file, &size));
  const unsigned char *bytes = (const unsigned char *)file;
  uint64_t length = 0;
  for (int i = 0; i < 8 && size >= 8; i++) length |= (uint64_t)bytes[i] << (8 * i);
  json_t *header = NULL;
  json_error_t error = {.text = "its header is cut off"};
  static const char not_an_object[] = "its header is not a JSON object";
  if (size >= 8 && length <= size - 8 && length <= LONGEST_HEADER)
    header = json_loadb(file + 8, (size_t)length, JSON_REJECT_DUPLICATES, &error);
  gf_status status = json_is_object(header)
                         ? read_tensors(path, header, bytes + 8 + length, size - 8 - (size_t)length,
                                        tensors, count)
                         : gf__fail(GF_ERROR_DATA, "%s is not a safetensors file (%zu bytes): %s",
                                    path, size, header ? not_an_object : error.text);
  json_decref(header);
  free(file);
  return status;
}
