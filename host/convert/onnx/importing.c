#include "convert/onnx/importing.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

void gf__importing_free(gf__importing *im) {
  for (int i = 0; i < im->layer_count; i++) gf__text_free(&im->layers[i].options);
  for (size_t i = 0; i < im->problem_count; i++) {
    gf__text_free(&im->problems[i].reason);
    gf__text_free(&im->problems[i].nodes);
  }
  free(im->values);
  free(im->layers);
  free(im->problems);
  gf__index_free(&im->value_index);
  gf__index_free(&im->layer_names);
  *im = (gf__importing){0};
}

/* ---- values ---- */

/* Room for all values is made before, so that pointers to them stay. */
gf_status gf__importing_value(gf__importing *im, const char *name, gf__import_value **out) {
  size_t index;
  if (!gf__index_find(&im->value_index, name, strlen(name), &index)) {
    index = im->value_count++;
    im->values[index] = (gf__import_value){.name = name, .scale = 1};
    GF_TRY(gf__index_set(&im->value_index, name, strlen(name), index));
  }
  *out = &im->values[index];
  return GF_OK;
}

gf_status gf__import_elements(gf__importing *im, gf__import_value *value, gf__onnx_elements *out) {
  if (value->stored) {
    GF_TRY(gf__onnx_tensor_read(im->file, value->stored, &value->elements));
    value->stored = NULL;
    im->most_folded += value->elements.count;
  }
  *out = value->elements;
  return GF_OK;
}

int64_t gf__import_axis(const gf__importing *im, int layer, char axis) {
  const gf_image_shape image = im->image;
  const gf__import_layer *l = layer == GF__IMPORT_IMAGES ? NULL : &im->layers[layer];
  switch (axis) {
    case 'n':
      return im->batch;
    case 'c':
      return l ? l->c : image.channels;
    case 'd':
      return l ? l->d : 1;
    case 'h':
      return l ? l->h : image.height;
    case 'w':
      return l ? l->w : image.width;
    default:
      return 1;
  }
}

bool gf__import_has_form(const gf__importing *im, const gf__import_value *value, const char *axes) {
  if (value->shape.rank != (int)strlen(axes)) return false;
  for (int i = 0; axes[i]; i++) {
    bool is_single = value->shape.dims[i] == 1 && gf__import_axis(im, value->layer, axes[i]) == 1;
    if (value->axes[i] != axes[i] && (!is_single || axes[i] == 'n')) return false;
  }
  return true;
}

/* ---- problems ---- */

static const char *operation_name(const gf__operation *op) {
  const Onnx__NodeProto *node = op->node;
  if (node->name && *node->name) return node->name;
  return node->n_output ? node->output[0] : "";
}

/* Past so many kinds the nodes are counted as one more of the last kind. */
enum { MOST_PROBLEMS = 100 };

static gf__import_problem *find_problem(gf__importing *im, const char *op, const char *reason) {
  for (size_t i = 0; i < im->problem_count; i++)
    if (!strcmp(im->problems[i].op, op) && !strcmp(im->problems[i].reason.data, reason))
      return &im->problems[i];
  return im->problem_count == MOST_PROBLEMS ? &im->problems[MOST_PROBLEMS - 1] : NULL;
}

gf_status gf__operation_reject(gf__operation *op, const char *format, ...) {
  enum { MOST_NAMED = 4 };
  gf__importing *im = op->importing;
  char reason[512];
  va_list args;
  va_start(args, format);
  vsnprintf(reason, sizeof reason, format, args);
  va_end(args);
  if (op->out) op->out->kind = GF__ONNX_FAILED;
  gf__import_problem *problem = find_problem(im, op->node->op_type, reason);
  if (!problem) {
    GF_TRY(gf__grow(&im->problems, im->problem_count, sizeof *im->problems));
    problem = &im->problems[im->problem_count++];
    *problem = (gf__import_problem){.op = op->node->op_type};
    gf__text_add(&problem->reason, "%s", reason);
  }
  if (problem->count++ < MOST_NAMED)
    gf__text_add(&problem->nodes, "%s'%.80s' (node %d)", problem->nodes.size ? ", " : "",
                 operation_name(op), op->index);
  GF_TRY(gf__text_status(&problem->reason));
  return gf__text_status(&problem->nodes);
}

gf_status gf__operation_fail(const gf__operation *op, const char *what) {
  return gf__fail(GF_ERROR_DATA, "%s is damaged: its node %d, %.80s '%.80s', %s",
                  op->importing->file->path, op->index, op->node->op_type, operation_name(op),
                  what);
}

/* ---- attributes ---- */

const Onnx__AttributeProto *gf__operation_attribute(const gf__operation *op, const char *name) {
  for (size_t i = 0; i < op->node->n_attribute; i++)
    if (op->node->attribute[i]->name && !strcmp(op->node->attribute[i]->name, name))
      return op->node->attribute[i];
  return NULL;
}

int64_t gf__operation_int(const gf__operation *op, const char *name, int64_t absent) {
  const Onnx__AttributeProto *attribute = gf__operation_attribute(op, name);
  return attribute ? attribute->i : absent;
}

float gf__operation_float(const gf__operation *op, const char *name, float absent) {
  const Onnx__AttributeProto *attribute = gf__operation_attribute(op, name);
  return attribute ? attribute->f : absent;
}

bool gf__operation_text_is(const gf__operation *op, const char *name, const char *text) {
  const Onnx__AttributeProto *attribute = gf__operation_attribute(op, name);
  return attribute && attribute->s.len == strlen(text) &&
         !memcmp(attribute->s.data, text, attribute->s.len);
}

int gf__operation_ints(const gf__operation *op, const char *name, int64_t *out, int most) {
  const Onnx__AttributeProto *attribute = gf__operation_attribute(op, name);
  if (!attribute || attribute->n_ints > (size_t)most) return -1;
  if (attribute->n_ints) memcpy(out, attribute->ints, attribute->n_ints * sizeof *out);
  return (int)attribute->n_ints;
}

gf_status gf__operation_list(gf__operation *op, const char *name, int input, int64_t *out, int most,
                             int *count) {
  *count = gf__operation_ints(op, name, out, most);
  if (*count >= 0 || input >= op->in_count || !op->in[input]) return GF_OK;
  gf__onnx_elements list;
  if (op->in[input]->kind != GF__ONNX_CONSTANT) {
    *count = -2;
    return gf__operation_reject(op,
                                "its %s are computed from the images; export the network with a "
                                "fixed image size",
                                name);
  }
  GF_TRY(gf__import_elements(op->importing, op->in[input], &list));
  if (!list.ints || list.count > (size_t)most)
    return gf__operation_fail(op, "has a list of the wrong type or length");
  memcpy(out, list.ints, list.count * sizeof *out);
  *count = (int)list.count;
  return GF_OK;
}

gf_status gf__operation_scalar(gf__operation *op, int input, bool *is_scalar, double *out) {
  gf__onnx_elements elements;
  *is_scalar = input < op->in_count && op->in[input] && op->in[input]->kind == GF__ONNX_CONSTANT;
  if (!*is_scalar) return GF_OK;
  GF_TRY(gf__import_elements(op->importing, op->in[input], &elements));
  *is_scalar = elements.count == 1;
  if (*is_scalar) *out = elements.floats ? (double)elements.floats[0] : (double)elements.ints[0];
  return GF_OK;
}

/* ---- inputs and outputs ---- */

void gf__operation_alias(gf__operation *op, const gf__import_value *in) {
  gf__import_value *out = op->out;
  const char *name = out->name;
  int uses = out->uses;
  *out = *in;
  out->name = name;
  out->uses = uses;
  out->is_sole = in->is_sole && uses == 1;
}

bool gf__import_is_plain(const gf__import_value *in) {
  return !in->is_erf && !in->is_erf_plus_one && !in->is_softmax && !in->groups && !in->ranges &&
         !in->is_flat && !in->bins && in->norm_stage == GF__NORM_NONE && in->scale == 1 &&
         !in->pad[0] && !in->pad[1] && !in->pad[2] && !in->pad[3];
}

bool gf__operation_takes(gf__operation *op, int input) {
  const gf__import_value *in = op->in[input];
  const char *why = NULL;
  if (in->kind != GF__ONNX_ACTIVATION)
    why = "its first input is a constant; only weights may be constant here";
  else if (in->pad[0] || in->pad[1] || in->pad[2] || in->pad[3])
    why = "it reads a padded image; only convolutions and pools can do that";
  else if (in->ranges)
    why = "it reads a sequence; only SequenceAt can do that";
  else if (in->norm_stage)
    why = "it reads a mean over channels, or what follows one, that is no step of a layer norm";
  else if (in->bins)
    why = "it reads pixels that were gathered, and is no step of an adaptive pool";
  else if (in->is_flat)
    why = "it reads images and channels as one axis, which no layer does";
  else if (in->groups)
    why = "it reads groups of channels; only a shuffle that puts them in turns can do that";
  else if (in->is_softmax)
    why = "it reads a softmax; one is only left out at the end, where the loss has it";
  else if (in->is_erf || in->is_erf_plus_one || in->scale != 1)
    why = "it reads an image that was multiplied by a constant, for which there is no layer";
  if (why) (void)!gf__operation_reject(op, "%s", why);
  return !why;
}

bool gf__operation_takes_form(gf__operation *op, int input, const char *axes) {
  const gf__import_value *in = op->in[input];
  if (!gf__operation_takes(op, input)) return false;
  if (gf__import_has_form(op->importing, in, axes) && !in->is_channels_last) return true;
  (void)!gf__operation_reject(op, "its input has not the axes that it needs: %s",
                              strlen(axes) == 2   ? "images, channels"
                              : strlen(axes) == 5 ? "images, channels, depth, height, width"
                                                  : "images, channels, height, width");
  return false;
}

void gf__operation_output(gf__operation *op, const char *axes) {
  const gf__importing *im = op->importing;
  gf__import_value *out = op->out;
  out->kind = GF__ONNX_ACTIVATION;
  out->layer = im->layer_count - 1;
  out->shape.rank = (int)strlen(axes);
  out->is_sole = out->uses == 1;
  for (int i = 0; axes[i]; i++) {
    out->axes[i] = axes[i];
    out->shape.dims[i] = gf__import_axis(im, out->layer, axes[i]);
  }
}

gf_status gf__operation_constant(gf__operation *op, const gf__onnx_elements *elements) {
  op->out->kind = GF__ONNX_CONSTANT;
  op->out->elements = *elements;
  op->out->shape = elements->shape;
  return GF_OK;
}

gf_status gf__operation_room(gf__operation *op, gf__onnx_elements *out, bool is_float,
                             float **floats, int64_t **ints) {
  gf__importing *im = op->importing;
  if (!gf__onnx_shape_count(&out->shape, &out->count) || out->count > im->most_folded - im->folded)
    return gf__operation_fail(op, "computes constants of more elements than any network has");
  im->folded += out->count;
  if (is_float) {
    *floats = gf__onnx_file_keep(im->file, out->count * sizeof **floats);
    out->floats = *floats;
    return out->floats ? GF_OK : GF_ERROR_MEMORY;
  }
  *ints = gf__onnx_file_keep(im->file, out->count * sizeof **ints);
  out->ints = *ints;
  return out->ints ? GF_OK : GF_ERROR_MEMORY;
}

/* ---- names ---- */

static bool ends_with(const char *text, size_t length, const char *ending) {
  size_t size = strlen(ending);
  return length > size && !memcmp(text + length - size, ending, size);
}

/* Whether a module is named after the operator: "relu_1" after "Relu". */
static bool is_named_after(const char *module, const char *op) {
  for (; *op && *op != '_'; op++, module++)
    if (tolower((unsigned char)*module) != tolower((unsigned char)*op)) return false;
  return true;
}

/* "/layer1/layer1.0/conv1/Conv" is torch's module layer1.0.conv1: each word begins with the name of
 * the module that it is in, or is one in it. */
static void name_of_path(gf__text *out, const char *path, const char *op) {
  const char *last = "";
  size_t last_length = 0;
  while (*path) {
    path += strspn(path, "/");
    size_t length = strcspn(path, "/");
    const char *dot = last_length ? last + last_length : last;
    while (dot > last && dot[-1] != '.') dot--;
    bool is_op =
        !path[length] && out->size && (!strncmp(path, op, strlen(op)) || is_named_after(dot, path));
    if (!length || is_op) break;
    bool continues = length > last_length && last_length && !strncmp(path, last, last_length) &&
                     path[last_length] == '.';
    if (continues && out->size >= last_length) out->size -= last_length;
    gf__text_add(out, "%s%.*s", out->size && !continues ? "." : "", (int)length, path);
    last = path;
    last_length = length;
    path += length;
  }
}

/* The first bytes of a weight's name, which are those of its module; *length: 0 where there is
 * none.
 */
static const char *module_of(const gf__import_value *weight, size_t *length) {
  static const char *const endings[] = {".weight", ".layer_scale"};
  const char *name = !weight ? "" : weight->parameter ? weight->parameter : weight->name;
  size_t size = strlen(name);
  *length = 0;
  for (int i = 0; i < 2; i++)
    if (ends_with(name, size, endings[i])) *length = size - strlen(endings[i]);
  return name;
}

/* What the node's layer is called before it is made unique: by its weight as the exporters call it,
 * else by its name. */
static void layer_stem(const gf__operation *op, const gf__import_value *weight, gf__text *out) {
  size_t length;
  const char *name = module_of(weight, &length);
  if (length) {
    gf__text_add_bytes(out, name, length);
    return;
  }
  name = op->node->name && *op->node->name ? op->node->name : op->node->output[0];
  if (!strncmp(name, "node_", 5)) name += 5; /* of torch's exporter, before the name in its graph */
  if (*name == '/')
    name_of_path(out, name, weight ? op->node->op_type : "/");
  else
    gf__text_add(out, "%s", name);
}

/* Names are cells of CSV files, and what comes last in them says most. */
static gf_status unique_name(gf__importing *im, const char *stem, char out[GF__NAME_SIZE]) {
  enum { LONGEST = GF__NAME_SIZE - 9 - 6 }; /* with a number */
  size_t number, length = strlen(stem);
  char clean[GF__NAME_SIZE];
  if (length > LONGEST) stem += length - LONGEST;
  snprintf(clean, sizeof clean, "%s", *stem ? stem : "layer");
  for (char *c = clean; *c; c++)
    if (!isalnum((unsigned char)*c) && !strchr("._-", *c)) *c = '_';
  strcpy(out, clean);
  for (int i = 1; gf__index_find(&im->layer_names, out, strlen(out), &number); i++)
    snprintf(out, GF__NAME_SIZE, "%.*s_%d", LONGEST, clean, i);
  char *kept = gf__onnx_file_keep(im->file, strlen(out) + 1);
  if (!kept) return GF_ERROR_MEMORY;
  strcpy(kept, out);
  return gf__index_set(&im->layer_names, kept, strlen(kept), 1);
}

/* ---- layers ---- */

enum { MOST_LAYERS = 4096 };

static gf_status name_layer(const gf__operation *op, gf__import_layer *layer,
                            const gf__import_value *weight) {
  gf__text stem = {0};
  layer_stem(op, weight, &stem);
  gf__text_add_bytes(&stem, "", 1);
  gf_status status = gf__text_status(&stem);
  if (status == GF_OK) status = unique_name(op->importing, stem.data, layer->name);
  gf__text_free(&stem);
  return status;
}

gf_status gf__operation_rename_layer(const gf__operation *op, gf__import_layer *layer,
                                     const gf__import_value *weight) {
  size_t length;
  (void)module_of(weight, &length);
  return length ? name_layer(op, layer, weight) : GF_OK;
}

gf_status gf__operation_layer(gf__operation *op, const char *type, const gf__import_value *weight,
                              gf__import_layer **out) {
  gf__importing *im = op->importing;
  if (im->layer_count == MOST_LAYERS)
    return gf__fail(GF_ERROR_DATA, "%s has more than %d layers, which are the most of a network",
                    im->file->path, MOST_LAYERS);
  GF_TRY(gf__grow(&im->layers, (size_t)im->layer_count, sizeof *im->layers));
  gf__import_layer *layer = *out = &im->layers[im->layer_count];
  *layer = (gf__import_layer){.type = type, .d = 1};
  GF_TRY(name_layer(op, layer, weight));
  im->layer_count++;
  for (int i = 0; i < op->in_count && layer->input_count < GF__MOST_INPUTS; i++)
    if (op->in[i] && op->in[i]->kind == GF__ONNX_ACTIVATION)
      layer->inputs[layer->input_count++] = op->in[i]->layer;
  if (layer->input_count == 0) return GF_OK;
  int first = layer->inputs[0];
  gf__import_layer_shape(layer, (int)gf__import_axis(im, first, 'd'),
                         (int)gf__import_axis(im, first, 'h'), (int)gf__import_axis(im, first, 'w'),
                         (int)gf__import_axis(im, first, 'c'));
  return GF_OK;
}

void gf__import_layer_shape(gf__import_layer *layer, int d, int h, int w, int c) {
  layer->d = d;
  layer->h = h;
  layer->w = w;
  layer->c = c;
}

void gf__import_add_values(gf__import_layer *layer, const char *suffix, const float *values,
                           int dim_count, const int *dims) {
  gf__import_parameter *parameter = &layer->parameters[layer->parameter_count++];
  *parameter = (gf__import_parameter){
      .suffix = suffix, .values = values, .count = 1, .dim_count = dim_count};
  for (int d = 0; d < dim_count; d++) {
    parameter->dims[d] = dims[d];
    parameter->count *= (size_t)dims[d];
  }
}

gf_status gf__import_add_parameter(gf__importing *im, gf__import_layer *layer, const char *suffix,
                                   gf__import_value *value, int dim_count, const int *dims) {
  gf__onnx_elements elements;
  size_t count = 1;
  GF_TRY(gf__import_elements(im, value, &elements));
  for (int d = 0; d < dim_count; d++) count *= (size_t)dims[d];
  if (!elements.floats || elements.count != count)
    return gf__fail(GF_ERROR_DATA,
                    "%s: tensor '%.200s' is not the %s of %zu numbers that '%s' needs",
                    im->file->path, value->name, suffix, count, layer->name);
  im->notes.shared_weights += value->is_taken;
  value->is_taken = true;
  gf__import_add_values(layer, suffix, elements.floats, dim_count, dims);
  return GF_OK;
}

void gf__import_number(char out[32], float number) {
  for (int digits = 1; digits <= 9; digits++) {
    snprintf(out, 32, "%.*g", digits, (double)number);
    if (strtof(out, NULL) == number) return;
  }
}
