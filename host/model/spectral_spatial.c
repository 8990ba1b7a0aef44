/* The spectral-spatial residual network: Zhong et al., "Spectral-spatial residual network for
 * hyperspectral image classification: a 3-D deep learning framework", 2018. Its volumes have the
 * bands as depth; every convolution has a bias, and is followed by a norm and a ReLU, the second
 * one of a residual block after the sum. */
#include "model/families.h"

typedef struct spectral_spatial {
  int filters, bridge_filters, spectral_blocks, spatial_blocks;
  double dropout;
} spectral_spatial;

static const gf__key keys[] = {
    GF__KEY(spectral_spatial, filters, INT, .initial = "24", .minimum = 1, .maximum = 1024,
            .help = "filters of every convolution but the bridge"),
    GF__KEY(spectral_spatial, bridge_filters, INT, .initial = "128", .minimum = 1, .maximum = 4096,
            .help = "of the convolution over all bands between spectral and spatial blocks"),
    GF__KEY(spectral_spatial, spectral_blocks, INT, .initial = "2", .maximum = 100,
            .help = "residual blocks of two convolutions over 7 bands"),
    GF__KEY(spectral_spatial, spatial_blocks, INT, .initial = "2", .maximum = 100,
            .help = "residual blocks of two convolutions over 3x3 pixels"),
    GF__FAMILY_DROPOUT(spectral_spatial, "0.5"),
};

/* What follows "type: " of a convolution, without its filters. */
static const char *const entry_ = "conv3d, kernel: [7, 1, 1], stride: [2, 1, 1]";
static const char *const spectral_ = "conv3d, kernel: [7, 1, 1], padding: [3, 0, 0]";
static const char *const bridge_ = "conv3d, kernel: [0, 1, 1]";
/* The bridge leaves one plane, an image of bridge_filters channels, over which the paper's 3x3x128
 * kernels reach: from here on 2-D convolutions are the same. */
static const char *const spatial_entry_ = "conv2d, kernel: 3";
static const char *const spatial_ = "conv2d, kernel: 3, padding: 1";

/* PREFIXconvSUFFIX and its norm; returns the norm. */
static gf__node_name write_conv(gf__text *out, const char *prefix, const char *suffix,
                                const char *type, int filters) {
  gf__node_name norm = gf__node_name_of("%snorm%s", prefix, suffix);
  gf__text_add(out, "- {name: %sconv%s, type: %s, filters: %d}\n", prefix, suffix, type, filters);
  gf__family_write_node(out, norm, "batch_norm", NULL);
  return norm;
}

static gf__node_name write_relu(gf__text *out, const char *prefix, const char *suffix) {
  gf__node_name act = gf__node_name_of("%sact%s", prefix, suffix);
  gf__family_write_node(out, act, "relu", NULL);
  return act;
}

static gf__node_name write_block(gf__text *out, const char *prefix, const char *type, int filters,
                                 gf__node_name x) {
  write_conv(out, prefix, "_0", type, filters);
  write_relu(out, prefix, "_0");
  gf__node_name y = write_conv(out, prefix, "_1", type, filters);
  gf__family_write_add(out, gf__node_name_of("%sadd", prefix), y, x);
  return write_relu(out, prefix, "_1");
}

static void spectral_spatial_write(gf__text *out, const void *options, int classes) {
  const spectral_spatial *o = options;
  gf__text_add(out, "- {name: volume, type: to_volume}\n");
  write_conv(out, "spectral_", "", entry_, o->filters);
  gf__node_name x = write_relu(out, "spectral_", "");
  for (int i = 0; i < o->spectral_blocks; i++)
    x = write_block(out, gf__node_name_of("spectral_%d_", i).text, spectral_, o->filters, x);
  write_conv(out, "bridge_", "", bridge_, o->bridge_filters);
  write_relu(out, "bridge_", "");
  write_conv(out, "spatial_", "", spatial_entry_, o->filters);
  x = write_relu(out, "spatial_", "");
  for (int i = 0; i < o->spatial_blocks; i++)
    x = write_block(out, gf__node_name_of("spatial_%d_", i).text, spatial_, o->filters, x);
  gf__family_write_logits(out, o->dropout, classes);
}

const gf__family gf__family_spectral_spatial = {
    .name = "spectral_spatial",
    .help = "hyperspectral cubes, Zhong et al., 2018",
    .keys = keys,
    .key_count = sizeof keys / sizeof *keys,
    .options_size = sizeof(spectral_spatial),
    .write = spectral_spatial_write,
};
