/* Operators that compute each element on its own. */
#include <math.h>
#include <string.h>

#include "base/numbers.h"
#include "convert/onnx/importing.h"

/* The axes of a value as a text. */
static const char *form_of(const gf__import_value *value, char out[GF__ONNX_MOST_DIMS + 1]) {
  memset(out, 0, GF__ONNX_MOST_DIMS + 1);
  memcpy(out, value->axes, (size_t)value->shape.rank);
  return out;
}

/* The output has the axes of the first input, in the order that it has them. */
void gf__operation_output_like(gf__operation *op, const gf__import_value *in) {
  char form[GF__ONNX_MOST_DIMS + 1];
  gf__operation_output(op, form_of(in, form));
  op->out->is_channels_last = in->is_channels_last;
}

/* ---- activations ---- */

void gf__import_add_number(gf__import_layer *layer, const char *key, float number) {
  char text[32];
  gf__import_number(text, number);
  gf__text_add(&layer->options, ", %s: %s", key, text);
}

gf_status gf__operation_activation(gf__operation *op) {
  const char *type = op->row->layer;
  bool is_leaky = !strcmp(type, "leaky_relu"), is_elu = !strcmp(type, "elu");
  float alpha = gf__operation_float(op, "alpha", is_leaky ? 0.01F : 1);
  gf__import_layer *layer;
  if (!gf__operation_takes(op, 0)) return GF_OK;
  if (is_leaky && !(alpha >= 0 && alpha <= 1))
    return gf__operation_reject(op, "its alpha is outside of 0 to 1");
  if (!strcmp(type, "silu") && alpha != 1)
    return gf__operation_reject(op, "its alpha is not 1, as that of silu is");
  if (!strcmp(type, "gelu") && gf__operation_text_is(op, "approximate", "tanh"))
    return gf__operation_reject(op,
                                "it is the approximation of GELU by tanh; the layer gelu is exact");
  GF_TRY(gf__operation_layer(op, type, NULL, &layer));
  if (is_leaky) gf__import_add_number(layer, "slope", alpha);
  if (is_elu) gf__import_add_number(layer, "alpha", alpha);
  gf__operation_output_like(op, op->in[0]);
  return GF_OK;
}

/* A bound of a clamp: an attribute in early sets, else an input. */
static gf_status read_bound(gf__operation *op, const char *name, int input, bool *is_given,
                            double *out) {
  GF_TRY(gf__operation_scalar(op, input, is_given, out));
  if (*is_given || !gf__operation_attribute(op, name)) return GF_OK;
  *is_given = true;
  *out = (double)gf__operation_float(op, name, 0);
  return GF_OK;
}

gf_status gf__operation_clip(gf__operation *op) {
  double low = 0, high = 0;
  bool has_low, has_high;
  gf__import_layer *layer;
  if (!gf__operation_takes(op, 0)) return GF_OK;
  GF_TRY(read_bound(op, "min", 1, &has_low, &low));
  GF_TRY(read_bound(op, "max", 2, &has_high, &high));
  has_low &= low > -3e38;
  has_high &= high < 3e38;
  bool is_relu = has_low && low == 0 && !has_high;
  if (!is_relu && !(has_low && has_high && low < high && low >= -1e6 && high <= 1e6))
    return gf__operation_reject(op, "it has one bound, or bounds outside of -1e6 to 1e6");
  GF_TRY(gf__operation_layer(op, is_relu ? "relu" : "clamp", NULL, &layer));
  if (!is_relu) {
    gf__import_add_number(layer, "min", (float)low);
    gf__import_add_number(layer, "max", (float)high);
  }
  gf__operation_output_like(op, op->in[0]);
  return GF_OK;
}

gf_status gf__operation_hard_sigmoid(gf__operation *op) {
  float alpha = gf__operation_float(op, "alpha", 0.2F),
        beta = gf__operation_float(op, "beta", 0.5F);
  if (!(fabsf(alpha - 1 / 6.0F) < 1e-6F && beta == 0.5F))
    return gf__operation_reject(op,
                                "its slope is not 1/6, or its shift not 1/2, as those of "
                                "PyTorch's are");
  return gf__operation_activation(op);
}

/* The loss has a softmax of its own, so that the last one of a network is left out. */
gf_status gf__operation_softmax(gf__operation *op) {
  const gf__import_value *in = op->in[0];
  if (!gf__operation_takes(op, 0)) return GF_OK;
  int64_t axis = gf__operation_int(op, "axis", op->importing->file->operator_set < 13 ? 1 : -1);
  if (axis < 0) axis += in->shape.rank;
  if (axis < 0 || axis >= in->shape.rank || in->axes[axis] != 'c')
    return gf__operation_reject(op, "it is a softmax along another axis than that of channels");
  gf__operation_alias(op, in);
  op->out->is_softmax = true;
  return GF_OK;
}

gf_status gf__operation_same(gf__operation *op) {
  if (op->in[0]->kind == GF__ONNX_CONSTANT) return gf__operation_fold_same(op);
  gf__operation_alias(op, op->in[0]);
  return GF_OK;
}

/* ---- numbers by channels ---- */

/* y = factor * x + sum, with a number for each channel, or NULL for 1 and for 0. */
typedef struct affine {
  const float *factor, *sum;
} affine;

gf_status gf__operation_channel_numbers(gf__operation *op, const gf__import_value *in,
                                        gf__import_value *constant, float **out) {
  gf__importing *im = op->importing;
  gf__onnx_elements elements;
  int channels = (int)gf__import_axis(im, in->layer, 'c');
  *out = NULL;
  GF_TRY(gf__import_elements(im, constant, &elements));
  int missing = in->shape.rank - elements.shape.rank;
  bool fits = elements.floats && missing >= 0 && !in->is_channels_last;
  for (int d = 0; fits && d < elements.shape.rank; d++)
    fits = elements.shape.dims[d] == 1 ||
           (in->axes[missing + d] == 'c' && elements.shape.dims[d] == channels);
  if (!fits) return GF_OK;
  *out = gf__onnx_file_keep(im->file, (size_t)channels * sizeof **out);
  if (!*out) return GF_ERROR_MEMORY;
  for (int c = 0; c < channels; c++) (*out)[c] = elements.floats[elements.count == 1 ? 0 : c];
  return GF_OK;
}

static bool is_weighted(const gf__import_layer *layer) {
  return !strcmp(layer->type, "conv2d") || !strcmp(layer->type, "conv3d") ||
         !strcmp(layer->type, "linear");
}

/* A parameter as memory that can be changed. */
static float *own_values(gf__importing *im, gf__import_parameter *parameter) {
  float *values = gf__onnx_file_keep(im->file, parameter->count * sizeof *values);
  if (!values) return NULL;
  memcpy(values, parameter->values, parameter->count * sizeof *values);
  parameter->values = values;
  return values;
}

/* Multiplies and adds within the layer's own weights. */
static gf_status fold_affine(gf__importing *im, gf__import_layer *layer, affine by) {
  if (by.sum && layer->parameter_count == 1) {
    float *zeros = gf__onnx_file_keep(im->file, (size_t)layer->c * sizeof *zeros);
    if (!zeros) return GF_ERROR_MEMORY;
    for (int k = 0; k < layer->c; k++) zeros[k] = 0;
    gf__import_add_values(layer, "bias", zeros, 1, &layer->c);
  }
  for (int p = 0; p < layer->parameter_count; p++) {
    gf__import_parameter *parameter = &layer->parameters[p];
    size_t each = parameter->count / (size_t)layer->c;
    if (p == 0 && !by.factor) continue;
    float *values = own_values(im, parameter);
    if (!values) return GF_ERROR_MEMORY;
    for (size_t i = 0; i < parameter->count; i++) {
      if (by.factor) values[i] *= by.factor[i / each];
      if (by.sum && p == 1) values[i] += by.sum[i];
    }
  }
  if (by.factor && !layer->is_folded) {
    layer->is_folded = true;
    im->notes.folded_norms++;
  }
  return GF_OK;
}

/* A batch norm that is such a product and sum in inference. */
static gf_status add_affine(gf__operation *op, const gf__import_value *in) {
  static const char *const names[] = {"weight", "bias", "running_mean", "running_var"};
  static const float eps = 1e-5F, initial[] = {1, 0, 0, 1 - 1e-5F};
  gf__importing *im = op->importing;
  gf__import_layer *layer;
  GF_TRY(gf__operation_layer(op, "batch_norm", NULL, &layer));
  layer->is_affine = true;
  im->notes.affine_norms++;
  gf__import_add_number(layer, "eps", eps);
  for (int p = 0; p < 4; p++) {
    float *values = gf__onnx_file_keep(im->file, (size_t)layer->c * sizeof *values);
    if (!values) return GF_ERROR_MEMORY;
    for (int c = 0; c < layer->c; c++) values[c] = initial[p];
    gf__import_add_values(layer, names[p], values, 1, &layer->c);
  }
  gf__operation_output_like(op, in);
  return GF_OK;
}

static gf_status change_affine(gf__importing *im, gf__import_layer *norm, affine by) {
  float *weight = own_values(im, &norm->parameters[0]),
        *bias = own_values(im, &norm->parameters[1]);
  if (!weight || !bias) return GF_ERROR_MEMORY;
  for (int c = 0; c < norm->c; c++) {
    if (by.factor) weight[c] *= by.factor[c];
    if (by.factor) bias[c] *= by.factor[c];
    if (by.sum) bias[c] += by.sum[c];
  }
  return GF_OK;
}

/* What the data section can do: a mean and a deviation for each channel of grey or RGB images. */
static bool is_preprocessing(const gf__importing *im, const gf__import_value *in, affine by) {
  if (in->layer != GF__IMPORT_IMAGES || !in->is_sole || im->image.channels > 3) return false;
  for (int c = 0; c < im->image.channels && by.factor; c++)
    if (!(by.factor[c] > 0)) return false;
  return true;
}

static gf_status add_preprocessing(gf__importing *im, affine by) {
  enum { MOST = 3 }; /* as is_preprocessing has found */
  size_t channels = (size_t)GF__CLAMP(im->image.channels, 1, MOST);
  if (!im->input_factor) {
    im->input_factor = gf__onnx_file_keep(im->file, channels * sizeof *im->input_factor);
    im->input_sum = gf__onnx_file_keep(im->file, channels * sizeof *im->input_sum);
    if (!im->input_factor || !im->input_sum) return GF_ERROR_MEMORY;
    for (size_t c = 0; c < channels; c++) im->input_factor[c] = 1;
    for (size_t c = 0; c < channels; c++) im->input_sum[c] = 0;
  }
  for (size_t c = 0; c < channels; c++) {
    if (by.factor) im->input_factor[c] *= by.factor[c];
    if (by.factor) im->input_sum[c] *= by.factor[c];
    if (by.sum) im->input_sum[c] += by.sum[c];
  }
  return GF_OK;
}

/* Into the data section for images, into the weights of the layer before where nothing else reads
 * that, else into a norm. */
static gf_status apply_affine(gf__operation *op, const gf__import_value *in, affine by) {
  gf__importing *im = op->importing;
  if (is_preprocessing(im, in, by)) {
    GF_TRY(add_preprocessing(im, by));
    gf__operation_alias(op, in);
    return GF_OK;
  }
  if (in->is_sole && in->layer >= 0 && is_weighted(&im->layers[in->layer])) {
    GF_TRY(fold_affine(im, &im->layers[in->layer], by));
    gf__operation_alias(op, in);
    return GF_OK;
  }
  if (in->is_sole && in->layer >= 0 && im->layers[in->layer].is_affine) {
    GF_TRY(change_affine(im, &im->layers[in->layer], by));
    gf__operation_alias(op, in);
    return GF_OK;
  }
  GF_TRY(add_affine(op, in));
  return change_affine(im, &im->layers[im->layer_count - 1], by);
}

/* ---- with one operand that is a constant ---- */

static gf__import_value *constant_operand(const gf__operation *op, gf__import_value **other) {
  for (int i = 0; i < 2; i++)
    if (op->in[i]->kind == GF__ONNX_CONSTANT) {
      *other = op->in[1 - i];
      return op->in[i];
    }
  return NULL;
}

static gf_status reject_constant(gf__operation *op) {
  return gf__operation_reject(op, "its constant is not one number for each channel");
}

static gf_status add_constant(gf__operation *op, const gf__import_value *in,
                              gf__import_value *constant, float sign) {
  gf__onnx_elements elements;
  float *numbers;
  bool is_bias;
  GF_TRY(gf__import_elements(op->importing, constant, &elements));
  if (sign == 1 && elements.count == 1 && elements.floats &&
      gf__operation_norm_adds_eps(op, in, (double)elements.floats[0]))
    return GF_OK;
  if (in->is_erf && in->scale == 1 && elements.count == 1 && elements.floats &&
      sign * elements.floats[0] == 1) {
    gf__operation_alias(op, in);
    op->out->is_erf = false;
    op->out->is_erf_plus_one = true;
    return GF_OK;
  }
  if (!gf__import_is_plain(in))
    return gf__operation_reject(op,
                                "it adds to an image that was multiplied by a "
                                "constant, for which there is no layer");
  if (sign == 1) {
    GF_TRY(gf__operation_weigh_norm(op, in, constant, true, &is_bias));
    if (is_bias) return GF_OK;
  }
  GF_TRY(gf__operation_channel_numbers(op, in, constant, &numbers));
  if (!numbers) return reject_constant(op);
  int channels = (int)gf__import_axis(op->importing, in->layer, 'c');
  for (int c = 0; c < channels; c++) numbers[c] *= sign;
  return apply_affine(op, in, (affine){NULL, numbers});
}

/* Whether a constant is added to the output next: the product and the sum are a norm's. */
static gf_status is_before_sum(gf__operation *op, bool *out) {
  const Onnx__GraphProto *graph = op->importing->file->model->graph;
  *out = false;
  for (size_t i = (size_t)op->index; i < graph->n_node && !*out; i++) {
    const Onnx__NodeProto *node = graph->node[i];
    if (!node->op_type || node->n_input != 2 ||
        (strcmp(node->op_type, "Add") != 0 && strcmp(node->op_type, "Sub") != 0))
      continue;
    for (size_t k = 0; k < 2 && !*out; k++) {
      gf__import_value *other;
      if (strcmp(node->input[k], op->out->name) != 0 || !*node->input[1 - k]) continue;
      GF_TRY(gf__importing_value(op->importing, node->input[1 - k], &other));
      *out = other->kind == GF__ONNX_CONSTANT;
    }
  }
  return GF_OK;
}

/* A product with a parameter of the file that has an element for each channel, and no sum after
 * it. */
static gf_status add_layer_scale(gf__operation *op, const gf__import_value *in,
                                 const gf__import_value *constant, const float *numbers,
                                 bool *is_one) {
  gf__import_layer *layer;
  *is_one = false;
  bool is_norm = in->layer >= 0 && op->importing->layers[in->layer].is_affine;
  if ((!constant->is_parameter && !constant->parameter) || in->layer < 0 || is_norm) return GF_OK;
  GF_TRY(is_before_sum(op, is_one));
  *is_one = !*is_one;
  if (!*is_one) return GF_OK;
  GF_TRY(gf__operation_layer(op, "layer_scale", constant, &layer));
  gf__import_add_values(layer, "layer_scale", numbers, 3, (const int[]){layer->c, 1, 1});
  gf__operation_output_like(op, in);
  return GF_OK;
}

/* One number is kept until it meets its inverse or a function that it is part of. */
static gf_status scale_by_constant(gf__operation *op, const gf__import_value *in,
                                   gf__import_value *constant, bool divides) {
  gf__onnx_elements elements;
  float *numbers;
  bool is_done = false;
  GF_TRY(gf__import_elements(op->importing, constant, &elements));
  if (!divides) GF_TRY(gf__operation_weigh_norm(op, in, constant, false, &is_done));
  if (is_done) return GF_OK;
  bool is_folding =
      gf__import_is_plain(in) && in->is_sole &&
      (in->layer == GF__IMPORT_IMAGES || is_weighted(&op->importing->layers[in->layer]) ||
       op->importing->layers[in->layer].is_affine);
  double number = elements.count == 1 && elements.floats ? (double)elements.floats[0] : 0;
  if (number == 1 || (elements.count == 1 && elements.floats && !is_folding)) {
    gf__operation_alias(op, in);
    op->out->scale *= divides ? 1 / number : number;
    if (fabs(op->out->scale - 1) < 1e-6) op->out->scale = 1;
    return GF_OK;
  }
  if (!gf__import_is_plain(in))
    return gf__operation_reject(op,
                                "it scales an image that was multiplied by a "
                                "constant, for which there is no layer");
  GF_TRY(gf__operation_channel_numbers(op, in, constant, &numbers));
  if (!numbers) return reject_constant(op);
  int channels = (int)gf__import_axis(op->importing, in->layer, 'c');
  if (!divides && elements.count > 1) GF_TRY(add_layer_scale(op, in, constant, numbers, &is_done));
  if (is_done) return GF_OK;
  for (int c = 0; c < channels && divides; c++) numbers[c] = 1 / numbers[c];
  return apply_affine(op, in, (affine){numbers, NULL});
}

gf_status gf__operation_subtract(gf__operation *op) {
  if (gf__operation_norm_centres(op)) return GF_OK;
  if (op->in[1]->kind != GF__ONNX_CONSTANT)
    return gf__operation_reject(op, "it subtracts an image; there is a layer for sums alone");
  return add_constant(op, op->in[0], op->in[1], -1);
}

gf_status gf__operation_divide(gf__operation *op) {
  bool is_norm;
  if (op->in[0]->bins) return gf__operation_divide_bins(op);
  GF_TRY(gf__operation_norm_divides(op, GF__NORM_DEVIATION, &is_norm));
  if (is_norm) return GF_OK;
  if (op->in[1]->kind != GF__ONNX_CONSTANT)
    return gf__operation_reject(op, "it divides by an image, for which there is no layer");
  return scale_by_constant(op, op->in[0], op->in[1], true);
}

gf_status gf__operation_erf(gf__operation *op) {
  const gf__import_value *in = op->in[0];
  if (in->is_erf || in->is_erf_plus_one || in->is_softmax || in->groups || in->norm_stage)
    return gf__operation_reject(op, "it is no part of GELU, the only function with an Erf");
  gf__operation_alias(op, in);
  op->out->is_erf = true;
  op->out->inner = in->scale;
  op->out->scale = 1;
  return GF_OK;
}

/* ---- of two activations ---- */

static bool have_one_form(const gf__import_value *a, const gf__import_value *b) {
  return a->shape.rank == b->shape.rank && a->is_channels_last == b->is_channels_last &&
         !memcmp(a->axes, b->axes, (size_t)a->shape.rank) &&
         !memcmp(a->shape.dims, b->shape.dims, (size_t)a->shape.rank * sizeof *a->shape.dims);
}

gf_status gf__operation_add(gf__operation *op) {
  gf__import_value *in = NULL, *constant = op->in_count == 2 ? constant_operand(op, &in) : NULL;
  gf__import_layer *layer;
  if (op->in[0]->bins) return gf__operation_add_bins(op);
  if (constant) return add_constant(op, in, constant, 1);
  for (int i = 0; i < op->in_count; i++) {
    if (!op->in[i] || !gf__operation_takes(op, i)) return GF_OK;
    if (!have_one_form(op->in[0], op->in[i]))
      return gf__operation_reject(op, "it adds images of different shapes or orders of axes");
  }
  if (op->in_count == 1) return gf__operation_same(op);
  for (int i = 1; i < op->in_count; i++) {
    int before = op->importing->layer_count - 1;
    GF_TRY(gf__operation_layer(op, "add", NULL, &layer));
    layer->input_count = 2;
    layer->inputs[0] = i == 1 ? op->in[0]->layer : before;
    layer->inputs[1] = op->in[i]->layer;
  }
  gf__operation_output_like(op, op->in[0]);
  return GF_OK;
}

/* x * sigmoid(x), where nothing else reads the sigmoid, which becomes a silu; or the same of hard
 * ones. */
static bool becomes_swish(gf__operation *op) {
  for (int i = 0; i < 2; i++) {
    const gf__import_value *gate = op->in[i], *x = op->in[1 - i];
    if (!gate->is_sole || gate->layer < 0 || !gf__import_is_plain(gate) || !gf__import_is_plain(x))
      continue;
    gf__import_layer *layer = &op->importing->layers[gate->layer];
    bool is_soft = !strcmp(layer->type, "sigmoid"), is_hard = !strcmp(layer->type, "hard_sigmoid");
    if ((!is_soft && !is_hard) || layer->inputs[0] != x->layer || !have_one_form(gate, x)) continue;
    layer->type = is_soft ? "silu" : "hard_swish";
    gf__operation_alias(op, gate);
    return true;
  }
  return false;
}

/* x * (1 + erf(x / sqrt(2))), which is twice GELU. */
static gf_status add_gelu(gf__operation *op, bool *is_one) {
  *is_one = false;
  for (int i = 0; i < 2 && !*is_one; i++) {
    const gf__import_value *gate = op->in[i], *x = op->in[1 - i];
    if (!gate->is_erf_plus_one || x->is_erf || x->is_erf_plus_one || gate->layer != x->layer ||
        fabs(gate->inner - 0.70710678) > 1e-5 || !have_one_form(gate, x))
      continue;
    gf__import_layer *layer;
    double scale = 2 * gate->scale * x->scale;
    GF_TRY(gf__operation_layer(op, "gelu", NULL, &layer));
    layer->input_count = 1;
    gf__operation_output_like(op, x);
    op->out->scale = fabs(scale - 1) < 1e-6 ? 1 : scale;
    *is_one = true;
  }
  return GF_OK;
}

static int64_t pixels_of(const gf__importing *im, const gf__import_value *value) {
  return gf__import_axis(im, value->layer, 'd') * gf__import_axis(im, value->layer, 'h') *
         gf__import_axis(im, value->layer, 'w');
}

/* Whether each axis of the gate is that of the image, or of one element. */
static bool gates(const gf__importing *im, const gf__import_value *gate,
                  const gf__import_value *x) {
  bool fits = gate->shape.rank == x->shape.rank && !gate->is_channels_last &&
              !x->is_channels_last &&
              gf__import_axis(im, gate->layer, 'c') == gf__import_axis(im, x->layer, 'c') &&
              (pixels_of(im, gate) == 1 || have_one_form(gate, x));
  for (int d = 0; fits && d < x->shape.rank; d++)
    fits = gate->axes[d] == x->axes[d] || (gate->shape.dims[d] == 1 && x->axes[d] != 'c');
  return fits;
}

/* The image is the first input of the layer, and the second what may have one pixel, as in
 * squeeze-and-excitation. */
static gf_status add_product(gf__operation *op) {
  const gf__importing *im = op->importing;
  gf__import_layer *layer;
  if (!gf__operation_takes(op, 0) || !gf__operation_takes(op, 1)) return GF_OK;
  int first = pixels_of(im, op->in[1]) > pixels_of(im, op->in[0]);
  const gf__import_value *x = op->in[first], *gate = op->in[1 - first];
  if (!gates(im, gate, x))
    return gf__operation_reject(op,
                                "it multiplies images of different shapes, of which none has one "
                                "pixel with as many channels as the other");
  GF_TRY(gf__operation_layer(op, "multiply", NULL, &layer));
  layer->inputs[0] = x->layer;
  layer->inputs[1] = gate->layer;
  gf__import_layer_shape(layer, (int)gf__import_axis(im, x->layer, 'd'),
                         (int)gf__import_axis(im, x->layer, 'h'),
                         (int)gf__import_axis(im, x->layer, 'w'), layer->c);
  gf__operation_output_like(op, x);
  return GF_OK;
}

gf_status gf__operation_multiply(gf__operation *op) {
  gf__import_value *in = NULL, *constant = constant_operand(op, &in);
  bool is_gelu, is_norm;
  if (constant) return scale_by_constant(op, in, constant, false);
  if (gf__operation_norm_squares(op)) return GF_OK;
  GF_TRY(gf__operation_norm_divides(op, GF__NORM_RATE, &is_norm));
  if (is_norm) return GF_OK;
  if (becomes_swish(op)) return GF_OK;
  GF_TRY(add_gelu(op, &is_gelu));
  if (is_gelu) return GF_OK;
  return add_product(op);
}
