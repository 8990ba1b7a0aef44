/* Operators that put the elements of activations into another order, or another shape. */
#include <string.h>

#include "convert/onnx/shapes.h"

/* The output is the input with these axes. */
static void alias_with(gf__operation *op, const gf__import_value *in, const char *axes,
                       const gf__onnx_shape *shape) {
  gf__operation_alias(op, in);
  op->out->shape = *shape;
  memcpy(op->out->axes, axes, (size_t)shape->rank);
}

static bool is_pending_pad(const gf__import_value *in) {
  return in->pad[0] || in->pad[1] || in->pad[2] || in->pad[3];
}

static gf_status reject_padded(gf__operation *op) {
  return gf__operation_reject(op,
                              "it reads a padded image; only convolutions and pools can do that");
}

gf_status gf__operation_cast(gf__operation *op) {
  if (!gf__onnx_type_is_float(gf__operation_int(op, "to", 0)))
    return gf__operation_reject(op, "it makes integers of images");
  gf__operation_alias(op, op->in[0]);
  return GF_OK;
}

gf_status gf__operation_shape(gf__operation *op) {
  const gf__onnx_shape *in = &op->in[0]->shape;
  gf__onnx_elements out = {.shape.rank = 1};
  float *floats;
  int64_t *ints = NULL, rank = in->rank, start = gf__operation_int(op, "start", 0),
          end = gf__operation_int(op, "end", rank);
  if (op->in[0]->kind == GF__ONNX_ACTIVATION && is_pending_pad(op->in[0])) return reject_padded(op);
  if (start < 0) start += rank;
  if (end < 0) end += rank;
  start = start < 0 ? 0 : start;
  end = end > rank ? rank : end;
  out.shape.dims[0] = end > start ? end - start : 0;
  GF_TRY(gf__operation_room(op, &out, false, &floats, &ints));
  for (size_t i = 0; i < out.count; i++) ints[i] = in->dims[start + (int64_t)i];
  return gf__operation_constant(op, &out);
}

/* ---- axes ---- */

gf_status gf__operation_transpose(gf__operation *op) {
  const gf__import_value *in = op->in[0];
  gf__onnx_shape shape = in->shape;
  char axes[GF__ONNX_MOST_DIMS];
  int order[GF__ONNX_MOST_DIMS];
  GF_TRY(gf__onnx_permutation(op, order));
  for (int d = 0; d < shape.rank; d++) {
    shape.dims[d] = in->shape.dims[order[d]];
    axes[d] = in->axes[order[d]];
  }
  alias_with(op, in, axes, &shape);
  return GF_OK;
}

/* The letters of the axes in another shape that has the same ones; new ones are of size 1. */
static void relabel(gf__operation *op, const gf__import_value *in, const gf__onnx_shape *shape,
                    const int *from) {
  char axes[GF__ONNX_MOST_DIMS];
  for (int d = 0; d < shape->rank; d++) axes[d] = (char)(from[d] < 0 ? '1' : in->axes[from[d]]);
  alias_with(op, in, axes, shape);
}

/* ---- other shapes ---- */

/* Whether the shapes differ in axes of size 1 alone, apart from that of the images, which is the
 * first of both; from: as relabel has it. */
static bool is_relabelling(const gf__importing *im, const gf__import_value *in,
                           const gf__onnx_shape *shape, int *from) {
  int next = 1;
  if (!shape->rank || !in->shape.rank || in->axes[0] != 'n' || shape->dims[0] != im->batch)
    return false;
  from[0] = 0;
  for (int d = 1; d < shape->rank; d++) {
    from[d] = -1;
    if (shape->dims[d] == 1) continue;
    while (next < in->shape.rank && in->shape.dims[next] == 1) next++;
    if (next == in->shape.rank || in->shape.dims[next] != shape->dims[d]) return false;
    from[d] = next++;
  }
  while (next < in->shape.rank && in->shape.dims[next] == 1) next++;
  return next == in->shape.rank;
}

/* Whether the axes after that of the images are, in the order of the file, those of form, but for
 * sizes of 1. */
static bool follows(const gf__import_value *in, const char *form) {
  for (int d = 1; d < in->shape.rank; d++) {
    if (in->shape.dims[d] == 1) continue;
    form = strchr(form, in->axes[d]);
    if (!form) return false;
    form++;
  }
  return true;
}

static gf_status add_flatten(gf__operation *op, const gf__import_value *in) {
  gf__import_layer *layer;
  bool is_first = follows(in, "cdhw"), is_last = follows(in, "hwc");
  if (in->axes[0] != 'n' || (!is_first && !is_last))
    return gf__operation_reject(op,
                                "it flattens axes in an order that is neither channels first nor "
                                "channels last");
  GF_TRY(gf__operation_layer(op, "flatten", NULL, &layer));
  gf__import_layer_shape(layer, 1, 1, 1, layer->c * layer->d * layer->h * layer->w);
  gf__operation_output(op, "nc");
  op->out->is_channels_last = !is_first;
  return GF_OK;
}

/* An image whose channels are channels and depth of a volume, or such a volume as an image. */
static gf_status add_volume(gf__operation *op, const gf__import_value *in,
                            const gf__onnx_shape *shape, bool *is_one) {
  gf__importing *im = op->importing;
  bool to_volume = shape->rank == 5;
  int64_t c = shape->dims[1], d = to_volume ? shape->dims[2] : 1;
  int64_t h = gf__import_axis(im, in->layer, 'h'), w = gf__import_axis(im, in->layer, 'w');
  gf__import_layer *layer;
  *is_one = gf__import_has_form(im, in, to_volume ? "nchw" : "ncdhw") &&
            shape->rank == (to_volume ? 5 : 4) && shape->dims[0] == im->batch &&
            shape->dims[shape->rank - 2] == h && shape->dims[shape->rank - 1] == w;
  if (!*is_one) return GF_OK;
  GF_TRY(gf__operation_layer(op, to_volume ? "to_volume" : "to_image", NULL, &layer));
  if (to_volume) gf__text_add(&layer->options, ", channels: %d", (int)c);
  gf__import_layer_shape(layer, (int)d, (int)h, (int)w, (int)c);
  gf__operation_output(op, to_volume ? "ncdhw" : "nchw");
  return GF_OK;
}

/* from: as relabel has it, where only axes of size 1 change; else NULL. */
static gf_status reshape_with(gf__operation *op, const gf__onnx_shape *shape, const int *from) {
  const gf__import_value *in = op->in[0];
  const gf__importing *im = op->importing;
  bool is_volume = false, is_regrouped, changes = in->shape.rank + shape->rank == 9;
  if (is_pending_pad(in)) return reject_padded(op);
  GF_TRY(gf__operation_regroup(op, shape, &is_regrouped));
  if (is_regrouped) return GF_OK;
  if (shape->rank == 1 && !in->is_flat) {
    gf__operation_alias(op, in);
    op->out->is_flat = true;
    op->out->flat_shape = in->shape;
    op->out->shape = *shape;
    return GF_OK;
  }
  if (changes && gf__import_axis(im, in->layer, 'd') * shape->dims[2] != 1)
    GF_TRY(add_volume(op, in, shape, &is_volume));
  if (is_volume) return GF_OK;
  if (from) {
    relabel(op, in, shape, from);
    return GF_OK;
  }
  if (!gf__operation_takes(op, 0)) return GF_OK;
  if (shape->rank == 2 && shape->dims[0] == im->batch && !in->is_channels_last)
    return add_flatten(op, in);
  return gf__operation_reject(op,
                              "it changes the shape in a way that no layer does: only flattening "
                              "is, and axes of size 1");
}

static gf_status reshape_to(gf__operation *op, const gf__onnx_shape *shape) {
  int from[GF__ONNX_MOST_DIMS];
  bool is_same = is_relabelling(op->importing, op->in[0], shape, from);
  return reshape_with(op, shape, is_same ? from : NULL);
}

gf_status gf__operation_squeeze(gf__operation *op) {
  gf__onnx_shape shape;
  int from[GF__ONNX_MOST_DIMS];
  bool is_known;
  GF_TRY(gf__onnx_squeezed(op, &shape, from, &is_known));
  return is_known ? reshape_with(op, &shape, from) : GF_OK;
}

gf_status gf__operation_unsqueeze(gf__operation *op) {
  gf__onnx_shape shape;
  int from[GF__ONNX_MOST_DIMS];
  bool is_known;
  GF_TRY(gf__onnx_unsqueezed(op, &shape, from, &is_known));
  return is_known ? reshape_with(op, &shape, from) : GF_OK;
}

gf_status gf__operation_reshape(gf__operation *op) {
  gf__onnx_shape shape;
  bool is_known;
  GF_TRY(gf__onnx_reshaped(op, &shape, &is_known));
  return is_known ? reshape_to(op, &shape) : GF_OK;
}

/* As PyTorch's exporter has strides: all elements in a row, and then each of them in its place. */
gf_status gf__operation_gather(gf__operation *op) {
  gf__import_value *in = op->in[0];
  gf__onnx_elements places;
  if (in->bins) return gf__operation_gather_bins(op);
  bool fits = in->is_flat && op->in[1]->kind == GF__ONNX_CONSTANT;
  if (fits) {
    GF_TRY(gf__import_elements(op->importing, op->in[1], &places));
    fits = places.ints && (int64_t)places.count == in->shape.dims[0];
    for (size_t i = 0; fits && i < places.count; i++) fits = places.ints[i] == (int64_t)i;
  }
  if (!fits)
    return gf__operation_reject(op, "it gathers some of the elements, for which there is no layer");
  gf__onnx_shape flat = in->shape;
  in->is_flat = false;
  in->shape = in->flat_shape;
  gf_status status = reshape_to(op, &places.shape);
  in->is_flat = true;
  in->shape = flat;
  return status;
}

gf_status gf__operation_flatten(gf__operation *op) {
  const gf__onnx_shape *in = &op->in[0]->shape;
  gf__onnx_shape shape = {.rank = 2, .dims = {1, 1}};
  int64_t axis = gf__operation_int(op, "axis", 1);
  if (axis < 0) axis += in->rank;
  if (axis < 0 || axis > in->rank) return gf__operation_fail(op, "has an axis that is not there");
  for (int d = 0; d < in->rank; d++) shape.dims[d >= axis] *= in->dims[d];
  return reshape_to(op, &shape);
}

/* ---- channels ---- */

gf_status gf__operation_concat(gf__operation *op) {
  enum { AT_ONCE = GF__MOST_INPUTS - 1 };
  gf__importing *im = op->importing;
  gf__import_value *first = op->in[0];
  gf__import_layer *layer = NULL;
  char form[GF__ONNX_MOST_DIMS + 1] = "";
  int64_t axis = gf__operation_int(op, "axis", 0);
  for (int i = 0; i < op->in_count; i++) {
    const gf__import_value *in = op->in[i];
    if (!in || !gf__operation_takes(op, i)) return GF_OK;
    if (in->shape.rank != first->shape.rank ||
        memcmp(in->axes, first->axes, (size_t)in->shape.rank) != 0 || in->is_channels_last)
      return gf__operation_reject(op, "its inputs have axes in different orders");
  }
  if (axis < 0) axis += first->shape.rank;
  if (axis < 0 || axis >= first->shape.rank)
    return gf__operation_fail(op, "has an axis that is not there");
  if (first->axes[axis] != 'c')
    return gf__operation_reject(op, "it joins images along another axis than that of channels");
  if (op->in_count == 1) return gf__operation_same(op);
  memcpy(form, first->axes, (size_t)first->shape.rank);
  for (int i = 0; i < op->in_count;) {
    int before = im->layer_count - 1, channels = 0;
    bool is_next = i > 0;
    GF_TRY(gf__operation_layer(op, "concat", NULL, &layer));
    layer->input_count = 0;
    if (is_next) layer->inputs[layer->input_count++] = before;
    while (i < op->in_count && layer->input_count < AT_ONCE)
      layer->inputs[layer->input_count++] = op->in[i++]->layer;
    for (int k = 0; k < layer->input_count; k++)
      channels += (int)gf__import_axis(im, layer->inputs[k], 'c');
    layer->c = channels;
  }
  gf__operation_output(op, form);
  return GF_OK;
}

/* Zeros around the image wait for the convolution or pool that reads it; channels of zeros after
 * the others are a layer. */
static gf_status pad_by(gf__operation *op, const int64_t *before, const int64_t *after) {
  const gf__import_value *in = op->in[0];
  static const char sides[] = "hw";
  int more = 0, pad[4] = {in->pad[0], in->pad[1], in->pad[2], in->pad[3]};
  gf__onnx_shape shape = in->shape;
  for (int d = 0; d < shape.rank; d++) {
    const char *side = strchr(sides, in->axes[d]);
    if (!before[d] && !after[d]) continue;
    if (before[d] < 0 || after[d] < 0 || before[d] > 1024 || after[d] > 65536)
      return gf__operation_reject(op, "it cuts rows or columns off, or adds too many");
    if (in->axes[d] == 'c' && !before[d]) {
      more = (int)after[d];
      continue;
    }
    if (!side)
      return gf__operation_reject(op,
                                  "it pads another axis than height, width and the end of "
                                  "the channels");
    pad[side - sides] += (int)before[d];
    pad[2 + (side - sides)] += (int)after[d];
    shape.dims[d] += before[d] + after[d];
  }
  if (!more) {
    gf__operation_alias(op, in);
    op->out->shape = shape;
    memcpy(op->out->pad, pad, sizeof pad);
    return GF_OK;
  }
  gf__import_layer *layer;
  char form[GF__ONNX_MOST_DIMS + 1] = "";
  if (memcmp(pad, in->pad, sizeof pad) != 0)
    return gf__operation_reject(op, "it pads channels and pixels at once");
  if (!gf__operation_takes(op, 0)) return GF_OK;
  memcpy(form, in->axes, (size_t)in->shape.rank);
  GF_TRY(gf__operation_layer(op, "pad_shortcut", NULL, &layer));
  layer->c += more;
  gf__text_add(&layer->options, ", channels: %d, stride: 1", layer->c);
  gf__operation_output(op, form);
  return GF_OK;
}

gf_status gf__operation_pad(gf__operation *op) {
  const gf__import_value *in = op->in[0];
  int64_t list[2 * GF__ONNX_MOST_DIMS], axes[GF__ONNX_MOST_DIMS], before[GF__ONNX_MOST_DIMS] = {0},
                                                                  after[GF__ONNX_MOST_DIMS] = {0};
  int count, axis_count = -1;
  bool is_given;
  double value = (double)gf__operation_float(op, "value", 0), given = 0;
  GF_TRY(gf__operation_list(op, "pads", 1, list, 2 * GF__ONNX_MOST_DIMS, &count));
  if (count != -2) GF_TRY(gf__operation_list(op, "axes", 3, axes, GF__ONNX_MOST_DIMS, &axis_count));
  if (count == -2 || axis_count == -2) return GF_OK;
  GF_TRY(gf__operation_scalar(op, 2, &is_given, &given));
  if (is_given) value = given;
  int padded = axis_count < 0 ? in->shape.rank : axis_count;
  if (count != 2 * padded) return gf__operation_fail(op, "pads another number of axes");
  for (int i = 0; i < padded; i++) {
    int64_t axis = axis_count < 0 ? i : axes[i];
    if (axis < 0) axis += in->shape.rank;
    if (axis < 0 || axis >= in->shape.rank)
      return gf__operation_fail(op, "has an axis that is not there");
    before[axis] = list[i];
    after[axis] = list[padded + i];
  }
  if (gf__operation_attribute(op, "mode") && !gf__operation_text_is(op, "mode", "constant"))
    return gf__operation_reject(op,
                                "it pads with pixels of the image; there are layers that pad with "
                                "zeros alone");
  if (value != 0 || in->is_erf || in->is_erf_plus_one || in->is_softmax)
    return gf__operation_reject(op, "it pads with other numbers than zeros");
  return pad_by(op, before, after);
}

/* Whether the slice cuts the axis of channels alone, and then which it is. */
static bool cuts_channels(const gf__import_value *in, const gf__onnx_range *ranges, int *axis) {
  *axis = -1;
  for (int d = 0; d < in->shape.rank; d++) {
    if (ranges[d].step != 1) return false;
    if (ranges[d].count == in->shape.dims[d]) continue;
    if (in->axes[d] != 'c') return false;
    *axis = d;
  }
  return *axis >= 0 && ranges[*axis].count > 0 && !in->is_channels_last;
}

/* Some of the channels; or every so many pixels, as shortcuts without parameters take them; or all.
 */
gf_status gf__operation_slice(gf__operation *op) {
  const gf__import_value *in = op->in[0];
  gf__onnx_range ranges[GF__ONNX_MOST_DIMS];
  char form[GF__ONNX_MOST_DIMS + 1] = "";
  int64_t step = 0;
  bool is_known, is_whole = true, fits = true;
  int axis;
  GF_TRY(gf__onnx_slices(op, ranges, &is_known));
  if (!is_known || !gf__operation_takes(op, 0)) return GF_OK;
  if (cuts_channels(in, ranges, &axis))
    return gf__operation_slice_channels(op, ranges[axis].first, ranges[axis].count);
  for (int d = 0; d < in->shape.rank; d++) {
    bool is_all = ranges[d].count == in->shape.dims[d] && ranges[d].step == 1;
    bool is_pixel = in->axes[d] == 'h' || in->axes[d] == 'w';
    is_whole &= is_all;
    if (is_pixel) {
      step = step ? step : ranges[d].step;
      fits &= ranges[d].first == 0 && ranges[d].step == step && step >= 1 && step <= 1024 &&
              ranges[d].count == (in->shape.dims[d] + step - 1) / step;
    } else {
      fits &= is_all;
    }
  }
  if (is_whole) return gf__operation_same(op);
  if (!fits || in->is_channels_last)
    return gf__operation_reject(op,
                                "it takes some of the pixels, for which there is no layer, but for "
                                "every so many in both directions");
  gf__import_layer *layer;
  GF_TRY(gf__operation_layer(op, "pad_shortcut", NULL, &layer));
  gf__text_add(&layer->options, ", channels: %d, stride: %d", layer->c, (int)step);
  gf__import_layer_shape(layer, 1, (layer->h - 1) / (int)step + 1, (layer->w - 1) / (int)step + 1,
                         layer->c);
  memcpy(form, in->axes, (size_t)in->shape.rank);
  gf__operation_output(op, form);
  return GF_OK;
}
