#include "convert/onnx/layers.h"

#include <stdio.h>
#include <string.h>

#include "ops/adaptive_avg_pool.h"
#include "ops/conv/conv.h"
#include "ops/pool.h"

/* A layer on its way. */
typedef struct emission {
  gf__onnx *onnx;
  const gf_node *node;
  gf__onnx_value in[GF__MOST_INPUTS];
  gf__onnx_value out;
} emission;

/* Forms that a row may want of its inputs, besides the three. */
enum { ANY = 0 /* all inputs like the first */, WITH_PIXELS = -1 /* an image or a volume */ };

typedef struct row {
  const gf__layer *layer;
  int in, out;                                      /* forms; out ANY: as the input */
  void (*emit)(emission *e, const struct row *row); /* NULL: the output is the input */
  const char *op;
  const char *option, *attribute; /* a number of the layer that the operator has, too */
} row;

/* ---- names and options ---- */

/* "NODE_word" */
static gf__onnx_value named(const emission *e, const char *word, int rank) {
  gf__onnx_value value = {.rank = rank};
  snprintf(value.name, sizeof value.name, "%s_%s", e->node->name, word);
  return value;
}

/* What the config says of the node under a key of its layer. */
static const void *option(const gf_node *node, const char *name) {
  const gf__key *key = node->layer->keys;
  while (strcmp(key->name, name) != 0) key++;
  return (const char *)node->options + key->offset;
}

static float number_option(const gf_node *node, const char *name) {
  return (float)*(const double *)option(node, name);
}

static int whole_option(const gf_node *node, const char *name) {
  return *(const int *)option(node, name);
}

/* ---- forms ---- */

/* t in a form of its: only sizes of 1 are put in or left out. */
static void reshape(emission *e, const char *from, const gf__onnx_value *to, const gf__tensor *t) {
  int64_t vector[] = {0, t->c}, image[] = {0, t->c, t->h, t->w},
          volume[] = {0, t->c, t->d, t->h, t->w};
  const int64_t *dims = to->rank == GF__ONNX_VECTOR  ? vector
                        : to->rank == GF__ONNX_IMAGE ? image
                                                     : volume;
  char shape[sizeof to->name + 8];
  snprintf(shape, sizeof shape, "%sshape", to->name);
  gf__onnx_numbers(e->onnx, shape, dims, to->rank);
  gf__onnx_node(e->onnx, "Reshape", to->name, (const char *[]){from, shape}, 2, to->name);
}

static void flatten(emission *e, const char *from, const char *to) {
  gf__onnx_node(e->onnx, "Flatten", to, &from, 1, to);
  gf__onnx_int(e->onnx, "axis", 1);
}

/* Lets input i have a form. */
static void convert(emission *e, int i, int rank) {
  gf__onnx_value *in = &e->in[i];
  char word[16];
  if (in->rank == rank) return;
  snprintf(word, sizeof word, "in%d", i);
  gf__onnx_value value = named(e, word, rank);
  if (rank == GF__ONNX_VECTOR)
    flatten(e, in->name, value.name);
  else
    reshape(e, in->name, &value, e->node->in[i]);
  *in = value;
}

/* ---- layers ---- */

static void emit_op(emission *e, const row *r) {
  const char *inputs[GF__MOST_INPUTS];
  for (int i = 0; i < e->node->in_count; i++) inputs[i] = e->in[i].name;
  gf__onnx_node(e->onnx, r->op, e->node->name, inputs, e->node->in_count, e->out.name);
  if (r->option) gf__onnx_float(e->onnx, r->attribute, number_option(e->node, r->option));
}

static void emit_concat(emission *e, const row *r) {
  emit_op(e, r);
  gf__onnx_int(e->onnx, "axis", 1);
}

/* With the parameters behind the input. */
static void emit_weighted(emission *e, const row *r) {
  const char *inputs[1 + GF__MOST_PARAMETERS] = {e->in[0].name};
  for (int k = 0; k < e->node->parameter_count; k++) inputs[1 + k] = e->node->parameters[k].name;
  gf__onnx_node(e->onnx, r->op, e->node->name, inputs, 1 + e->node->parameter_count, e->out.name);
  if (r->option) gf__onnx_float(e->onnx, r->attribute, number_option(e->node, r->option));
}

static void emit_linear(emission *e, const row *r) {
  emit_weighted(e, r);
  gf__onnx_int(e->onnx, "transB", 1);
}

static void add_ints(emission *e, const char *name, const int *values, int count) {
  int64_t wide[6];
  for (int i = 0; i < count; i++) wide[i] = values[i];
  gf__onnx_ints(e->onnx, name, wide, count);
}

/* The last axes of the window, which are those of ONNX. */
static void add_window(emission *e, int axes, const gf__window *w) {
  int first = 3 - axes;
  int pads[6];
  for (int a = 0; a < axes; a++) {
    pads[a] = w->padding[first + a];
    pads[axes + a] = w->padding[first + a] + w->extra[first + a];
  }
  add_ints(e, "kernel_shape", w->kernel + first, axes);
  add_ints(e, "strides", w->stride + first, axes);
  add_ints(e, "pads", pads, 2 * axes);
}

static void emit_conv2d(emission *e, const row *r) {
  const gf__conv_shape *shape = &((const gf__conv *)e->node->state)->shape;
  emit_weighted(e, r);
  add_window(e, 2, &shape->window);
  add_ints(e, "dilations", shape->window.dilation + 1, 2);
  gf__onnx_int(e->onnx, "group", shape->groups);
}

static void emit_conv_transpose(emission *e, const row *r) {
  const gf__conv_shape *shape = &((const gf__conv *)e->node->state)->shape;
  const gf__window *w = &shape->window;
  int added[2];
  for (int i = 0; i < 2; i++) {
    int a = 1 + i, covered = w->dilation[a] * (w->kernel[a] - 1) + 1;
    added[i] =
        w->size[a] + 2 * w->padding[a] + w->extra[a] - covered - (w->out[a] - 1) * w->stride[a];
  }
  emit_weighted(e, r);
  add_window(e, 2, w);
  add_ints(e, "dilations", w->dilation + 1, 2);
  add_ints(e, "output_padding", added, 2);
  gf__onnx_int(e->onnx, "group", shape->groups);
}

static void emit_conv3d(emission *e, const row *r) {
  const gf__conv *conv = e->node->state;
  emit_weighted(e, r);
  add_window(e, 3, &conv->shape.window);
}

static void emit_pool_of(emission *e, const row *r, int axes) {
  const gf__pool *pool = e->node->state;
  gf__window window = pool->window; /* with its own zeros alone: ceil_mode says the others */
  for (int a = 0; a < 3; a++) window.extra[a] = pool->after[a] - window.padding[a];
  emit_op(e, r);
  add_window(e, axes, &window);
  if (pool->ceil_mode) gf__onnx_int(e->onnx, "ceil_mode", 1);
  if (pool->kind == GF__POOL_AVG)
    gf__onnx_int(e->onnx, "count_include_pad", pool->pixels_only ? 0 : 1);
}

static void emit_pool(emission *e, const row *r) { emit_pool_of(e, r, 2); }

static void emit_pool3d(emission *e, const row *r) { emit_pool_of(e, r, 3); }

/* A matrix of means: (out, size), whose row o has the fractions of the pixels of bin o. */
static gf__onnx_value add_bins(emission *e, const char *word, int size, int out, bool transposes) {
  gf__onnx_value matrix = named(e, word, 0);
  float *values =
      gf__onnx_matrix(e->onnx, matrix.name, transposes ? size : out, transposes ? out : size);
  for (int o = 0; values && o < out; o++) {
    int first = gf__bin_first(o, size, out), end = gf__bin_end(o, size, out);
    for (int i = first; i < end; i++)
      values[transposes ? i * out + o : o * size + i] = 1.0F / (float)(end - first);
  }
  return matrix;
}

/* No operator set has bins: means of rows and of columns are products with matrices. */
static void emit_adaptive_avg_pool(emission *e, const row *r) {
  const gf__tensor *x = e->node->in[0], *y = &e->node->out;
  gf__onnx_value columns = add_bins(e, "columns", x->w, y->w, true),
                 lines = add_bins(e, "rows", x->h, y->h, false), wide = named(e, "wide", 0);
  gf__onnx_node(e->onnx, r->op, wide.name, (const char *[]){e->in[0].name, columns.name}, 2,
                wide.name);
  gf__onnx_node(e->onnx, r->op, e->node->name, (const char *[]){lines.name, wide.name}, 2,
                e->out.name);
}

/* The order of values stays: a volume's depth is the fastest of an image's channels. */
static void emit_reshape(emission *e, const row *r) {
  (void)r;
  reshape(e, e->in[0].name, &e->out, &e->node->out);
}

/* Every stride-th pixel, and channels of zeros behind them. */
static void emit_pad_shortcut(emission *e, const row *r) {
  const gf__tensor *x = e->node->in[0], *y = &e->node->out;
  int64_t stride = whole_option(e->node, "stride");
  gf__onnx_value at = e->in[0];
  if (stride > 1) {
    gf__onnx_value starts = named(e, "starts", 0), ends = named(e, "ends", 0),
                   axes = named(e, "axes", 0), steps = named(e, "steps", 0),
                   taken = y->c > x->c ? named(e, "taken", e->out.rank) : e->out;
    gf__onnx_numbers(e->onnx, starts.name, (int64_t[]){0, 0}, 2);
    gf__onnx_numbers(e->onnx, ends.name, (int64_t[]){x->h, x->w}, 2);
    gf__onnx_numbers(e->onnx, axes.name, (int64_t[]){2, 3}, 2);
    gf__onnx_numbers(e->onnx, steps.name, (int64_t[]){stride, stride}, 2);
    gf__onnx_node(e->onnx, "Slice", taken.name,
                  (const char *[]){at.name, starts.name, ends.name, axes.name, steps.name}, 5,
                  taken.name);
    at = taken;
  }
  if (y->c > x->c) {
    gf__onnx_value pads = named(e, "pads", 0);
    gf__onnx_numbers(e->onnx, pads.name, (int64_t[]){0, 0, 0, 0, 0, y->c - x->c, 0, 0}, 8);
    gf__onnx_node(e->onnx, r->op, e->node->name, (const char *[]){at.name, pads.name}, 2,
                  e->out.name);
    at = e->out;
  }
  e->out = at;
}

/* Parameter k, of channels, as one that is broadcast over the pixels. */
static gf__onnx_value channel_numbers(emission *e, int k) {
  const gf__parameter *p = &e->node->parameters[k];
  gf__onnx_value by_channel = {0};
  int64_t dims[] = {e->node->in[0]->c, 1, 1, 1};
  int rank = e->out.rank - 1;
  snprintf(by_channel.name, sizeof by_channel.name, "%s", p->name);
  bool fits = rank == 3 ? p->dim_count == 3 : rank == 1 && p->dim_count == 1;
  if (fits) return by_channel;
  gf__onnx_value shape = named(e, k ? "biasshape" : "weightshape", 0);
  gf__onnx_value out = named(e, k ? "bias" : "weight", 0);
  gf__onnx_numbers(e->onnx, shape.name, dims, rank);
  gf__onnx_node(e->onnx, "Reshape", out.name, (const char *[]){by_channel.name, shape.name}, 2,
                out.name);
  return out;
}

static void emit_layer_scale(emission *e, const row *r) {
  gf__onnx_value factor = channel_numbers(e, 0);
  gf__onnx_node(e->onnx, r->op, e->node->name, (const char *[]){e->in[0].name, factor.name}, 2,
                e->out.name);
}

/* What is normalized by the weights of the node. */
static void emit_affine(emission *e, const row *r, const char *normalized) {
  gf__onnx_value weight = channel_numbers(e, 0), bias = channel_numbers(e, 1),
                 scaled = named(e, "scaled", 0);
  gf__onnx_node(e->onnx, "Mul", scaled.name, (const char *[]){normalized, weight.name}, 2,
                scaled.name);
  gf__onnx_node(e->onnx, r->op, e->node->name, (const char *[]){scaled.name, bias.name}, 2,
                e->out.name);
}

/* Operator set 13 has norms of single channels alone, which those of groups become by a Reshape. */
static void emit_groups(emission *e, const row *r, int groups) {
  gf__onnx_value shape = named(e, "groupsshape", 0), parted = named(e, "rows", 0),
                 ones = named(e, "ones", 0), zeros = named(e, "zeros", 0),
                 norm = named(e, "norm", 0), normalized = named(e, "normalized", e->out.rank),
                 one = named(e, "one", 0), zero = named(e, "zero", 0), count = named(e, "count", 0);
  gf__onnx_numbers(e->onnx, shape.name, (int64_t[]){0, groups, -1}, 3);
  gf__onnx_numbers(e->onnx, count.name, (int64_t[]){groups}, 1);
  gf__onnx_number(e->onnx, one.name, 1);
  gf__onnx_number(e->onnx, zero.name, 0);
  gf__onnx_node(e->onnx, "Reshape", parted.name, (const char *[]){e->in[0].name, shape.name}, 2,
                parted.name);
  gf__onnx_node(e->onnx, "Expand", ones.name, (const char *[]){one.name, count.name}, 2, ones.name);
  gf__onnx_node(e->onnx, "Expand", zeros.name, (const char *[]){zero.name, count.name}, 2,
                zeros.name);
  gf__onnx_node(e->onnx, "InstanceNormalization", norm.name,
                (const char *[]){parted.name, ones.name, zeros.name}, 3, norm.name);
  gf__onnx_float(e->onnx, "epsilon", number_option(e->node, "eps"));
  reshape(e, norm.name, &normalized, &e->node->out);
  emit_affine(e, r, normalized.name);
}

static void emit_group_norm(emission *e, const row *r) {
  emit_groups(e, r, whole_option(e->node, "groups"));
}

static gf__onnx_value channel_mean(emission *e, const char *word, const char *of) {
  gf__onnx_value mean = named(e, word, 0);
  gf__onnx_node(e->onnx, "ReduceMean", mean.name, &of, 1, mean.name);
  gf__onnx_ints(e->onnx, "axes", (const int64_t[]){1}, 1);
  return mean;
}

/* Operator set 13 has no LayerNormalization. */
static void emit_layer_norm(emission *e, const row *r) {
  const char *x = e->in[0].name;
  if (whole_option(e->node, "over")) {
    emit_groups(e, r, 1);
    return;
  }
  gf__onnx_value centred = named(e, "centred", 0), square = named(e, "square", 0),
                 eps = named(e, "eps", 0), sum = named(e, "sum", 0),
                 deviation = named(e, "deviation", 0), normalized = named(e, "normalized", 0),
                 mean = channel_mean(e, "mean", x);
  gf__onnx_node(e->onnx, "Sub", centred.name, (const char *[]){x, mean.name}, 2, centred.name);
  gf__onnx_node(e->onnx, "Mul", square.name, (const char *[]){centred.name, centred.name}, 2,
                square.name);
  gf__onnx_value variance = channel_mean(e, "variance", square.name);
  gf__onnx_number(e->onnx, eps.name, number_option(e->node, "eps"));
  gf__onnx_node(e->onnx, "Add", sum.name, (const char *[]){variance.name, eps.name}, 2, sum.name);
  gf__onnx_node(e->onnx, "Sqrt", deviation.name, (const char *[]){sum.name}, 1, deviation.name);
  gf__onnx_node(e->onnx, "Div", normalized.name, (const char *[]){centred.name, deviation.name}, 2,
                normalized.name);
  emit_affine(e, r, normalized.name);
}

/* A range of the channels. */
static void emit_slice(emission *e, const row *r) {
  gf__onnx_value starts = named(e, "starts", 0), ends = named(e, "ends", 0),
                 axes = named(e, "axes", 0);
  int64_t first = whole_option(e->node, "first");
  gf__onnx_numbers(e->onnx, starts.name, &first, 1);
  gf__onnx_numbers(e->onnx, ends.name, (int64_t[]){first + e->node->out.c}, 1);
  gf__onnx_numbers(e->onnx, axes.name, (int64_t[]){1}, 1);
  gf__onnx_node(e->onnx, r->op, e->node->name,
                (const char *[]){e->in[0].name, starts.name, ends.name, axes.name}, 4, e->out.name);
}

/* As PyTorch has it: the channels become two axes, which change places. */
static void emit_channel_shuffle(emission *e, const row *r) {
  gf__onnx_value shape = named(e, "groupsshape", 0), groups = named(e, "groups", 0),
                 turns = named(e, "turns", 0);
  const gf__tensor *x = e->node->in[0];
  int64_t count = whole_option(e->node, "groups"), perm[] = {0, 2, 1, 3, 4, 5};
  int64_t dims[] = {0, count, x->c / count, x->h, x->w, 0};
  int rank = e->out.rank + 1;
  if (e->out.rank == GF__ONNX_VOLUME) {
    dims[3] = x->d;
    dims[4] = x->h;
    dims[5] = x->w;
  }
  gf__onnx_numbers(e->onnx, shape.name, dims, rank);
  gf__onnx_node(e->onnx, "Reshape", groups.name, (const char *[]){e->in[0].name, shape.name}, 2,
                groups.name);
  gf__onnx_node(e->onnx, r->op, turns.name, (const char *[]){groups.name}, 1, turns.name);
  gf__onnx_ints(e->onnx, "perm", perm, rank);
  reshape(e, turns.name, &e->out, &e->node->out);
}

static void emit_silu(emission *e, const row *r) {
  const char *x = e->in[0].name;
  gf__onnx_value sigmoid = named(e, "sigmoid", 0);
  gf__onnx_node(e->onnx, "Sigmoid", sigmoid.name, &x, 1, sigmoid.name);
  gf__onnx_node(e->onnx, r->op, e->node->name, (const char *[]){x, sigmoid.name}, 2, e->out.name);
}

/* x * 0.5 * (1 + erf(x / sqrt(2))): operator set 13 has no Gelu. */
static void emit_gelu(emission *e, const row *r) {
  const char *x = e->in[0].name;
  gf__onnx_value root = named(e, "root", 0), scaled = named(e, "scaled", 0),
                 erf = named(e, "erf", 0), one = named(e, "one", 0), sum = named(e, "sum", 0),
                 half = named(e, "half", 0), scale = named(e, "scale", 0);
  gf__onnx_number(e->onnx, root.name, 1.41421356f);
  gf__onnx_number(e->onnx, one.name, 1);
  gf__onnx_number(e->onnx, half.name, 0.5f);
  gf__onnx_node(e->onnx, "Div", scaled.name, (const char *[]){x, root.name}, 2, scaled.name);
  gf__onnx_node(e->onnx, "Erf", erf.name, (const char *[]){scaled.name}, 1, erf.name);
  gf__onnx_node(e->onnx, "Add", sum.name, (const char *[]){erf.name, one.name}, 2, sum.name);
  gf__onnx_node(e->onnx, "Mul", scale.name, (const char *[]){sum.name, half.name}, 2, scale.name);
  gf__onnx_node(e->onnx, r->op, e->node->name, (const char *[]){x, scale.name}, 2, e->out.name);
}

static void emit_clamp(emission *e, const row *r) {
  gf__onnx_value low = named(e, "min", 0), high = named(e, "max", 0);
  gf__onnx_number(e->onnx, low.name, number_option(e->node, "min"));
  gf__onnx_number(e->onnx, high.name, number_option(e->node, "max"));
  gf__onnx_node(e->onnx, r->op, e->node->name, (const char *[]){e->in[0].name, low.name, high.name},
                3, e->out.name);
}

/* ONNX's own slope is 1/5. */
static void emit_hard_sigmoid(emission *e, const row *r) {
  emit_op(e, r);
  gf__onnx_float(e->onnx, "alpha", 1.0f / 6);
}

/* Operator set 13 has no HardSwish. */
static void emit_hard_swish(emission *e, const row *r) {
  const char *x = e->in[0].name;
  gf__onnx_value sigmoid = named(e, "sigmoid", 0);
  gf__onnx_node(e->onnx, "HardSigmoid", sigmoid.name, &x, 1, sigmoid.name);
  gf__onnx_float(e->onnx, "alpha", 1.0f / 6);
  gf__onnx_node(e->onnx, r->op, e->node->name, (const char *[]){x, sigmoid.name}, 2, e->out.name);
}

/* Losses have no row: they end what only training needs. */
static const row rows[] = {
    {&gf__layer_conv2d, GF__ONNX_IMAGE, GF__ONNX_IMAGE, emit_conv2d, "Conv", NULL, NULL},
    {&gf__layer_conv_transpose2d, GF__ONNX_IMAGE, GF__ONNX_IMAGE, emit_conv_transpose,
     "ConvTranspose", NULL, NULL},
    {&gf__layer_linear, GF__ONNX_VECTOR, GF__ONNX_VECTOR, emit_linear, "Gemm", NULL, NULL},
    {&gf__layer_batch_norm, ANY, ANY, emit_weighted, "BatchNormalization", "eps", "epsilon"},
    {&gf__layer_layer_norm, ANY, ANY, emit_layer_norm, "Add", NULL, NULL},
    {&gf__layer_group_norm, ANY, ANY, emit_group_norm, "Add", NULL, NULL},
    {&gf__layer_layer_scale, ANY, ANY, emit_layer_scale, "Mul", NULL, NULL},
    {&gf__layer_leaky_relu, ANY, ANY, emit_op, "LeakyRelu", "slope", "alpha"},
    {&gf__layer_relu, ANY, ANY, emit_op, "Relu", NULL, NULL},
    {&gf__layer_tanh, ANY, ANY, emit_op, "Tanh", NULL, NULL},
    {&gf__layer_sigmoid, ANY, ANY, emit_op, "Sigmoid", NULL, NULL},
    {&gf__layer_elu, ANY, ANY, emit_op, "Elu", "alpha", "alpha"},
    {&gf__layer_gelu, ANY, ANY, emit_gelu, "Mul", NULL, NULL},
    {&gf__layer_silu, ANY, ANY, emit_silu, "Mul", NULL, NULL},
    {&gf__layer_clamp, ANY, ANY, emit_clamp, "Clip", NULL, NULL},
    {&gf__layer_hard_sigmoid, ANY, ANY, emit_hard_sigmoid, "HardSigmoid", NULL, NULL},
    {&gf__layer_hard_swish, ANY, ANY, emit_hard_swish, "Mul", NULL, NULL},
    {&gf__layer_avg_pool, GF__ONNX_IMAGE, GF__ONNX_IMAGE, emit_pool, "AveragePool", NULL, NULL},
    {&gf__layer_max_pool, GF__ONNX_IMAGE, GF__ONNX_IMAGE, emit_pool, "MaxPool", NULL, NULL},
    {&gf__layer_adaptive_avg_pool, GF__ONNX_IMAGE, GF__ONNX_IMAGE, emit_adaptive_avg_pool, "MatMul",
     NULL, NULL},
    {&gf__layer_global_avg_pool, WITH_PIXELS, ANY, emit_op, "GlobalAveragePool", NULL, NULL},
    {&gf__layer_conv3d, GF__ONNX_VOLUME, GF__ONNX_VOLUME, emit_conv3d, "Conv", NULL, NULL},
    {&gf__layer_avg_pool3d, GF__ONNX_VOLUME, GF__ONNX_VOLUME, emit_pool3d, "AveragePool", NULL,
     NULL},
    {&gf__layer_max_pool3d, GF__ONNX_VOLUME, GF__ONNX_VOLUME, emit_pool3d, "MaxPool", NULL, NULL},
    {&gf__layer_to_volume, ANY, GF__ONNX_VOLUME, emit_reshape, NULL, NULL, NULL},
    {&gf__layer_to_image, ANY, GF__ONNX_IMAGE, emit_reshape, NULL, NULL, NULL},
    {&gf__layer_add, ANY, ANY, emit_op, "Add", NULL, NULL},
    {&gf__layer_multiply, WITH_PIXELS, ANY, emit_op, "Mul", NULL, NULL},
    {&gf__layer_concat, ANY, ANY, emit_concat, "Concat", NULL, NULL},
    {&gf__layer_slice, ANY, ANY, emit_slice, "Slice", NULL, NULL},
    {&gf__layer_channel_shuffle, ANY, ANY, emit_channel_shuffle, "Transpose", NULL, NULL},
    {&gf__layer_pad_shortcut, GF__ONNX_IMAGE, GF__ONNX_IMAGE, emit_pad_shortcut, "Pad", NULL, NULL},
    {&gf__layer_flatten, GF__ONNX_VECTOR, ANY, NULL, NULL, NULL, NULL},
    {&gf__layer_dropout, ANY, ANY, NULL, NULL, NULL, NULL},
    {&gf__layer_stochastic_depth, ANY, ANY, NULL, NULL, NULL, NULL},
};

static int wanted_form(const row *r, int first) {
  if (r->in == WITH_PIXELS) return first == GF__ONNX_VECTOR ? GF__ONNX_IMAGE : first;
  return r->in == ANY ? first : r->in;
}

gf_status gf__onnx_layer(gf__onnx *onnx, const gf_node *node, const gf__onnx_value *in,
                         gf__onnx_value *out) {
  const row *r = rows, *end = rows + sizeof rows / sizeof *rows;
  while (r < end && r->layer != node->layer) r++;
  if (r == end)
    return gf__fail(GF_ERROR_CONFIG, "%s '%s' cannot be exported: the layer has no form in ONNX",
                    node->layer->name, node->name);
  emission e = {.onnx = onnx, .node = node};
  memcpy(e.in, in, (size_t)node->in_count * sizeof *in);
  int rank = wanted_form(r, in[0].rank);
  for (int i = 0; i < node->in_count; i++) convert(&e, i, rank);
  e.out = r->emit ? named(&e, "output", r->out == ANY ? rank : r->out) : e.in[0];
  if (r->emit) r->emit(&e, r);
  *out = e.out;
  return GF_OK;
}
