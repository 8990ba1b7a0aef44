/* The networks of the study: stages of 3x3 convolutions of one width, each
 * closed by a reduction that halves the image. */
#include <stdio.h>

#include "model/families.h"

enum { SHORTCUT_NONE, SHORTCUT_IDENTITY };
enum { NORM_NONE, NORM_ENTRY, NORM_EVERY };

typedef struct vgg_stages {
  int stages, blocks_per_stage, filters;
  int shortcut, norm, activation;
  double slope;
} vgg_stages;

static const char *const shortcuts[] = {"none", "identity", NULL};
static const char *const norms[] = {"none", "entry", "every", NULL};
static const char *const activations[] = {"leaky_relu", "relu", "tanh", "sigmoid", NULL};

static const gf__key keys[] = {
    {"stages", GF__KEY_INT, offsetof(vgg_stages, stages), "3", 1, 8, NULL,
     "number of stages; each halves the image"},
    {"blocks_per_stage", GF__KEY_INT, offsetof(vgg_stages, blocks_per_stage), "5", 0, 200, NULL,
     "processing blocks of two convolutions before each reduction"},
    {"filters", GF__KEY_INT, offsetof(vgg_stages, filters), "32", 1, 4096, NULL,
     "filters of every convolution"},
    {"shortcut", GF__KEY_CHOICE, offsetof(vgg_stages, shortcut), "none", 0, 0, shortcuts,
     "identity: residual blocks (He et al., 2015)"},
    {"norm", GF__KEY_CHOICE, offsetof(vgg_stages, norm), "entry", 0, 0, norms,
     "batch norm after no, the first, or every convolution"},
    {"activation", GF__KEY_CHOICE, offsetof(vgg_stages, activation), "leaky_relu", 0, 0,
     activations, "after every convolution"},
    {"slope", GF__KEY_FLOAT, offsetof(vgg_stages, slope), "0.01", 0, 1, NULL,
     "of leaky_relu for negative values"},
};

typedef struct writer {
  gf__text *out;
  const vgg_stages *options;
} writer;

/* conv2d PREFIXconvSUFFIX of PREFIXinput, or of the node before if input is "",
 * and, where the options say so, its batch norm. */
static void add_conv(const writer *w, const char *prefix, const char *suffix, const char *input,
                     bool bias, bool norm) {
  gf__text_add(w->out, "- {name: %sconv%s, type: conv2d", prefix, suffix);
  if (*input) gf__text_add(w->out, ", input: %s%s", prefix, input);
  gf__text_add(w->out, ", filters: %d, kernel: 3, padding: 1, bias: %s}\n", w->options->filters,
               bias ? "true" : "false");
  if (norm) gf__text_add(w->out, "- {name: %snorm%s, type: batch_norm}\n", prefix, suffix);
}

static void add_activation(const writer *w, const char *prefix, const char *suffix) {
  const char *name = activations[w->options->activation];
  gf__text_add(w->out, "- {name: %sact%s, type: %s", prefix, suffix, name);
  if (w->options->activation == 0) gf__text_add(w->out, ", slope: %.9g", w->options->slope);
  gf__text_add(w->out, "}\n");
}

/* y0 = conv(x), x1 = act(y0), y1 = conv(x1), out = act(y1 + x); a reduction
 * pools x1 and x first. before names x. */
static void add_block(const writer *w, const char *prefix, const char *before, bool reduces) {
  const vgg_stages *o = w->options;
  bool every = o->norm == NORM_EVERY, identity = o->shortcut == SHORTCUT_IDENTITY;
  add_conv(w, prefix, "_0", "", reduces, every);
  add_activation(w, prefix, "_0");
  if (reduces) gf__text_add(w->out, "- {name: %spool, type: avg_pool, kernel: 2}\n", prefix);
  /* Before conv_1, so that the sum can be fused into its store. */
  if (identity && reduces)
    gf__text_add(w->out, "- {name: %sshortcut, type: avg_pool, kernel: 2, input: %s}\n", prefix,
                 before);
  add_conv(w, prefix, "_1", reduces ? "pool" : "", reduces, every);
  if (identity && reduces)
    gf__text_add(w->out, "- {name: %sadd, type: add, input: [%s%s_1, %sshortcut]}\n", prefix,
                 prefix, every ? "norm" : "conv", prefix);
  else if (identity)
    gf__text_add(w->out, "- {name: %sadd, type: add, input: [%s%s_1, %s]}\n", prefix, prefix,
                 every ? "norm" : "conv", before);
  add_activation(w, prefix, "_1");
}

static void write(gf__text *out, const void *options, int classes) {
  const vgg_stages *o = options;
  writer w = {out, o};
  char prefix[48], before[64] = "input_act";
  add_conv(&w, "input_", "", "", false, o->norm != NORM_NONE);
  add_activation(&w, "input_", "");
  for (int stage = 0; stage < o->stages; stage++)
    for (int block = 0; block <= o->blocks_per_stage; block++) {
      bool reduces = block == o->blocks_per_stage;
      if (reduces)
        snprintf(prefix, sizeof prefix, "reduction_%d_", stage);
      else
        snprintf(prefix, sizeof prefix, "block_%d_%d_", stage, block);
      add_block(&w, prefix, before, reduces);
      snprintf(before, sizeof before, "%sact_1", prefix);
    }
  gf__text_add(out,
               "- {name: pool, type: global_avg_pool}\n"
               "- {name: logit_linear, type: linear, outputs: %d}\n",
               classes);
}

const gf__family gf__family_vgg_stages = {
    .name = "vgg_stages",
    .help = "the study's plain and residual networks",
    .keys = keys,
    .key_count = sizeof keys / sizeof *keys,
    .options_size = sizeof(vgg_stages),
    .write = write,
};
