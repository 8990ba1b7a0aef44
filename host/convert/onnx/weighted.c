/* Operators that become layers with weights, windows or both. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/numbers.h"
#include "convert/onnx/importing.h"

/* ---- windows ---- */

enum { MOST_AXES = 3, LARGEST_WINDOW = 1024 };

/* A window as the node has it: the axes are depth, height and width, or the last two of them. */
typedef struct window {
  int axes;
  int64_t in[MOST_AXES], out[MOST_AXES];
  int64_t kernel[MOST_AXES], stride[MOST_AXES], dilation[MOST_AXES];
  int64_t before[MOST_AXES], after[MOST_AXES]; /* rows of zeros */
} window;

/* A list of one number for each axis, or of count; absent ones are all initial. */
static gf_status read_list(const gf__operation *op, const char *name, int64_t initial, int64_t low,
                           int count, int64_t *out) {
  int found = gf__operation_ints(op, name, out, count);
  if (found < 0 && !gf__operation_attribute(op, name)) {
    for (int a = 0; a < count; a++) out[a] = initial;
    return GF_OK;
  }
  bool fits = found == count;
  for (int a = 0; fits && a < count; a++) fits = out[a] >= low && out[a] <= LARGEST_WINDOW;
  return fits ? GF_OK : gf__operation_fail(op, "has a window of other axes, or of no size");
}

/* Where the file only says that the output has the size of the input, divided by the stride. */
static void pad_to_same(window *w, bool more_after) {
  for (int a = 0; a < w->axes; a++) {
    int64_t out = (w->in[a] + w->stride[a] - 1) / w->stride[a];
    int64_t all = (out - 1) * w->stride[a] + w->dilation[a] * (w->kernel[a] - 1) + 1 - w->in[a];
    int64_t half = GF__MAX(all, 0) / 2, rest = GF__MAX(all, 0) - half;
    w->before[a] = more_after ? half : rest;
    w->after[a] = more_after ? rest : half;
  }
}

static int64_t window_out(const window *w, int a, int64_t before, int64_t after) {
  int64_t room = w->in[a] + before + after - w->dilation[a] * (w->kernel[a] - 1) - 1;
  return room < 0 ? 0 : room / w->stride[a] + 1;
}

/* kernel: of a convolution's weight, or NULL. */
static gf_status window_read(gf__operation *op, int axes, const int64_t *kernel, window *out) {
  const gf__import_value *in = op->in[0];
  int64_t pads[2 * MOST_AXES];
  *out = (window){.axes = axes};
  for (int a = 0; a < axes; a++)
    out->in[a] = gf__import_axis(op->importing, in->layer, "dhw"[MOST_AXES - axes + a]);
  GF_TRY(read_list(op, "kernel_shape", 0, 1, axes, out->kernel));
  if (kernel) memcpy(out->kernel, kernel, (size_t)axes * sizeof *kernel);
  GF_TRY(read_list(op, "strides", 1, 1, axes, out->stride));
  GF_TRY(read_list(op, "dilations", 1, 1, axes, out->dilation));
  GF_TRY(read_list(op, "pads", 0, 0, 2 * axes, pads));
  for (int a = 0; a < axes; a++) {
    if (out->kernel[a] < 1 || out->kernel[a] > LARGEST_WINDOW)
      return gf__operation_fail(op, "has a window of other axes, or of no size");
    out->before[a] = pads[a];
    out->after[a] = pads[axes + a];
  }
  bool upper = gf__operation_text_is(op, "auto_pad", "SAME_UPPER");
  if (upper || gf__operation_text_is(op, "auto_pad", "SAME_LOWER")) pad_to_same(out, upper);
  for (int a = 0; a < 2 && axes == 2; a++) {
    out->before[a] += in->pad[a == 0 ? 0 : 1];
    out->after[a] += in->pad[a == 0 ? 2 : 3];
  }
  for (int a = 0; a < axes; a++) {
    out->out[a] = window_out(out, a, out->before[a], out->after[a]);
    if (out->out[a] < 1) return gf__operation_fail(op, "has a window larger than its image");
  }
  return GF_OK;
}

/* Where no window reaches the zeros after the image, there may be as many as before it. */
static bool window_becomes_symmetric(window *w) {
  for (int a = 0; a < w->axes; a++)
    if (w->after[a] != w->before[a] && window_out(w, a, w->before[a], w->before[a]) != w->out[a])
      return false;
  memcpy(w->after, w->before, sizeof w->after);
  return true;
}

static void add_numbers(gf__import_layer *layer, const char *key, const int64_t *numbers,
                        int count) {
  bool is_one = true;
  for (int a = 1; a < count; a++) is_one &= numbers[a] == numbers[0];
  gf__text_add(&layer->options, ", %s: %s", key, is_one ? "" : "[");
  for (int a = 0; a < (is_one ? 1 : count); a++)
    gf__text_add(&layer->options, "%s%lld", a ? ", " : "", (long long)numbers[a]);
  if (!is_one) gf__text_add(&layer->options, "]");
}

/* [top, bottom, left, right] of an image. */
static void add_sides(gf__import_layer *layer, const window *w) {
  gf__text_add(&layer->options, ", padding: [%lld, %lld, %lld, %lld]", (long long)w->before[0],
               (long long)w->after[0], (long long)w->before[1], (long long)w->after[1]);
}

static void add_window(gf__import_layer *layer, const window *w) {
  add_numbers(layer, "kernel", w->kernel, w->axes);
  add_numbers(layer, "stride", w->stride, w->axes);
  if (memcmp(w->before, w->after, (size_t)w->axes * sizeof *w->after) != 0)
    add_sides(layer, w);
  else
    add_numbers(layer, "padding", w->before, w->axes);
}

static void set_window_shape(gf__import_layer *layer, const window *w, int c) {
  bool is_volume = w->axes == 3;
  gf__import_layer_shape(layer, is_volume ? (int)w->out[0] : 1, (int)w->out[w->axes - 2],
                         (int)w->out[w->axes - 1], c);
}

/* An image whose zeros around it the operator adds to its own. */
static bool takes_padded(gf__operation *op, const char *axes) {
  gf__import_value *in = op->in[0];
  int pad[4];
  memcpy(pad, in->pad, sizeof pad);
  memset(in->pad, 0, sizeof in->pad);
  bool takes = gf__operation_takes_form(op, 0, axes);
  memcpy(in->pad, pad, sizeof pad);
  return takes;
}

/* ---- convolutions ---- */

static bool is_zero(const gf__onnx_elements *elements) {
  for (size_t i = 0; i < elements->count; i++)
    if (!elements->floats || elements->floats[i] != 0) return false;
  return true;
}

/* torch's unoptimised form gives every convolution a bias, of zeros that it computes. */
static gf_status add_bias(gf__operation *op, gf__import_layer *layer, int filters, double factor) {
  gf__import_value *bias = op->in_count > 2 ? op->in[2] : NULL;
  gf__onnx_elements elements;
  if (!bias) return GF_OK;
  if (bias->kind != GF__ONNX_CONSTANT)
    return gf__operation_reject(op, "its bias is computed from the images");
  GF_TRY(gf__import_elements(op->importing, bias, &elements));
  if (!bias->is_parameter && is_zero(&elements)) return GF_OK;
  if (elements.floats && (elements.count == 1 || factor != 1)) {
    float *values = gf__onnx_file_keep(op->importing->file, (size_t)filters * sizeof *values);
    if (!values) return GF_ERROR_MEMORY;
    if (elements.count != 1 && elements.count != (size_t)filters)
      return gf__operation_fail(op, "has a bias of another size");
    for (int k = 0; k < filters; k++)
      values[k] = (float)(factor * (double)elements.floats[elements.count == 1 ? 0 : k]);
    gf__import_add_values(layer, "bias", values, 1, &filters);
    return GF_OK;
  }
  return gf__import_add_parameter(op->importing, layer, "bias", bias, 1, &filters);
}

static bool weight_is_constant(gf__operation *op) {
  if (op->in[1] && op->in[1]->kind == GF__ONNX_CONSTANT) return true;
  (void)!gf__operation_reject(op, "its weight is computed from the images");
  return false;
}

gf_status gf__operation_conv(gf__operation *op) {
  if (!weight_is_constant(op)) return GF_OK;
  const gf__onnx_shape *shape = &op->in[1]->shape;
  int axes = shape->rank - 2, dims[5];
  window w;
  if (axes != 2 && axes != 3)
    return gf__operation_reject(op, "it convolves along %d axes; there are layers for 2 and 3",
                                axes);
  const char *form = axes == 2 ? "nchw" : "ncdhw";
  if (!takes_padded(op, form)) return GF_OK;
  int64_t groups = gf__operation_int(op, "group", 1),
          channels = gf__import_axis(op->importing, op->in[0]->layer, 'c');
  if (groups < 1 || channels % groups || shape->dims[1] != channels / groups ||
      shape->dims[0] < 1 || shape->dims[0] % groups)
    return gf__operation_fail(op, "has a weight for another number of channels");
  if (groups != 1 && axes == 3)
    return gf__operation_reject(op, "it has groups, which conv3d has not");
  GF_TRY(window_read(op, axes, shape->dims + 2, &w));
  if (!window_becomes_symmetric(&w) && axes == 3)
    return gf__operation_reject(op,
                                "it has other zeros before the volume than after it; pad both "
                                "sides alike in the model");
  for (int a = 0; a < axes; a++)
    if (axes == 3 && w.dilation[a] != 1)
      return gf__operation_reject(op, "it has a dilation, which conv3d has not");
  for (int d = 0; d < shape->rank; d++) dims[d] = (int)shape->dims[d];
  gf__import_layer *layer;
  GF_TRY(gf__operation_layer(op, axes == 2 ? "conv2d" : "conv3d", op->in[1], &layer));
  gf__text_add(&layer->options, ", filters: %d", dims[0]);
  add_window(layer, &w);
  if (axes == 2) add_numbers(layer, "dilation", w.dilation, 2);
  if (groups != 1) gf__text_add(&layer->options, ", groups: %d", (int)groups);
  set_window_shape(layer, &w, dims[0]);
  GF_TRY(gf__import_add_parameter(op->importing, layer, "weight", op->in[1], shape->rank, dims));
  GF_TRY(add_bias(op, layer, dims[0], 1));
  if (op->out->kind != GF__ONNX_FAILED) gf__operation_output(op, form);
  return GF_OK;
}

/* Fills in the output and the weight's dims of a transposed convolution. */
static gf_status read_transposed(gf__operation *op, window *w, int64_t extra[2], int64_t *filters) {
  const gf__onnx_shape *shape = &op->in[1]->shape;
  int64_t groups = gf__operation_int(op, "group", 1), pads[4],
          channels = gf__import_axis(op->importing, op->in[0]->layer, 'c');
  *w = (window){.axes = 2};
  GF_TRY(read_list(op, "strides", 1, 1, 2, w->stride));
  GF_TRY(read_list(op, "dilations", 1, 1, 2, w->dilation));
  GF_TRY(read_list(op, "pads", 0, 0, 4, pads));
  GF_TRY(read_list(op, "output_padding", 0, 0, 2, extra));
  if (groups < 1 || groups > 65536 || shape->dims[0] != channels || channels % groups ||
      shape->dims[1] < 1 || shape->dims[1] > 65536 / groups)
    return gf__operation_fail(op, "has a weight for another number of channels");
  *filters = shape->dims[1] * groups;
  for (int a = 0; a < 2; a++) {
    w->kernel[a] = shape->dims[2 + a];
    w->before[a] = pads[a];
    w->after[a] = pads[2 + a];
    if (w->kernel[a] < 1 || w->kernel[a] > LARGEST_WINDOW)
      return gf__operation_fail(op, "has a window of other axes, or of no size");
    int64_t in = gf__import_axis(op->importing, op->in[0]->layer, "hw"[a]);
    w->out[a] = (in - 1) * w->stride[a] + w->dilation[a] * (w->kernel[a] - 1) + 1 + extra[a] -
                w->before[a] - w->after[a];
    if (w->out[a] < 1 || w->out[a] > INT_MAX)
      return gf__operation_fail(op, "has a window larger than its image");
  }
  return GF_OK;
}

gf_status gf__operation_conv_transpose(gf__operation *op) {
  const gf__onnx_shape *shape = &op->in[1]->shape;
  int64_t extra[2], filters = 1;
  gf__import_layer *layer;
  window w;
  if (!weight_is_constant(op)) return GF_OK;
  if (shape->rank != 4)
    return gf__operation_reject(op, "it convolves along %d axes; there is a layer for 2",
                                shape->rank - 2);
  if (!gf__operation_takes_form(op, 0, "nchw")) return GF_OK;
  if (gf__operation_attribute(op, "output_shape") ||
      gf__operation_text_is(op, "auto_pad", "SAME_UPPER") ||
      gf__operation_text_is(op, "auto_pad", "SAME_LOWER"))
    return gf__operation_reject(op,
                                "its padding is said by the size of the output; export it with "
                                "pads");
  GF_TRY(read_transposed(op, &w, extra, &filters));
  GF_TRY(gf__operation_layer(op, "conv_transpose2d", op->in[1], &layer));
  gf__text_add(&layer->options, ", filters: %d", (int)filters);
  add_window(layer, &w);
  add_numbers(layer, "dilation", w.dilation, 2);
  if (extra[0] || extra[1]) add_numbers(layer, "output_padding", extra, 2);
  if (filters != shape->dims[1])
    gf__text_add(&layer->options, ", groups: %d", (int)(filters / shape->dims[1]));
  set_window_shape(layer, &w, (int)filters);
  int dims[4];
  for (int d = 0; d < 4; d++) dims[d] = (int)shape->dims[d];
  GF_TRY(gf__import_add_parameter(op->importing, layer, "weight", op->in[1], 4, dims));
  GF_TRY(add_bias(op, layer, (int)filters, 1));
  if (op->out->kind != GF__ONNX_FAILED) gf__operation_output(op, "nchw");
  return GF_OK;
}

/* ---- pools ---- */

static bool is_of_relu(const gf__importing *im, const gf__import_value *value) {
  return value->layer >= 0 && !strcmp(im->layers[value->layer].type, "relu");
}

/* A pool as the node has it, and what it does at the edges of its image. */
typedef struct pool_edges {
  bool is_max, ceil_mode;
  bool has_zeros;      /* around its image, by a Pad before it */
  bool has_padding;    /* of its own */
  bool counts_padding; /* in means */
} pool_edges;

static bool has_rows(const window *w, const int64_t *rows) {
  for (int a = 0; a < w->axes; a++)
    if (rows[a]) return true;
  return false;
}

static pool_edges read_edges(gf__operation *op, const window *w) {
  const int *pad = op->in[0]->pad;
  pool_edges out = {.is_max = !strcmp(op->row->name, "MaxPool"),
                    .ceil_mode = gf__operation_int(op, "ceil_mode", 0) != 0,
                    .has_zeros = pad[0] || pad[1] || pad[2] || pad[3],
                    .counts_padding = gf__operation_int(op, "count_include_pad", 0) != 0};
  for (int a = 0; a < w->axes; a++) {
    int first = w->axes == 2 ? pad[a] : 0, last = w->axes == 2 ? pad[2 + a] : 0;
    out.has_padding |= w->before[a] > first || w->after[a] > last;
  }
  return out;
}

/* The outputs along an axis with ceil_mode: one window more where pixels are left, if it begins
 * before row end of the padded image. */
static int64_t ceil_outputs(const window *w, int a, int64_t end) {
  int64_t begin = w->out[a] * w->stride[a];
  bool leaves_some = w->in[a] + w->before[a] + w->after[a] > begin - w->stride[a] + w->kernel[a];
  return w->out[a] + (leaves_some && begin < end);
}

/* Sets the outputs. False if a window more would begin in zeros that a Pad adds. */
static bool apply_ceil_mode(const gf__operation *op, window *w) {
  for (int a = 0; a < w->axes; a++) {
    int zeros_after = w->axes == 2 ? op->in[0]->pad[2 + a] : 0;
    int64_t end = w->in[a] + w->before[a], out = ceil_outputs(w, a, end);
    if (out != ceil_outputs(w, a, end + zeros_after)) return false;
    w->out[a] = out;
  }
  return true;
}

/* Why a pool is not one of ours, or NULL; then w has its outputs. */
static const char *pool_difference(gf__operation *op, const pool_edges *e, window *w) {
  bool pads = has_rows(w, w->before) || has_rows(w, w->after);
  bool counts = e->counts_padding || (e->has_zeros && !e->has_padding);
  for (int a = 0; a < w->axes; a++) {
    if (w->dilation[a] != 1) return "it has a dilation, which pools have not";
    if (2 * GF__MAX(w->before[a], w->after[a]) > w->kernel[a])
      return "it has more padding than half a window";
  }
  if (e->is_max && e->has_zeros && !is_of_relu(op->importing, op->in[0]))
    return "it takes the maximum of values and of zeros around them; only after a relu is that the "
           "maximum of the values";
  if (!e->is_max && e->has_zeros && !counts)
    return "it counts the zeros of a Pad before it in its means, and not those of its own";
  if (w->axes == 3 && !e->is_max && pads && !counts)
    return "it leaves zeros around a volume out of means (count_include_pad=False)";
  if (!e->ceil_mode)
    return window_becomes_symmetric(w) || w->axes == 2
               ? NULL
               : "it has other planes before the volume than after it; pad both sides alike in the "
                 "model";
  int64_t floor_out[MOST_AXES];
  memcpy(floor_out, w->out, sizeof floor_out);
  if (!apply_ceil_mode(op, w))
    return "it has ceil_mode, by which a window begins in the zeros of a Pad before it";
  if (w->axes == 3 && memcmp(floor_out, w->out, sizeof floor_out) != 0)
    return "it has ceil_mode, which pools of volumes have not; make it false in the model, or "
           "export for volumes of a size that needs none";
  return NULL;
}

static const char *pool_type(bool is_max, int axes) {
  if (axes == 3) return is_max ? "max_pool3d" : "avg_pool3d";
  return is_max ? "max_pool" : "avg_pool";
}

gf_status gf__operation_pool(gf__operation *op) {
  int axes = op->in[0]->shape.rank - 2;
  const char *form = axes == 3 ? "ncdhw" : "nchw";
  window w;
  if (!takes_padded(op, form)) return GF_OK;
  GF_TRY(window_read(op, axes, NULL, &w));
  pool_edges edges = read_edges(op, &w);
  bool is_same = !has_rows(&w, w.before) && !has_rows(&w, w.after);
  for (int a = 0; a < axes; a++) is_same &= w.kernel[a] == 1 && w.stride[a] == 1;
  if (is_same) return gf__operation_same(op);
  const char *why = pool_difference(op, &edges, &w);
  if (why) return gf__operation_reject(op, "%s", why);
  gf__import_layer *layer;
  GF_TRY(gf__operation_layer(op, pool_type(edges.is_max, axes), NULL, &layer));
  add_window(layer, &w);
  if (axes == 2 && edges.ceil_mode) gf__text_add(&layer->options, ", ceil_mode: true");
  if (!edges.is_max && edges.has_padding && !edges.counts_padding)
    gf__text_add(&layer->options, ", count_include_pad: false");
  set_window_shape(layer, &w, layer->c);
  gf__operation_output(op, form);
  return GF_OK;
}

/* A mean or maximum of all pixels; axes: of the output. */
static gf_status add_global_pool(gf__operation *op, bool is_max, const char *axes) {
  gf__import_layer *layer;
  GF_TRY(gf__operation_layer(op, is_max ? "max_pool" : "global_avg_pool", NULL, &layer));
  if (is_max) gf__text_add(&layer->options, ", kernel: [%d, %d]", layer->h, layer->w);
  gf__import_layer_shape(layer, 1, 1, 1, layer->c);
  gf__operation_output(op, axes);
  return GF_OK;
}

gf_status gf__operation_global_pool(gf__operation *op) {
  bool is_max = !strcmp(op->row->name, "GlobalMaxPool");
  const char *form = op->in[0]->shape.rank == 5 && !is_max ? "ncdhw" : "nchw";
  if (!gf__operation_takes_form(op, 0, form)) return GF_OK;
  return add_global_pool(op, is_max, form);
}

/* The mean over all pixels; where there is one, nothing but axes changes. */
gf_status gf__operation_reduce_mean(gf__operation *op) {
  const gf__import_value *in = op->in[0];
  int64_t axes[GF__ONNX_MOST_DIMS];
  int count, rank = in->shape.rank;
  bool keeps = gf__operation_int(op, "keepdims", 1) != 0, is_reduced[GF__ONNX_MOST_DIMS] = {false};
  char form[GF__ONNX_MOST_DIMS + 1] = "";
  GF_TRY(gf__operation_list(op, "axes", 1, axes, GF__ONNX_MOST_DIMS, &count));
  if (count == -2) return GF_OK;
  for (int i = 0; i < count; i++) {
    int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
    if (axis < 0 || axis >= rank) return gf__operation_fail(op, "has an axis that is not there");
    is_reduced[axis] = true;
  }
  if (in->bins) return gf__operation_mean_bins(op, is_reduced);
  if (gf__operation_norm_mean(op, is_reduced) || !gf__operation_takes(op, 0)) return GF_OK;
  int pixels = 0, at = 0;
  for (int d = 0; d < rank; d++) {
    bool is_pixel = strchr("dhw", in->axes[d]) && in->shape.dims[d] > 1;
    if (count <= 0 || is_reduced[d] != is_pixel) {
      if (count > 0 && in->shape.dims[d] == 1 && in->axes[d] != 'n' && in->axes[d] != 'c') {
        /* an axis of one element may be in the mean or not */
      } else {
        return gf__operation_reject(op,
                                    "it is a mean over other axes than all of height and width");
      }
    }
    pixels += is_pixel;
    if (keeps || !is_reduced[d]) form[at++] = in->axes[d];
  }
  int64_t all = gf__import_axis(op->importing, in->layer, 'h') *
                gf__import_axis(op->importing, in->layer, 'w') *
                gf__import_axis(op->importing, in->layer, 'd');
  if (all > 1 && !in->is_channels_last && pixels) return add_global_pool(op, false, form);
  gf__operation_alias(op, in);
  op->out->shape.rank = at;
  for (int d = 0; d < at; d++) {
    op->out->axes[d] = form[d];
    op->out->shape.dims[d] = gf__import_axis(op->importing, in->layer, form[d]);
  }
  return GF_OK;
}

/* ---- norms ---- */

static void add_float(gf__import_layer *layer, const char *key, float number) {
  char text[32];
  gf__import_number(text, number);
  gf__text_add(&layer->options, ", %s: %s", key, text);
}

gf_status gf__operation_norm(gf__operation *op) {
  static const char *const names[] = {"weight", "bias", "running_mean", "running_var"};
  gf__import_value *in = op->in[0];
  char form[GF__ONNX_MOST_DIMS + 1] = "";
  gf__import_layer *layer;
  if (!gf__operation_takes(op, 0)) return GF_OK;
  if (in->shape.rank < 2 || in->axes[1] != 'c' || in->is_channels_last)
    return gf__operation_reject(op, "it normalises along another axis than that of channels");
  for (int i = 1; i < 5; i++)
    if (!op->in[i] || op->in[i]->kind != GF__ONNX_CONSTANT)
      return gf__operation_reject(op, "its parameters are computed from the images");
  GF_TRY(gf__operation_layer(op, "batch_norm", op->in[1], &layer));
  float eps = gf__operation_float(op, "epsilon", 1e-5F),
        kept = gf__operation_float(op, "momentum", 0.9F);
  if (!(eps >= 1e-12F && eps <= 1) || !(kept >= 0 && kept <= 1))
    return gf__operation_reject(op, "its epsilon or momentum is outside of 1e-12 to 1, 0 to 1");
  char text[32];
  gf__import_number(text, kept);
  add_float(layer, "eps", eps);
  gf__text_add(&layer->options, ", momentum: %.7g", 1 - strtod(text, NULL));
  for (int i = 0; i < 4; i++)
    GF_TRY(gf__import_add_parameter(op->importing, layer, names[i], op->in[i + 1], 1, &layer->c));
  op->importing->notes.norms++;
  memcpy(form, in->axes, (size_t)in->shape.rank);
  gf__operation_output(op, form);
  return GF_OK;
}

/* ---- linear layers ---- */

/* Where the channels of a flattened image were last in the file, the column of the file for column
 * i of ours. */
static size_t column_of(const gf__importing *im, const gf__import_value *in, size_t i) {
  if (!in->is_channels_last) return i;
  int image = im->layers[in->layer].inputs[0];
  while (image >= 0 && im->layers[image].h * im->layers[image].w == 1)
    image = im->layers[image].inputs[0];
  size_t pixels = (size_t)(gf__import_axis(im, image, 'h') * gf__import_axis(im, image, 'w')),
         channels = (size_t)gf__import_axis(im, image, 'c');
  return i % pixels * channels + i / pixels;
}

/* The weight (outputs, inputs) of a matrix in the file, which may be the transpose of it. */
static gf_status add_matrix(gf__operation *op, gf__import_layer *layer, bool is_transposed,
                            float factor, int dim_count, const int *dims) {
  gf__importing *im = op->importing;
  const gf__import_value *in = op->in[0];
  gf__onnx_elements matrix;
  if (is_transposed && factor == 1 && !in->is_channels_last)
    return gf__import_add_parameter(im, layer, "weight", op->in[1], dim_count, dims);
  GF_TRY(gf__import_elements(im, op->in[1], &matrix));
  size_t rows = (size_t)dims[0], columns = (size_t)dims[1];
  if (!matrix.floats || matrix.count != rows * columns)
    return gf__operation_fail(op, "has a weight of another size or type");
  float *values = gf__onnx_file_keep(im->file, matrix.count * sizeof *values);
  if (!values) return GF_ERROR_MEMORY;
  for (size_t i = 0; i < columns; i++) {
    size_t column = column_of(im, in, i);
    for (size_t k = 0; k < rows; k++)
      values[k * columns + i] =
          factor * matrix.floats[is_transposed ? k * columns + column : column * rows + k];
  }
  gf__import_add_values(layer, "weight", values, dim_count, dims);
  return GF_OK;
}

/* The layer of images or vectors (…, channels) by a matrix. */
static gf_status add_linear(gf__operation *op, bool is_transposed, float factor, const char *form) {
  const gf__onnx_shape *shape = &op->in[1]->shape;
  const gf__import_value *in = op->in[0];
  gf__import_layer *layer;
  int64_t outputs = shape->dims[is_transposed ? 0 : 1], inputs = shape->dims[is_transposed ? 1 : 0];
  if (shape->rank != 2 || inputs != gf__import_axis(op->importing, in->layer, 'c') || !outputs)
    return gf__operation_fail(op, "has a weight for another number of inputs");
  int dims[] = {(int)outputs, (int)inputs, 1, 1};
  bool is_vector = gf__import_axis(op->importing, in->layer, 'h') == 1 &&
                   gf__import_axis(op->importing, in->layer, 'w') == 1;
  GF_TRY(gf__operation_layer(op, is_vector ? "linear" : "conv2d", op->in[1], &layer));
  gf__text_add(&layer->options, is_vector ? ", outputs: %d" : ", filters: %d, kernel: 1", dims[0]);
  layer->c = dims[0];
  GF_TRY(add_matrix(op, layer, is_transposed, factor, is_vector ? 2 : 4, dims));
  if (op->row->most_inputs == 3)
    GF_TRY(add_bias(op, layer, dims[0], (double)gf__operation_float(op, "beta", 1)));
  if (op->out->kind != GF__ONNX_FAILED) gf__operation_output(op, form);
  return GF_OK;
}

static bool takes_vector(gf__operation *op) {
  gf__import_value *in = op->in[0];
  bool is_last = in->is_channels_last;
  in->is_channels_last = false;
  bool takes = gf__operation_takes_form(op, 0, "nc");
  in->is_channels_last = is_last;
  return takes;
}

gf_status gf__operation_gemm(gf__operation *op) {
  if (!weight_is_constant(op) || !takes_vector(op)) return GF_OK;
  if (gf__operation_int(op, "transA", 0))
    return gf__operation_reject(op, "it transposes its images (transA)");
  return add_linear(op, gf__operation_int(op, "transB", 0) != 0,
                    gf__operation_float(op, "alpha", 1), "nc");
}

gf_status gf__operation_matmul(gf__operation *op) {
  const gf__import_value *in = op->in[0];
  char form[GF__ONNX_MOST_DIMS + 1] = "";
  if (!weight_is_constant(op)) return GF_OK;
  if (in->shape.rank == 2) {
    if (!takes_vector(op)) return GF_OK;
  } else if (!gf__operation_takes(op, 0)) {
    return GF_OK;
  } else if (in->axes[in->shape.rank - 1] != 'c' ||
             gf__import_axis(op->importing, in->layer, 'd') != 1) {
    return gf__operation_reject(op, "it multiplies along another axis than that of channels");
  }
  memcpy(form, in->axes, (size_t)in->shape.rank);
  return add_linear(op, false, 1, form);
}
