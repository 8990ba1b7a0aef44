/* A classifier of multi-scale residual blocks: Li et al., "Multi-scale residual network for image
 * super-resolution", 2018, whose blocks keep size and width. */
#include "model/families.h"

enum { NORM_NONE, NORM_EVERY };

typedef struct multi_scale {
  int stages, blocks_per_stage, filters, norm, activation;
  double dropout;
} multi_scale;

static const char *const norms[] = {"none", "every", NULL};

static const gf__key keys[] = {
    GF__KEY(multi_scale, stages, INT, .initial = "3", .minimum = 1, .maximum = 8,
            .help = "number of stages; a max pool halves the image between two"),
    GF__KEY(multi_scale, blocks_per_stage, INT, .initial = "1", .minimum = 1, .maximum = 100,
            .help = "blocks of two rounds of 3x3 and 5x5 convolutions"),
    GF__KEY(multi_scale, filters, INT, .initial = "32", .minimum = 1, .maximum = 1024,
            .help = "of a block's input, output and first round; the second has twice as many"),
    GF__KEY(multi_scale, norm, CHOICE, .initial = "every", .choices = norms,
            .help = "batch norm after no or every convolution; the paper has none"),
    GF__KEY(multi_scale, activation, CHOICE, .initial = "relu", .choices = gf__family_activations,
            .help = "after every convolution but the 1x1 ones"),
    GF__FAMILY_DROPOUT(multi_scale, "0"),
};

typedef struct writer {
  gf__text *out;
  const multi_scale *options;
} writer;

/* convSUFFIX and its norm; returns the last of them. */
static gf__node_name write_conv(const writer *w, const char *prefix, const char *suffix,
                                const gf__node_name *input, int filters, int kernel) {
  gf__node_name conv = gf__node_name_of("%sconv%s", prefix, suffix);
  bool norm = w->options->norm == NORM_EVERY;
  gf__family_write_conv(w->out, conv, input, (gf__family_conv){filters, kernel, 1, !norm, 1});
  if (!norm) return conv;
  conv = gf__node_name_of("%snorm%s", prefix, suffix);
  gf__family_write_node(w->out, conv, "batch_norm", NULL);
  return conv;
}

static gf__node_name write_activation(const writer *w, const char *prefix, const char *suffix) {
  gf__node_name name = gf__node_name_of("%sact%s", prefix, suffix);
  gf__family_write_node(w->out, name, gf__family_activations[w->options->activation], NULL);
  return name;
}

/* 3x3 and 5x5 convolutions of x side by side, and what they make as one tensor. The paper's
 * second round reads two concatenations that differ in their order alone; one serves both. */
static gf__node_name write_round(const writer *w, const char *prefix, int round, gf__node_name x) {
  gf__node_name scale[2], concat = gf__node_name_of("%sconcat_%d", prefix, round);
  for (int i = 0; i < 2; i++) {
    int kernel = 3 + 2 * i;
    gf__node_name suffix = gf__node_name_of("%d_%d", kernel, round);
    write_conv(w, prefix, suffix.text, &x, w->options->filters << round, kernel);
    scale[i] = write_activation(w, prefix, suffix.text);
  }
  gf__text_add(w->out, "- {name: %s, type: concat, input: [%s, %s]}\n", concat.text, scale[0].text,
               scale[1].text);
  return concat;
}

/* Returns the sum of x and of what two rounds make of it, fused by a 1x1 convolution. */
static gf__node_name write_block(const writer *w, const char *prefix, gf__node_name x) {
  gf__node_name wide = write_round(w, prefix, 1, write_round(w, prefix, 0, x));
  gf__node_name fused = write_conv(w, prefix, "_fusion", &wide, w->options->filters, 1);
  gf__node_name sum = gf__node_name_of("%sadd", prefix);
  gf__family_write_add(w->out, sum, fused, x);
  return sum;
}

static void multi_scale_write(gf__text *out, const void *options, int classes) {
  const multi_scale *o = options;
  writer w = {out, o};
  write_conv(&w, "input_", "", NULL, o->filters, 3);
  gf__node_name x = write_activation(&w, "input_", "");
  for (int stage = 0; stage < o->stages; stage++) {
    if (stage > 0) {
      x = gf__node_name_of("stage_%d_pool", stage);
      gf__text_add(out, "- {name: %s, type: max_pool, kernel: 2}\n", x.text);
    }
    for (int i = 0; i < o->blocks_per_stage; i++)
      x = write_block(&w, gf__node_name_of("stage_%d_block_%d_", stage, i).text, x);
  }
  gf__family_write_logits(out, o->dropout, classes);
}

const gf__family gf__family_multi_scale = {
    .name = "multi_scale",
    .help = "multi-scale residual blocks, Li et al., 2018",
    .keys = keys,
    .key_count = sizeof keys / sizeof *keys,
    .options_size = sizeof(multi_scale),
    .write = multi_scale_write,
};
