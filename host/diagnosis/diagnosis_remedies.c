/* What the literature does about a finding, and the line of the config that does it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/keys.h"
#include "base/os.h"
#include "diagnosis/diagnosis.h"
#include "diagnosis/remedy_code.h"
#include "model/network_config.h"
#include "run/run_folder.h"
#include "train/optimizers.h"
#include "train/schedules.h"

#define BIT(verdict) (1 << GF_VERDICT_##verdict)

enum {
  NONFINITE = BIT(NONFINITE),
  EXPLODING = BIT(EXPLODING) | BIT(BRANCH_GROWS),
  VANISHING = BIT(VANISHING),
  DEAD = BIT(DEAD) | BIT(DEAD_LAYER) | BIT(DEAD_AT_START),
  LOST = BIT(SIGNAL_LOST),
  KILLED = BIT(KILLED),
  SATURATED = BIT(SATURATED),
  NOT_LEARNING = BIT(NOT_LEARNING) | BIT(ABOVE_GUESSING),
  SMALL_STEPS = BIT(SMALL_STEPS),
  LARGE_STEPS = BIT(LARGE_STEPS)
};

typedef enum activations { ANY, SATURATING, SILENT, RANKS } activations; /* of a network */

/* ---- values that depend on the run ---- */

static void add_rate(const gf__case *c, double factor, gf__text *out) {
  const char *rate = gf__case_setting(c, "optimizer", "learning_rate");
  double number = NAN;
  if (rate && !gf__float_parse(rate, &number)) return;
  if (!c->config) number = gf__recorded_rate(c);
  if (isfinite(number)) gf__text_add(out, "%.6g", number * factor);
}

static void add_tenth(const gf__case *c, gf__text *out) { add_rate(c, 0.1, out); }
static void add_tenfold(const gf__case *c, gf__text *out) { add_rate(c, 10, out); }

static void add_usual_rate(const gf__case *c, gf__text *out) {
  double usual = gf__usual_rate(c->optimizer);
  if (!isnan(usual)) gf__text_add(out, "%.6g", usual);
}

static void add_tenth_decay(const gf__case *c, gf__text *out) {
  if (c->decay > 0) gf__text_add(out, "%.6g", c->decay / 10);
}

/* At least twice the images, so that a norm has something to compare. */
static void add_larger_batch(const gf__case *c, gf__text *out) {
  const char *batch = gf__case_setting(c, "train", "batch_size");
  double number;
  enum { USUAL = 32 };
  if (batch && gf__float_parse(batch, &number))
    gf__text_add(out, "%.0f", number < USUAL ? USUAL : 2 * number);
}

/* The number of a channel in a list; a list of one may be that number alone. */
static bool read_channel(const gf__value *list, int channel, double *out) {
  if (list->kind == GF__SCALAR) return channel == 0 && gf__float_parse(list->text, out);
  if ((size_t)channel >= list->count) return false;
  const gf__value *item = list->items[channel];
  return item->kind == GF__SCALAR && gf__float_parse(item->text, out);
}

/* "[0.49,0.48,0.45]": what data.mean or data.std has to be so that the first batch has mean 0 and
 * deviation 1. */
static void add_moments(const gf__case *c, bool is_mean, gf__text *out) {
  const gf__input_statistics *s = &c->run.data.input;
  const gf__value *data = c->config ? gf__value_get(gf__config_root(c->config), "data") : NULL;
  const gf__value *means = gf__value_get(data, "mean"), *stds = gf__value_get(data, "std");
  if (!means || !stds || s->channels < 1) return;
  for (int i = 0; i < s->channels; i++) {
    double mean, std;
    if (!read_channel(means, i, &mean) || !read_channel(stds, i, &std)) return;
    gf__text_add(out, "%s%.4g", i ? "," : "[",
                 is_mean ? mean + std * s->mean[i] : std * s->deviation[i]);
  }
  gf__text_add(out, "]");
}

static void add_mean(const gf__case *c, gf__text *out) { add_moments(c, true, out); }
static void add_std(const gf__case *c, gf__text *out) { add_moments(c, false, out); }

/* None where there is some, and the usual one where there is none. */
static void add_other_decay(const gf__case *c, gf__text *out) {
  const char *decay = gf__case_setting(c, "optimizer", "weight_decay");
  double number = 0;
  if (decay) (void)gf__float_parse(decay, &number);
  gf__text_add(out, number > 0 ? "0" : "5e-4");
}

static void add_batch(const gf__case *c, double factor, gf__text *out) {
  const char *batch = gf__case_setting(c, "train", "batch_size");
  double number;
  if (batch && gf__float_parse(batch, &number) && number * factor >= 1)
    gf__text_add(out, "%.0f", floor(number * factor));
}

static void add_half_batch(const gf__case *c, gf__text *out) { add_batch(c, 0.5, out); }
static void add_double_batch(const gf__case *c, gf__text *out) { add_batch(c, 2, out); }

/* Three activations at a quarter, a half and three quarters of the depth. */
static void add_hidden_layers(const gf__case *c, gf__text *out) {
  enum { HIDDEN = 3 };
  const gf__run_activations *a = &c->run.activations;
  int count = 0, place = 0;
  for (int i = 0; i < a->layer_count; i++) count += !isnan(a->dead[i]);
  if (count < HIDDEN + 2) return;
  for (int i = 0, seen = 0; i < a->layer_count && place < HIDDEN; i++) {
    if (isnan(a->dead[i]) || seen++ != (place + 1) * count / (HIDDEN + 1)) continue;
    gf__text_add(out, "%s%s", place++ ? "," : "[", a->layers[i]);
  }
  gf__text_add(out, "]");
}

/* ---- the table ---- */

static const struct remedy {
  int against; /* verdicts */
  const char *section, *key;
  const char *now;  /* words: the values that it replaces; "": any; NULL: the key must be absent */
  const char *then; /* words: values to try, of which the first that the network takes is it */
  void (*value)(const gf__case *c, gf__text *out); /* or appends the value, if there is one */
  activations of;
  const char *text;
} remedies[] = {
    {BIT(RATE_HIGH) | BIT(RATE_LOW), "optimizer", "learning_rate", "", NULL, add_usual_rate, ANY,
     "The rate that the optimizer usually takes; it is the hyperparameter that matters most "
     "(Bengio, 2012)."},
    {BIT(NORM_OF_ONE), "model", "batch_norm", "local", "sync", NULL, RANKS,
     "Batch norms over the images of all ranks (model.batch_norm)."},
    {BIT(NORM_OF_ONE), "train", "batch_size", "", NULL, add_larger_batch, ANY,
     "A larger batch, so that a norm has several values of each channel."},
    {BIT(NORM_OF_ONE), "model", "norm", "every entry", "none", NULL, ANY,
     "No batch norm where a channel has a single value."},
    {BIT(INPUT_SCALE), "data", "mean", "", NULL, add_mean, ANY,
     "The mean of the data is taken off, so that inputs have mean 0 (LeCun et al., 1998)."},
    {BIT(INPUT_SCALE), "data", "std", "", NULL, add_std, ANY,
     "Inputs are divided by the deviation of the data, so that theirs is 1 (LeCun et al., 1998)."},
    {BIT(INPUT_CONSTANT), "data", NULL, NULL, NULL, NULL, ANY,
     "The images themselves are to be inspected, as they are read: all of a batch are the same."},
    {BIT(DECAY), "optimizer", "weight_decay", "", NULL, add_tenth_decay, ANY,
     "A tenth of the decay (Krogh and Hertz, 1991)."},
    {BIT(DECAY), "optimizer", "name", "adam", "adamw", NULL, ANY,
     "Decay that is not divided by the size of gradients (Loshchilov and Hutter, 2019)."},
    {BIT(NO_GRADIENT), "model", NULL, NULL, NULL, NULL, ANY,
     "The layer is to be connected to the loss and given to the optimizer: in PyTorch, without "
     "detach and with requires_grad."},
    {BIT(ONE_CLASS), "data", NULL, NULL, NULL, NULL, ANY,
     "More images of the small classes, or each of theirs several times in an epoch (He and "
     "Garcia, 2009)."},
    {BIT(OVERFITTING), "optimizer", "weight_decay", "0", "5e-4", NULL, ANY,
     "Weight decay (Krogh and Hertz, 1991); 5e-4 was best in this program's study."},
    {BIT(OVERFITTING), "data", "mixup", "0", "0.2", NULL, ANY,
     "Mixtures of two images and their labels (Zhang et al., 2018)."},
    {BIT(OVERFITTING), "data", NULL, NULL, NULL, NULL, ANY,
     "More images; until then the weights of the epoch with the best validation accuracy are in "
     "best.safetensors."},
    {VANISHING | LOST | KILLED, "model", "shortcut", "none", "identity option_a option_b", NULL,
     ANY, "Shortcuts around the blocks hand the gradient on as it is (He et al., 2015)."},
    {VANISHING | EXPLODING | DEAD | SATURATED | NOT_LEARNING | LOST | KILLED, "model", "norm",
     "none entry", "every", NULL, ANY,
     "Batch norm after every convolution keeps the scale of activations and gradients from layer "
     "to layer (Ioffe and Szegedy, 2015)."},
    {VANISHING, "model", "auxiliaries", NULL, NULL, add_hidden_layers, ANY,
     "Classifiers on hidden layers bring the gradient of a loss of their own there while the "
     "network trains (Lee et al., 2015)."},
    {VANISHING | SATURATED, "model", "activation", "sigmoid tanh", "leaky_relu relu", NULL,
     SATURATING,
     "A rectifier does not shrink the gradient where it is active (Glorot, Bordes and Bengio, "
     "2011)."},
    {VANISHING | EXPLODING | DEAD | LOST, "model", "initialisation", "uniform_fan_in", "he", NULL,
     SILENT,
     "Weights that begin with variance 2/fan_in keep the scale through rectifiers (He et al., "
     "2015)."},
    {VANISHING | EXPLODING | SATURATED | LOST, "model", "initialisation", "uniform_fan_in he",
     "xavier", NULL, SATURATING,
     "Weights that begin with variance 2/(fan_in + fan_out) keep the scale through sigmoid and "
     "tanh (Glorot and Bengio, 2010)."},
    {DEAD, "model", "activation", "relu", "leaky_relu", NULL, SILENT,
     "A slope on the negative side lets a unit come back to life (Maas et al., 2013)."},
    {NONFINITE | EXPLODING | BIT(RATE_HIGH), "optimizer", "clip_norm", "0", "1", NULL, ANY,
     "A gradient longer than a limit is cut to it (Pascanu et al., 2013)."},
    {SMALL_STEPS, "optimizer", "learning_rate", "", NULL, add_tenfold, ANY,
     "A learning rate ten times as high; it is the hyperparameter that matters most (Bengio, "
     "2012)."},
    {NONFINITE | EXPLODING | DEAD | NOT_LEARNING | LARGE_STEPS | BIT(PLATEAU) | KILLED, "optimizer",
     "learning_rate", "", NULL, add_tenth, ANY,
     "A learning rate a tenth as high; it is the hyperparameter that matters most (Bengio, 2012)."},
    {NONFINITE | EXPLODING | LARGE_STEPS | BIT(RATE_HIGH) | KILLED, "schedule", "warmup_epochs",
     "0", "5", NULL, ANY,
     "A rate that rises over the first epochs, while the network changes most (Goyal et al., "
     "2017)."},
    /* Against no verdict: for --try alone, which trains what it proposes. */
    {0, "model", "initialisation", "uniform_fan_in xavier orthogonal lsuv", "he", NULL, ANY,
     "Weights that begin with variance 2/fan_in (He et al., 2015)."},
    {0, "model", "initialisation", "uniform_fan_in he orthogonal lsuv", "xavier", NULL, ANY,
     "Weights that begin with variance 2/(fan_in + fan_out) (Glorot and Bengio, 2010)."},
    {0, "model", "initialisation", "uniform_fan_in he xavier lsuv", "orthogonal", NULL, ANY,
     "Orthogonal weights, scaled by the root of 2 for rectifiers (Saxe et al., 2014)."},
    {0, "model", "initialisation", "uniform_fan_in he xavier orthogonal", "lsuv", NULL, ANY,
     "Orthogonal weights, scaled layer by layer so that what each computes of the first batch has "
     "a "
     "variance of 1 (Mishkin and Matas, 2016)."},
    {0, "optimizer", "learning_rate", "", NULL, add_tenth, ANY, "A tenth of the learning rate."},
    {0, "optimizer", "learning_rate", "", NULL, add_tenfold, ANY, "Ten times the learning rate."},
    {0, "model", "zero_residual", "false", "true", NULL, ANY,
     "Residual branches that begin as zero, so that the blocks begin as identities (Goyal et al., "
     "2017; Zhang et al., 2019)."},
    {0, "model", "norm_position", "before", "after", NULL, ANY,
     "Batch norm after the activation of every convolution."},
    {0, "model", "activation", "leaky_relu relu sigmoid tanh gelu silu", "elu", NULL, ANY,
     "Activations whose mean is close to zero (Clevert et al., 2016)."},
    {0, "model", "activation", "leaky_relu relu sigmoid elu gelu silu", "tanh", NULL, ANY,
     "Activations with the slope 1 at zero on both sides."},
    {0, "optimizer", "clip_norm", "0", "1", NULL, ANY,
     "A gradient longer than a limit is cut to it (Pascanu et al., 2013)."},
    {0, "schedule", "warmup_epochs", "0", "5", NULL, ANY,
     "A rate that rises over the first epochs (Goyal et al., 2017)."},
    {0, "optimizer", "weight_decay", "", NULL, add_other_decay, ANY, "Another weight decay."},
    {0, "train", "batch_size", "", NULL, add_half_batch, ANY,
     "Half of the batch: twice as many steps over the same images."},
    {0, "train", "batch_size", "", NULL, add_double_batch, ANY,
     "Twice the batch: half as many steps over the same images."},
    {0, "optimizer", "eps", "1e-08", "1e-16", NULL, ANY,
     "An eps that small gradients are not small against, so that Adam makes full steps of them."},
};

/* Settings that a remedy goes with, where the network takes them. */
static const char *also_of(const char *setting) {
  static const char *const pairs[][2] = {
      {"model.initialisation=orthogonal", "model.orthogonal_gain=1.41421"},
      {"model.zero_residual=true", "model.shortcut=identity"},
      {"model.norm_position=after", "model.norm=every"},
  };
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
    if (!strcmp(pairs[i][0], setting)) return pairs[i][1];
  return NULL;
}

/* The next of the words between blanks; false past the last. */
static bool next_word(const char **words, char out[32]) {
  *words += strspn(*words, " ");
  size_t length = strcspn(*words, " ");
  snprintf(out, 32, "%.*s", (int)length, *words);
  *words += length;
  return length > 0;
}

static bool has_ranks(const gf__case *c) {
  char path[GF__PATH_SIZE];
  return gf__run_path(path, c->run.folder, "ranks.json") == GF_OK && gf__path_exists(path);
}

/* Whether a norm after each convolution would see a single value of each channel somewhere. */
static bool makes_norm_of_one(const gf__case *c) {
  const gf__network *n = &c->network;
  for (int i = 0; i < n->layer_count; i++)
    if (!strncmp(n->layers[i].kind, "conv", 4) && n->images.norms * n->layers[i].pixels == 1)
      return true;
  return false;
}

/* Whether the run does not do it already. A config without the key is older than the key, or its
 * network has no such thing, which trying it tells. */
static bool is_new(const gf__case *c, const struct remedy *r) {
  char word[32];
  bool is_of_activations = r->of == SATURATING || r->of == SILENT;
  if (is_of_activations && gf__case_saturates(c, NULL) != (r->of == SATURATING)) return false;
  if (r->of == RANKS && !has_ranks(c)) return false;
  if (!r->key) return true;
  if (gf__remedy_is_in_layers(c, r->section, r->key)) return false;
  if (!strcmp(r->key, "norm") && !strcmp(r->then, "every") && makes_norm_of_one(c)) return false;
  const char *now = gf__case_setting(c, r->section, r->key);
  if (!now || !r->now || !*r->now) return !now || r->now;
  for (const char *words = r->now; next_word(&words, word);)
    if (!strcmp(word, now)) return true;
  return false;
}

static gf_status read_sections(const gf_config *config) {
  gf__network_config network;
  gf__optimizer_config optimizer;
  gf__schedule_config schedule;
  GF_TRY(gf__network_config_read(&network, config));
  gf__network_config_free(&network);
  GF_TRY(gf__optimizer_config_read(&optimizer, config));
  gf__optimizer_config_free(&optimizer);
  return gf__schedule_config_read(&schedule, config);
}

/* Whether the program accepts the run's config with the setting, and with another one unless that
 * is NULL. */
static bool is_accepted(const gf__case *c, const char *setting, const char *also) {
  gf_config *config = NULL;
  gf_status status = gf__run_config_load(&config, c->run.folder);
  if (status == GF_OK) status = gf_config_set(config, setting);
  if (status == GF_OK && also) status = gf_config_set(config, also);
  if (status == GF_OK) status = read_sections(config);
  gf_config_free(&config);
  return status == GF_OK;
}

/* Gives "section.key=value" out if the program accepts it. */
static gf_status try_value(const gf__case *c, const struct remedy *r, const char *value,
                           char **out) {
  gf__text text = {0};
  gf__text_add(&text, "%s.%s=%s", r->section, r->key, value);
  gf_status status = gf__text_status(&text);
  if (status == GF_OK && is_accepted(c, text.data, NULL))
    *out = text.data;
  else
    gf__text_free(&text);
  return status;
}

/* The setting, or NULL where the config has no line for it. */
static gf_status find_setting(const gf__case *c, const struct remedy *r, char **out) {
  char word[32];
  *out = NULL;
  if (!c->config || !r->key) return GF_OK;
  for (const char *words = r->then; words && !*out && next_word(&words, word);)
    GF_TRY(try_value(c, r, word, out));
  if (!r->value) return GF_OK;
  gf__text text = {0};
  r->value(c, &text);
  gf_status status = gf__text_status(&text);
  if (status == GF_OK && text.data) status = try_value(c, r, text.data, out);
  gf__text_free(&text);
  return status;
}

/* The remedy as code, or NULL; without a config there is no setting to try values with. */
static gf_status find_code(const gf__case *c, const struct remedy *r, char **out) {
  char word[32] = "";
  gf__text text = {0};
  const char *words = r->then;
  if (words) next_word(&words, word);
  if (r->value) r->value(c, &text);
  gf_status status = gf__text_status(&text);
  const char *value = text.data ? text.data : *word ? word : NULL;
  if (status == GF_OK) status = gf__remedy_code(c, r->section, r->key, value, out);
  gf__text_free(&text);
  return status;
}

/* Whether the config has the setting already, in the same or in other words. */
static bool is_set(const gf__case *c, const struct remedy *r, const char *setting) {
  const char *now = gf__case_setting(c, r->section, r->key), *then = strchr(setting, '=') + 1;
  double a, b;
  if (!now) return false;
  return !strcmp(now, then) ||
         (gf__float_parse(now, &a) && gf__float_parse(then, &b) && fabs(a - b) <= 1e-9 * fabs(b));
}

/* Adds the remedy if the config has not got it. */
static gf_status add_fitting(const gf__case *c, const struct remedy *r, gf__remedy_function *add,
                             void *user) {
  char *setting;
  if (!is_new(c, r)) return GF_OK;
  GF_TRY(find_setting(c, r, &setting));
  if (!setting) return GF_OK;
  const char *also = also_of(setting);
  if (also && !is_accepted(c, setting, also)) also = NULL;
  gf_status status = is_set(c, r, setting) ? GF_OK : add(user, setting, also, r->text);
  free(setting);
  return status;
}

/* Those of the network first, as they help most. Those of the data change what all are compared
 * on. */
gf_status gf__remedies_that_fit(const gf__case *c, gf__remedy_function *add, void *user) {
  for (int turn = 0; turn < 2; turn++)
    for (size_t i = 0; i < sizeof remedies / sizeof *remedies; i++) {
      const struct remedy *r = &remedies[i];
      bool is_network = !strcmp(r->section, "model"), is_data = !strcmp(r->section, "data");
      if (!r->key || is_data || r->of == RANKS || is_network != (turn == 0)) continue;
      GF_TRY(add_fitting(c, r, add, user));
    }
  return GF_OK;
}

_Static_assert(sizeof remedies / sizeof *remedies <= GF_MOST_REMEDIES,
               "a finding has room for all");

gf_status gf__add_remedies(const gf__case *c, gf_finding *finding) {
  const char *family = gf__case_setting(c, "model", "family");
  /* Of a graph of one's own nobody knows what it lacks, and the words may help. */
  bool has_keys = family && strcmp(family, "none") != 0;
  for (size_t i = 0; i < sizeof remedies / sizeof *remedies; i++) {
    const struct remedy *r = &remedies[i];
    char *setting, *code;
    if (!(r->against & 1 << finding->verdict) || !is_new(c, r)) continue;
    GF_TRY(find_setting(c, r, &setting));
    if (!setting && has_keys && r->key) continue;
    gf_remedy *remedy = &finding->remedies[finding->remedy_count++];
    *remedy = (gf_remedy){.text = r->text, .setting = setting};
    GF_TRY(find_code(c, r, &code));
    remedy->code = code;
  }
  return GF_OK;
}
