/* Norms that normalise each image by itself, whether one operator or several. */
#include <math.h>
#include <string.h>

#include "base/numbers.h"
#include "convert/onnx/importing.h"

/* ---- what the layers share ---- */

static gf_status add_eps(gf__operation *op, gf__import_layer *layer, double eps) {
  char text[32];
  gf__import_number(text, (float)eps);
  gf__text_add(&layer->options, ", eps: %s", text);
  if (eps >= 1e-12 && eps <= 1) return GF_OK;
  return gf__operation_reject(op, "its epsilon is outside of 1e-12 to 1");
}

static gf_status add_constant_weight(gf__operation *op, gf__import_layer *layer, const char *suffix,
                                     float value, int dim_count, const int *dims) {
  size_t count = 1;
  for (int d = 0; d < dim_count; d++) count *= (size_t)dims[d];
  float *values = gf__onnx_file_keep(op->importing->file, count * sizeof *values);
  if (!values) return GF_ERROR_MEMORY;
  for (size_t i = 0; i < count; i++) values[i] = value;
  gf__import_add_values(layer, suffix, values, dim_count, dims);
  return GF_OK;
}

/* The weight and bias of inputs 1 and 2, or those that change nothing. */
static gf_status add_weights(gf__operation *op, gf__import_layer *layer, int dim_count,
                             const int *dims) {
  static const char *const names[] = {"weight", "bias"};
  for (int p = 0; p < 2; p++) {
    gf__import_value *value = op->in_count > p + 1 ? op->in[p + 1] : NULL;
    if (value)
      GF_TRY(gf__import_add_parameter(op->importing, layer, names[p], value, dim_count, dims));
    else
      GF_TRY(add_constant_weight(op, layer, names[p], p == 0, dim_count, dims));
  }
  return GF_OK;
}

/* Whether the inputs after the first are constants; where not, the node has been rejected. */
static bool has_constant_weights(gf__operation *op) {
  for (int i = 1; i < op->in_count; i++)
    if (op->in[i] && op->in[i]->kind != GF__ONNX_CONSTANT) {
      (void)!gf__operation_reject(op, "its parameters are computed from the images");
      return false;
    }
  return true;
}

/* ---- LayerNormalization ---- */

/* Whether the axes from this one on are the channels alone, but for sizes of 1. */
static bool are_channels(const gf__import_value *in, int axis) {
  bool has_channels = false;
  for (int d = axis; d < in->shape.rank; d++) {
    if (in->axes[d] != 'c' && in->shape.dims[d] != 1) return false;
    has_channels |= in->axes[d] == 'c';
  }
  return has_channels;
}

gf_status gf__operation_layer_norm(gf__operation *op) {
  const gf__import_value *in = op->in[0];
  int64_t axis = gf__operation_int(op, "axis", -1);
  gf__import_layer *layer;
  if (!has_constant_weights(op) || !gf__operation_takes(op, 0)) return GF_OK;
  if (axis < 0) axis += in->shape.rank;
  if (axis < 0 || axis >= in->shape.rank)
    return gf__operation_fail(op, "has an axis that is not there");
  bool over_channels = are_channels(in, (int)axis);
  bool over_image = !over_channels && axis == 1 && gf__import_has_form(op->importing, in, "nchw");
  if ((!over_channels && !over_image) || in->is_channels_last)
    return gf__operation_reject(op,
                                "it normalises along other axes than that of channels, or all of "
                                "an image, channels first");
  GF_TRY(gf__operation_layer(op, "layer_norm", op->in[1], &layer));
  if (over_image) gf__text_add(&layer->options, ", over: image");
  GF_TRY(add_eps(op, layer, (double)gf__operation_float(op, "epsilon", 1e-5F)));
  int dims[] = {layer->c, layer->h, layer->w};
  GF_TRY(add_weights(op, layer, over_image ? 3 : 1, dims));
  if (op->out->kind != GF__ONNX_FAILED) gf__operation_output_like(op, in);
  return GF_OK;
}

/* ---- groups ---- */

/* A weight of each group as one of each channel. */
static gf_status spread_weights(gf__operation *op, gf__import_layer *layer, int groups) {
  static const char *const names[] = {"weight", "bias"};
  for (int p = 0; p < 2; p++) {
    gf__onnx_elements of_groups;
    GF_TRY(gf__import_elements(op->importing, op->in[p + 1], &of_groups));
    if (!of_groups.floats || of_groups.count != (size_t)groups)
      return gf__operation_fail(op, "has weights of another number or type");
    float *values = gf__onnx_file_keep(op->importing->file, (size_t)layer->c * sizeof *values);
    if (!values) return GF_ERROR_MEMORY;
    for (int c = 0; c < layer->c; c++) values[c] = of_groups.floats[c / (layer->c / groups)];
    gf__import_add_values(layer, names[p], values, 1, &layer->c);
  }
  return GF_OK;
}

static gf_status add_group_norm(gf__operation *op, int groups, const gf__import_value *weight) {
  gf__import_layer *layer;
  gf__onnx_elements elements;
  GF_TRY(gf__operation_layer(op, "group_norm", weight, &layer));
  if (groups < 1 || layer->c % groups)
    return gf__operation_fail(op, "has groups that do not divide its channels");
  layer->norm_groups = groups;
  layer->norm_eps = (double)gf__operation_float(op, "epsilon", 1e-5F);
  gf__text_add(&layer->options, ", groups: %d", groups);
  GF_TRY(add_eps(op, layer, layer->norm_eps));
  GF_TRY(gf__import_elements(op->importing, op->in[1], &elements));
  if (elements.count == (size_t)layer->c) return add_weights(op, layer, 1, &layer->c);
  layer->is_bare_norm = true;
  return spread_weights(op, layer, groups);
}

gf_status gf__operation_group_norm(gf__operation *op) {
  const gf__import_value *in = op->in[0];
  if (!has_constant_weights(op) || !gf__operation_takes(op, 0)) return GF_OK;
  if (in->shape.rank < 2 || in->axes[1] != 'c' || in->is_channels_last)
    return gf__operation_reject(op, "it normalises along another axis than that of channels");
  GF_TRY(add_group_norm(op, (int)GF__CLAMP(gf__operation_int(op, "num_groups", 1), 0, 65536),
                        op->in[1]));
  if (op->out->kind != GF__ONNX_FAILED) gf__operation_output_like(op, in);
  return GF_OK;
}

/* Of each channel by itself, or, as PyTorch writes it, of groups that a Reshape has made. */
gf_status gf__operation_instance_norm(gf__operation *op) {
  gf__import_value *in = op->in[0];
  int groups = in->groups;
  if (!has_constant_weights(op)) return GF_OK;
  in->groups = 0;
  bool takes = gf__operation_takes(op, 0);
  in->groups = groups;
  if (!takes) return GF_OK;
  bool is_grouped = groups && in->shape.rank == 3;
  if (!is_grouped && (groups || in->shape.rank < 3 || in->axes[1] != 'c'))
    return gf__operation_reject(op, "it normalises along another axis than that of channels");
  int channels = (int)gf__import_axis(op->importing, in->layer, 'c');
  GF_TRY(add_group_norm(op, groups ? groups : channels, groups ? NULL : op->in[1]));
  if (op->out->kind == GF__ONNX_FAILED) return GF_OK;
  if (!groups) {
    gf__operation_output_like(op, in);
    return GF_OK;
  }
  gf__operation_alias(op, in);
  op->out->layer = op->importing->layer_count - 1;
  op->out->is_sole = op->out->uses == 1;
  return GF_OK;
}

/* ---- a layer norm in several operators ---- */

/* (x - mean(x)) / sqrt(mean((x - mean(x))^2) + eps), whose intermediate values are of these stages.
 */
bool gf__operation_norm_mean(gf__operation *op, const bool *is_reduced) {
  const gf__import_value *in = op->in[0];
  bool is_first = in->norm_stage == GF__NORM_NONE, fits = in->kind == GF__ONNX_ACTIVATION;
  for (int d = 0; fits && d < in->shape.rank; d++)
    fits = is_reduced[d] == (in->axes[d] == 'c' && in->shape.dims[d] > 1);
  fits = fits && memchr(in->axes, 'c', (size_t)in->shape.rank) && !in->is_channels_last &&
         gf__operation_int(op, "keepdims", 1) &&
         (is_first ? gf__import_is_plain(in) : in->norm_stage == GF__NORM_SQUARE);
  if (!fits || gf__import_axis(op->importing, in->layer, 'c') == 1) return false;
  gf__operation_alias(op, in);
  op->out->norm_stage = is_first ? GF__NORM_MEAN : GF__NORM_VARIANCE;
  for (int d = 0; d < in->shape.rank; d++)
    if (is_reduced[d]) op->out->shape.dims[d] = 1;
  return true;
}

static bool have_one_origin(const gf__import_value *a, const gf__import_value *b) {
  return a->kind == GF__ONNX_ACTIVATION && b->kind == GF__ONNX_ACTIVATION && a->layer == b->layer &&
         a->shape.rank == b->shape.rank && !memcmp(a->axes, b->axes, (size_t)a->shape.rank);
}

static bool enter_stage(gf__operation *op, const gf__import_value *in, gf__norm_stage stage) {
  gf__operation_alias(op, in);
  op->out->norm_stage = stage;
  return true;
}

bool gf__operation_norm_centres(gf__operation *op) {
  const gf__import_value *x = op->in[0], *mean = op->in[1];
  if (mean->norm_stage != GF__NORM_MEAN || !have_one_origin(x, mean) || !gf__import_is_plain(x))
    return false;
  return enter_stage(op, x, GF__NORM_CENTRED);
}

bool gf__operation_norm_squares(gf__operation *op) {
  const gf__import_value *a = op->in[0], *b = op->in[1];
  if (a->norm_stage != GF__NORM_CENTRED || b->norm_stage != GF__NORM_CENTRED ||
      !have_one_origin(a, b))
    return false;
  return enter_stage(op, a, GF__NORM_SQUARE);
}

gf_status gf__operation_pow(gf__operation *op) {
  double exponent = 0;
  bool is_number;
  GF_TRY(gf__operation_scalar(op, 1, &is_number, &exponent));
  if (op->in[0]->norm_stage == GF__NORM_CENTRED && is_number && exponent == 2) {
    (void)enter_stage(op, op->in[0], GF__NORM_SQUARE);
    return GF_OK;
  }
  return gf__operation_reject(op,
                              "it is no square within a layer norm, for which there are layers");
}

bool gf__operation_norm_adds_eps(gf__operation *op, const gf__import_value *in, double eps) {
  if (in->norm_stage != GF__NORM_VARIANCE) return false;
  (void)enter_stage(op, in, GF__NORM_WITH_EPS);
  op->out->inner = eps;
  return true;
}

gf_status gf__operation_sqrt(gf__operation *op) {
  if (op->in[0]->norm_stage != GF__NORM_WITH_EPS)
    return gf__operation_reject(op,
                                "it is no deviation of a layer norm, for which there are layers");
  (void)enter_stage(op, op->in[0], GF__NORM_DEVIATION);
  return GF_OK;
}

gf_status gf__operation_reciprocal(gf__operation *op) {
  if (op->in[0]->norm_stage != GF__NORM_DEVIATION)
    return gf__operation_reject(op,
                                "it is no deviation of a layer norm, for which there are layers");
  (void)enter_stage(op, op->in[0], GF__NORM_RATE);
  return GF_OK;
}

gf_status gf__operation_norm_divides(gf__operation *op, gf__norm_stage by, bool *is_one) {
  *is_one = false;
  for (int i = 0; i < 2 && !*is_one; i++) {
    const gf__import_value *x = op->in[i], *with = op->in[1 - i];
    *is_one = x->norm_stage == GF__NORM_CENTRED && with->norm_stage == by &&
              have_one_origin(x, with) && (i == 0 || by == GF__NORM_RATE);
    if (!*is_one) continue;
    gf__import_layer *layer;
    GF_TRY(gf__operation_layer(op, "layer_norm", NULL, &layer));
    layer->input_count = 1;
    layer->is_bare_norm = true;
    GF_TRY(add_eps(op, layer, with->inner));
    GF_TRY(add_constant_weight(op, layer, "weight", 1, 1, &layer->c));
    GF_TRY(add_constant_weight(op, layer, "bias", 0, 1, &layer->c));
    if (op->out->kind != GF__ONNX_FAILED) gf__operation_output_like(op, x);
  }
  return GF_OK;
}

/* ---- the weights after a norm that has none ---- */

/* The constant as a number for each weight of the layer, in the order of the weights; NULL: it is
 * another one. */
static gf_status weight_numbers(gf__operation *op, const gf__import_value *in,
                                gf__import_value *constant, const float **out, int *dim_count) {
  const gf__import_layer *layer = &op->importing->layers[in->layer];
  gf__onnx_elements elements;
  float *by_channel;
  *dim_count = 1;
  GF_TRY(gf__operation_channel_numbers(op, in, constant, &by_channel));
  *out = by_channel;
  if (by_channel ||
      (strcmp(layer->type, "group_norm") != 0 && layer->parameters[0].dim_count != 3) ||
      !gf__import_has_form(op->importing, in, "nchw"))
    return GF_OK;
  GF_TRY(gf__import_elements(op->importing, constant, &elements));
  int missing = in->shape.rank - elements.shape.rank;
  bool fits = elements.floats && (missing == 1 || (missing == 0 && elements.shape.dims[0] == 1));
  for (int d = 1; fits && d < in->shape.rank; d++)
    fits = elements.shape.dims[d - missing] == in->shape.dims[d];
  if (!fits) return GF_OK;
  *out = elements.floats;
  *dim_count = 3;
  return GF_OK;
}

/* A group norm of one group becomes a layer norm where its weights are of single values. */
static gf_status weigh_each_value(gf__operation *op, gf__import_layer *layer) {
  const int dims[] = {layer->c, layer->h, layer->w};
  int pixels = layer->h * layer->w;
  layer->type = "layer_norm";
  layer->options.size = 0;
  gf__text_add(&layer->options, ", over: image");
  GF_TRY(add_eps(op, layer, layer->norm_eps));
  for (int p = 0; p < 2; p++) {
    gf__import_parameter *parameter = &layer->parameters[p];
    size_t count = parameter->count * (size_t)pixels;
    float *values = gf__onnx_file_keep(op->importing->file, count * sizeof *values);
    if (!values) return GF_ERROR_MEMORY;
    for (size_t i = 0; i < count; i++) values[i] = parameter->values[i / (size_t)pixels];
    parameter->values = values;
    parameter->count = count;
    parameter->dim_count = 3;
    memcpy(parameter->dims, dims, sizeof dims);
  }
  return GF_OK;
}

static gf_status change_weights(gf__operation *op, gf__import_layer *layer, const float *numbers,
                                bool is_sum) {
  for (int p = is_sum; p < 2; p++) {
    gf__import_parameter *parameter = &layer->parameters[p];
    float *values = gf__onnx_file_keep(op->importing->file, parameter->count * sizeof *values);
    if (!values) return GF_ERROR_MEMORY;
    for (size_t i = 0; i < parameter->count; i++)
      values[i] = is_sum ? parameter->values[i] + numbers[i] : parameter->values[i] * numbers[i];
    parameter->values = values;
  }
  return GF_OK;
}

gf_status gf__operation_weigh_norm(gf__operation *op, const gf__import_value *in,
                                   gf__import_value *constant, bool is_sum, bool *is_done) {
  const float *numbers;
  int dim_count;
  *is_done = false;
  if (in->layer < 0 || !in->is_sole || !gf__import_is_plain(in)) return GF_OK;
  gf__import_layer *layer = &op->importing->layers[in->layer];
  if (!layer->is_bare_norm) return GF_OK;
  GF_TRY(weight_numbers(op, in, constant, &numbers, &dim_count));
  bool is_by_value = layer->parameters[0].dim_count == 3;
  if (!numbers || (is_by_value && dim_count == 1)) return GF_OK;
  if (dim_count == 3 && !is_by_value) {
    if (layer->norm_groups != 1) return GF_OK;
    GF_TRY(weigh_each_value(op, layer));
  }
  GF_TRY(change_weights(op, layer, numbers, is_sum));
  if (!is_sum) GF_TRY(gf__operation_rename_layer(op, layer, constant));
  gf__operation_alias(op, in);
  *is_done = true;
  return GF_OK;
}
