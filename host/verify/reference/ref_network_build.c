#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "ref_network_nodes.h"

void *ref_allocate(ref_network *network, size_t count, size_t size) {
  void *memory = calloc(count, size);
  if (!memory) network->failed = true;
  return memory;
}

/* The name of a layer. */
typedef struct label {
  char text[64];
} label;

static label label_of(const char *format, ...) {
  label out;
  va_list args;
  va_start(args, format);
  vsnprintf(out.text, sizeof out.text, format, args);
  va_end(args);
  return out;
}

static node *add_volume(ref_network *network, const kind *of, node *x, int d, int h, int w, int c) {
  node *self = &network->nodes[network->node_count++];
  *self = (node){.kind = of, .inputs = {x}, .d = d, .h = h, .w = w, .c = c};
  size_t count = (size_t)network->options.batch * d * h * w * c;
  self->y = ref_allocate(network, count, sizeof(double));
  self->dy = ref_allocate(network, count, sizeof(double));
  return self;
}

static node *add_node(ref_network *network, const kind *of, node *x, int h, int w, int c) {
  return add_volume(network, of, x, x ? x->d : 1, h, w, c);
}

static ref_tensor *add_tensor(ref_network *network, bool trainable, int dim_count, const int *dims,
                              double value, const char *format, ...) {
  ref_tensor *tensor = trainable ? &network->tensors[network->tensor_count]
                                 : &network->running[network->running_count++];
  tensor->trainable = trainable;
  tensor->dim_count = dim_count;
  tensor->count = 1;
  for (int i = 0; i < dim_count; i++) tensor->count *= (size_t)(tensor->dims[i] = dims[i]);
  va_list args;
  va_start(args, format);
  vsnprintf(tensor->name, sizeof tensor->name, format, args);
  va_end(args);
  tensor->value = ref_allocate(network, tensor->count, sizeof(double));
  for (size_t i = 0; tensor->value && i < tensor->count; i++) tensor->value[i] = value;
  if (!trainable) return tensor;
  tensor->gradient = ref_allocate(network, tensor->count, sizeof(double));
  for (int i = 0; i < 2; i++)
    network->moments[2 * network->tensor_count + i] =
        ref_allocate(network, tensor->count, sizeof(double));
  network->tensor_count++;
  return tensor;
}

/* Kernels are odd, and padding is half of them. */
static node *add_conv(ref_network *network, node *x, int filters, int kernel, int stride, bool bias,
                      label name) {
  node *self = add_node(network, &ref_conv_node, x, (x->h - 1) / stride + 1,
                        (x->w - 1) / stride + 1, filters);
  self->kernel = kernel;
  self->stride = stride;
  self->padding = kernel / 2;
  self->weight = add_tensor(network, true, 4, (int[]){filters, x->c, kernel, kernel}, 0,
                            "%s.weight", name.text);
  if (bias) self->bias = add_tensor(network, true, 1, &filters, 0, "%s.bias", name.text);
  return self;
}

static node *add_norm(ref_network *network, node *x, label name) {
  node *self = add_node(network, &ref_norm_node, x, x->h, x->w, x->c);
  self->weight = add_tensor(network, true, 1, &x->c, 1, "%s.weight", name.text);
  self->bias = add_tensor(network, true, 1, &x->c, 0, "%s.bias", name.text);
  self->running_mean = add_tensor(network, false, 1, &x->c, 0, "%s.running_mean", name.text);
  self->running_variance = add_tensor(network, false, 1, &x->c, 1, "%s.running_var", name.text);
  return self;
}

static node *add_activation(ref_network *network, node *x) {
  return add_node(network, &ref_activation_node, x, x->h, x->w, x->c);
}

static node *add_pool(ref_network *network, const kind *of, node *x) {
  return add_node(network, of, x, x->h / 2, x->w / 2, x->c);
}

static node *add_pair(ref_network *network, const kind *of, node *a, node *b, int c) {
  node *self = add_node(network, of, a, a->h, a->w, c);
  self->inputs[1] = b;
  return self;
}

static node *add_sum(ref_network *network, node *a, node *b) {
  return add_pair(network, &ref_sum_node, a, b, a->c);
}

static void add_logits(ref_network *network, node *x) {
  x = add_node(network, &ref_global_pool_node, x, 1, 1, x->c);
  int classes = network->options.classes;
  node *logits = add_node(network, &ref_linear_node, x, 1, 1, classes);
  logits->weight = add_tensor(network, true, 2, (int[]){classes, x->c}, 0, "logit_linear.weight");
  logits->bias = add_tensor(network, true, 1, &classes, 0, "logit_linear.bias");
}

/* ---- vgg_stages ---- */

/* Convolution i of the block called name, its norm if every one has a norm, and its
 * activation; other, if not NULL, is added before the activation. */
static node *add_vgg_conv(ref_network *network, node *x, node *other, bool bias, bool has_norm,
                          label name, const char *suffix) {
  const ref_network_options *o = &network->options;
  label conv = label_of("%s_conv%s", name.text, suffix);
  label norm = label_of("%s_norm%s", name.text, suffix);
  node *y = add_conv(network, x, o->filters, 3, 1, bias, conv);
  if (has_norm && !o->norm_after) y = add_norm(network, y, norm);
  if (other) y = add_sum(network, y, other);
  y = add_activation(network, y);
  return has_norm && o->norm_after ? add_norm(network, y, norm) : y;
}

static node *add_vgg_block(ref_network *network, node *x, bool reduction, label name) {
  const ref_network_options *o = &network->options;
  node *x1 = add_vgg_conv(network, x, NULL, reduction, o->norm_every, name, "_0");
  if (reduction) x1 = add_pool(network, &ref_avg_pool_node, x1);
  if (o->shortcut && reduction) x = add_pool(network, &ref_avg_pool_node, x);
  return add_vgg_conv(network, x1, o->shortcut ? x : NULL, reduction, o->norm_every, name, "_1");
}

static void build_vgg_stages(ref_network *network, node *x) {
  const ref_network_options *o = &network->options;
  x = add_vgg_conv(network, x, NULL, false, true, label_of("input"), "");
  for (int stage = 0; stage < o->stages; stage++) {
    for (int block = 0; block < o->blocks_per_stage; block++)
      x = add_vgg_block(network, x, false, label_of("block_%d_%d", stage, block));
    x = add_vgg_block(network, x, true, label_of("reduction_%d", stage));
  }
  add_logits(network, x);
}

/* ---- resnet_cifar ---- */

typedef struct res_block {
  label name;
  int filters, stride;
} res_block;

static label block_label(const res_block *block, const char *suffix) {
  return label_of("%s_%s", block->name.text, suffix);
}

static node *add_res_shortcut(ref_network *network, node *x, node *projected,
                              const res_block *block) {
  if (x->c == block->filters) return x;
  if (network->options.shortcut == REF_SHORTCUT_B) {
    node *y = add_conv(network, projected, block->filters, 1, block->stride, false,
                       block_label(block, "shortcut_conv"));
    return network->options.pre_activation
               ? y
               : add_norm(network, y, block_label(block, "shortcut_norm"));
  }
  node *y = add_node(network, &ref_pad_node, x, (x->h - 1) / block->stride + 1,
                     (x->w - 1) / block->stride + 1, block->filters);
  y->stride = block->stride;
  return y;
}

static node *add_post_block(ref_network *network, node *x, const res_block *b) {
  node *y = add_conv(network, x, b->filters, 3, b->stride, false, block_label(b, "conv_0"));
  y = add_activation(network, add_norm(network, y, block_label(b, "norm_0")));
  node *shortcut = network->options.shortcut ? add_res_shortcut(network, x, x, b) : NULL;
  y = add_norm(network, add_conv(network, y, b->filters, 3, 1, false, block_label(b, "conv_1")),
               block_label(b, "norm_1"));
  return add_activation(network, shortcut ? add_sum(network, y, shortcut) : y);
}

static node *add_pre_block(ref_network *network, node *x, bool is_first, const res_block *b) {
  node *active =
      is_first ? x : add_activation(network, add_norm(network, x, block_label(b, "norm_0")));
  node *y = add_conv(network, active, b->filters, 3, b->stride, false, block_label(b, "conv_0"));
  y = add_activation(network, add_norm(network, y, block_label(b, "norm_1")));
  node *shortcut = network->options.shortcut ? add_res_shortcut(network, x, active, b) : NULL;
  y = add_conv(network, y, b->filters, 3, 1, false, block_label(b, "conv_1"));
  return shortcut ? add_sum(network, y, shortcut) : y;
}

static void build_resnet_cifar(ref_network *network, node *x) {
  const ref_network_options *o = &network->options;
  x = add_norm(network, add_conv(network, x, o->filters, 3, 1, false, label_of("input_conv")),
               label_of("input_norm"));
  x = add_activation(network, x);
  for (int stage = 0; stage < 3; stage++)
    for (int i = 0; i < o->blocks_per_stage; i++) {
      res_block block = {label_of("stage_%d_block_%d", stage, i), o->filters << stage,
                         stage > 0 && i == 0 ? 2 : 1};
      x = o->pre_activation ? add_pre_block(network, x, stage == 0 && i == 0, &block)
                            : add_post_block(network, x, &block);
    }
  if (o->pre_activation) x = add_activation(network, add_norm(network, x, label_of("final_norm")));
  add_logits(network, x);
}

/* ---- multi_scale ---- */

static node *add_scale_conv(ref_network *network, node *x, int filters, int kernel, label prefix,
                            label suffix) {
  bool every = network->options.norm_every;
  label conv = label_of("%sconv%s", prefix.text, suffix.text);
  node *y = add_conv(network, x, filters, kernel, 1, !every, conv);
  return every ? add_norm(network, y, label_of("%snorm%s", prefix.text, suffix.text)) : y;
}

static node *add_round(ref_network *network, node *x, int round, label prefix) {
  node *scale[2];
  int filters = network->options.filters << round;
  for (int i = 0; i < 2; i++) {
    label suffix = label_of("%d_%d", 3 + 2 * i, round);
    scale[i] = add_scale_conv(network, x, filters, 3 + 2 * i, prefix, suffix);
    scale[i] = add_activation(network, scale[i]);
  }
  return add_pair(network, &ref_concat_node, scale[0], scale[1], 2 * filters);
}

static void build_multi_scale(ref_network *network, node *x) {
  const ref_network_options *o = &network->options;
  x = add_activation(network,
                     add_scale_conv(network, x, o->filters, 3, label_of("input_"), label_of("")));
  for (int stage = 0; stage < o->stages; stage++) {
    if (stage > 0) x = add_pool(network, &ref_max_pool_node, x);
    for (int i = 0; i < o->blocks_per_stage; i++) {
      label prefix = label_of("stage_%d_block_%d_", stage, i);
      node *y = add_round(network, add_round(network, x, 0, prefix), 1, prefix);
      x = add_sum(network, add_scale_conv(network, y, o->filters, 1, prefix, label_of("_fusion")),
                  x);
    }
  }
  add_logits(network, x);
}

/* ---- spectral_spatial ---- */

static node *add_active_norm(ref_network *network, node *x, node *other, label prefix,
                             const char *suffix) {
  x = add_norm(network, x, label_of("%s_norm%s", prefix.text, suffix));
  return add_activation(network, other ? add_sum(network, x, other) : x);
}

static node *add_depth_conv(ref_network *network, node *x, int filters, int kernel, int stride,
                            int padding, label prefix, const char *suffix) {
  int d = (x->d + 2 * padding - kernel) / stride + 1;
  node *self = add_volume(network, &ref_conv3d_node, x, d, x->h, x->w, filters);
  self->kernel_depth = kernel;
  self->depth_stride = stride;
  self->depth_padding = padding;
  self->weight = add_tensor(network, true, 5, (int[]){filters, x->c, kernel, 1, 1}, 0,
                            "%s_conv%s.weight", prefix.text, suffix);
  self->bias = add_tensor(network, true, 1, &filters, 0, "%s_conv%s.bias", prefix.text, suffix);
  return self;
}

static node *add_plane_conv(ref_network *network, node *x, label prefix, const char *suffix) {
  return add_conv(network, x, network->options.filters, 3, 1, true,
                  label_of("%s_conv%s", prefix.text, suffix));
}

static node *add_volume_block(ref_network *network, node *x, bool spectral, label prefix) {
  static const char *const suffixes[] = {"_0", "_1"};
  node *y = x;
  for (int i = 0; i < 2; i++) {
    y = spectral
            ? add_depth_conv(network, y, network->options.filters, 7, 1, 3, prefix, suffixes[i])
            : add_plane_conv(network, y, prefix, suffixes[i]);
    y = add_active_norm(network, y, i ? x : NULL, prefix, suffixes[i]);
  }
  return y;
}

static void build_spectral_spatial(ref_network *network, node *x) {
  const ref_network_options *o = &network->options;
  label spectral = label_of("spectral"), bridge = label_of("bridge"), spatial = label_of("spatial");
  x = add_volume(network, &ref_to_volume_node, x, x->c, x->h, x->w, 1);
  x = add_depth_conv(network, x, o->filters, 7, 2, 0, spectral, "");
  x = add_active_norm(network, x, NULL, spectral, "");
  for (int i = 0; i < o->blocks_per_stage; i++)
    x = add_volume_block(network, x, true, label_of("spectral_%d", i));
  x = add_depth_conv(network, x, o->bridge_filters, x->d, 1, 0, bridge, "");
  x = add_active_norm(network, x, NULL, bridge, "");
  node *y = add_node(network, &ref_conv_node, x, x->h - 2, x->w - 2, o->filters);
  y->kernel = 3;
  y->stride = 1;
  y->weight =
      add_tensor(network, true, 4, (int[]){o->filters, x->c, 3, 3}, 0, "spatial_conv.weight");
  y->bias = add_tensor(network, true, 1, &o->filters, 0, "spatial_conv.bias");
  x = add_active_norm(network, y, NULL, spatial, "");
  for (int i = 0; i < o->blocks_per_stage; i++)
    x = add_volume_block(network, x, false, label_of("spatial_%d", i));
  add_logits(network, x);
}

static void (*const builders[])(ref_network *, node *) = {
    [REF_VGG_STAGES] = build_vgg_stages,
    [REF_RESNET_CIFAR] = build_resnet_cifar,
    [REF_MULTI_SCALE] = build_multi_scale,
    [REF_SPECTRAL_SPATIAL] = build_spectral_spatial,
};

void ref_network_build(ref_network *network) {
  const ref_network_options *o = &network->options;
  builders[o->family](network, add_node(network, NULL, NULL, o->height, o->width, o->channels));
}
