/* Messages of onnx.proto, packed by protobuf-c. */
#include "convert/onnx/builder.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <gradflow/convert.h>
#include <gradflow/device.h>

#include "base/file.h"
#include "onnx.pb-c.h"

/* Of onnx 1.8, which brought operator set 13. */
enum { IR_VERSION = 7 };
enum { MOST_ATTRIBUTES = 8 }; /* of a node; ConvTranspose has six */

/* Lists are arrays of pointers. */
struct gf__onnx {
  gf__text kept; /* everything that is to be freed */
  gf__text nodes, weights, notes;
  Onnx__NodeProto *node; /* the last */
  Onnx__ValueInfoProto *input, *output;
  bool failed;
};

gf_status gf__onnx_new(gf__onnx **out) {
  *out = calloc(1, sizeof **out);
  return *out ? GF_OK : gf__fail_host_memory(sizeof **out);
}

static size_t length_of(const gf__text *list) { return list->size / sizeof(void *); }

void gf__onnx_free(gf__onnx **onnx) {
  gf__onnx *o = *onnx;
  if (!o) return;
  for (size_t i = 0; i < length_of(&o->kept); i++) free(((void **)(void *)o->kept.data)[i]);
  gf__text_free(&o->kept);
  gf__text_free(&o->nodes);
  gf__text_free(&o->weights);
  gf__text_free(&o->notes);
  free(o);
  *onnx = NULL;
}

static void add(gf__onnx *o, gf__text *list, void *item) {
  gf__text_add_bytes(list, &item, sizeof item);
  o->failed |= list->failed;
}

/* A copy that lives as long as the model; NULL after a failure. */
static void *keep(gf__onnx *o, const void *bytes, size_t size) {
  void *copy = o->failed ? NULL : malloc(size);
  o->failed |= !copy;
  if (!copy) return NULL;
  memcpy(copy, bytes, size);
  add(o, &o->kept, copy);
  if (!o->failed) return copy;
  free(copy);
  return NULL;
}

static char *keep_text(gf__onnx *o, const char *text) { return keep(o, text, strlen(text) + 1); }

/* ---- nodes ---- */

void gf__onnx_node(gf__onnx *o, const char *op, const char *name, const char *const *inputs,
                   int input_count, const char *output) {
  Onnx__NodeProto node = ONNX__NODE_PROTO__INIT;
  void *none[MOST_ATTRIBUTES] = {0};
  char *output_name = keep_text(o, output);
  node.op_type = keep_text(o, op);
  node.name = keep_text(o, name);
  node.input = keep(o, inputs, (size_t)input_count * sizeof *inputs);
  node.n_input = (size_t)input_count;
  for (int i = 0; i < input_count && !o->failed; i++) node.input[i] = keep_text(o, inputs[i]);
  node.output = keep(o, &output_name, sizeof output_name);
  node.n_output = 1;
  node.attribute = keep(o, none, sizeof none);
  o->node = keep(o, &node, sizeof node);
  if (!o->failed) add(o, &o->nodes, o->node);
}

static void add_attribute(gf__onnx *o, Onnx__AttributeProto *attribute, const char *name) {
  attribute->name = keep_text(o, name);
  attribute->has_type = 1;
  void *copy = keep(o, attribute, sizeof *attribute);
  if (!o->failed) o->node->attribute[o->node->n_attribute++] = copy;
}

void gf__onnx_ints(gf__onnx *o, const char *name, const int64_t *values, int count) {
  Onnx__AttributeProto attribute = ONNX__ATTRIBUTE_PROTO__INIT;
  attribute.type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
  attribute.n_ints = (size_t)count;
  attribute.ints = keep(o, values, (size_t)count * sizeof *values);
  add_attribute(o, &attribute, name);
}

void gf__onnx_int(gf__onnx *o, const char *name, int64_t value) {
  Onnx__AttributeProto attribute = ONNX__ATTRIBUTE_PROTO__INIT;
  attribute.type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
  attribute.has_i = 1;
  attribute.i = value;
  add_attribute(o, &attribute, name);
}

void gf__onnx_float(gf__onnx *o, const char *name, float value) {
  Onnx__AttributeProto attribute = ONNX__ATTRIBUTE_PROTO__INIT;
  attribute.type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
  attribute.has_f = 1;
  attribute.f = value;
  add_attribute(o, &attribute, name);
}

/* ---- initialisers ---- */

static void add_tensor(gf__onnx *o, Onnx__TensorProto *tensor, const char *name) {
  tensor->name = keep_text(o, name);
  tensor->has_data_type = 1;
  void *copy = keep(o, tensor, sizeof *tensor);
  if (!o->failed) add(o, &o->weights, copy);
}

void gf__onnx_weight(gf__onnx *o, const gf__named_tensor *t) {
  Onnx__TensorProto tensor = ONNX__TENSOR_PROTO__INIT;
  int64_t dims[sizeof t->dims / sizeof *t->dims];
  for (int d = 0; d < t->dim_count; d++) dims[d] = t->dims[d];
  tensor.data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
  tensor.n_dims = (size_t)t->dim_count;
  tensor.dims = keep(o, dims, sizeof dims);
  tensor.n_float_data = t->count;
  tensor.float_data = t->values;
  add_tensor(o, &tensor, t->name);
}

void gf__onnx_numbers(gf__onnx *o, const char *name, const int64_t *values, int count) {
  Onnx__TensorProto tensor = ONNX__TENSOR_PROTO__INIT;
  int64_t dims[] = {count};
  tensor.data_type = ONNX__TENSOR_PROTO__DATA_TYPE__INT64;
  tensor.n_dims = 1;
  tensor.dims = keep(o, dims, sizeof dims);
  tensor.n_int64_data = (size_t)count;
  tensor.int64_data = keep(o, values, (size_t)count * sizeof *values);
  add_tensor(o, &tensor, name);
}

void gf__onnx_number(gf__onnx *o, const char *name, float value) {
  Onnx__TensorProto tensor = ONNX__TENSOR_PROTO__INIT;
  tensor.data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
  tensor.n_float_data = 1;
  tensor.float_data = keep(o, &value, sizeof value);
  add_tensor(o, &tensor, name);
}

float *gf__onnx_matrix(gf__onnx *o, const char *name, int rows, int columns) {
  Onnx__TensorProto tensor = ONNX__TENSOR_PROTO__INIT;
  int64_t dims[] = {rows, columns};
  size_t count = (size_t)rows * (size_t)columns;
  float *zeros = calloc(count, sizeof *zeros);
  o->failed |= !zeros;
  tensor.data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
  tensor.n_dims = 2;
  tensor.dims = keep(o, dims, sizeof dims);
  tensor.n_float_data = count;
  tensor.float_data = keep(o, zeros, count * sizeof *zeros);
  free(zeros);
  add_tensor(o, &tensor, name);
  return tensor.float_data;
}

/* ---- input, output, metadata ---- */

static Onnx__TensorShapeProto__Dimension *keep_batch(gf__onnx *o) {
  Onnx__TensorShapeProto__Dimension dimension = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__INIT;
  dimension.value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
  dimension.dim_param = keep_text(o, "batch");
  return keep(o, &dimension, sizeof dimension);
}

static Onnx__TensorShapeProto__Dimension *keep_dimension(gf__onnx *o, int64_t size) {
  Onnx__TensorShapeProto__Dimension dimension = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__INIT;
  dimension.value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
  dimension.dim_value = size;
  return keep(o, &dimension, sizeof dimension);
}

static Onnx__ValueInfoProto *keep_value(gf__onnx *o, const char *name, const int64_t *dims,
                                        int count) {
  enum { MOST_DIMS = 6 };
  Onnx__TensorShapeProto__Dimension *list[MOST_DIMS] = {keep_batch(o)};
  Onnx__TensorShapeProto shape = ONNX__TENSOR_SHAPE_PROTO__INIT;
  Onnx__TypeProto__Tensor tensor = ONNX__TYPE_PROTO__TENSOR__INIT;
  Onnx__TypeProto type = ONNX__TYPE_PROTO__INIT;
  Onnx__ValueInfoProto value = ONNX__VALUE_INFO_PROTO__INIT;
  for (int d = 0; d < count; d++) list[d + 1] = keep_dimension(o, dims[d]);
  shape.n_dim = (size_t)count + 1;
  shape.dim = keep(o, list, sizeof list);
  tensor.has_elem_type = 1;
  tensor.elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
  tensor.shape = keep(o, &shape, sizeof shape);
  type.value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
  type.tensor_type = keep(o, &tensor, sizeof tensor);
  value.name = keep_text(o, name);
  value.type = keep(o, &type, sizeof type);
  return keep(o, &value, sizeof value);
}

void gf__onnx_input(gf__onnx *o, const char *name, const int64_t *dims, int count) {
  o->input = keep_value(o, name, dims, count);
}

void gf__onnx_output(gf__onnx *o, const char *name, const int64_t *dims, int count) {
  o->output = keep_value(o, name, dims, count);
}

void gf__onnx_note(gf__onnx *o, const char *key, const char *text) {
  Onnx__StringStringEntryProto note = ONNX__STRING_STRING_ENTRY_PROTO__INIT;
  note.key = keep_text(o, key);
  note.value = keep_text(o, text);
  void *copy = keep(o, &note, sizeof note);
  if (!o->failed) add(o, &o->notes, copy);
}

/* ---- the file ---- */

static gf_status pack(const Onnx__ModelProto *model, const char *path) {
  size_t size = onnx__model_proto__get_packed_size(model);
  if (size > INT_MAX)
    return gf__fail(GF_ERROR_DATA,
                    "%s would have %zu bytes, more than the %d that an ONNX file may have; its "
                    "network is too large for one",
                    path, size, INT_MAX);
  uint8_t *bytes = malloc(size);
  if (!bytes) return gf__fail_host_memory(size);
  onnx__model_proto__pack(model, bytes);
  gf_status status = gf__file_write(path, bytes, size);
  free(bytes);
  return status;
}

gf_status gf__onnx_write(gf__onnx *o, const char *name, const char *path) {
  static char domain[] = "", producer[] = "gradflow";
  Onnx__ModelProto model = ONNX__MODEL_PROTO__INIT;
  Onnx__GraphProto graph = ONNX__GRAPH_PROTO__INIT;
  Onnx__OperatorSetIdProto set = ONNX__OPERATOR_SET_ID_PROTO__INIT;
  Onnx__OperatorSetIdProto *sets[] = {&set};
  graph.name = keep_text(o, name);
  model.producer_version = keep_text(o, gf_versions_get().program);
  if (o->failed) return gf__fail(GF_ERROR_MEMORY, "out of host memory for the ONNX model");
  graph.node = (void *)o->nodes.data;
  graph.n_node = length_of(&o->nodes);
  graph.initializer = (void *)o->weights.data;
  graph.n_initializer = length_of(&o->weights);
  graph.input = &o->input;
  graph.output = &o->output;
  graph.n_input = graph.n_output = 1;
  set.domain = domain;
  set.has_version = 1;
  set.version = GF_ONNX_OPSET;
  model.has_ir_version = 1;
  model.ir_version = IR_VERSION;
  model.opset_import = sets;
  model.n_opset_import = 1;
  model.producer_name = producer;
  model.graph = &graph;
  model.metadata_props = (void *)o->notes.data;
  model.n_metadata_props = length_of(&o->notes);
  return pack(&model, path);
}
