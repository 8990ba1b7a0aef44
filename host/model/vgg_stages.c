/* The networks of the study: stages of 3x3 convolutions of one width, each
 * closed by a reduction that halves the image. */
#include "model/families.h"

enum { SHORTCUT_NONE, SHORTCUT_IDENTITY };
enum { NORM_NONE, NORM_ENTRY, NORM_EVERY };
enum { NORM_BEFORE, NORM_AFTER };

typedef struct vgg_stages {
  int stages, blocks_per_stage, filters;
  int shortcut, norm, norm_position, activation;
  double slope, dropout;
} vgg_stages;

static const char *const shortcuts[] = {"none", "identity", NULL};
static const char *const norms[] = {"none", "entry", "every", NULL};
static const char *const positions[] = {"before", "after", NULL};

static const gf__key keys[] = {
    GF__KEY(vgg_stages, stages, INT, .initial = "3", .minimum = 1, .maximum = 8,
            .help = "number of stages; each halves the image"),
    GF__KEY(vgg_stages, blocks_per_stage, INT, .initial = "5", .maximum = 200,
            .help = "processing blocks of two convolutions before each reduction"),
    GF__KEY(vgg_stages, filters, INT, .initial = "32", .minimum = 1, .maximum = 4096,
            .help = "filters of every convolution"),
    GF__KEY(vgg_stages, shortcut, CHOICE, .initial = "none", .choices = shortcuts,
            .help = "identity: residual blocks (He et al., 2015)"),
    GF__KEY(vgg_stages, norm, CHOICE, .initial = "entry", .choices = norms,
            .help = "batch norm after no, the first, or every convolution"),
    GF__KEY(vgg_stages, norm_position, CHOICE, .initial = "before", .choices = positions,
            .help = "of a batch norm: before or after the activation"),
    GF__KEY(vgg_stages, activation, CHOICE, .initial = "leaky_relu",
            .choices = gf__family_activations, .help = "after every convolution"),
    GF__KEY(vgg_stages, slope, FLOAT, .initial = "0.01", .maximum = 1,
            .help = "of leaky_relu for negative values"),
    GF__FAMILY_DROPOUT(vgg_stages, "0"),
};

typedef struct writer {
  gf__text *out;
  const vgg_stages *options;
} writer;

/* The nodes of a block, or of the entry: PREFIXconvSUFFIX, PREFIXnormSUFFIX, PREFIXactSUFFIX. */
static gf__node_name name_of(const char *prefix, const char *node, const char *suffix) {
  return gf__node_name_of("%s%s%s", prefix, node, suffix);
}

/* A convolution, and its norm if that comes before the activation; returns the last of them. */
static gf__node_name add_conv(const writer *w, const char *prefix, const char *suffix,
                              const gf__node_name *input, bool bias, bool norm) {
  gf__node_name conv = name_of(prefix, "conv", suffix), after = name_of(prefix, "norm", suffix);
  gf__family_write_conv(w->out, conv, input, (gf__family_conv){w->options->filters, 3, 1, bias, 1});
  if (!norm || w->options->norm_position == NORM_AFTER) return conv;
  gf__family_write_node(w->out, after, "batch_norm", NULL);
  return after;
}

/* The activation, and the norm if that comes after it; returns the last of them. */
static gf__node_name add_activation(const writer *w, const char *prefix, const char *suffix,
                                    bool norm) {
  gf__node_name act = name_of(prefix, "act", suffix), after = name_of(prefix, "norm", suffix);
  int kind = w->options->activation;
  gf__text_add(w->out, "- {name: %s, type: %s", act.text, gf__family_activations[kind]);
  if (kind == 0) gf__text_add(w->out, ", slope: %.9g", w->options->slope);
  gf__text_add(w->out, "}\n");
  if (!norm || w->options->norm_position == NORM_BEFORE) return act;
  gf__family_write_node(w->out, after, "batch_norm", NULL);
  return after;
}

static gf__node_name add_pool(const writer *w, const char *prefix, const char *name,
                              gf__node_name input) {
  gf__node_name pool = name_of(prefix, name, "");
  gf__text_add(w->out, "- {name: %s, type: avg_pool, kernel: 2, input: %s}\n", pool.text,
               input.text);
  return pool;
}

/* y0 = conv(x), x1 = act(y0), y1 = conv(x1), out = act(y1 + x); a reduction
 * pools x1 and x first. Norms of y0 and y1 or of x1 and out. Returns the name of out. */
static gf__node_name add_block(const writer *w, const char *prefix, gf__node_name x, bool reduces) {
  const vgg_stages *o = w->options;
  bool norm = o->norm == NORM_EVERY, identity = o->shortcut == SHORTCUT_IDENTITY;
  add_conv(w, prefix, "_0", &x, reduces, norm);
  gf__node_name x1 = add_activation(w, prefix, "_0", norm);
  if (reduces) x1 = add_pool(w, prefix, "pool", x1);
  /* Before conv_1, so that the sum can be fused into its store. */
  if (identity && reduces) x = add_pool(w, prefix, "shortcut", x);
  gf__node_name y1 = add_conv(w, prefix, "_1", &x1, reduces, norm);
  if (identity) gf__family_write_add(w->out, name_of(prefix, "add", ""), y1, x);
  return add_activation(w, prefix, "_1", norm);
}

static void vgg_stages_write(gf__text *out, const void *options, int classes) {
  const vgg_stages *o = options;
  writer w = {out, o};
  bool norm = o->norm != NORM_NONE;
  add_conv(&w, "input_", "", NULL, false, norm);
  gf__node_name x = add_activation(&w, "input_", "", norm);
  for (int stage = 0; stage < o->stages; stage++) {
    for (int block = 0; block < o->blocks_per_stage; block++)
      x = add_block(&w, gf__node_name_of("block_%d_%d_", stage, block).text, x, false);
    x = add_block(&w, gf__node_name_of("reduction_%d_", stage).text, x, true);
  }
  gf__family_write_logits(out, o->dropout, classes);
}

const gf__family gf__family_vgg_stages = {
    .name = "vgg_stages",
    .help = "the study's plain and residual networks",
    .keys = keys,
    .key_count = sizeof keys / sizeof *keys,
    .options_size = sizeof(vgg_stages),
    .write = vgg_stages_write,
};
