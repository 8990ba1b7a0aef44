/* What is known of a run: its numbers, its config, its network. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/keys.h"
#include "base/os.h"
#include "diagnosis/diagnosis.h"
#include "run/run_folder.h"

const char *gf__case_setting(const gf__case *c, const char *section, const char *key) {
  if (!c->config) return NULL;
  const gf__value *map = gf__value_get(gf__config_root(c->config), section);
  const gf__value *value = gf__value_get(map, key);
  if (!value) return NULL;
  return gf__scalar_words(value);
}

/* ---- the network ---- */

static bool is_saturating(const gf__network_layer *layer) {
  return !strcmp(layer->kind, "sigmoid") || !strcmp(layer->kind, "tanh");
}

bool gf__case_saturates(const gf__case *c, const char *layer) {
  const gf__network *n = &c->network;
  for (int i = 0; i < n->layer_count; i++)
    if ((!layer || !strcmp(n->layers[i].name, layer)) && is_saturating(&n->layers[i])) return true;
  return false;
}

/* A run of an older program has no network.json, and its data may be gone, which only leaves out
 * what depends on the network. */
static gf_status load_network(gf__case *c) {
  char path[GF__PATH_SIZE];
  GF_TRY(gf__run_path(path, c->run.folder, "network.json"));
  gf_status status = gf__network_read(&c->network, c->run.folder);
  if (status == GF_OK || gf__path_exists(path)) return status;
  gf__network_free(&c->network);
  if (c->config)
    gf__log(GF_LOG_WARNING,
            "%s; the diagnosis leaves out what depends on the network: the number of classes, and "
            "which layers have dead or saturated units",
            gf_error_message());
  return GF_OK;
}

/* ---- learning ---- */

static void find_output(gf__case *c) {
  const gf__run *run = &c->run;
  c->output = run->layer_count - 1;
  while (c->output > 0 && gf__layer_is_auxiliary(run->layers[c->output])) c->output--;
  for (int i = 0; i < run->layer_count && c->network.logit_layer; i++)
    if (!strcmp(run->layers[i], c->network.logit_layer)) c->output = i;
}

double gf__case_output_gradient(const gf__case *c, int epoch) {
  if (c->output < 0) return (double)NAN;
  return c->run.mean_gradients[(size_t)epoch * (size_t)c->run.layer_count + (size_t)c->output];
}

bool gf__case_is_lost(const gf__case *c, int epoch, int layer) {
  double mean = c->run.mean_gradients[(size_t)epoch * (size_t)c->run.layer_count + (size_t)layer];
  return gf__gradient_is_lost(&c->run.vanishing, mean, gf__case_output_gradient(c, epoch));
}

/* The weights of what is said about learning. */
static const double learnt_fraction = 0.5; /* of the loss of guessing */
static const double fitted_loss = 0.01;    /* nats */
static const double fitted_accuracy = 0.99;
static const double unstable_factor = 1.5; /* times the loss of guessing */

static void read_losses(gf__learning *l, const gf__csv *metrics) {
  const double *losses = metrics->numbers[GF__TRAIN_LOSS];
  *l = (gf__learning){
      .epochs = metrics->rows, .first_loss = NAN, .loss = NAN, .best_loss = NAN, .accuracy = NAN};
  if (metrics->rows == 0) return;
  l->first_loss = losses[0];
  l->loss = losses[metrics->rows - 1];
  l->accuracy = metrics->numbers[GF__TRAIN_ACCURACY][metrics->rows - 1] / 100;
  for (size_t i = 0; i < metrics->rows; i++) l->best_loss = fmin(l->best_loss, losses[i]);
}

static void find_learning(gf__case *c) {
  gf__learning *l = &c->learning;
  const gf__guess *g = &c->run.guess;
  const gf__csv *metrics = &c->run.metrics;
  read_losses(l, metrics);
  l->steps = gf__run_steps(&c->run);
  l->is_known = g->classes > 1 && l->epochs > 0;
  l->is_fitted = l->loss < fitted_loss && l->accuracy >= fitted_accuracy;
  double guess = l->is_known ? g->loss : l->first_loss;
  l->has_learnt = l->loss <= learnt_fraction * guess;
  l->is_better = gf__is_below_guessing(guess, l->loss);
  if (!l->is_known) return;
  l->guesses = gf__is_guessing(g, l->loss, l->accuracy);
  l->is_better &= l->accuracy > gf__guess_most(g);
  for (size_t i = 0; i < l->epochs; i++)
    l->was_unstable |= !(metrics->numbers[GF__TRAIN_LOSS][i] <= unstable_factor * g->uniform_loss);
}

static void find_optimizer(gf__case *c) {
  const gf__csv *metrics = &c->run.metrics;
  const char *decay = gf__case_setting(c, "optimizer", "weight_decay"),
             *rate = gf__case_setting(c, "optimizer", "learning_rate");
  c->optimizer =
      c->network.optimizer ? c->network.optimizer : gf__case_setting(c, "optimizer", "name");
  c->rate = (double)NAN;
  for (size_t i = 0; i < metrics->rows; i++)
    c->rate = fmax(c->rate, metrics->numbers[GF__LEARNING_RATE][i]);
  if (isnan(c->rate) && rate && !gf__float_parse(rate, &c->rate)) c->rate = (double)NAN;
  if (!decay || !gf__float_parse(decay, &c->decay)) c->decay = 0;
}

/* ---- the whole ---- */

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static gf_status find_typical_ratio(gf__case *c) {
  const gf__run *run = &c->run;
  size_t all = (size_t)run->epoch_count * (size_t)run->layer_count, count = 0;
  if (all == 0) return GF_OK;
  double *values = malloc(all * sizeof *values);
  if (!values) return gf__fail_host_memory(all * sizeof *values);
  for (size_t i = 0; i < all; i++)
    if (isfinite(run->update_ratios[i])) values[count++] = run->update_ratios[i];
  qsort(values, count, sizeof *values, compare);
  if (count) c->typical_ratio = (values[(count - 1) / 2] + values[count / 2]) / 2;
  free(values);
  return GF_OK;
}

static gf_status load_config(gf__case *c) {
  char path[GF__PATH_SIZE];
  GF_TRY(gf__run_path(path, c->run.folder, "config.yaml"));
  if (!gf__path_exists(path)) return GF_OK;
  return gf__run_config_load(&c->config, c->run.folder);
}

gf_status gf__case_load(gf__case *out, const char *folder) {
  *out = (gf__case){.typical_ratio = NAN, .output = -1};
  gf_status status = gf__run_load(&out->run, folder);
  if (status == GF_OK) status = load_config(out);
  if (status == GF_OK) status = load_network(out);
  if (status == GF_OK) status = find_typical_ratio(out);
  if (status == GF_OK && out->run.guess.classes == 0)
    out->run.guess = gf__guess_of(out->network.classes, &out->run.data, 0);
  if (status != GF_OK) {
    gf__case_free(out);
    return status;
  }
  find_output(out);
  find_learning(out);
  find_optimizer(out);
  out->diverged = gf__run_folder_result(folder, &out->end_message) == GF_RUN_DIVERGED;
  return GF_OK;
}

void gf__case_free(gf__case *c) {
  gf__run_free(&c->run);
  gf__network_free(&c->network);
  gf_config_free(&c->config);
  free(c->end_message);
  *c = (gf__case){0};
}
