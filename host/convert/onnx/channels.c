/* Operators that divide the channels of activations: into ranges, and into groups that are
 * shuffled.
 */
#include <string.h>

#include "convert/onnx/importing.h"

gf_status gf__operation_slice_channels(gf__operation *op, int64_t first, int64_t count) {
  const gf__import_value *in = op->in[0];
  char form[GF__ONNX_MOST_DIMS + 1] = "";
  gf__import_layer *layer;
  GF_TRY(gf__operation_layer(op, "slice", NULL, &layer));
  gf__text_add(&layer->options, ", first: %d, channels: %d", (int)first, (int)count);
  layer->c = (int)count;
  memcpy(form, in->axes, (size_t)in->shape.rank);
  gf__operation_output(op, form);
  return GF_OK;
}

/* ---- ranges ---- */

/* The sizes of the ranges of an axis: those of the file, or equal ones, of which the last may be
 * smaller. *is_known is false after the node has been rejected. */
static gf_status split_sizes(gf__operation *op, int64_t size, int64_t *sizes, bool *is_known) {
  int count, most = (int)(sizeof op->outs / sizeof *op->outs);
  int64_t sum = 0, each = (size + op->out_count - 1) / op->out_count;
  GF_TRY(gf__operation_list(op, "split", 1, sizes, most, &count));
  *is_known = count != -2;
  if (count == -2) return GF_OK;
  for (int i = 0; i < op->out_count && count < 0; i++) {
    sizes[i] = i == op->out_count - 1 ? size - sum : each;
    sum += sizes[i];
  }
  if (count >= 0 && count != op->out_count)
    return gf__operation_fail(op, "splits into another number of outputs than it has");
  sum = 0;
  for (int i = 0; i < op->out_count; i++) {
    if (sizes[i] < 1 || sizes[i] > size)
      return gf__operation_fail(op, "splits into sizes that do not fit");
    sum += sizes[i];
  }
  return sum == size ? GF_OK : gf__operation_fail(op, "splits into sizes that do not fit");
}

/* Each output that something reads is a layer. */
gf_status gf__operation_split(gf__operation *op) {
  const gf__import_value *in = op->in[0];
  int64_t sizes[sizeof op->outs / sizeof *op->outs], axis = gf__operation_int(op, "axis", 0),
                                                     first = 0;
  bool is_known;
  if (!gf__operation_takes(op, 0)) return GF_OK;
  if (axis < 0) axis += in->shape.rank;
  if (axis < 0 || axis >= in->shape.rank)
    return gf__operation_fail(op, "has an axis that is not there");
  GF_TRY(split_sizes(op, in->shape.dims[axis], sizes, &is_known));
  if (!is_known) return GF_OK;
  if (op->out_count == 1) return gf__operation_same(op);
  if (in->axes[axis] != 'c' || in->is_channels_last)
    return gf__operation_reject(op, "it divides images along another axis than that of channels");
  for (int i = 0; i < op->out_count; first += sizes[i++]) {
    if (!op->outs[i] || !op->outs[i]->uses) continue;
    op->out = op->outs[i];
    op->out->kind = GF__ONNX_UNKNOWN;
    GF_TRY(gf__operation_slice_channels(op, first, sizes[i]));
  }
  return GF_OK;
}

/* The sizes of the file, or ranges of one size, of which the last may be smaller; NULL where they
 * do not fit. */
static gf_status sequence_ranges(gf__operation *op, int64_t size, const int64_t **out,
                                 size_t *count) {
  gf__onnx_elements split;
  int64_t sum = 0, *equal;
  *out = NULL;
  GF_TRY(gf__import_elements(op->importing, op->in[1], &split));
  if (!split.ints || split.shape.rank > 1 || split.count == 0) return GF_OK;
  for (size_t i = 0; i < split.count; i++) {
    if (split.ints[i] < 1 || split.ints[i] > size) return GF_OK;
    sum += split.ints[i];
  }
  *count = split.count;
  if (split.shape.rank == 1) {
    if (sum == size) *out = split.ints;
    return GF_OK;
  }
  *count = (size_t)((size + sum - 1) / sum);
  equal = gf__onnx_file_keep(op->importing->file, *count * sizeof *equal);
  if (!equal) return GF_ERROR_MEMORY;
  for (size_t i = 0; i < *count; i++, size -= sum) equal[i] = size < sum ? size : sum;
  *out = equal;
  return GF_OK;
}

/* As PyTorch's exporter has a split where nothing optimises it. */
gf_status gf__operation_split_to_sequence(gf__operation *op) {
  const gf__import_value *in = op->in[0];
  const int64_t *ranges;
  size_t count = 0;
  int64_t axis = gf__operation_int(op, "axis", 0);
  if (!gf__operation_takes(op, 0)) return GF_OK;
  if (axis < 0) axis += in->shape.rank;
  if (axis < 0 || axis >= in->shape.rank)
    return gf__operation_fail(op, "has an axis that is not there");
  if (in->axes[axis] != 'c' || in->is_channels_last)
    return gf__operation_reject(op, "it divides images along another axis than that of channels");
  if (op->in_count < 2 || !op->in[1] || op->in[1]->kind != GF__ONNX_CONSTANT)
    return gf__operation_reject(op, "the sizes that it divides into are not constant");
  GF_TRY(sequence_ranges(op, in->shape.dims[axis], &ranges, &count));
  if (!ranges) return gf__operation_fail(op, "splits into sizes that do not fit");
  gf__operation_alias(op, in);
  op->out->ranges = ranges;
  op->out->range_count = count;
  return GF_OK;
}

gf_status gf__operation_sequence_at(gf__operation *op) {
  gf__import_value *in = op->in[0];
  const int64_t *ranges = in->ranges;
  int64_t first = 0, count = (int64_t)in->range_count;
  double at;
  bool is_known;
  if (in->kind != GF__ONNX_ACTIVATION || !ranges)
    return gf__operation_reject(op, "its first input is no sequence of channels of images");
  GF_TRY(gf__operation_scalar(op, 1, &is_known, &at));
  if (!is_known) return gf__operation_reject(op, "its place in the sequence is not constant");
  if (at < 0) at += (double)count;
  if (!(at >= 0 && at < (double)count)) return gf__operation_fail(op, "is past its sequence");
  for (int i = 0; i < (int)at; i++) first += ranges[i];
  in->ranges = NULL;
  gf_status status =
      gf__operation_takes(op, 0) ? gf__operation_slice_channels(op, first, ranges[(int)at]) : GF_OK;
  in->ranges = ranges;
  return status;
}

/* ---- groups ---- */

/* The axes of images of so many axes. */
static const char *const forms[] = {"", "", "nc", "nch", "nchw", "ncdhw"};

/* The axis of the channels where the shape has two in place of it; or -1. */
static int divided_axis(const gf__import_value *in, const gf__onnx_shape *shape) {
  const char *c = memchr(in->axes, 'c', (size_t)in->shape.rank);
  int axis = c ? (int)(c - in->axes) : 0;
  if (!c || shape->rank != in->shape.rank + 1 || in->groups || in->is_channels_last) return -1;
  for (int d = 0; d < in->shape.rank; d++)
    if (d != axis && in->shape.dims[d] != shape->dims[d > axis ? d + 1 : d]) return -1;
  bool fits = shape->dims[axis] * shape->dims[axis + 1] == in->shape.dims[axis];
  return fits ? axis : -1;
}

/* Whether each node that reads the value is a transposition of these two axes. */
static bool is_read_transposed(const gf__operation *op, int axis) {
  const Onnx__GraphProto *graph = op->importing->file->model->graph;
  int found = 0;
  for (size_t i = (size_t)op->index; i < graph->n_node && found < op->out->uses; i++) {
    const Onnx__NodeProto *node = graph->node[i];
    for (size_t k = 0; k < node->n_input; k++) {
      if (strcmp(node->input[k], op->out->name) != 0) continue;
      const Onnx__AttributeProto *perm = node->n_attribute == 1 ? node->attribute[0] : NULL;
      if (!node->op_type || strcmp(node->op_type, "Transpose") != 0 || !perm ||
          perm->n_ints <= (size_t)axis + 1 || perm->ints[axis] != axis + 1 ||
          perm->ints[axis + 1] != axis)
        return false;
      found++;
    }
  }
  return found > 0;
}

/* Images of groups of all that is in each, as InstanceNormalization normalises them. */
static bool is_read_by_norm(const gf__operation *op, const gf__import_value *in,
                            const gf__onnx_shape *shape) {
  const Onnx__GraphProto *graph = op->importing->file->model->graph;
  int64_t channels = gf__import_axis(op->importing, in->layer, 'c');
  if (shape->rank != 3 || in->shape.rank < 2 || in->shape.rank > 5 || in->is_channels_last ||
      in->groups || shape->dims[0] != op->importing->batch || shape->dims[1] < 1 ||
      channels % shape->dims[1] || op->out->uses != 1 ||
      !gf__import_has_form(op->importing, in, forms[in->shape.rank]))
    return false;
  for (size_t i = (size_t)op->index; i < graph->n_node; i++)
    if (graph->node[i]->op_type && !strcmp(graph->node[i]->op_type, "InstanceNormalization") &&
        graph->node[i]->n_input && !strcmp(graph->node[i]->input[0], op->out->name))
      return true;
  return false;
}

static void divide_image(gf__operation *op, const gf__import_value *in,
                         const gf__onnx_shape *shape) {
  gf__operation_alias(op, in);
  op->out->shape = *shape;
  op->out->groups = (int)shape->dims[1];
  memcpy(op->out->axes, "ngk", 3);
}

/* The image that divide_image has divided, once more. */
static bool join_image(gf__operation *op, const gf__import_value *in, const gf__onnx_shape *shape) {
  if (in->shape.rank != 3 || memcmp(in->axes, "ngk", 3) != 0 || shape->rank < 2 || shape->rank > 5)
    return false;
  const char *form = forms[shape->rank];
  size_t count, all;
  bool fits = shape->dims[0] == op->importing->batch && gf__onnx_shape_count(shape, &count) &&
              gf__onnx_shape_count(&in->shape, &all) && count == all;
  for (int d = 1; fits && d < shape->rank; d++)
    fits = shape->dims[d] == gf__import_axis(op->importing, in->layer, form[d]);
  if (!fits) return false;
  gf__operation_alias(op, in);
  op->out->groups = 0;
  op->out->shape = *shape;
  memcpy(op->out->axes, form, (size_t)shape->rank);
  return true;
}

static void divide_axis(gf__operation *op, const gf__import_value *in, const gf__onnx_shape *shape,
                        int axis) {
  gf__operation_alias(op, in);
  op->out->shape = *shape;
  op->out->groups = (int)shape->dims[axis];
  for (int d = 0; d < shape->rank; d++) op->out->axes[d] = in->axes[d > axis ? d - 1 : d];
  op->out->axes[axis] = 'g';
  op->out->axes[axis + 1] = 'k';
}

/* Whether two axes next to each other, of groups and of the channels in each, are one in the shape;
 * axis: the first of them. */
static bool are_joined(const gf__import_value *in, const gf__onnx_shape *shape, int *axis) {
  *axis = 0;
  while (*axis < in->shape.rank && !strchr("gk", in->axes[*axis])) ++*axis;
  if (*axis + 1 >= in->shape.rank || !strchr("gk", in->axes[*axis + 1]) ||
      shape->rank != in->shape.rank - 1)
    return false;
  for (int d = 0; d < shape->rank; d++) {
    int64_t size = in->shape.dims[d > *axis ? d + 1 : d];
    if (d == *axis) size *= in->shape.dims[d + 1];
    if (shape->dims[d] != size) return false;
  }
  return true;
}

static gf_status join_groups(gf__operation *op, const gf__onnx_shape *shape) {
  gf__import_value *in = op->in[0];
  char form[GF__ONNX_MOST_DIMS + 1] = "";
  gf__import_layer *layer;
  int axis, groups = in->groups;
  if (join_image(op, in, shape)) return GF_OK;
  if (!are_joined(in, shape, &axis)) {
    (void)gf__operation_takes(op, 0); /* which it is not */
    return GF_OK;
  }
  for (int d = 0; d < shape->rank; d++) form[d] = in->axes[d > axis ? d + 1 : d];
  form[axis] = 'c';
  bool is_shuffled = in->axes[axis] == 'k';
  in->groups = 0;
  bool takes = !is_shuffled || gf__operation_takes(op, 0);
  if (is_shuffled && takes) {
    GF_TRY(gf__operation_layer(op, "channel_shuffle", NULL, &layer));
    gf__text_add(&layer->options, ", groups: %d", groups);
    gf__operation_output(op, form);
  } else if (takes) {
    gf__operation_alias(op, in);
    op->out->shape = *shape;
    memcpy(op->out->axes, form, (size_t)shape->rank);
  }
  in->groups = groups;
  return GF_OK;
}

gf_status gf__operation_regroup(gf__operation *op, const gf__onnx_shape *shape, bool *is_one) {
  const gf__import_value *in = op->in[0];
  *is_one = in->groups != 0;
  if (in->groups) return join_groups(op, shape);
  if (is_read_by_norm(op, in, shape)) {
    divide_image(op, in, shape);
    *is_one = true;
    return GF_OK;
  }
  int axis = divided_axis(in, shape);
  *is_one = axis >= 0 && is_read_transposed(op, axis);
  if (*is_one) divide_axis(op, in, shape, axis);
  return GF_OK;
}
