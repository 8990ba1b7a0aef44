#include "train/optimizers.h"

#include <stdlib.h>
#include <string.h>

typedef struct adam_options {
  double beta1, beta2, eps;
} adam_options;

static const gf__key adam_keys[] = {
    {"beta1", GF__KEY_FLOAT, offsetof(adam_options, beta1), "0.9", 0, 0.999999, NULL,
     "decay of the gradient's running mean"},
    {"beta2", GF__KEY_FLOAT, offsetof(adam_options, beta2), "0.999", 0, 0.999999, NULL,
     "decay of the squared gradient's running mean"},
    {"eps", GF__KEY_FLOAT, offsetof(adam_options, eps), "1e-8", 0, 1, NULL,
     "added to the root: gradients far below it no longer move the weights"},
};

static gf_status adam_step(gf_device *device, const gf__optimizer_step *step, int t,
                           const void *options) {
  const adam_options *o = options;
  return gf__adam_step(device, step, t, o->beta1, o->beta2, o->eps);
}

static const gf__optimizer adam = {
    .name = "adam",
    .help = "Kingma and Ba, 2015",
    .keys = adam_keys,
    .key_count = sizeof adam_keys / sizeof *adam_keys,
    .options_size = sizeof(adam_options),
    .states = 2,
    .step = adam_step,
};

typedef struct sgd_options {
  double momentum;
} sgd_options;

static const gf__key sgd_keys[] = {
    {"momentum", GF__KEY_FLOAT, offsetof(sgd_options, momentum), "0.9", 0, 0.999999, NULL,
     "decay of the velocity"},
};

static gf_status sgd_step(gf_device *device, const gf__optimizer_step *step, int t,
                          const void *options) {
  (void)t;
  return gf__sgd_step(device, step, ((const sgd_options *)options)->momentum);
}

static const gf__optimizer sgd = {
    .name = "sgd",
    .help = "stochastic gradient descent with momentum",
    .keys = sgd_keys,
    .key_count = sizeof sgd_keys / sizeof *sgd_keys,
    .options_size = sizeof(sgd_options),
    .states = 1,
    .step = sgd_step,
};

const gf__optimizer *const gf__optimizers[] = {&adam, &sgd, NULL};
static const char *const names[] = {"adam", "sgd", NULL};

static const gf__key keys[] = {
    {"name", GF__KEY_CHOICE, offsetof(gf__optimizer_config, name), "adam", 0, 0, names,
     "how a gradient moves the weights"},
    {"learning_rate", GF__KEY_FLOAT, offsetof(gf__optimizer_config, learning_rate), "1e-3", 0, 1e3,
     NULL, "of the first epoch"},
    {"weight_decay", GF__KEY_FLOAT, offsetof(gf__optimizer_config, weight_decay), "0", 0, 1e3, NULL,
     "times the weights, added to the gradient (coupled L2)"},
};
enum { KEYS = sizeof keys / sizeof *keys };

static const gf__optimizer *find(const gf__value *section) {
  const gf__value *name = gf__value_get(section, "name");
  for (int i = 0; name && name->kind == GF__SCALAR && gf__optimizers[i]; i++)
    if (!strcmp(gf__optimizers[i]->name, name->text)) return gf__optimizers[i];
  return gf__optimizers[0];
}

gf_status gf__optimizer_config_read(gf__optimizer_config *out, const gf_config *config) {
  const gf__value *section = gf__value_get(gf__config_root(config), "optimizer");
  const gf__optimizer *optimizer = find(section);
  *out = (gf__optimizer_config){.options = calloc(1, optimizer->options_size)};
  if (!out->options) return gf__fail_host_memory(optimizer->options_size);
  const gf__key_group groups[] = {{keys, KEYS, out},
                                  {optimizer->keys, optimizer->key_count, out->options}};
  gf_status status = gf__keys_read_groups(section, "optimizer", groups, 2);
  if (status != GF_OK) gf__optimizer_config_free(out);
  return status;
}

void gf__optimizer_config_free(gf__optimizer_config *optimizer) {
  free(optimizer->options);
  optimizer->options = NULL;
}

void gf__optimizer_config_write(gf__text *out, const gf__optimizer_config *config) {
  const gf__optimizer *optimizer = gf__optimizers[config->name];
  gf__text_add(out, "optimizer:\n");
  gf__keys_write(out, 2, keys, KEYS, config);
  gf__keys_write(out, 2, optimizer->keys, optimizer->key_count, config->options);
}

void gf__optimizer_config_help(gf__text *out) {
  gf__text_add(out, "optimizer:\n");
  gf__keys_help(out, keys, KEYS);
  for (int i = 0; gf__optimizers[i]; i++) {
    gf__text_add(out, "\noptimizer, with name %s (%s):\n", gf__optimizers[i]->name,
                 gf__optimizers[i]->help);
    gf__keys_help(out, gf__optimizers[i]->keys, gf__optimizers[i]->key_count);
  }
}
