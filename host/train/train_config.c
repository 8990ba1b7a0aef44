#include "train/train_config.h"

#include <gradflow/train.h>

#include "data/dataset.h"
#include "model/network_config.h"
#include "train/optimizers.h"

/* What a config consists of; each section is read by what it is for. */
typedef struct sections {
  const gf__value *data, *model, *train, *optimizer, *schedule, *logging;
} sections;

static const gf__key section_keys[] = {
    {"data", GF__KEY_ANY, offsetof(sections, data), "", 0, 0, NULL, "the images"},
    {"model", GF__KEY_ANY, offsetof(sections, model), "", 0, 0, NULL, "the network"},
    {"train", GF__KEY_ANY, offsetof(sections, train), "", 0, 0, NULL, "the run"},
    {"optimizer", GF__KEY_ANY, offsetof(sections, optimizer), "", 0, 0, NULL, "the steps"},
    {"schedule", GF__KEY_ANY, offsetof(sections, schedule), "", 0, 0, NULL, "the learning rate"},
    {"logging", GF__KEY_ANY, offsetof(sections, logging), "", 0, 0, NULL, "further records"},
};

static const char *const at_nonfinite[] = {"stop", "skip", NULL};

static const char *const path_form[] = {"text", NULL};

static const gf__key keys[] = {
    {"epochs", GF__KEY_INT, offsetof(gf__train_config, epochs), "100", 1, 100000, NULL,
     "passes over the training images"},
    {"batch_size", GF__KEY_INT, offsetof(gf__train_config, batch_size), "100", 1, 100000, NULL,
     "images of a step"},
    {"seed", GF__KEY_SEED, offsetof(gf__train_config, seed), "0", 0, 0, NULL,
     "of the weights, the order of images, augmentation and dropout"},
    {"gradients_every", GF__KEY_INT, offsetof(gf__train_config, gradients_every), "0", 0, 1000000,
     NULL, "steps between records of the gradients; 0: an epoch's last whole batch"},
    {"on_nonfinite", GF__KEY_CHOICE, offsetof(gf__train_config, on_nonfinite), "stop", 0, 0,
     at_nonfinite, "stop the run, or skip the step, at the cost of a wait in each"},
    {"weights", GF__KEY_ANY, offsetof(gf__train_config, weights), "", 0, 0, path_form,
     "file of weights, or run folder, to begin with instead of random ones"},
};
static const gf__key logging_keys[] = {
    {"tensorboard", GF__KEY_BOOL, offsetof(gf__train_config, tensorboard), "false", 0, 0, NULL,
     "event files for TensorBoard in the run folder's tensorboard/"},
};
enum {
  KEYS = sizeof keys / sizeof *keys,
  LOGGING_KEYS = sizeof logging_keys / sizeof *logging_keys
};

gf_status gf__train_config_read(gf__train_config *out, const gf_config *config) {
  const gf__value *root = gf__config_root(config);
  sections all;
  GF_TRY(gf__keys_read(root, "", section_keys, sizeof section_keys / sizeof *section_keys, &all));
  GF_TRY(gf__keys_read(all.train, "train", keys, KEYS, out));
  GF_TRY(gf__keys_read(all.logging, "logging", logging_keys, LOGGING_KEYS, out));
  if (out->weights && out->weights->kind != GF__SCALAR)
    return gf__value_fail(out->weights, "train.weights is a path of a file or of a run folder");
  return gf__schedule_config_read(&out->schedule, config);
}

const char *gf__train_config_weights(const gf__train_config *run) {
  return run->weights ? run->weights->text : "";
}

void gf__train_config_write(gf__text *out, const gf__train_config *run) {
  gf__text_add(out, "train:\n");
  gf__keys_write(out, 2, keys, KEYS, run);
  if (*gf__train_config_weights(run)) {
    gf__text_add(out, "  weights:\n");
    gf__value_write(out, 4, run->weights);
  }
  gf__schedule_config_write(out, &run->schedule);
  gf__text_add(out, "logging:\n");
  gf__keys_write(out, 2, logging_keys, LOGGING_KEYS, run);
}

static void add_sections(gf__help *help) {
  gf__data_help(help);
  gf__network_config_help(help);
  gf__help_title(help, "train:");
  gf__help_keys(help, keys, KEYS);
  gf__optimizer_config_help(help);
  gf__schedule_config_help(help);
  gf__help_title(help, "logging:");
  gf__help_keys(help, logging_keys, LOGGING_KEYS);
}

gf_status gf_config_help(char **out) {
  gf__help help = {0};
  add_sections(&help);
  return gf__help_take(&help, out);
}

gf_status gf_config_reference(char **out) {
  gf__help help = {.markdown = true};
  add_sections(&help);
  gf__graph_help(&help);
  return gf__help_take(&help, out);
}
