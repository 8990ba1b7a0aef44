#include "train/optimizers.h"

#include <math.h>
#include <string.h>

static const gf__key adam_keys[] = {
    GF__KEY(gf__adam, beta1, FLOAT, .initial = "0.9", .maximum = 0.999999,
            .help = "decay of the gradient's running mean"),
    GF__KEY(gf__adam, beta2, FLOAT, .initial = "0.999", .maximum = 0.999999,
            .help = "decay of the squared gradient's running mean"),
    GF__KEY(gf__adam, eps, FLOAT, .initial = "1e-8", .maximum = 1,
            .help = "added to the root: gradients far below it no longer move the weights"),
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
    GF__KEY(gf__sgd, momentum, FLOAT, .initial = "0.9", .maximum = 0.999999,
            .help = "decay of the velocity"),
    GF__KEY(gf__sgd, nesterov, BOOL, .initial = "false",
            .help = "step along the gradient and the decayed velocity (Sutskever et al., 2013)"),
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
    GF__KEY(gf__rmsprop, alpha, FLOAT, .initial = "0.99", .maximum = 0.999999,
            .help = "decay of the squared gradient's running mean"),
    GF__KEY(gf__rmsprop, eps, FLOAT, .initial = "1e-8", .maximum = 1,
            .help = "added to the root: gradients far below it no longer move the weights"),
    GF__KEY(gf__rmsprop, momentum, FLOAT, .initial = "0", .maximum = 0.999999,
            .help = "decay of the velocity"),
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

static const gf__key keys[] = {
    {.name = "name",
     .type = GF__KEY_ROW,
     .offset = offsetof(gf__optimizer_config, kind),
     .initial = "adam",
     .choices = gf__optimizers,
     .help = "how a gradient moves the weights"},
    GF__KEY(gf__optimizer_config, learning_rate, FLOAT, .initial = "1e-3", .maximum = 1e3,
            .help = "of the first epoch"),
    GF__KEY(gf__optimizer_config, weight_decay, FLOAT, .initial = "0", .maximum = 1e3,
            .help = "times the weights, added to the gradient (coupled L2); adamw: times the rate, "
                    "taken off"),
    GF__KEY(gf__optimizer_config, clip_norm, FLOAT, .initial = "0", .maximum = INFINITY,
            .help = "most L2 norm of all gradients together (Pascanu et al., 2013); 0: any"),
    GF__KEY(gf__optimizer_config, clip_value, FLOAT, .initial = "0", .maximum = INFINITY,
            .help = "most size of each gradient, after clip_norm; 0: any"),
};

static const gf__section optimizer_section = {
    .name = "optimizer", .keys = keys, .key_count = sizeof keys / sizeof *keys};

gf_status gf__optimizer_config_read(gf__optimizer_config *out, const gf_config *config) {
  const gf__value *map = gf__value_get(gf__config_root(config), "optimizer");
  return gf__section_read(&optimizer_section, map, out, &out->options);
}

double gf__optimizer_eps(const gf__optimizer_config *config) {
  const gf__optimizer *optimizer = gf__optimizers[config->kind];
  double eps = (double)NAN;
  for (size_t i = 0; i < optimizer->key_count; i++)
    if (!strcmp(optimizer->keys[i].name, "eps"))
      memcpy(&eps, (const char *)config->options + optimizer->keys[i].offset, sizeof eps);
  return eps;
}

void gf__optimizer_config_free(gf__optimizer_config *optimizer) {
  gf__section_free(&optimizer_section, optimizer, &optimizer->options);
}

void gf__optimizer_config_write(gf__text *out, const gf__optimizer_config *config) {
  gf__text_add(out, "optimizer:\n");
  gf__section_write(out, 2, &optimizer_section, config, config->options);
}

void gf__optimizer_config_help(gf__help *help) { gf__section_help(help, &optimizer_section); }
