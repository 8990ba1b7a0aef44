/* Layers that the library's user has registered: each has a row like the library's own, whose
 * functions call the user's. */
#include <gradflow/layer.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/numbers.h"
#include "layers/layer.h"
#include "ops/elementwise.h"

enum { MOST_ARGUMENTS = 32, LONGEST_NAME = 32 };

typedef struct row {
  gf__layer layer; /* the first member, so that a node's layer is its row */
  gf__key keys[GF_LAYER_KEYS];
  const gf_layer_type *type;
} row;

static row rows_[GF__MOST_LAYERS];
static int row_count_;

/* A number as the config's reader writes it. */
typedef union option {
  int whole;
  double number;
} option;

static const gf_layer_type *type_of(const gf_node *node) {
  return ((const row *)node->layer)->type;
}

/* ---- setup ---- */

static gf_layer_shape outside_shape(const gf__tensor *t) {
  return (gf_layer_shape){t->d, t->h, t->w, t->c};
}

static gf_status outside_setup(gf_node *node) {
  const gf_layer_type *type = type_of(node);
  gf_layer_node *n = node->state;
  const option *options = node->options;
  *n = (gf_layer_node){.name = node->name, .in_count = node->in_count, .node = node};
  for (int k = 0; k < type->key_count; k++)
    n->options[k] = type->keys[k].is_whole ? options[k].whole : options[k].number;
  for (int i = 0; i < node->in_count; i++) n->in[i] = outside_shape(node->in[i]);
  n->out = n->in[0];
  GF_TRY(type->setup(n));
  const gf_layer_shape *out = &n->out;
  if (out->depth < 1 || out->height < 1 || out->width < 1 || out->channels < 1)
    return gf__node_fail(node, "its output has no values: depth %d, %dx%d, %d channels", out->depth,
                         out->height, out->width, out->channels);
  node->out.d = out->depth;
  node->out.h = out->height;
  node->out.w = out->width;
  node->out.c = out->channels;
  return GF_OK;
}

gf_status gf_layer_fail(const gf_layer_node *node, const char *message) {
  return gf__node_fail(node->node, "%s", message);
}

static bool is_fit(const gf_layer_parameter *p) {
  double count = 1;
  if (!p->name || !*p->name || strlen(p->name) >= LONGEST_NAME) return false;
  if (p->dim_count < 1 || p->dim_count > 5) return false;
  for (int d = 0; d < p->dim_count; d++) {
    if (p->dims[d] < 1) return false;
    count *= p->dims[d];
  }
  return count <= GF__MOST_FLOATS &&
         (p->fill != GF_LAYER_FILL_RANDOM || (p->fan_in >= 1 && p->fan_out >= 1));
}

gf_status gf_layer_add_parameter(gf_layer_node *node, const gf_layer_parameter *parameter) {
  static const gf__fill fills[] = {[GF_LAYER_FILL_RANDOM] = GF__FILL_RANDOM,
                                   [GF_LAYER_FILL_ZERO] = GF__FILL_ZERO,
                                   [GF_LAYER_FILL_ONE] = GF__FILL_ONE};
  if (node->node->parameter_count == GF_LAYER_PARAMETERS)
    return gf__node_fail(node->node, "a layer has at most %d parameters", GF_LAYER_PARAMETERS);
  if (!is_fit(parameter))
    return gf__node_fail(node->node,
                         "parameter '%s' needs a name, 1 to 5 dims of at least 1, and both fans if "
                         "it starts at random",
                         parameter->name ? parameter->name : "");
  gf__node_add_parameter(node->node, parameter->name, fills[parameter->fill], parameter->dim_count,
                         parameter->dims, parameter->fan_in, parameter->fan_out);
  return GF_OK;
}

/* ---- memory ---- */

static size_t outside_saved(const gf_node *node, int batch) {
  const gf_layer_type *type = type_of(node);
  return type->saved ? type->saved(node->state, batch) : 0;
}

/* Backward writes, so a gradient that is added to another one goes through the workspace. */
static bool needs_scratch(const gf_node *node, int i) {
  return node->input_gradients[i].is_wanted && node->input_gradients[i].accumulates;
}

static size_t aligned_for(const gf_device *device, size_t bytes) {
  return gf__align(bytes, gf_device_describe(device)->base_alignment);
}

static size_t input_bytes(const gf_node *node, int i, int images) {
  return (size_t)images * gf__tensor_size(node->in[i]) * sizeof(float);
}

static size_t own_workspace(const gf_node *node, int batch) {
  const gf_layer_type *type = type_of(node);
  return type->workspace ? type->workspace(node->state, batch) : 0;
}

static size_t outside_workspace(const gf_node *node, const gf_device *device, int batch) {
  size_t bytes = aligned_for(device, own_workspace(node, batch));
  for (int i = 0; i < node->in_count; i++)
    if (needs_scratch(node, i)) bytes += aligned_for(device, input_bytes(node, i, batch));
  return bytes;
}

/* ---- passes ---- */

static gf_layer_pass pass_of(const gf_node *node, const gf__pass *pass) {
  gf_layer_pass p = {.images = pass->n,
                     .training = pass->training,
                     .saved = node->saved,
                     .workspace = own_workspace(node, pass->n) ? pass->workspace : NULL,
                     .device = pass->device};
  for (int k = 0; k < node->parameter_count; k++) p.parameter[k] = node->parameters[k].data;
  return p;
}

static gf_status outside_forward(gf_node *node, const gf__pass *pass) {
  gf_layer_pass p = pass_of(node, pass);
  for (int i = 0; i < node->in_count; i++) p.in[i] = node->in[i]->data;
  p.out = node->out.data;
  return type_of(node)->forward(node->state, &p);
}

/* Chooses where backward writes its gradients: in place, or in scratch memory, which follows the
 * layer's own workspace. */
static gf_status choose_gradients(const gf_node *node, const gf__pass *pass, gf_layer_pass *p,
                                  gf_buffer **scratch) {
  size_t offset = aligned_for(pass->device, own_workspace(node, pass->n));
  for (int i = 0; i < node->in_count; i++) {
    p->in_gradient[i] = node->input_gradients[i].grad;
    if (!needs_scratch(node, i)) continue;
    size_t bytes = input_bytes(node, i, pass->n);
    GF_TRY(gf__sub_buffer_new(&scratch[i], pass->workspace, offset, bytes));
    p->in_gradient[i] = scratch[i];
    offset += aligned_for(pass->device, bytes);
  }
  return GF_OK;
}

/* Does what the plan wants besides the gradient: an addition, the derivative of an activation. */
static gf_status finish_gradient(const gf_node *node, const gf__pass *pass, int i,
                                 const gf_buffer *written) {
  const gf__input_gradient *input_gradient = &node->input_gradients[i];
  if (!input_gradient->grad || (!input_gradient->accumulates && !input_gradient->masks))
    return GF_OK;
  size_t rows = (size_t)pass->n * gf__tensor_pixels(node->in[i]);
  return gf__apply(pass->device, rows, node->in[i]->c, written, input_gradient->grad,
                   &input_gradient->epilogue);
}

static gf_status outside_backward(gf_node *node, const gf__pass *pass) {
  const gf_layer_type *type = type_of(node);
  gf_layer_pass p = pass_of(node, pass);
  gf_buffer *scratch[GF_LAYER_INPUTS] = {NULL};
  for (int i = 0; i < node->in_count && type->backward_reads_in; i++) p.in[i] = node->in[i]->data;
  if (type->backward_reads_out) p.out = node->out.data;
  p.out_gradient = node->out.grad;
  for (int k = 0; k < node->parameter_count; k++)
    p.parameter_gradient[k] = node->parameters[k].grad;
  gf_status status = choose_gradients(node, pass, &p, scratch);
  if (status == GF_OK) status = type->backward(node->state, &p);
  for (int i = 0; i < node->in_count && status == GF_OK; i++)
    status = finish_gradient(node, pass, i, p.in_gradient[i]);
  for (int i = 0; i < node->in_count; i++) gf__buffer_free(&scratch[i]);
  return status;
}

/* ---- launches ---- */

static gf__arg argument_of(const gf_argument *a) {
  if (a->kind == GF_ARGUMENT_BUFFER) return GF_BUFFER(a->buffer);
  return a->kind == GF_ARGUMENT_INT ? GF_INT(a->i) : GF_FLOAT(a->f);
}

gf_status gf_layer_launch(const gf_layer_node *node, const gf_layer_pass *pass, const char *kernel,
                          size_t items, const gf_argument *arguments, int count) {
  const gf_layer_type *type = type_of(node->node);
  char file[LONGEST_NAME + 8]; /* no file of the library's has a space in its name */
  gf__arg args[MOST_ARGUMENTS];
  gf__kernel *found;
  if (count < 0 || count > MOST_ARGUMENTS)
    return gf__fail(GF_ERROR_ARGUMENT, "kernel %s of layer %s has %d arguments; at most %d are had",
                    kernel, type->name, count, MOST_ARGUMENTS);
  if (items == 0) return GF_OK;
  for (int i = 0; i < count; i++) args[i] = argument_of(&arguments[i]);
  snprintf(file, sizeof file, "layer %s", type->name);
  GF_TRY(gf__kernel_get_from(&found, pass->device, file, type->source, kernel, ""));
  return gf__launch(found, gf__grid_flat(pass->device, items), args, (size_t)count);
}

/* ---- the table ---- */

const gf__layer *gf__layer_outside(int index) {
  return index < row_count_ ? &rows_[index].layer : NULL;
}

static bool is_word(const char *text) {
  size_t length = 0;
  while (text && (isalnum((unsigned char)text[length]) || text[length] == '_')) length++;
  return length > 0 && length < LONGEST_NAME && !text[length];
}

static gf_status fail_to_register(const gf_layer_type *type, const char *why) {
  return gf__fail(GF_ERROR_ARGUMENT, "cannot register layer '%s': %s", type->name ? type->name : "",
                  why);
}

static gf_status check_type(const gf_layer_type *type) {
  if (!is_word(type->name))
    return fail_to_register(type, "its name must be at most 31 letters, digits and _");
  if (gf__layer_find(type->name)) return fail_to_register(type, "there is a layer of that name");
  if (!type->help || !type->source || !type->setup || !type->forward || !type->backward)
    return fail_to_register(type, "it needs help, source, setup, forward and backward");
  if (type->least_inputs < 1 || type->most_inputs < type->least_inputs ||
      type->most_inputs > GF_LAYER_INPUTS)
    return fail_to_register(type, "it must take 1 to 8 inputs, and the least at most the most");
  if (type->key_count < 0 || type->key_count > GF_LAYER_KEYS)
    return fail_to_register(type, "it must have 0 to 8 keys");
  return gf__layer_at(GF__MOST_LAYERS - 1) ? fail_to_register(type, "there are 64 layers already")
                                           : GF_OK;
}

static bool is_taken(const gf_layer_type *type, int key) {
  static const char *const common[] = {"name", "type", "input"};
  const char *name = type->keys[key].name;
  for (size_t i = 0; i < sizeof common / sizeof *common; i++)
    if (!strcmp(name, common[i])) return true;
  for (int k = 0; k < key; k++)
    if (!strcmp(name, type->keys[k].name)) return true;
  return false;
}

static gf_status make_key(gf__key *out, const gf_layer_type *type, int key) {
  const gf_layer_key *k = &type->keys[key];
  option unused;
  if (!is_word(k->name) || !k->help) return fail_to_register(type, "a key needs a name and help");
  if (is_taken(type, key))
    return fail_to_register(type, "two keys have one name, or that of a node's own");
  *out = (gf__key){.name = k->name,
                   .type = k->is_whole ? GF__KEY_INT : GF__KEY_FLOAT,
                   .initial = k->initial,
                   .minimum = k->minimum,
                   .maximum = k->maximum,
                   .help = k->help};
  if (k->initial && gf__keys_read(NULL, type->name, out, 1, &unused) != GF_OK)
    return fail_to_register(type, gf_error_message());
  out->offset = (size_t)key * sizeof(option);
  return GF_OK;
}

gf_status gf_layer_register(const gf_layer_type *type) {
  GF_TRY(check_type(type));
  row *r = &rows_[row_count_];
  for (int k = 0; k < type->key_count; k++) GF_TRY(make_key(&r->keys[k], type, k));
  r->type = type;
  r->layer = (gf__layer){.name = type->name,
                         .help = type->help,
                         .keys = r->keys,
                         .key_count = (size_t)type->key_count,
                         .options_size = sizeof(option) * GF_LAYER_KEYS,
                         .state_size = sizeof(gf_layer_node),
                         .least_inputs = type->least_inputs,
                         .most_inputs = type->most_inputs,
                         .flags = (type->backward_reads_in ? GF__LAYER_BACKWARD_READS_INPUT : 0U) |
                                  (type->backward_reads_out ? GF__LAYER_BACKWARD_READS_OUTPUT : 0U),
                         .setup = outside_setup,
                         .workspace = outside_workspace,
                         .saved = outside_saved,
                         .forward = outside_forward,
                         .backward = outside_backward};
  row_count_++;
  return GF_OK;
}
