#include "model/network_config.h"

#include "ops/conv/conv.h"

const gf__family *const gf__families[] = {&gf__family_vgg_stages,       &gf__family_resnet_cifar,
                                          &gf__family_resnet_imagenet,  &gf__family_multi_scale,
                                          &gf__family_spectral_spatial, NULL};

static const char *const initialisations[] = {"uniform_fan_in", "he",   "xavier",
                                              "orthogonal",     "lsuv", NULL};
static const char *const tunes[] = {"off", "known", "fast", "full", NULL}; /* as gf__tune */
static const char *const norms[] = {"local", "sync", NULL};
static const char *const switches[] = {"on", "off", NULL};

static const gf__key keys[] = {
    GF__KEY(gf__network_config, family, ROW, .initial = "none", .choices = gf__families,
            .help = "family of networks to build from"),
    GF__KEY(gf__network_config, graph, LIST, .initial = "",
            .help = "instead of a family: the nodes"),
    GF__KEY(gf__network_config, initialisation, CHOICE, .initial = "uniform_fan_in",
            .choices = initialisations,
            .help = "of the weights; lsuv scales orthogonal ones on the first batch of training"),
    GF__KEY(gf__network_config, orthogonal_gain, FLOAT, .initial = "1", .maximum = 1e3,
            .help = "orthogonal: factor of the weights; 1.41421 keeps the size through ReLU"),
    GF__KEY(gf__network_config, zero_residual, BOOL, .initial = "false",
            .help = "residual branches begin as zero, by their last weights (Goyal et al., 2017)"),
    GF__KEY(gf__network_config, label_smoothing, FLOAT, .initial = "0", .maximum = 0.999999,
            .help = "in training, fraction of the target given to all classes alike"),
    GF__KEY(gf__network_config, auxiliaries, LIST, .initial = "",
            .help = "layers that get a classifier and a loss in training (Lee et al., 2015)"),
    GF__KEY(gf__network_config, auxiliary_loss, CHOICE, .initial = "softmax_cross_entropy",
            .choices = gf__auxiliary_losses, .help = "loss of the auxiliary classifiers"),
    GF__KEY(gf__network_config, auxiliary_weight, FLOAT, .initial = "0.3", .maximum = 1e3,
            .help = "weight of their losses in the first epoch; it falls to 0 in equal steps"),
    GF__KEY(gf__network_config, batch_norm, CHOICE, .initial = "local", .choices = norms,
            .help = "with several ranks: statistics of each rank's shard, or of the whole batch"),
    GF__KEY(gf__network_config, algorithm, ROW, .initial = "auto", .choices = gf__conv_algorithms,
            .help = "of convolutions, where it takes their shape"),
    GF__KEY(gf__network_config, tune, CHOICE, .initial = "off", .choices = tunes,
            .help = "which algorithm is taken: the default, what was measured before, or measure "
                    "what is not known yet, or all"),
    GF__KEY(gf__network_config, fuse, CHOICE, .initial = "on", .choices = switches,
            .help = "off: every addition and activation is a launch of its own"),
};
enum { KEYS = sizeof keys / sizeof *keys };

static const gf__section model_section = {.name = "model", .keys = keys, .key_count = KEYS};

static const gf__family *family_of(const gf__network_config *network) {
  return network->family < 0 ? NULL : gf__families[network->family];
}

gf_status gf__network_config_read(gf__network_config *out, const gf_config *config) {
  *out = (gf__network_config){0};
  GF_TRY(gf__sections_check(config));
  const gf__value *root = gf__config_root(config), *section = gf__value_get(root, "model");
  if (!section)
    return gf__fail(GF_ERROR_CONFIG,
                    "%s: the config has no section 'model'; give it a family or a graph",
                    root->place);
  GF_TRY(gf__section_read(&model_section, section, out, &out->family_options));
  const gf__family *family = family_of(out);
  gf_status status = GF_OK;
  if ((out->graph != NULL) == (family != NULL))
    status = gf__value_fail(section, "model needs either a family or a graph");
  if (status == GF_OK && family && family->check)
    status = family->check(section, out->family_options);
  if (status != GF_OK) gf__network_config_free(out);
  return status;
}

void gf__network_config_free(gf__network_config *network) {
  gf__section_free(&model_section, network, &network->family_options);
}

const char *gf__network_config_algorithm(const gf__network_config *network) {
  return network->algorithm < 0 ? NULL : gf__conv_algorithms[network->algorithm]->name;
}

bool gf__network_config_fuses(const gf__network_config *network) { return network->fuse == 0; }

gf_status gf__network_config_expand(const gf__network_config *network, int classes,
                                    gf_config **out) {
  *out = NULL;
  const gf__family *family = family_of(network);
  if (!family) return GF_OK;
  gf__text text = {0};
  gf__text_add(&text, "graph:\n");
  family->write(&text, network->family_options, classes);
  gf_status status = gf__text_status(&text);
  if (status == GF_OK) status = gf_config_parse(out, family->name, text.data);
  gf__text_free(&text);
  return status;
}

void gf__network_config_write(gf__text *out, const gf__network_config *network) {
  gf__text_add(out, "model:\n");
  gf__keys_write(out, 2, keys, KEYS, network);
  if (network->auxiliaries) {
    gf__text_add(out, "  auxiliaries:\n");
    gf__value_write(out, 4, network->auxiliaries);
  }
  const gf__family *family = family_of(network);
  if (family) {
    gf__keys_write(out, 2, family->keys, family->key_count, network->family_options);
  } else {
    gf__text_add(out, "  graph:\n");
    gf__value_write(out, 4, network->graph);
  }
}

void gf__network_config_help(gf__help *help) { gf__section_help(help, &model_section); }
