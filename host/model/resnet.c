/* Residual networks: He et al., "Deep residual learning for image recognition", 2015, and
 * "Identity mappings in deep residual networks", 2016 (pre-activation); Xie et al., "Aggregated
 * residual transformations", 2017 (groups); Zagoruyko and Komodakis, "Wide residual networks",
 * 2016. */
#include "model/families.h"

enum { SHORTCUT_NONE, SHORTCUT_A, SHORTCUT_B };
enum { BLOCK_POST, BLOCK_PRE_ACTIVATION };
enum { CIFAR_STAGES = 3, IMAGENET_STAGES = 4 };

static const char *const shortcuts[] = {"none", "option_a", "option_b", NULL};
#define SHORTCUT_HELP \
  "none: a plain net; where shapes change, option_a: zeros, option_b: a 1x1 convolution"

/* ---- names ---- */

/* The names of the nodes of a family: in a block they follow its prefix, and convolutions, norms
 * and activations are followed by a number. */
typedef struct naming {
  const char *conv, *norm, *act;
  int first; /* of the numbers */
  const char *shortcut, *shortcut_conv, *shortcut_norm;
  const char *stem_conv, *stem_norm, *stem_act;
} naming;

static const naming cifar_names = {
    .conv = "conv_",
    .norm = "norm_",
    .act = "act_",
    .first = 0,
    .shortcut = "shortcut",
    .shortcut_conv = "shortcut_conv",
    .shortcut_norm = "shortcut_norm",
    .stem_conv = "input_conv",
    .stem_norm = "input_norm",
    .stem_act = "input_act",
};

/* Layers with parameters have torchvision's names, so that weights go over without a map. */
static const naming imagenet_names = {
    .conv = "conv",
    .norm = "bn",
    .act = "act",
    .first = 1,
    .shortcut = "downsample",
    .shortcut_conv = "downsample.0",
    .shortcut_norm = "downsample.1",
    .stem_conv = "conv1",
    .stem_norm = "bn1",
    .stem_act = "act1",
};

/* ---- blocks ---- */

typedef struct block {
  gf__text *out;
  const naming *names;
  gf__node_name prefix; /* of the names of its nodes */
  int shortcut;
  int filters;    /* of the block's output */
  int stride;     /* of its first 3x3 convolution */
  bool changes;   /* the output has another shape than the input */
  int bottleneck; /* filters of the inner convolutions of a bottleneck, 0: a basic block */
  int groups;     /* of the first 3x3 convolution */
} block;

static gf__node_name name_of(const block *b, const char *node) {
  return gf__node_name_of("%s%s", b->prefix.text, node);
}

static gf__node_name numbered(const block *b, const char *node, int i) {
  return gf__node_name_of("%s%s%d", b->prefix.text, node, b->names->first + i);
}

static gf__node_name conv_of(const block *b, int i) { return numbered(b, b->names->conv, i); }
static gf__node_name norm_of(const block *b, int i) { return numbered(b, b->names->norm, i); }
static gf__node_name act_of(const block *b, int i) { return numbered(b, b->names->act, i); }

/* A convolution and its norm, whose name it returns. */
static gf__node_name write_conv_norm(const block *b, int i, gf__node_name input,
                                     gf__family_conv conv) {
  gf__family_write_conv(b->out, conv_of(b, i), &input, conv);
  gf__family_write_node(b->out, norm_of(b, i), "batch_norm", NULL);
  return norm_of(b, i);
}

static gf__node_name write_relu(const block *b, int i) {
  gf__family_write_node(b->out, act_of(b, i), "relu", NULL);
  return act_of(b, i);
}

/* The shortcut of x, whose end it returns. Option B's convolution reads projected, and has
 * a norm where projected is x. */
static gf__node_name write_shortcut(const block *b, gf__node_name x, gf__node_name projected,
                                    bool norm) {
  gf__node_name shortcut = name_of(b, b->names->shortcut);
  gf__node_name conv = name_of(b, b->names->shortcut_conv);
  gf__node_name after = name_of(b, b->names->shortcut_norm);
  if (b->shortcut == SHORTCUT_NONE || !b->changes) return x;
  if (b->shortcut == SHORTCUT_A) {
    gf__text_add(b->out, "- {name: %s, type: pad_shortcut, input: %s, channels: %d, stride: %d}\n",
                 shortcut.text, x.text, b->filters, b->stride);
    return shortcut;
  }
  gf__family_write_conv(b->out, conv, &projected,
                        (gf__family_conv){b->filters, 1, b->stride, false, 1});
  if (!norm) return conv;
  gf__family_write_node(b->out, after, "batch_norm", NULL);
  return after;
}

/* Returns relu(F(x) + shortcut(x)), with a norm after each convolution. */
static gf__node_name write_post(const block *b, gf__node_name x) {
  int last = b->bottleneck ? 2 : 1, filters = b->bottleneck ? b->bottleneck : b->filters;
  gf__node_name inner = x;
  if (b->bottleneck) {
    write_conv_norm(b, 0, inner, (gf__family_conv){filters, 1, 1, false, 1});
    inner = write_relu(b, 0);
  }
  write_conv_norm(b, last - 1, inner, (gf__family_conv){filters, 3, b->stride, false, b->groups});
  inner = write_relu(b, last - 1);
  /* Before the last convolution, so that the sum can be fused into it. */
  gf__node_name shortcut = write_shortcut(b, x, x, true);
  inner = write_conv_norm(b, last, inner,
                          (gf__family_conv){b->filters, b->bottleneck ? 1 : 3, 1, false, 1});
  if (b->shortcut != SHORTCUT_NONE)
    gf__family_write_add(b->out, name_of(b, "add"), inner, shortcut);
  return write_relu(b, last);
}

/* Returns F(x) + shortcut(x), with norm and ReLU before each convolution of F. The first
 * block of a network finds them done, and projections read what they have made. */
static gf__node_name write_pre_activation(const block *b, bool is_first, gf__node_name x) {
  gf__node_name active = x, last = conv_of(b, 1);
  if (!is_first) {
    gf__family_write_node(b->out, norm_of(b, 0), "batch_norm", &x);
    active = write_relu(b, 0);
  }
  gf__family_write_conv(b->out, conv_of(b, 0), &active,
                        (gf__family_conv){b->filters, 3, b->stride, false, 1});
  gf__family_write_node(b->out, norm_of(b, 1), "batch_norm", NULL);
  gf__node_name inner = write_relu(b, 1), shortcut = write_shortcut(b, x, active, false);
  gf__family_write_conv(b->out, last, &inner, (gf__family_conv){b->filters, 3, 1, false, 1});
  if (b->shortcut == SHORTCUT_NONE) return last;
  gf__family_write_add(b->out, name_of(b, "add"), last, shortcut);
  return name_of(b, "add");
}

/* Convolution, norm and ReLU, whose name it returns. */
static gf__node_name write_stem(gf__text *out, const naming *names, gf__family_conv conv) {
  gf__node_name act = gf__node_name_of("%s", names->stem_act);
  gf__family_write_conv(out, gf__node_name_of("%s", names->stem_conv), NULL, conv);
  gf__family_write_node(out, gf__node_name_of("%s", names->stem_norm), "batch_norm", NULL);
  gf__family_write_node(out, act, "relu", NULL);
  return act;
}

/* ---- the family of CIFAR ---- */

typedef struct resnet_cifar {
  int depth, filters, shortcut, block;
  double dropout;
} resnet_cifar;

static const char *const blocks[] = {"post", "pre_activation", NULL};

static const gf__key cifar_keys[] = {
    GF__KEY(resnet_cifar, depth, INT, .initial = "20", .minimum = 8, .maximum = 1100,
            .help = "layers with weights: 6 n + 2 for n blocks in each of three stages"),
    GF__KEY(resnet_cifar, filters, INT, .initial = "16", .minimum = 1, .maximum = 4096,
            .help = "of the first stage; the next ones have twice and four times as many"),
    GF__KEY(resnet_cifar, shortcut, CHOICE, .initial = "option_a", .choices = shortcuts,
            .help = SHORTCUT_HELP),
    GF__KEY(
        resnet_cifar, block, CHOICE, .initial = "post", .choices = blocks,
        .help =
            "post: norm and ReLU after a convolution; pre_activation: before it (He et al., 2016)"),
    GF__FAMILY_DROPOUT(resnet_cifar, "0"),
};

static gf_status check_cifar(const gf__value *section, const void *options) {
  const resnet_cifar *o = options;
  if (o->depth % 6 == 2) return GF_OK;
  return gf__value_fail(gf__value_get(section, "depth"),
                        "model.depth must be 6 n + 2 (20, 32, 44, 56, 110), not %d", o->depth);
}

static void write_cifar(gf__text *out, const void *options, int classes) {
  const resnet_cifar *o = options;
  int count = (o->depth - 2) / (2 * CIFAR_STAGES);
  gf__node_name x = write_stem(out, &cifar_names, (gf__family_conv){o->filters, 3, 1, false, 1});
  for (int stage = 0; stage < CIFAR_STAGES; stage++)
    for (int i = 0; i < count; i++) {
      bool changes = stage > 0 && i == 0;
      block b = {.out = out,
                 .names = &cifar_names,
                 .prefix = gf__node_name_of("stage_%d_block_%d_", stage, i),
                 .shortcut = o->shortcut,
                 .filters = o->filters << stage,
                 .stride = changes ? 2 : 1,
                 .changes = changes,
                 .groups = 1};
      x = o->block == BLOCK_POST ? write_post(&b, x)
                                 : write_pre_activation(&b, stage == 0 && i == 0, x);
    }
  if (o->block == BLOCK_PRE_ACTIVATION) {
    gf__family_write_node(out, gf__node_name_of("final_norm"), "batch_norm", NULL);
    gf__family_write_node(out, gf__node_name_of("final_act"), "relu", NULL);
  }
  gf__family_write_logits(out, o->dropout, classes);
}

const gf__family gf__family_resnet_cifar = {
    .name = "resnet_cifar",
    .help = "for small images, He et al., 2015",
    .keys = cifar_keys,
    .key_count = sizeof cifar_keys / sizeof *cifar_keys,
    .options_size = sizeof(resnet_cifar),
    .check = check_cifar,
    .write = write_cifar,
};

/* ---- the family of ImageNet ---- */

typedef struct resnet_imagenet {
  int depth, shortcut, groups, width_per_group;
  double dropout;
} resnet_imagenet;

/* Rows of the table below. */
static const char *const depths[] = {"18", "34", "50", "101", "152", NULL};

static const struct {
  int blocks[IMAGENET_STAGES];
  int expansion; /* output filters of a bottleneck for each inner one; 1: basic blocks */
} imagenets[] = {{{2, 2, 2, 2}, 1},
                 {{3, 4, 6, 3}, 1},
                 {{3, 4, 6, 3}, 4},
                 {{3, 4, 23, 3}, 4},
                 {{3, 8, 36, 3}, 4}};

enum { PLAIN_WIDTH = 64 }; /* inner filters of the first stage */

static const gf__key imagenet_keys[] = {
    GF__KEY(resnet_imagenet, depth, CHOICE, .initial = "18", .choices = depths,
            .help = "layers with weights; from 50 on made of bottlenecks"),
    GF__KEY(resnet_imagenet, shortcut, CHOICE, .initial = "option_b", .choices = shortcuts,
            .help = SHORTCUT_HELP),
    GF__KEY(resnet_imagenet, groups, INT, .initial = "1", .minimum = 1, .maximum = 1024,
            .help = "of the 3x3 convolution of a bottleneck (ResNeXt)"),
    GF__KEY(
        resnet_imagenet, width_per_group, INT, .initial = "64", .minimum = 1, .maximum = 1024,
        .help = "filters of a group of the first stage's 3x3 convolutions (ResNeXt 4, wide 128)"),
    GF__FAMILY_DROPOUT(resnet_imagenet, "0"),
};

static gf_status check_imagenet(const gf__value *section, const void *options) {
  const resnet_imagenet *o = options;
  const char *key = o->groups != 1 ? "groups" : "width_per_group";
  if (imagenets[o->depth].expansion > 1 || (o->groups == 1 && o->width_per_group == PLAIN_WIDTH))
    return GF_OK;
  return gf__value_fail(gf__value_get(section, key),
                        "model.%s is for bottlenecks: of a model.depth of 50 and more, not %s", key,
                        depths[o->depth]);
}

static void write_imagenet(gf__text *out, const void *options, int classes) {
  const resnet_imagenet *o = options;
  int expansion = imagenets[o->depth].expansion;
  gf__node_name x = gf__node_name_of("maxpool");
  write_stem(out, &imagenet_names, (gf__family_conv){PLAIN_WIDTH, 7, 2, false, 1});
  gf__text_add(out, "- {name: maxpool, type: max_pool, kernel: 3, stride: 2, padding: 1}\n");
  for (int stage = 0; stage < IMAGENET_STAGES; stage++)
    for (int i = 0; i < imagenets[o->depth].blocks[stage]; i++) {
      int inner = PLAIN_WIDTH << stage;
      block b = {.out = out,
                 .names = &imagenet_names,
                 .prefix = gf__node_name_of("layer%d.%d.", stage + 1, i),
                 .shortcut = o->shortcut,
                 .filters = inner * expansion,
                 .stride = stage > 0 && i == 0 ? 2 : 1,
                 .changes = i == 0 && (stage > 0 || expansion > 1),
                 .bottleneck = expansion > 1 ? (o->width_per_group << stage) * o->groups : 0,
                 .groups = o->groups};
      x = write_post(&b, x);
    }
  gf__text_add(out, "- {name: avgpool, type: global_avg_pool}\n");
  gf__family_write_dropout(out, o->dropout);
  gf__text_add(out, "- {name: fc, type: linear, outputs: %d}\n", classes);
}

const gf__family gf__family_resnet_imagenet = {
    .name = "resnet_imagenet",
    .help = "for large images, He et al., 2015",
    .keys = imagenet_keys,
    .key_count = sizeof imagenet_keys / sizeof *imagenet_keys,
    .options_size = sizeof(resnet_imagenet),
    .check = check_imagenet,
    .write = write_imagenet,
};
