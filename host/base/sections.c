/* Which sections a config has, and in which of them a key is looked for that is elsewhere. */
#include <string.h>

#include "base/section.h"

typedef struct sections {
  const gf__value *data, *model, *train, *optimizer, *schedule, *logging;
} sections;

static const gf__key sections_keys[] = {
    GF__KEY(sections, data, SECTION, .initial = "", .help = "the images"),
    GF__KEY(sections, model, SECTION, .initial = "", .help = "the network"),
    GF__KEY(sections, train, SECTION, .initial = "", .help = "the run"),
    GF__KEY(sections, optimizer, SECTION, .initial = "", .help = "the steps"),
    GF__KEY(sections, schedule, SECTION, .initial = "", .help = "the learning rate"),
    GF__KEY(sections, logging, SECTION, .initial = "", .help = "further records"),
};
enum { SECTIONS = sizeof sections_keys / sizeof *sections_keys };

gf_status gf__sections_check(const gf_config *config) {
  sections unused;
  return gf__keys_read(gf__config_root(config), "", sections_keys, SECTIONS, &unused);
}

bool gf__sections_has(const char *name) {
  for (size_t i = 0; i < SECTIONS; i++)
    if (!strcmp(sections_keys[i].name, name)) return true;
  return false;
}

/* Keys that people put elsewhere; tests/test_sections.c holds them against the tables. */
static const char *const places[] = {
    "data.path",
    "data.validation",
    "data.pad_to",
    "data.crop_padding",
    "data.flip",
    "data.cutout",
    "data.jitter",
    "data.mixup",
    "model.family",
    "model.graph",
    "model.initialisation",
    "model.zero_residual",
    "model.label_smoothing",
    "model.algorithm",
    "model.tune",
    "model.fuse",
    "model.batch_norm",
    "model.depth",
    "model.filters",
    "model.shortcut",
    "model.norm",
    "model.activation",
    "model.dropout",
    "train.epochs",
    "train.batch_size",
    "train.seed",
    "train.weights",
    "train.gradients_every",
    "train.on_nonfinite",
    "train.stop",
    "optimizer.learning_rate",
    "optimizer.weight_decay",
    "optimizer.momentum",
    "optimizer.nesterov",
    "optimizer.beta1",
    "optimizer.beta2",
    "optimizer.alpha",
    "optimizer.eps",
    "optimizer.clip_norm",
    "optimizer.clip_value",
    "schedule.final",
    "schedule.every",
    "schedule.factor",
    "schedule.warmup_epochs",
    "schedule.warmup_start",
    "logging.tensorboard",
};
enum { PLACES = sizeof places / sizeof *places };

const char *gf__sections_find(const char *key) {
  const char *names[PLACES];
  for (size_t i = 0; i < PLACES; i++) {
    names[i] = strchr(places[i], '.') + 1;
    if (!strcmp(names[i], key)) return places[i];
  }
  const char *meant = gf__synonym(key, names, PLACES, sizeof *names);
  for (size_t i = 0; meant && i < PLACES; i++)
    if (names[i] == meant) return places[i];
  return NULL;
}
