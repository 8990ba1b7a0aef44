#include "train/train_config.h"

#include <gradflow/train.h>

#include "data/dataset.h"
#include "model/network_config.h"
#include "train/optimizers.h"

static const char *const at_nonfinite[] = {"stop", "skip", NULL};

static const gf__key keys[] = {
    GF__KEY(gf__train_config, epochs, INT, .initial = "100", .minimum = 1, .maximum = 100000,
            .help = "passes over the training images"),
    GF__KEY(gf__train_config, batch_size, INT, .initial = "100", .minimum = 1, .maximum = 100000,
            .help = "images of a step"),
    GF__KEY(gf__train_config, seed, SEED, .initial = "0",
            .help = "of the weights, the order of images, augmentation and dropout"),
    GF__KEY(gf__train_config, gradients_every, INT, .initial = "0", .maximum = 1000000,
            .help = "steps between records of the gradients; 0: an epoch's last whole batch"),
    GF__KEY(gf__train_config, on_nonfinite, CHOICE, .initial = "stop", .choices = at_nonfinite,
            .help = "stop the run, or skip the step, at the cost of a wait in each"),
    GF__KEY(gf__train_config, weights, SCALAR, .initial = "",
            .help = "file of weights, or run folder, to begin with instead of random ones"),
    {.name = "stop",
     .type = GF__KEY_SECTION,
     .offset = offsetof(gf__train_config, stop_section),
     .initial = "",
     .help = "when to end before the last epoch: the keys of train.stop"},
};
static const gf__key logging_keys[] = {
    GF__KEY(gf__train_config, tensorboard, BOOL, .initial = "false",
            .help = "event files for TensorBoard in the run folder's tensorboard/"),
};
enum {
  KEYS = sizeof keys / sizeof *keys,
  LOGGING_KEYS = sizeof logging_keys / sizeof *logging_keys
};

gf_status gf__train_config_read(gf__train_config *out, const gf_config *config) {
  const gf__value *root = gf__config_root(config);
  const gf__value *train = gf__value_get(root, "train"), *logging = gf__value_get(root, "logging");
  GF_TRY(gf__sections_check(config));
  GF_TRY(gf__keys_read(train, "train", keys, KEYS, out));
  GF_TRY(gf__keys_read(logging, "logging", logging_keys, LOGGING_KEYS, out));
  if (out->weights && out->weights->kind != GF__SCALAR)
    return gf__value_fail(out->weights, "train.weights is a path of a file or of a run folder");
  GF_TRY(gf__stop_config_read(&out->stop, out->stop_section));
  return gf__schedule_config_read(&out->schedule, config);
}

const char *gf__train_config_weights(const gf__train_config *run) {
  return gf__scalar_words(run->weights);
}

void gf__train_config_write(gf__text *out, const gf__train_config *run) {
  gf__text_add(out, "train:\n");
  gf__keys_write(out, 2, keys, KEYS, run);
  if (*gf__train_config_weights(run)) {
    gf__text_add(out, "  weights:\n");
    gf__value_write(out, 4, run->weights);
  }
  gf__stop_config_write(out, &run->stop);
  gf__schedule_config_write(out, &run->schedule);
  gf__text_add(out, "logging:\n");
  gf__keys_write(out, 2, logging_keys, LOGGING_KEYS, run);
}

static void add_sections(gf__help *help) {
  gf__data_help(help);
  gf__network_config_help(help);
  gf__help_title(help, "train:");
  gf__help_keys(help, keys, KEYS);
  gf__stop_config_help(help);
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

gf_status gf_config_settings(char **out) {
  gf__help help = {.settings = true};
  add_sections(&help);
  return gf__help_take(&help, out);
}

gf_status gf_config_reference(char **out) {
  gf__help help = {.markdown = true};
  add_sections(&help);
  gf__graph_help(&help);
  return gf__help_take(&help, out);
}
