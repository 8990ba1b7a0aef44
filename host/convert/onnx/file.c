#include "convert/onnx/file.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/os.h"

enum {
  DEEPEST = 32,            /* messages in messages: a node of a graph of a node is at 6 */
  OLDEST_OPERATOR_SET = 9, /* of onnx 1.4 */
  LARGEST_FILE = INT_MAX,  /* by the format */
  LEAST_MEMORY = 64 << 20, /* bytes that the messages of a small file may take */
  MEMORY_FACTOR = 24       /* and of a larger one, by the bytes of the file */
};

/* ---- the wire format ---- */

/* protobuf-c unpacks messages in messages by recursion without a limit, and a field of two bytes
 * becomes a structure of a hundred: files are walked before they are unpacked. */
typedef struct wire {
  const uint8_t *at, *end;
} wire;

static bool wire_varint(wire *w, uint64_t *out) {
  *out = 0;
  for (int shift = 0; shift < 70 && w->at < w->end; shift += 7) {
    uint8_t byte = *w->at++;
    if (shift < 64) *out |= (uint64_t)(byte & 127) << shift;
    if (byte < 128) return true;
  }
  return false;
}

/* Steps over the value of a field; *inner becomes the bytes of one that has a length. */
static bool wire_value(wire *w, unsigned type, wire *inner) {
  uint64_t number;
  *inner = (wire){0};
  switch (type) {
    case PROTOBUF_C_WIRE_TYPE_VARINT:
      return wire_varint(w, &number);
    case PROTOBUF_C_WIRE_TYPE_64BIT:
      number = 8;
      break;
    case PROTOBUF_C_WIRE_TYPE_32BIT:
      number = 4;
      break;
    case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
      if (!wire_varint(w, &number)) return false;
      break;
    default:
      return false;
  }
  if (number > (uint64_t)(w->end - w->at)) return false;
  *inner = (wire){w->at, w->at + number};
  w->at += number;
  return true;
}

/* Whether the bytes are a message, and none in it is too deep. */
static bool wire_check(wire w, const ProtobufCMessageDescriptor *message, int depth) {
  while (w.at < w.end) {
    uint64_t key;
    wire inner;
    if (!wire_varint(&w, &key) || key >> 3 > INT_MAX || !wire_value(&w, key & 7, &inner))
      return false;
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(message, (unsigned)(key >> 3));
    if (!field || field->type != PROTOBUF_C_TYPE_MESSAGE ||
        (key & 7) != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED)
      continue;
    if (depth == DEEPEST || !wire_check(inner, field->descriptor, depth + 1)) return false;
  }
  return true;
}

/* ---- unpacking ---- */

/* Each block has its size before it, so that freed ones no longer count. */
enum { BLOCK_HEAD = 16 };

static void *counted_alloc(void *user, size_t size) {
  gf__onnx_file *file = user;
  if (size > file->most_allocated - file->allocated) return NULL;
  unsigned char *block = malloc(size + BLOCK_HEAD);
  if (!block) return NULL;
  memcpy(block, &size, sizeof size);
  file->allocated += size;
  return block + BLOCK_HEAD;
}

static void counted_free(void *user, void *data) {
  gf__onnx_file *file = user;
  size_t size;
  if (!data) return;
  unsigned char *block = (unsigned char *)data - BLOCK_HEAD;
  memcpy(&size, block, sizeof size);
  file->allocated -= size;
  free(block);
}

static ProtobufCAllocator counted_allocator(gf__onnx_file *file) {
  return (ProtobufCAllocator){counted_alloc, counted_free, file};
}

static gf_status unpack(gf__onnx_file *file, const uint8_t *bytes, size_t size) {
  ProtobufCAllocator allocator = counted_allocator(file);
  file->size = size;
  file->most_allocated = LEAST_MEMORY + size * MEMORY_FACTOR;
  if (wire_check((wire){bytes, bytes + size}, &onnx__model_proto__descriptor, 0))
    file->model = onnx__model_proto__unpack(&allocator, size, bytes);
  if (file->model) return GF_OK;
  return gf__fail(GF_ERROR_DATA,
                  "%s (%zu bytes) is not an ONNX model, or is damaged: its bytes are no message of "
                  "the format; export or copy it again",
                  file->path, size);
}

static gf_status check_operator_set(gf__onnx_file *file) {
  const Onnx__ModelProto *model = file->model;
  for (size_t i = 0; i < model->n_opset_import; i++) {
    const Onnx__OperatorSetIdProto *set = model->opset_import[i];
    bool is_default = !set->domain || !*set->domain || !strcmp(set->domain, "ai.onnx");
    if (is_default && set->has_version) file->operator_set = set->version;
  }
  if (!model->graph)
    return gf__fail(GF_ERROR_DATA, "%s has no graph; it is not an ONNX model, or is damaged",
                    file->path);
  if (file->operator_set >= OLDEST_OPERATOR_SET) return GF_OK;
  if (!file->operator_set)
    return gf__fail(GF_ERROR_DATA,
                    "%s names no operator set; it is not an ONNX model, or is damaged", file->path);
  return gf__fail(GF_ERROR_DATA,
                  "%s is of operator set %lld; sets from %d on can be read: export it with a newer "
                  "opset_version, or let onnx.version_converter convert it",
                  file->path, (long long)file->operator_set, OLDEST_OPERATOR_SET);
}

/* ---- names ---- */

/* Names get into messages and files: no control character of them reaches a terminal. */
static void make_printable(char *text) {
  for (; text && *text; text++)
    if ((unsigned char)*text < ' ' || *text == 127) *text = '_';
}

static void make_node_printable(const Onnx__NodeProto *node) {
  make_printable(node->name);
  make_printable(node->op_type);
  make_printable(node->domain);
  for (size_t i = 0; i < node->n_input; i++) make_printable(node->input[i]);
  for (size_t i = 0; i < node->n_output; i++) make_printable(node->output[i]);
  for (size_t i = 0; i < node->n_attribute; i++) make_printable(node->attribute[i]->name);
}

static void make_tensor_printable(const Onnx__TensorProto *tensor) {
  make_printable(tensor->name);
  for (size_t i = 0; i < tensor->n_external_data; i++)
    make_printable(tensor->external_data[i]->value);
}

static void make_graph_printable(const Onnx__GraphProto *graph) {
  make_printable(graph->name);
  for (size_t i = 0; i < graph->n_node; i++) make_node_printable(graph->node[i]);
  for (size_t i = 0; i < graph->n_initializer; i++) make_tensor_printable(graph->initializer[i]);
  for (size_t i = 0; i < graph->n_input; i++) make_printable(graph->input[i]->name);
  for (size_t i = 0; i < graph->n_output; i++) make_printable(graph->output[i]->name);
}

gf_status gf__onnx_file_open(gf__onnx_file *out, const char *path) {
  char *bytes;
  size_t size;
  *out = (gf__onnx_file){.path = path};
  GF_TRY(gf__file_read_within(path, LARGEST_FILE, &bytes, &size));
  gf_status status = unpack(out, (const uint8_t *)bytes, size);
  free(bytes);
  if (status == GF_OK) status = check_operator_set(out);
  if (status == GF_OK) make_graph_printable(out->model->graph);
  return status;
}

void gf__onnx_file_free(gf__onnx_file *file) {
  ProtobufCAllocator allocator = counted_allocator(file);
  if (file->model) onnx__model_proto__free_unpacked(file->model, &allocator);
  for (size_t i = 0; i < file->kept_count; i++) free(file->kept[i]);
  free(file->kept);
  *file = (gf__onnx_file){0};
}

void *gf__onnx_file_keep(gf__onnx_file *file, size_t size) {
  if (gf__grow(&file->kept, file->kept_count, sizeof *file->kept) != GF_OK) return NULL;
  void *memory = malloc(size + 1);
  if (memory)
    file->kept[file->kept_count++] = memory;
  else
    (void)gf__fail_host_memory(size);
  return memory;
}

/* ---- tensors ---- */

typedef struct element_type {
  int32_t type;
  int bytes; /* of an element in raw data */
  bool is_float;
} element_type;

static const element_type element_types_[] = {
    {ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, 4, true},
    {ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE, 8, true},
    {ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16, 2, true},
    {ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16, 2, true},
    {ONNX__TENSOR_PROTO__DATA_TYPE__INT64, 8, false},
    {ONNX__TENSOR_PROTO__DATA_TYPE__INT32, 4, false},
    {ONNX__TENSOR_PROTO__DATA_TYPE__INT16, 2, false},
    {ONNX__TENSOR_PROTO__DATA_TYPE__INT8, 1, false},
    {ONNX__TENSOR_PROTO__DATA_TYPE__UINT8, 1, false},
    {ONNX__TENSOR_PROTO__DATA_TYPE__BOOL, 1, false},
};

static const element_type *find_type(int32_t type) {
  for (size_t i = 0; i < sizeof element_types_ / sizeof *element_types_; i++)
    if (element_types_[i].type == type) return &element_types_[i];
  return NULL;
}

static float float_of_half(unsigned bits) {
  unsigned exponent = bits >> 10 & 31, fraction = bits & 1023;
  float value = exponent == 31 ? 0 : (float)(exponent ? fraction | 1024 : fraction);
  for (unsigned e = exponent ? exponent : 1; e < 25; e++) value /= 2;
  for (unsigned e = 25; e < exponent; e++) value *= 2;
  if (exponent == 31) {
    unsigned wide = 0x7f800000U | fraction << 13;
    memcpy(&value, &wide, sizeof value);
  }
  return bits >> 15 ? -value : value;
}

static float float_of_brain(unsigned bits) {
  uint32_t wide = (uint32_t)bits << 16;
  float value;
  memcpy(&value, &wide, sizeof value);
  return value;
}

static float read_float(int32_t type, const uint8_t *at) {
  uint16_t half;
  double wide;
  float value;
  switch (type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
      memcpy(&value, at, sizeof value);
      return value;
    case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
      memcpy(&wide, at, sizeof wide);
      return (float)wide;
    default:
      memcpy(&half, at, sizeof half);
  }
  return type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16 ? float_of_half(half)
                                                        : float_of_brain(half);
}

static int64_t read_int(int32_t type, const uint8_t *at) {
  int64_t wide;
  int32_t whole;
  int16_t half;
  switch (type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
      memcpy(&wide, at, sizeof wide);
      return wide;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT32:
      memcpy(&whole, at, sizeof whole);
      return whole;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT16:
      memcpy(&half, at, sizeof half);
      return half;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT8:
      return (int8_t)*at;
    default:
      return *at;
  }
}

bool gf__onnx_shape_count(const gf__onnx_shape *shape, size_t *count) {
  *count = 1;
  for (int d = 0; d < shape->rank; d++) {
    if (shape->dims[d] < 0 || shape->dims[d] > INT_MAX) return false;
    *count *= (size_t)shape->dims[d];
    if (*count > INT_MAX) return false;
  }
  return true;
}

static const char *tensor_name(const Onnx__TensorProto *tensor) {
  return tensor->name && *tensor->name ? tensor->name : "a constant";
}

static gf_status fail_tensor(const gf__onnx_file *file, const Onnx__TensorProto *tensor,
                             const char *what) {
  return gf__fail(GF_ERROR_DATA, "%s: tensor '%.200s' %s", file->path, tensor_name(tensor), what);
}

static gf_status read_shape(const gf__onnx_file *file, const Onnx__TensorProto *tensor,
                            gf__onnx_elements *out) {
  if (tensor->n_dims > GF__ONNX_MOST_DIMS)
    return fail_tensor(file, tensor, "has more than 8 dimensions");
  out->shape.rank = (int)tensor->n_dims;
  if (tensor->n_dims) memcpy(out->shape.dims, tensor->dims, tensor->n_dims * sizeof *tensor->dims);
  if (gf__onnx_shape_count(&out->shape, &out->count)) return GF_OK;
  return fail_tensor(file, tensor, "has a negative dimension, or more elements than can be read");
}

/* The elements by raw bytes, in the byte order of the machine, which the format's is. */
static gf_status convert_raw(gf__onnx_file *file, const element_type *type, const uint8_t *bytes,
                             gf__onnx_elements *out) {
  size_t size = (size_t)type->bytes;
  if (type->is_float) {
    float *floats = gf__onnx_file_keep(file, out->count * sizeof *floats);
    if (!floats) return GF_ERROR_MEMORY;
    for (size_t i = 0; i < out->count; i++) floats[i] = read_float(type->type, bytes + i * size);
    out->floats = floats;
    return GF_OK;
  }
  int64_t *ints = gf__onnx_file_keep(file, out->count * sizeof *ints);
  if (!ints) return GF_ERROR_MEMORY;
  for (size_t i = 0; i < out->count; i++) ints[i] = read_int(type->type, bytes + i * size);
  out->ints = ints;
  return GF_OK;
}

/* 16-bit numbers lie in the lower halves of 32-bit integers. */
static gf_status convert_int32_data(gf__onnx_file *file, const Onnx__TensorProto *tensor,
                                    const element_type *type, gf__onnx_elements *out) {
  if (!type->is_float) {
    int64_t *ints = gf__onnx_file_keep(file, out->count * sizeof *ints);
    if (!ints) return GF_ERROR_MEMORY;
    for (size_t i = 0; i < out->count; i++) ints[i] = tensor->int32_data[i];
    out->ints = ints;
    return GF_OK;
  }
  float *floats = gf__onnx_file_keep(file, out->count * sizeof *floats);
  if (!floats) return GF_ERROR_MEMORY;
  for (size_t i = 0; i < out->count; i++) {
    uint64_t half = (uint16_t)tensor->int32_data[i]; /* as large as any element */
    floats[i] = read_float(type->type, (const uint8_t *)&half);
  }
  out->floats = floats;
  return GF_OK;
}

/* The elements in the lists that some types have. */
static gf_status read_lists(gf__onnx_file *file, const Onnx__TensorProto *tensor,
                            const element_type *type, gf__onnx_elements *out) {
  static const char wrong[] = "has not as many elements as its shape says, or of another type";
  size_t count = 0;
  switch (type->type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
      count = tensor->n_float_data;
      break;
    case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
      count = tensor->n_double_data;
      break;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
      count = tensor->n_int64_data;
      break;
    default:
      count = tensor->n_int32_data;
  }
  if (count != out->count) return fail_tensor(file, tensor, wrong);
  switch (type->type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT: {
      static const float none;
      out->floats = count ? tensor->float_data : &none;
      return GF_OK;
    }
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT64: {
      static const int64_t none;
      out->ints = count ? tensor->int64_data : &none;
      return GF_OK;
    }
    case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
      return convert_raw(file, type, (const uint8_t *)tensor->double_data, out);
    default:
      return convert_int32_data(file, tensor, type, out);
  }
}

/* ---- external data ---- */

static const char *external_entry(const Onnx__TensorProto *tensor, const char *key) {
  for (size_t i = 0; i < tensor->n_external_data; i++) {
    const Onnx__StringStringEntryProto *entry = tensor->external_data[i];
    if (entry->key && entry->value && !strcmp(entry->key, key)) return entry->value;
  }
  return NULL;
}

/* A whole number of bytes; absent where the entry is missing. */
static bool external_number(const Onnx__TensorProto *tensor, const char *key, long absent,
                            long *out) {
  const char *text = external_entry(tensor, key);
  char *end;
  *out = absent;
  if (!text) return true;
  if (*text < '0' || *text > '9') return false;
  *out = strtol(text, &end, 10);
  return !*end && *out < LONG_MAX;
}

/* The path of the external file, which has to be in the folder of the model or below it, links
 * followed. */
static gf_status external_path(const gf__onnx_file *file, const Onnx__TensorProto *tensor,
                               char path[GF__PATH_SIZE]) {
  const char *location = external_entry(tensor, "location");
  const char *base = gf__path_base(file->path);
  char folder[GF__PATH_SIZE];
  if (!location || !*location)
    return fail_tensor(file, tensor, "is in an external file that it does not name");
  if (base == file->path)
    snprintf(folder, sizeof folder, ".");
  else
    snprintf(folder, sizeof folder, "%.*s", (int)(base - file->path), file->path);
  if (*location == '/' || strstr(location, ".."))
    return gf__fail(GF_ERROR_DATA,
                    "%s: tensor '%.200s' is in %.500s, outside the folder of the model; external "
                    "data is read from that folder alone",
                    file->path, tensor_name(tensor), location);
  GF_TRY(gf__path_join(path, GF__PATH_SIZE, folder, location));
  if (!gf__path_is_regular(path))
    return gf__fail(GF_ERROR_FILE,
                    "%s: the file with tensor '%.200s' is not there: %s; copy it there, beside the "
                    "model",
                    file->path, tensor_name(tensor), path);
  if (gf__path_is_inside(path, folder)) return GF_OK;
  return gf__fail(GF_ERROR_DATA,
                  "%s: %s, with tensor '%.200s', is a link to outside the folder of the model; "
                  "external data is read from that folder alone: copy the file there",
                  file->path, path, tensor_name(tensor));
}

static gf_status read_range(const gf__onnx_file *file, const Onnx__TensorProto *tensor,
                            const char *path, long offset, void *out, size_t size) {
  FILE *stream = fopen(path, "rb");
  if (!stream) return gf__fail(GF_ERROR_FILE, "cannot open %s", path);
  bool is_whole = fseek(stream, 0, SEEK_END) == 0 && ftell(stream) >= offset &&
                  (unsigned long)(ftell(stream) - offset) >= size &&
                  fseek(stream, offset, SEEK_SET) == 0 &&
                  (size == 0 || fread(out, 1, size, stream) == size);
  fclose(stream);
  if (is_whole) return GF_OK;
  return gf__fail(
      GF_ERROR_DATA,
      "%s: %s has not the %zu bytes at byte %ld that tensor '%.200s' is; it is cut off, "
      "or of another model",
      file->path, path, size, offset, tensor_name(tensor));
}

static gf_status read_external(gf__onnx_file *file, const Onnx__TensorProto *tensor,
                               const element_type *type, gf__onnx_elements *out) {
  char path[GF__PATH_SIZE];
  long offset, length;
  size_t size = out->count * (size_t)type->bytes;
  GF_TRY(external_path(file, tensor, path));
  if (!external_number(tensor, "offset", 0, &offset) ||
      !external_number(tensor, "length", (long)size, &length) || (unsigned long)length != size)
    return fail_tensor(file, tensor,
                       "has external data whose offset or length is not that of its shape");
  /* Nothing is allocated for what the file does not have. */
  if (size) GF_TRY(read_range(file, tensor, path, offset + (long)size - 1, &(char){0}, 1));
  uint8_t *bytes = malloc(size + 1);
  if (!bytes) return gf__fail_host_memory(size);
  gf_status status = read_range(file, tensor, path, offset, bytes, size);
  if (status == GF_OK) status = convert_raw(file, type, bytes, out);
  free(bytes);
  return status;
}

gf_status gf__onnx_tensor_read(gf__onnx_file *file, const Onnx__TensorProto *tensor,
                               gf__onnx_elements *out) {
  const element_type *type = find_type(tensor->data_type);
  *out = (gf__onnx_elements){0};
  if (!type)
    return fail_tensor(
        file, tensor,
        "has elements of a type that is not read: numbers are FLOAT, DOUBLE, FLOAT16 "
        "or BFLOAT16; quantised models cannot be trained");
  GF_TRY(read_shape(file, tensor, out));
  if (tensor->has_data_location &&
      tensor->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
    return read_external(file, tensor, type, out);
  if (!tensor->has_raw_data) return read_lists(file, tensor, type, out);
  if (tensor->raw_data.len != out->count * (size_t)type->bytes)
    return fail_tensor(file, tensor, "has not as many bytes as its shape and type say");
  return convert_raw(file, type, tensor->raw_data.data, out);
}
