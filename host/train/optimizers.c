#include "train/optimizers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const gf__key adam_keys[] = {
    {"beta1", GF__KEY_FLOAT, offsetof(gf__adam, beta1), "0.9", 0, 0.999999, NULL,
     "decay of the gradient's running mean"},
    {"beta2", GF__KEY_FLOAT, offsetof(gf__adam, beta2), "0.999", 0, 0.999999, NULL,
     "decay of the squared gradient's running mean"},
    {"eps", GF__KEY_FLOAT, offsetof(gf__adam, eps), "1e-8", 0, 1, NULL,
     "added to the root: gradients far below it no longer move the weights"},
};

static gf_status adam_step(gf_device *device, const gf__optimizer_step *step, const void *options) {
  return gf__adam_step(device, step, options);
}

static const gf__optimizer adam = {
    .name = "adam",
    .help = "Kingma and Ba, 2015",
    .keys = adam_keys,
    .key_count = sizeof adam_keys / sizeof *adam_keys,
    .options_size = sizeof(gf__adam),
    .states = 2,
    .step = adam_step,
};

static gf_status adamw_step(gf_device *device, const gf__optimizer_step *step,
                            const void *options) {
  gf__adam decoupled = *(const gf__adam *)options;
  decoupled.decoupled = true;
  return gf__adam_step(device, step, &decoupled);
}

static const gf__optimizer adamw = {
    .name = "adamw",
    .help = "decoupled decay: Loshchilov and Hutter, 2019",
    .keys = adam_keys,
    .key_count = sizeof adam_keys / sizeof *adam_keys,
    .options_size = sizeof(gf__adam),
    .states = 2,
    .step = adamw_step,
};

static const gf__key sgd_keys[] = {
    {"momentum", GF__KEY_FLOAT, offsetof(gf__sgd, momentum), "0.9", 0, 0.999999, NULL,
     "decay of the velocity"},
    {"nesterov", GF__KEY_BOOL, offsetof(gf__sgd, nesterov), "false", 0, 0, NULL,
     "step along the gradient and the decayed velocity (Sutskever et al., 2013)"},
};

static gf_status sgd_step(gf_device *device, const gf__optimizer_step *step, const void *options) {
  return gf__sgd_step(device, step, options);
}

static const gf__optimizer sgd = {
    .name = "sgd",
    .help = "stochastic gradient descent with momentum",
    .keys = sgd_keys,
    .key_count = sizeof sgd_keys / sizeof *sgd_keys,
    .options_size = sizeof(gf__sgd),
    .states = 1,
    .step = sgd_step,
};

static const gf__key rmsprop_keys[] = {
    {"alpha", GF__KEY_FLOAT, offsetof(gf__rmsprop, alpha), "0.99", 0, 0.999999, NULL,
     "decay of the squared gradient's running mean"},
    {"eps", GF__KEY_FLOAT, offsetof(gf__rmsprop, eps), "1e-8", 0, 1, NULL,
     "added to the root: gradients far below it no longer move the weights"},
    {"momentum", GF__KEY_FLOAT, offsetof(gf__rmsprop, momentum), "0", 0, 0.999999, NULL,
     "decay of the velocity"},
};

static gf_status rmsprop_step(gf_device *device, const gf__optimizer_step *step,
                              const void *options) {
  return gf__rmsprop_step(device, step, options);
}

static const gf__optimizer rmsprop = {
    .name = "rmsprop",
    .help = "Tieleman and Hinton, 2012",
    .keys = rmsprop_keys,
    .key_count = sizeof rmsprop_keys / sizeof *rmsprop_keys,
    .options_size = sizeof(gf__rmsprop),
    .states = 2,
    .step = rmsprop_step,
};

const gf__optimizer *const gf__optimizers[] = {&adam, &sgd, &adamw, &rmsprop, NULL};
static const char *const names[] = {"adam", "sgd", "adamw", "rmsprop", NULL};

static const gf__key keys[] = {
    {"name", GF__KEY_CHOICE, offsetof(gf__optimizer_config, name), "adam", 0, 0, names,
     "how a gradient moves the weights"},
    {"learning_rate", GF__KEY_FLOAT, offsetof(gf__optimizer_config, learning_rate), "1e-3", 0, 1e3,
     NULL, "of the first epoch"},
    {"weight_decay", GF__KEY_FLOAT, offsetof(gf__optimizer_config, weight_decay), "0", 0, 1e3, NULL,
     "times the weights, added to the gradient (coupled L2); adamw: times the rate, taken off"},
    {"clip_norm", GF__KEY_FLOAT, offsetof(gf__optimizer_config, clip_norm), "0", 0, INFINITY, NULL,
     "most L2 norm of all gradients together (Pascanu et al., 2013); 0: any"},
    {"clip_value", GF__KEY_FLOAT, offsetof(gf__optimizer_config, clip_value), "0", 0, INFINITY,
     NULL, "most size of each gradient, after clip_norm; 0: any"},
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

void gf__optimizer_config_help(gf__help *help) {
  gf__help_title(help, "optimizer:");
  gf__help_keys(help, keys, KEYS);
  for (int i = 0; gf__optimizers[i]; i++) {
    gf__help_title(help, "optimizer, with name %s (%s):", gf__optimizers[i]->name,
                   gf__optimizers[i]->help);
    gf__help_keys(help, gf__optimizers[i]->keys, gf__optimizers[i]->key_count);
  }
}
