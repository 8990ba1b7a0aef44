#include "model/network_config.h"

#include <stdlib.h>
#include <string.h>

const gf__family *const gf__families[] = {&gf__family_vgg_stages,       &gf__family_resnet_cifar,
                                          &gf__family_resnet_imagenet,  &gf__family_multi_scale,
                                          &gf__family_spectral_spatial, NULL};

/* The rows of the tables, as words for a choice. */
static const char *const families[] = {"vgg_stages",  "resnet_cifar",     "resnet_imagenet",
                                       "multi_scale", "spectral_spatial", "none",
                                       NULL};
enum { FAMILY_NONE = 5 };
static const char *const initialisations[] = {"uniform_fan_in", "he", "xavier", "orthogonal", NULL};
const char *const gf__algorithm_words[] = {"auto",      "im2col",    "direct",   "tiled",
                                           "winograd2", "winograd4", "direct3d", NULL};
static const char *const tunes[] = {"off", "fast", "full", NULL}; /* as gf__tune */
static const char *const norms[] = {"local", "sync", NULL};
static const char *const switches[] = {"on", "off", NULL};

static const gf__key keys[] = {
    {"family", GF__KEY_CHOICE, offsetof(gf__network_config, family), "none", 0, 0, families,
     "the family that the network is of"},
    {"graph", GF__KEY_ANY, offsetof(gf__network_config, graph), "", 0, 0, gf__list_form,
     "instead of a family: the nodes"},
    {"initialisation", GF__KEY_CHOICE, offsetof(gf__network_config, initialisation),
     "uniform_fan_in", 0, 0, initialisations, "how weights begin"},
    {"orthogonal_gain", GF__KEY_FLOAT, offsetof(gf__network_config, orthogonal_gain), "1", 0, 1e3,
     NULL, "orthogonal: times the weights; 1.41421 keeps the size through ReLU"},
    {"label_smoothing", GF__KEY_FLOAT, offsetof(gf__network_config, label_smoothing), "0", 0,
     0.999999, NULL, "in training, fraction of the target given to all classes alike"},
    {"auxiliaries", GF__KEY_ANY, offsetof(gf__network_config, auxiliaries), "", 0, 0, gf__list_form,
     "layers that get a classifier and a loss in training (Lee et al., 2015)"},
    {"auxiliary_loss", GF__KEY_CHOICE, offsetof(gf__network_config, auxiliary_loss),
     "softmax_cross_entropy", 0, 0, gf__auxiliary_losses, "of the auxiliaries"},
    {"auxiliary_weight", GF__KEY_FLOAT, offsetof(gf__network_config, auxiliary_weight), "0.3", 0,
     1e3, NULL, "of their losses in the first epoch; it falls to 0 in equal steps"},
    {"batch_norm", GF__KEY_CHOICE, offsetof(gf__network_config, batch_norm), "local", 0, 0, norms,
     "with several ranks, over what each has of a batch, or over all of it"},
    {"algorithm", GF__KEY_CHOICE, offsetof(gf__network_config, algorithm), "auto", 0, 0,
     gf__algorithm_words, "of convolutions, where it takes their shape"},
    {"tune", GF__KEY_CHOICE, offsetof(gf__network_config, tune), "off", 0, 0, tunes,
     "measure which algorithm is fastest: what is not known yet, or all"},
    {"fuse", GF__KEY_CHOICE, offsetof(gf__network_config, fuse), "on", 0, 0, switches,
     "off: every add and activation is a launch of its own"},
};
enum { KEYS = sizeof keys / sizeof *keys };

/* The family that the section names, before all of it is read. */
static const gf__family *find_family(const gf__value *section) {
  const gf__value *name = gf__value_get(section, "family");
  for (int i = 0; name && name->kind == GF__SCALAR && gf__families[i]; i++)
    if (!strcmp(gf__families[i]->name, name->text)) return gf__families[i];
  return NULL;
}

gf_status gf__network_config_read(gf__network_config *out, const gf_config *config) {
  *out = (gf__network_config){0};
  const gf__value *root = gf__config_root(config), *section = gf__value_get(root, "model");
  if (!section)
    return gf__fail(GF_ERROR_CONFIG,
                    "%s: the config has no section 'model'; give it a family or a graph",
                    root->place);
  const gf__family *family = find_family(section);
  gf__key_group groups[2] = {{keys, KEYS, out}};
  size_t group_count = 1;
  if (family) {
    out->family_options = calloc(1, family->options_size);
    if (!out->family_options) return gf__fail_host_memory(family->options_size);
    groups[group_count++] = (gf__key_group){family->keys, family->key_count, out->family_options};
  }
  gf_status status = gf__keys_read_groups(section, "model", groups, group_count);
  if (status == GF_OK && (out->graph != NULL) == (out->family != FAMILY_NONE))
    status = gf__value_fail(section, "model needs either a family or a graph");
  if (status == GF_OK && family && family->check)
    status = family->check(section, out->family_options);
  if (status != GF_OK) gf__network_config_free(out);
  return status;
}

void gf__network_config_free(gf__network_config *network) {
  free(network->family_options);
  network->family_options = NULL;
}

bool gf__network_config_fuses(const gf__network_config *network) { return network->fuse == 0; }

gf_status gf__network_config_expand(const gf__network_config *network, int classes,
                                    gf_config **out) {
  *out = NULL;
  if (network->family == FAMILY_NONE) return GF_OK;
  const gf__family *family = gf__families[network->family];
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
  if (network->family != FAMILY_NONE) {
    const gf__family *family = gf__families[network->family];
    gf__keys_write(out, 2, family->keys, family->key_count, network->family_options);
  } else {
    gf__text_add(out, "  graph:\n");
    gf__value_write(out, 4, network->graph);
  }
}

void gf__network_config_help(gf__help *help) {
  gf__help_title(help, "model:");
  gf__help_keys(help, keys, KEYS);
  for (int i = 0; gf__families[i]; i++) {
    gf__help_title(help, "model, with family %s (%s):", gf__families[i]->name,
                   gf__families[i]->help);
    gf__help_keys(help, gf__families[i]->keys, gf__families[i]->key_count);
  }
}
