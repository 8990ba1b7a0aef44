#include "convert/onnx/walk.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/numbers.h"

enum {
  MOST_VALUES = 1 << 20,
  /* Stands for a batch of any size: no network has it as another size by chance. */
  ANY_BATCH = 13,
  LEAST_FOLDED = 1 << 22, /* elements of computed constants, beside those of the file's size */
};

/* ---- values of the graph ---- */

static gf_status fail_graph(const gf__importing *im, const char *what, const char *name) {
  return gf__fail(GF_ERROR_DATA, "%s is damaged: %s '%.200s'", im->file->path, what, name);
}

static gf_status make_room(gf__importing *im) {
  const Onnx__GraphProto *graph = im->file->model->graph;
  size_t count = graph->n_initializer + graph->n_input + graph->n_output;
  for (size_t i = 0; i < graph->n_node && count <= MOST_VALUES; i++)
    count += graph->node[i]->n_input + graph->node[i]->n_output;
  if (count > MOST_VALUES)
    return gf__fail(GF_ERROR_DATA, "%s has more than %d values; no network that can be trained has",
                    im->file->path, MOST_VALUES);
  im->values = calloc(count + 1, sizeof *im->values);
  return im->values ? GF_OK : gf__fail_host_memory(count * sizeof *im->values);
}

static gf_status add_initializers(gf__importing *im) {
  const Onnx__GraphProto *graph = im->file->model->graph;
  if (graph->n_sparse_initializer)
    return gf__fail(GF_ERROR_DATA, "%s has sparse weights; export the network with dense ones",
                    im->file->path);
  for (size_t i = 0; i < graph->n_initializer; i++) {
    const Onnx__TensorProto *tensor = graph->initializer[i];
    gf__import_value *value;
    size_t count;
    if (!tensor->name || !*tensor->name)
      return fail_graph(im, "a weight has no name; its number is", "");
    GF_TRY(gf__importing_value(im, tensor->name, &value));
    if (value->kind != GF__ONNX_UNKNOWN)
      return fail_graph(im, "there are two weights", tensor->name);
    value->kind = GF__ONNX_CONSTANT;
    value->stored = tensor;
    value->is_parameter = true;
    value->shape.rank = (int)GF__MIN(tensor->n_dims, (size_t)GF__ONNX_MOST_DIMS);
    for (int d = 0; d < value->shape.rank; d++) value->shape.dims[d] = tensor->dims[d];
    if (tensor->n_dims > GF__ONNX_MOST_DIMS || !gf__onnx_shape_count(&value->shape, &count))
      return fail_graph(im, "there is no shape like that of weight", tensor->name);
  }
  return GF_OK;
}

/* What reads the elements of a value; its shape alone does not count. */
static bool reads_elements(const Onnx__NodeProto *node, size_t input) {
  if (!node->op_type) return true;
  return strcmp(node->op_type, "Shape") != 0 &&
         (input != 1 || strcmp(node->op_type, "CastLike") != 0);
}

static gf_status count_uses(gf__importing *im) {
  const Onnx__GraphProto *graph = im->file->model->graph;
  gf__import_value *value;
  for (size_t i = 0; i < graph->n_node; i++)
    for (size_t k = 0; k < graph->node[i]->n_input; k++) {
      const char *name = graph->node[i]->input[k];
      if (!*name) continue;
      GF_TRY(gf__importing_value(im, name, &value));
      if (reads_elements(graph->node[i], k)) value->uses++;
    }
  for (size_t i = 0; i < graph->n_output; i++) {
    GF_TRY(gf__importing_value(im, graph->output[i]->name ? graph->output[i]->name : "", &value));
    value->uses++;
  }
  return GF_OK;
}

/* ---- the images ---- */

static int64_t dim_of(const Onnx__TensorShapeProto__Dimension *dim) {
  bool is_number = dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
  return is_number && dim->dim_value > 0 ? dim->dim_value : 0;
}

/* Whether a node brings the channels of the images from the last axis to the second: they come from
 * Keras or TensorFlow. Where the first node does not say, the number of channels does. */
static bool is_channels_last(const gf__importing *im, const char *images, const int64_t *dims) {
  const Onnx__GraphProto *graph = im->file->model->graph;
  for (size_t i = 0; i < graph->n_node; i++) {
    const Onnx__NodeProto *node = graph->node[i];
    if (!node->n_input || strcmp(node->input[0], images) != 0 || !node->op_type) continue;
    if (!strcmp(node->op_type, "Conv")) return false;
    if (!strcmp(node->op_type, "Transpose") && node->n_attribute == 1) {
      const Onnx__AttributeProto *perm = node->attribute[0];
      return perm->n_ints == 4 && perm->ints[0] == 0 && perm->ints[1] == 3;
    }
  }
  bool may_be_first = dims[1] == 0 || dims[1] == 1 || dims[1] == 3;
  return !may_be_first && (dims[3] == 1 || dims[3] == 3);
}

static gf_status set_images(gf__importing *im, const Onnx__ValueInfoProto *input,
                            gf_image_shape image) {
  const Onnx__TypeProto *type = input->type;
  const Onnx__TypeProto__Tensor *tensor =
      type && type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE ? type->tensor_type : NULL;
  gf__import_value *value;
  int64_t dims[4];
  if (!tensor || !tensor->shape || tensor->shape->n_dim != 4 ||
      (tensor->elem_type != ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT &&
       tensor->elem_type != ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16))
    return gf__fail(GF_ERROR_DATA,
                    "%s: its input '%.200s' is no batch of images: a tensor of four axes of float "
                    "numbers",
                    im->file->path, input->name ? input->name : "");
  for (int d = 0; d < 4; d++) dims[d] = dim_of(tensor->shape->dim[d]);
  const char *axes = is_channels_last(im, input->name, dims) ? "nhwc" : "nchw";
  GF_TRY(gf__importing_value(im, input->name, &value));
  if (value->kind != GF__ONNX_UNKNOWN) return fail_graph(im, "two values are called", input->name);
  for (int d = 1; d < 4; d++) {
    int *size = axes[d] == 'c'   ? &im->image.channels
                : axes[d] == 'h' ? &im->image.height
                                 : &im->image.width;
    if (!dims[d]) dims[d] = axes[d] == 'c' ? 0 : axes[d] == 'h' ? image.height : image.width;
    if (dims[d] > INT_MAX)
      return fail_graph(im, "there is no size like that of input", input->name);
    *size = (int)dims[d];
  }
  if (!im->image.channels || !im->image.height || !im->image.width)
    return gf__fail(GF_ERROR_DATA,
                    "%s: the size of its images is left open; say which it is to be: --set "
                    "data.image_size=224",
                    im->file->path);
  im->batch = dims[0] ? dims[0] : ANY_BATCH;
  im->notes.is_channels_last = axes[1] == 'h';
  dims[0] = im->batch;
  value->kind = GF__ONNX_ACTIVATION;
  value->layer = GF__IMPORT_IMAGES;
  value->is_sole = value->uses == 1;
  value->shape.rank = 4;
  memcpy(value->shape.dims, dims, sizeof dims);
  memcpy(value->axes, axes, 4);
  size_t count;
  return gf__onnx_shape_count(&value->shape, &count)
             ? GF_OK
             : fail_graph(im, "there is no size like that of input", input->name);
}

/* Older files list the weights among the inputs. */
static gf_status find_images(gf__importing *im, gf_image_shape image) {
  const Onnx__GraphProto *graph = im->file->model->graph;
  const Onnx__ValueInfoProto *images = NULL;
  for (size_t i = 0; i < graph->n_input; i++) {
    gf__import_value *value;
    const char *name = graph->input[i]->name ? graph->input[i]->name : "";
    GF_TRY(gf__importing_value(im, name, &value));
    if (value->kind == GF__ONNX_CONSTANT) continue;
    if (images)
      return gf__fail(GF_ERROR_DATA,
                      "%s has two inputs, '%.100s' and '%.100s'; networks of one input can be "
                      "imported",
                      im->file->path, images->name, name);
    images = graph->input[i];
  }
  if (images && images->name) return set_images(im, images, image);
  return gf__fail(GF_ERROR_DATA, "%s has no input; it is no network of images", im->file->path);
}

/* ---- nodes ---- */

static bool is_made_later(const gf__importing *im, const char *name) {
  const Onnx__GraphProto *graph = im->file->model->graph;
  for (size_t i = 0; i < graph->n_node; i++)
    for (size_t k = 0; k < graph->node[i]->n_output; k++)
      if (!strcmp(graph->node[i]->output[k], name)) return true;
  return false;
}

static gf_status find_inputs(gf__operation *op, bool *has_failed, bool *has_activation) {
  gf__importing *im = op->importing;
  const Onnx__NodeProto *node = op->node;
  *has_failed = *has_activation = false;
  if (node->n_input > sizeof op->in / sizeof *op->in)
    return gf__operation_fail(op, "has more inputs than any operator");
  op->in_count = (int)node->n_input;
  for (int i = 0; i < op->in_count; i++) {
    if (!*node->input[i]) continue;
    GF_TRY(gf__importing_value(im, node->input[i], &op->in[i]));
    if (op->in[i]->kind == GF__ONNX_UNKNOWN) {
      bool is_later = is_made_later(im, node->input[i]);
      return gf__fail(GF_ERROR_DATA, "%s is damaged: its node %d, %.80s, reads '%.200s', which %s",
                      im->file->path, op->index, node->op_type, node->input[i],
                      is_later
                          ? "this node or one after it makes: the graph is cyclic or out of order"
                          : "nothing makes: a weight or a node is missing");
    }
    *has_failed |= op->in[i]->kind == GF__ONNX_FAILED;
    *has_activation |= op->in[i]->kind == GF__ONNX_ACTIVATION;
  }
  return GF_OK;
}

/* Output i, which no node before has made. */
static gf_status find_output(gf__operation *op, size_t i, gf__import_value **out) {
  GF_TRY(gf__importing_value(op->importing, op->node->output[i], out));
  if ((*out)->kind != GF__ONNX_UNKNOWN)
    return gf__operation_fail(op, "makes a value that another one has made: two have one name");
  (*out)->kind = GF__ONNX_FAILED;
  return GF_OK;
}

/* The outputs after the first are set by those operators alone that divide their input. */
static gf_status find_outputs(gf__operation *op) {
  const Onnx__NodeProto *node = op->node;
  if (!node->n_output || !*node->output[0]) return gf__operation_fail(op, "has no output");
  if (node->n_output > sizeof op->outs / sizeof *op->outs)
    return gf__operation_fail(op, "has more outputs than any operator");
  op->out_count = (int)node->n_output;
  GF_TRY(find_output(op, 0, &op->out));
  op->outs[0] = op->out;
  for (int i = 1; i < op->out_count; i++)
    if (*node->output[i]) GF_TRY(find_output(op, (size_t)i, &op->outs[i]));
  return GF_OK;
}

/* The letters of the table for the types of the format. */
static char type_letter(const Onnx__AttributeProto *attribute) {
  switch (attribute->type) {
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT:
      return 'f';
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT:
      return 'i';
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING:
      return 's';
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR:
      return attribute->t ? 't' : 0;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS:
      return 'F';
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS:
      return 'I';
    default:
      return 0;
  }
}

/* *type: that of an attribute that the row has, or 0. */
static char row_type(const gf__operator *row, const char *name) {
  size_t length = strlen(name);
  for (const char *at = row->attributes; *at;) {
    if (!strncmp(at, name, length) && at[length] == ':') return at[length + 1];
    at += strcspn(at, " ");
    at += *at == ' ';
  }
  return 0;
}

static gf_status check_attributes(gf__operation *op, bool *fits) {
  *fits = true;
  for (size_t i = 0; i < op->node->n_attribute; i++) {
    const Onnx__AttributeProto *attribute = op->node->attribute[i];
    const char *name = attribute->name ? attribute->name : "";
    char type = row_type(op->row, name);
    if (!type) {
      *fits = false;
      return gf__operation_reject(op, "its attribute %.80s is not known", name);
    }
    if (type != type_letter(attribute))
      return gf__operation_fail(op, "has an attribute of the wrong type");
  }
  return GF_OK;
}

static gf_status run_operation(gf__operation *op, bool has_failed, bool has_activation) {
  const gf__operator *row = op->row;
  bool fits;
  GF_TRY(check_attributes(op, &fits));
  if (!fits || has_failed) return GF_OK;
  int least = row->least_inputs;
  for (int i = 0; i < op->in_count && i < least; i++)
    if (!op->in[i]) return gf__operation_fail(op, "lacks an input");
  if (op->in_count < least || op->in_count > row->most_inputs)
    return gf__operation_fail(op, "has not as many inputs as its operator");
  op->out->kind = GF__ONNX_UNKNOWN;
  for (int i = 0; i < op->in_count; i++)
    if (op->in[i] && op->in[i]->kind == GF__ONNX_RANDOM) return gf__operation_of_random(op);
  if (has_activation && row->apply) return row->apply(op);
  if (!has_activation && row->fold) return row->fold(op);
  return gf__operation_reject(op, has_activation
                                      ? "it can be computed of constants, and not of images"
                                      : "all of its inputs are constants; it can only read images");
}

static gf_status import_node(gf__importing *im, int index) {
  const Onnx__NodeProto *node = im->file->model->graph->node[index];
  gf__operation op = {.importing = im, .node = node, .index = index + 1};
  bool has_failed, has_activation;
  if (!node->op_type) return fail_graph(im, "a node has no operator; its name is", "");
  GF_TRY(find_inputs(&op, &has_failed, &has_activation));
  GF_TRY(find_outputs(&op));
  bool is_default = !node->domain || !*node->domain || !strcmp(node->domain, "ai.onnx");
  if (!is_default)
    return gf__operation_reject(&op, "it is of the domain %.80s, whose operators are not known",
                                node->domain);
  op.row = gf__operator_find(node->op_type);
  if (!op.row)
    return gf__operation_reject(
        &op, "there is no layer for this operator; docs/convert.md lists those that there are");
  return run_operation(&op, has_failed, has_activation);
}

/* ---- problems ---- */

static gf_status fail_problems(const gf__importing *im) {
  gf__text list = {0};
  int count = 0;
  for (size_t i = 0; i < im->problem_count; i++) {
    const gf__import_problem *problem = &im->problems[i];
    count += problem->count;
    gf__text_add(&list, "\n  %.80s, %d node%s: %s\n    %s%s", problem->op, problem->count,
                 problem->count == 1 ? "" : "s", problem->reason.data, problem->nodes.data,
                 problem->count > 4 ? ", …" : "");
  }
  gf_status status = gf__text_status(&list);
  if (status == GF_OK)
    status = gf__fail(GF_ERROR_DATA,
                      "%s cannot be imported, and nothing is written: of its %zu nodes %d ha%s no "
                      "layer%s",
                      im->file->path, im->file->model->graph->n_node, count,
                      count == 1 ? "s" : "ve", list.data);
  gf__text_free(&list);
  return status;
}

/* ---- the output ---- */

static gf_status find_logits(gf__importing *im, int *logits) {
  const Onnx__GraphProto *graph = im->file->model->graph;
  gf__import_value *value;
  if (!graph->n_output || !graph->output[0]->name)
    return fail_graph(im, "there is no output; the graph is", graph->name ? graph->name : "");
  GF_TRY(gf__importing_value(im, graph->output[0]->name, &value));
  im->notes.more_outputs = (int)graph->n_output - 1;
  if (value->kind != GF__ONNX_ACTIVATION)
    return gf__fail(GF_ERROR_DATA, "%s: its output '%.200s' does not depend on the images",
                    im->file->path, value->name);
  im->notes.has_softmax = value->is_softmax;
  bool is_vector = gf__import_axis(im, value->layer, 'h') == 1 &&
                   gf__import_axis(im, value->layer, 'w') == 1 &&
                   gf__import_axis(im, value->layer, 'd') == 1 && !value->is_channels_last;
  if (value->layer == GF__IMPORT_IMAGES || !is_vector || value->is_erf || value->is_erf_plus_one ||
      value->scale != 1 || value->groups || value->ranges || value->is_flat || value->bins ||
      value->norm_stage || value->pad[0] || value->pad[1] || value->pad[2] || value->pad[3])
    return gf__fail(
        GF_ERROR_DATA,
        "%s: its output '%.200s' is not one number for each class, as the last layer of "
        "a classifier has them",
        im->file->path, value->name);
  *logits = value->layer;
  return GF_OK;
}

/* Layers of which the output depends; others are of further outputs, or of nothing. */
static void mark_needed(gf__importing *im, int logits) {
  im->layers[logits].is_needed = true;
  for (int i = logits; i >= 0; i--)
    for (int k = 0; k < im->layers[i].input_count && im->layers[i].is_needed; k++)
      if (im->layers[i].inputs[k] >= 0) im->layers[im->layers[i].inputs[k]].is_needed = true;
}

static bool begins(const char *text, const char *start) {
  return text && !strncmp(text, start, strlen(start));
}

/* torch's exporter names a convolution with a norm in it node_Conv_1, after the operator, and its
 * output after the norm's; the older one calls its weight onnx::Conv_123. */
static void note_folded_norms(gf__importing *im) {
  const Onnx__GraphProto *graph = im->file->model->graph;
  for (size_t i = 0; i < graph->n_node; i++) {
    const Onnx__NodeProto *node = graph->node[i];
    if (!node->op_type || strcmp(node->op_type, "Conv") != 0 || node->n_input < 3) continue;
    bool is_newer = begins(node->name, "node_Conv_") && begins(node->output[0], "getitem");
    bool is_older = begins(node->input[1], "onnx::Conv_") && begins(node->input[2], "onnx::Conv_");
    im->notes.folded_norms += is_newer || is_older;
  }
}

gf_status gf__import_walk(gf__importing *im, gf_image_shape image, int *logits) {
  static const char *const reserved[] = {"input", "loss"};
  const Onnx__GraphProto *graph = im->file->model->graph;
  im->most_folded = LEAST_FOLDED;
  for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
    GF_TRY(gf__index_set(&im->layer_names, reserved[i], strlen(reserved[i]), 1));
  GF_TRY(make_room(im));
  GF_TRY(add_initializers(im));
  GF_TRY(count_uses(im));
  GF_TRY(find_images(im, image));
  for (size_t i = 0; i < graph->n_node; i++) GF_TRY(import_node(im, (int)i));
  if (im->problem_count) return fail_problems(im);
  GF_TRY(find_logits(im, logits));
  mark_needed(im, *logits);
  note_folded_norms(im);
  return GF_OK;
}
