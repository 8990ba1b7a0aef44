#include "convert/onnx/shapes.h"

#include <limits.h>
#include <string.h>

#include "base/numbers.h"

bool gf__onnx_type_is_float(int64_t type) {
  return type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT ||
         type == ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE ||
         type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16 ||
         type == ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16;
}

gf_status gf__onnx_reshaped(gf__operation *op, gf__onnx_shape *out, bool *is_known) {
  const gf__onnx_shape *in = &op->in[0]->shape;
  int64_t list[GF__ONNX_MOST_DIMS];
  int count, open = -1;
  size_t known, all;
  GF_TRY(gf__operation_list(op, "shape", 1, list, GF__ONNX_MOST_DIMS, &count));
  *is_known = count >= 0;
  if (!*is_known) return GF_OK;
  bool keeps_zero = gf__operation_int(op, "allowzero", 0) != 0;
  out->rank = count;
  for (int d = 0; d < count; d++) {
    out->dims[d] = list[d];
    if (list[d] == 0 && !keeps_zero && d < in->rank) out->dims[d] = in->dims[d];
    if (list[d] != -1) continue;
    if (open >= 0) return gf__operation_fail(op, "has a shape with two sizes left open");
    open = d;
    out->dims[d] = 1;
  }
  if (!gf__onnx_shape_count(out, &known) || !gf__onnx_shape_count(in, &all))
    return gf__operation_fail(op, "has a shape with a negative or too large size");
  if (open >= 0 && known) out->dims[open] = (int64_t)(all / known);
  if (!gf__onnx_shape_count(out, &known) || known != all)
    return gf__operation_fail(op, "changes the number of elements");
  return GF_OK;
}

/* The axes of the attribute or the second input, made positive in a tensor of that rank. */
static gf_status axes_of(gf__operation *op, int rank, int64_t *out, int *count) {
  GF_TRY(gf__operation_list(op, "axes", 1, out, GF__ONNX_MOST_DIMS, count));
  for (int i = 0; i < *count; i++) {
    if (out[i] < 0) out[i] += rank;
    if (out[i] < 0 || out[i] >= rank)
      return gf__operation_fail(op, "has an axis that is not there");
  }
  return GF_OK;
}

static bool axes_have(const int64_t *axes, int count, int axis) {
  for (int i = 0; i < count; i++)
    if (axes[i] == axis) return true;
  return false;
}

gf_status gf__onnx_squeezed(gf__operation *op, gf__onnx_shape *out, int *from, bool *is_known) {
  const gf__onnx_shape *in = &op->in[0]->shape;
  int64_t axes[GF__ONNX_MOST_DIMS];
  int count;
  GF_TRY(axes_of(op, in->rank, axes, &count));
  *is_known = count != -2;
  *out = (gf__onnx_shape){0};
  for (int d = 0; d < in->rank; d++) {
    bool is_removed = count == -1 ? in->dims[d] == 1 : axes_have(axes, count, d);
    if (is_removed && in->dims[d] != 1)
      return gf__operation_fail(op, "removes an axis whose size is not 1");
    if (is_removed) continue;
    from[out->rank] = d;
    out->dims[out->rank++] = in->dims[d];
  }
  return GF_OK;
}

gf_status gf__onnx_unsqueezed(gf__operation *op, gf__onnx_shape *out, int *from, bool *is_known) {
  const gf__onnx_shape *in = &op->in[0]->shape;
  int64_t axes[GF__ONNX_MOST_DIMS];
  int count, next = 0;
  GF_TRY(gf__operation_list(op, "axes", 1, axes, GF__ONNX_MOST_DIMS, &count));
  *is_known = count != -2;
  if (!*is_known) return GF_OK;
  out->rank = in->rank + GF__MAX(count, 0);
  if (count < 0 || out->rank > GF__ONNX_MOST_DIMS)
    return gf__operation_fail(op, "has no axes, or too many");
  GF_TRY(axes_of(op, out->rank, axes, &count));
  for (int d = 0; d < out->rank; d++) {
    bool is_new = axes_have(axes, count, d);
    if (!is_new && next == in->rank) return gf__operation_fail(op, "has an axis twice");
    from[d] = is_new ? -1 : next++;
    out->dims[d] = is_new ? 1 : in->dims[from[d]];
  }
  return GF_OK;
}

gf_status gf__onnx_permutation(gf__operation *op, int *out) {
  int rank = op->in[0]->shape.rank;
  int64_t list[GF__ONNX_MOST_DIMS];
  int count = gf__operation_ints(op, "perm", list, GF__ONNX_MOST_DIMS);
  bool is_there[GF__ONNX_MOST_DIMS] = {false};
  if (count >= 0 && count != rank) return gf__operation_fail(op, "has an order of other axes");
  for (int d = 0; d < rank; d++) {
    int64_t axis = count < 0 ? rank - 1 - d : list[d];
    if (axis < 0 || axis >= rank || is_there[axis])
      return gf__operation_fail(op, "has an order of other axes");
    is_there[axis] = true;
    out[d] = (int)axis;
  }
  return GF_OK;
}

/* A slice as Python and ONNX have it: ends count from the back where they are negative, and lie at
 * the axis's ends where they are past them. */
static gf__onnx_range range_of(int64_t size, int64_t start, int64_t end, int64_t step) {
  step = GF__CLAMP(step, -INT_MAX, INT_MAX);
  if (start < 0) start += size;
  if (end < 0) end += size;
  int64_t low = step > 0 ? 0 : -1, high = step > 0 ? size : size - 1;
  start = GF__CLAMP(start, step > 0 ? 0 : (size ? 0 : -1), high);
  end = GF__CLAMP(end, low, high);
  int64_t span = step > 0 ? end - start : start - end, stride = step > 0 ? step : -step;
  return (gf__onnx_range){start, step, span > 0 ? (span + stride - 1) / stride : 0};
}

gf_status gf__onnx_slices(gf__operation *op, gf__onnx_range *out, bool *is_known) {
  const gf__onnx_shape *in = &op->in[0]->shape;
  int64_t lists[4][GF__ONNX_MOST_DIMS]; /* starts, ends, axes, steps */
  int counts[4];
  static const char *const names[] = {"starts", "ends", "axes", "steps"};
  *is_known = true;
  for (int i = 0; i < 4 && *is_known; i++) {
    GF_TRY(gf__operation_list(op, names[i], i + 1, lists[i], GF__ONNX_MOST_DIMS, &counts[i]));
    *is_known = counts[i] != -2;
  }
  if (!*is_known) return GF_OK;
  for (int d = 0; d < in->rank; d++) out[d] = (gf__onnx_range){0, 1, in->dims[d]};
  if (counts[0] < 0 || counts[0] != counts[1] || (counts[2] >= 0 && counts[2] != counts[0]) ||
      (counts[3] >= 0 && counts[3] != counts[0]) || counts[0] > in->rank)
    return gf__operation_fail(op, "has lists of different lengths");
  for (int i = 0; i < counts[0]; i++) {
    int64_t axis = counts[2] < 0 ? i : lists[2][i], step = counts[3] < 0 ? 1 : lists[3][i];
    if (axis < 0) axis += in->rank;
    if (axis < 0 || axis >= in->rank || !step)
      return gf__operation_fail(op, "has an axis that is not there, or a step of 0");
    out[axis] = range_of(in->dims[axis], lists[0][i], lists[1][i], step);
  }
  return GF_OK;
}
