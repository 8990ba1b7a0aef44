/* Constants that nodes compute from constants: shapes above all, and weights in another order. */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "base/numbers.h"
#include "convert/onnx/importing.h"
#include "convert/onnx/shapes.h"

/* ---- elements by strides ---- */

static void packed_strides(const gf__onnx_shape *shape, int64_t *strides) {
  int64_t step = 1;
  for (int d = shape->rank - 1; d >= 0; d--) {
    strides[d] = step;
    step *= shape->dims[d];
  }
}

/* Where element i of a tensor of the shape is, by the strides. */
static size_t strided(const gf__onnx_shape *shape, const int64_t *strides, size_t i) {
  int64_t at = 0;
  for (int d = shape->rank - 1; d >= 0; d--) {
    at += (int64_t)(i % (size_t)shape->dims[d]) * strides[d];
    i /= (size_t)shape->dims[d];
  }
  return (size_t)at;
}

/* The parameter that a constant is in another order or shape. */
static void keep_parameter(gf__operation *op) {
  const gf__import_value *in = op->in[0];
  op->out->parameter = in->parameter ? in->parameter : in->is_parameter ? in->name : NULL;
}

/* The output of out->shape: its element i is that of the input at first and strides. */
static gf_status fold_strided(gf__operation *op, gf__onnx_elements *out, int64_t first,
                              const int64_t *strides) {
  gf__onnx_elements in;
  float *floats = NULL;
  int64_t *ints = NULL;
  GF_TRY(gf__import_elements(op->importing, op->in[0], &in));
  GF_TRY(gf__operation_room(op, out, in.floats, &floats, &ints));
  for (size_t i = 0; i < out->count; i++) {
    size_t at = (size_t)first + strided(&out->shape, strides, i);
    if (floats)
      floats[i] = in.floats[at];
    else
      ints[i] = in.ints[at];
  }
  return gf__operation_constant(op, out);
}

/* The input in another shape of as many elements. */
static gf_status fold_in_shape(gf__operation *op, const gf__onnx_shape *shape) {
  gf__onnx_elements elements;
  size_t count;
  GF_TRY(gf__import_elements(op->importing, op->in[0], &elements));
  if (!gf__onnx_shape_count(shape, &count) || count != elements.count)
    return gf__operation_fail(op, "changes the number of elements");
  elements.shape = *shape;
  keep_parameter(op);
  return gf__operation_constant(op, &elements);
}

/* ---- without a change of elements ---- */

gf_status gf__operation_fold_same(gf__operation *op) {
  gf__onnx_elements elements;
  GF_TRY(gf__import_elements(op->importing, op->in[0], &elements));
  op->out->is_parameter = op->in[0]->is_parameter;
  op->out->parameter = op->in[0]->parameter;
  return gf__operation_constant(op, &elements);
}

gf_status gf__operation_fold_reshape(gf__operation *op) {
  gf__onnx_shape shape;
  bool is_known;
  GF_TRY(gf__onnx_reshaped(op, &shape, &is_known));
  return is_known ? fold_in_shape(op, &shape) : GF_OK;
}

gf_status gf__operation_fold_flatten(gf__operation *op) {
  const gf__onnx_shape *in = &op->in[0]->shape;
  gf__onnx_shape shape = {.rank = 2, .dims = {1, 1}};
  int64_t axis = gf__operation_int(op, "axis", 1);
  if (axis < 0) axis += in->rank;
  if (axis < 0 || axis > in->rank) return gf__operation_fail(op, "has an axis that is not there");
  for (int d = 0; d < in->rank; d++) shape.dims[d >= axis] *= in->dims[d];
  return fold_in_shape(op, &shape);
}

gf_status gf__operation_fold_squeeze(gf__operation *op) {
  gf__onnx_shape shape;
  int from[GF__ONNX_MOST_DIMS];
  bool is_known;
  GF_TRY(gf__onnx_squeezed(op, &shape, from, &is_known));
  return is_known ? fold_in_shape(op, &shape) : GF_OK;
}

gf_status gf__operation_fold_unsqueeze(gf__operation *op) {
  gf__onnx_shape shape;
  int from[GF__ONNX_MOST_DIMS];
  bool is_known;
  GF_TRY(gf__onnx_unsqueezed(op, &shape, from, &is_known));
  return is_known ? fold_in_shape(op, &shape) : GF_OK;
}

/* ---- constants of their own ---- */

static gf_status constant_of_ints(gf__operation *op, const int64_t *values, size_t count,
                                  int rank) {
  gf__onnx_elements out = {.shape = {rank, {(int64_t)count}}};
  float *floats;
  int64_t *ints = NULL;
  GF_TRY(gf__operation_room(op, &out, false, &floats, &ints));
  if (count) memcpy(ints, values, count * sizeof *ints);
  return gf__operation_constant(op, &out);
}

static gf_status constant_of_floats(gf__operation *op, const float *values, size_t count,
                                    int rank) {
  gf__onnx_elements out = {.shape = {rank, {(int64_t)count}}};
  float *floats = NULL;
  int64_t *ints;
  GF_TRY(gf__operation_room(op, &out, true, &floats, &ints));
  if (count) memcpy(floats, values, count * sizeof *floats);
  return gf__operation_constant(op, &out);
}

gf_status gf__operation_fold_constant(gf__operation *op) {
  const Onnx__AttributeProto *a = op->node->n_attribute ? op->node->attribute[0] : NULL;
  gf__onnx_elements elements;
  if (!a || op->node->n_attribute > 1) return gf__operation_fail(op, "has not one value");
  switch (a->type) {
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR:
      GF_TRY(gf__onnx_tensor_read(op->importing->file, a->t, &elements));
      return gf__operation_constant(op, &elements);
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT:
      return constant_of_ints(op, &a->i, 1, 0);
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS:
      return constant_of_ints(op, a->ints, a->n_ints, 1);
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT:
      return constant_of_floats(op, &a->f, 1, 0);
    default:
      return constant_of_floats(op, a->floats, a->n_floats, 1);
  }
}

/* The dims that an input has as its elements. */
static gf_status shape_of_input(gf__operation *op, int input, gf__onnx_shape *out) {
  gf__onnx_elements list;
  size_t count;
  GF_TRY(gf__import_elements(op->importing, op->in[input], &list));
  if (!list.ints || list.count > GF__ONNX_MOST_DIMS || list.shape.rank > 1)
    return gf__operation_fail(op, "has a shape that is none");
  out->rank = (int)list.count;
  for (int d = 0; d < out->rank; d++) out->dims[d] = list.ints[d];
  return gf__onnx_shape_count(out, &count)
             ? GF_OK
             : gf__operation_fail(op, "has a shape with a negative or too large size");
}

gf_status gf__operation_fold_constant_of_shape(gf__operation *op) {
  const Onnx__AttributeProto *a = gf__operation_attribute(op, "value");
  gf__onnx_elements out = {0}, value = {.floats = (const float[]){0}, .count = 1};
  float *floats = NULL;
  int64_t *ints = NULL;
  GF_TRY(shape_of_input(op, 0, &out.shape));
  if (a) GF_TRY(gf__onnx_tensor_read(op->importing->file, a->t, &value));
  if (value.count != 1) return gf__operation_fail(op, "has not one value");
  GF_TRY(gf__operation_room(op, &out, value.floats, &floats, &ints));
  for (size_t i = 0; i < out.count; i++)
    if (value.floats)
      floats[i] = value.floats[0];
    else if (value.ints)
      ints[i] = value.ints[0];
  return gf__operation_constant(op, &out);
}

gf_status gf__operation_fold_range(gf__operation *op) {
  int64_t bounds[3];
  for (int i = 0; i < 3; i++) {
    gf__onnx_elements number;
    GF_TRY(gf__import_elements(op->importing, op->in[i], &number));
    if (!number.ints || number.count != 1)
      return gf__operation_fail(op, "has bounds that are none");
    bounds[i] = GF__CLAMP(number.ints[0], -INT_MAX, INT_MAX);
  }
  int64_t step = bounds[2], count = 0;
  if (step) count = (bounds[1] - bounds[0] + step - (step > 0 ? 1 : -1)) / step;
  gf__onnx_elements out = {.shape = {1, {count > 0 ? count : 0}}};
  float *floats;
  int64_t *ints = NULL;
  GF_TRY(gf__operation_room(op, &out, false, &floats, &ints));
  for (size_t i = 0; i < out.count; i++) ints[i] = bounds[0] + (int64_t)i * step;
  return gf__operation_constant(op, &out);
}

/* ---- other shapes ---- */

/* The strides of a tensor in a shape that it is broadcast to: those of its own dims, or 0. */
static bool broadcast_strides(const gf__onnx_shape *from, const gf__onnx_shape *to,
                              int64_t *strides) {
  int64_t packed[GF__ONNX_MOST_DIMS];
  int missing = to->rank - from->rank;
  if (missing < 0) return false;
  packed_strides(from, packed);
  for (int d = 0; d < to->rank; d++) {
    int64_t size = d < missing ? 1 : from->dims[d - missing];
    if (size != 1 && size != to->dims[d]) return false;
    strides[d] = size == 1 ? 0 : packed[d - missing];
  }
  return true;
}

static bool broadcast_shape(const gf__onnx_shape *a, const gf__onnx_shape *b, gf__onnx_shape *out) {
  out->rank = GF__MAX(a->rank, b->rank);
  for (int d = 1; d <= out->rank; d++) {
    int64_t x = d > a->rank ? 1 : a->dims[a->rank - d], y = d > b->rank ? 1 : b->dims[b->rank - d];
    if (x != y && x != 1 && y != 1) return false;
    out->dims[out->rank - d] = x == 1 ? y : x;
  }
  return true;
}

gf_status gf__operation_fold_expand(gf__operation *op) {
  gf__onnx_elements out = {0};
  gf__onnx_shape wanted;
  int64_t strides[GF__ONNX_MOST_DIMS];
  GF_TRY(shape_of_input(op, 1, &wanted));
  if (!broadcast_shape(&op->in[0]->shape, &wanted, &out.shape) ||
      !broadcast_strides(&op->in[0]->shape, &out.shape, strides))
    return gf__operation_fail(op, "expands to a shape that does not fit");
  return fold_strided(op, &out, 0, strides);
}

gf_status gf__operation_fold_transpose(gf__operation *op) {
  const gf__onnx_shape *in = &op->in[0]->shape;
  gf__onnx_elements out = {0};
  int64_t packed[GF__ONNX_MOST_DIMS], strides[GF__ONNX_MOST_DIMS];
  int order[GF__ONNX_MOST_DIMS];
  GF_TRY(gf__onnx_permutation(op, order));
  packed_strides(in, packed);
  out.shape.rank = in->rank;
  for (int d = 0; d < in->rank; d++) {
    out.shape.dims[d] = in->dims[order[d]];
    strides[d] = packed[order[d]];
  }
  keep_parameter(op);
  return fold_strided(op, &out, 0, strides);
}

gf_status gf__operation_fold_slice(gf__operation *op) {
  gf__onnx_elements out = {0};
  gf__onnx_range ranges[GF__ONNX_MOST_DIMS];
  int64_t strides[GF__ONNX_MOST_DIMS], first = 0;
  bool is_known;
  GF_TRY(gf__onnx_slices(op, ranges, &is_known));
  if (!is_known) return GF_OK;
  packed_strides(&op->in[0]->shape, strides);
  out.shape.rank = op->in[0]->shape.rank;
  for (int d = 0; d < out.shape.rank; d++) {
    out.shape.dims[d] = ranges[d].count;
    first += ranges[d].first * strides[d];
    strides[d] *= ranges[d].step;
  }
  return fold_strided(op, &out, first, strides);
}

/* The product of dims [first, last). */
static int64_t dims_product(const gf__onnx_shape *shape, int first, int last) {
  int64_t product = 1;
  for (int d = first; d < last; d++) product *= shape->dims[d];
  return product;
}

/* Copies count elements; to has room for as many more as are copied. */
static void copy_elements(const gf__onnx_elements *from, int64_t at, float *floats, int64_t *ints,
                          int64_t to, int64_t count) {
  if (count == 0) return;
  if (floats)
    memcpy(floats + to, from->floats + at, (size_t)count * sizeof *floats);
  else
    memcpy(ints + to, from->ints + at, (size_t)count * sizeof *ints);
}

gf_status gf__operation_fold_gather(gf__operation *op) {
  gf__onnx_elements data, indices, out = {0};
  float *floats = NULL;
  int64_t *ints = NULL, axis = gf__operation_int(op, "axis", 0);
  GF_TRY(gf__import_elements(op->importing, op->in[0], &data));
  GF_TRY(gf__import_elements(op->importing, op->in[1], &indices));
  if (axis < 0) axis += data.shape.rank;
  out.shape.rank = data.shape.rank + indices.shape.rank - 1;
  if (axis < 0 || axis >= data.shape.rank || !indices.ints || out.shape.rank > GF__ONNX_MOST_DIMS)
    return gf__operation_fail(op, "has an axis or indices that do not fit");
  int at = 0;
  for (int d = 0; d < axis; d++) out.shape.dims[at++] = data.shape.dims[d];
  for (int d = 0; d < indices.shape.rank; d++) out.shape.dims[at++] = indices.shape.dims[d];
  for (int d = (int)axis + 1; d < data.shape.rank; d++) out.shape.dims[at++] = data.shape.dims[d];
  GF_TRY(gf__operation_room(op, &out, data.floats, &floats, &ints));
  int64_t size = data.shape.dims[axis], outer = dims_product(&data.shape, 0, (int)axis),
          inner = dims_product(&data.shape, (int)axis + 1, data.shape.rank), to = 0;
  for (int64_t o = 0; o < outer && out.count; o++)
    for (size_t i = 0; i < indices.count; i++, to += inner) {
      int64_t index = indices.ints[i] < 0 ? indices.ints[i] + size : indices.ints[i];
      if (index < 0 || index >= size) return gf__operation_fail(op, "has an index out of range");
      copy_elements(&data, (o * size + index) * inner, floats, ints, to, inner);
    }
  return gf__operation_constant(op, &out);
}

/* The shape of the constants one after the other along axis. */
static gf_status concat_shape(gf__operation *op, int64_t axis, bool is_float, gf__onnx_shape *out) {
  *out = op->in[0]->shape;
  for (int i = 1; i < op->in_count; i++) {
    gf__onnx_elements next;
    GF_TRY(gf__import_elements(op->importing, op->in[i], &next));
    bool fits = next.shape.rank == out->rank && (next.floats != NULL) == is_float;
    for (int d = 0; fits && d < out->rank; d++)
      fits = d == axis || next.shape.dims[d] == out->dims[d];
    if (!fits) return gf__operation_fail(op, "has inputs that do not fit together");
    out->dims[axis] += next.shape.dims[axis];
  }
  return GF_OK;
}

gf_status gf__operation_fold_concat(gf__operation *op) {
  gf__onnx_elements first, next, out = {0};
  float *floats = NULL;
  int64_t *ints = NULL, axis = gf__operation_int(op, "axis", 0), begin = 0;
  for (int i = 0; i < op->in_count; i++)
    if (!op->in[i]) return gf__operation_fail(op, "lacks an input");
  GF_TRY(gf__import_elements(op->importing, op->in[0], &first));
  if (axis < 0) axis += first.shape.rank;
  if (axis < 0 || axis >= first.shape.rank)
    return gf__operation_fail(op, "has an axis that is not there");
  GF_TRY(concat_shape(op, axis, first.floats, &out.shape));
  GF_TRY(gf__operation_room(op, &out, first.floats, &floats, &ints));
  int64_t outer = dims_product(&out.shape, 0, (int)axis),
          inner = dims_product(&out.shape, (int)axis + 1, out.shape.rank),
          row = out.shape.dims[axis] * inner;
  for (int i = 0; i < op->in_count; i++) {
    GF_TRY(gf__import_elements(op->importing, op->in[i], &next));
    int64_t size = next.shape.dims[axis] * inner;
    for (int64_t o = 0; o < outer; o++)
      copy_elements(&next, o * size, floats, ints, o * row + begin, size);
    begin += size;
  }
  return gf__operation_constant(op, &out);
}

/* ---- numbers ---- */

static int64_t whole_of(float number) {
  if (!(number > -9e18F && number < 9e18F)) return 0;
  return (int64_t)number;
}

gf_status gf__operation_fold_cast(gf__operation *op) {
  gf__onnx_elements in, out;
  float *floats = NULL;
  int64_t *ints = NULL, to = gf__operation_int(op, "to", 0);
  GF_TRY(gf__import_elements(op->importing, op->in[0], &in));
  bool is_float = gf__onnx_type_is_float(to);
  if (is_float == (in.floats != NULL) && to != ONNX__TENSOR_PROTO__DATA_TYPE__BOOL)
    return gf__operation_constant(op, &in);
  out = (gf__onnx_elements){.shape = in.shape};
  GF_TRY(gf__operation_room(op, &out, is_float, &floats, &ints));
  for (size_t i = 0; i < out.count; i++) {
    if (is_float)
      floats[i] = (float)in.ints[i];
    else if (!in.floats)
      ints[i] = in.ints[i] != 0; /* to BOOL */
    else if (to == ONNX__TENSOR_PROTO__DATA_TYPE__BOOL)
      ints[i] = in.floats[i] != 0;
    else
      ints[i] = whole_of(in.floats[i]);
  }
  return gf__operation_constant(op, &out);
}

static float compute_float(char how, float a, float b) {
  switch (how) {
    case 'A':
      return a + b;
    case 'S':
      return a - b;
    case 'M':
      return a * b;
    case 'D':
      return a / b;
    case 'N':
      return -a;
    default:
      return sqrtf(a);
  }
}

/* Without the overflows of damaged files. */
static int64_t compute_int(char how, int64_t a, int64_t b) {
  uint64_t x = (uint64_t)a, y = (uint64_t)b;
  switch (how) {
    case 'A':
      return (int64_t)(x + y);
    case 'S':
      return (int64_t)(x - y);
    case 'M':
      return (int64_t)(x * y);
    case 'D':
      return b == 0 ? 0 : b == -1 ? (int64_t)(0 - x) : a / b;
    case 'N':
      return (int64_t)(0 - x);
    default:
      return 0;
  }
}

/* The letter of an operator with an element, or with two. */
static char arithmetic_of(const char *op) { return (char)(!strcmp(op, "Sqrt") ? 'Q' : *op); }

gf_status gf__operation_fold_arithmetic(gf__operation *op) {
  gf__onnx_elements a, b, out = {0};
  float *floats = NULL;
  int64_t *ints = NULL, x[GF__ONNX_MOST_DIMS] = {0}, y[GF__ONNX_MOST_DIMS] = {0};
  char how = arithmetic_of(op->node->op_type);
  GF_TRY(gf__import_elements(op->importing, op->in[0], &a));
  GF_TRY(gf__import_elements(op->importing, op->in[op->in_count - 1], &b));
  if (!broadcast_shape(&a.shape, &b.shape, &out.shape) ||
      !broadcast_strides(&a.shape, &out.shape, x) || !broadcast_strides(&b.shape, &out.shape, y) ||
      (a.floats != NULL) != (b.floats != NULL))
    return gf__operation_fail(op, "has operands that do not fit together");
  GF_TRY(gf__operation_room(op, &out, a.floats, &floats, &ints));
  for (size_t i = 0; i < out.count; i++) {
    size_t at = strided(&out.shape, x, i), with = strided(&out.shape, y, i);
    if (a.floats && b.floats)
      floats[i] = compute_float(how, a.floats[at], b.floats[with]);
    else if (a.ints && b.ints)
      ints[i] = compute_int(how, a.ints[at], b.ints[with]);
  }
  return gf__operation_constant(op, &out);
}
