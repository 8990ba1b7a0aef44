/* The remedies that a trial tries: those of the diagnosis' table that its config has not got. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/keys.h"
#include "diagnosis/diagnosis.h"
#include "model/network_config.h"
#include "trial/trial.h"

/* ---- names ---- */

/* Keys whose values speak for themselves, and those that only go with another one. */
static const char *const silent_keys[] = {"initialisation", "activation", "name"};
static const char *const left_out[] = {"orthogonal_gain"};

static bool is_listed(const char *const *list, size_t count, const char *key, size_t length) {
  for (size_t i = 0; i < count; i++)
    if (strlen(list[i]) == length && !strncmp(list[i], key, length)) return true;
  return false;
}

/* "shortcut identity" for model.shortcut=identity; "he" for model.initialisation=he; a list and a
 * switch have only their key. */
static void add_name(gf__text *out, const char *setting) {
  const char *equals = strchr(setting, '='), *key = equals, *comma = out->size ? ", " : "";
  while (key > setting && key[-1] != '.') key--;
  size_t length = (size_t)(equals - key);
  bool is_bare = equals[1] == '[' || !strcmp(equals + 1, "true");
  if (is_listed(left_out, sizeof left_out / sizeof *left_out, key, length)) return;
  if (is_listed(silent_keys, sizeof silent_keys / sizeof *silent_keys, key, length))
    gf__text_add(out, "%s%s", comma, equals + 1);
  else
    gf__text_add(out, "%s%.*s%s%s", comma, (int)length, key, is_bare ? "" : " ",
                 is_bare ? "" : equals + 1);
}

static gf_status copy_text(char **out, const char *words) {
  gf__text text = {0};
  gf__text_add(&text, "%s", words);
  *out = text.data;
  return gf__text_status(&text);
}

static gf_status name_candidate(gf__candidate *c) {
  gf__text name = {0}, id = {0};
  for (int i = 0; i < c->setting_count; i++) {
    add_name(&name, c->settings[i]);
    gf__text_add(&id, "%s%s", i ? " " : "", c->settings[i]);
  }
  if (c->setting_count == 0) gf__text_add(&name, "as it is");
  if (c->setting_count == 0) gf__text_add(&id, "%s", "");
  c->name = name.data;
  c->id = id.data;
  GF_TRY(gf__text_status(&name));
  return gf__text_status(&id);
}

static void free_candidate(gf__candidate *c) {
  for (int i = 0; i < c->setting_count; i++) free(c->settings[i]);
  free(c->name);
  free(c->text);
  free(c->id);
  *c = (gf__candidate){0};
}

void gf__trial_candidates_free(gf__trial_state *trial) {
  for (int i = 0; i < trial->candidate_count; i++) free_candidate(&trial->candidates[i]);
  free(trial->candidates);
}

/* ---- adding ---- */

static int find_candidate(const gf__trial_state *trial, const char *id) {
  for (int i = 0; i < trial->candidate_count; i++)
    if (!strcmp(trial->candidates[i].id, id)) return i;
  return -1;
}

/* Moves it into the trial; *index is where it is, or one with the same settings. */
static gf_status add_candidate(gf__trial_state *trial, gf__candidate *c, int *index) {
  gf_status status = name_candidate(c);
  *index = status == GF_OK ? find_candidate(trial, c->id) : -1;
  bool is_new = status == GF_OK && *index < 0;
  if (is_new)
    status =
        gf__grow(&trial->candidates, (size_t)trial->candidate_count, sizeof *trial->candidates);
  if (is_new && status == GF_OK) {
    *index = trial->candidate_count;
    trial->candidates[trial->candidate_count++] = *c;
  } else {
    free_candidate(c);
  }
  return status;
}

static gf_status add_setting(gf__candidate *c, const char *setting) {
  if (c->setting_count == GF__TRIAL_MOST_SETTINGS)
    return gf__fail(GF_ERROR_ARGUMENT, "a remedy has too many settings: %s", setting);
  GF_TRY(copy_text(&c->settings[c->setting_count], setting));
  c->setting_count++;
  return GF_OK;
}

static gf_status add_remedy(void *user, const char *setting, const char *also, const char *text) {
  gf__candidate c = {0};
  int unused;
  gf_status status = copy_text(&c.text, text);
  if (status == GF_OK) status = add_setting(&c, setting);
  if (status == GF_OK && also) status = add_setting(&c, also);
  if (status == GF_OK) return add_candidate(user, &c, &unused);
  free_candidate(&c);
  return status;
}

/* ---- the case ---- */

/* The activations where an auxiliary classifier can go. */
static gf_status fill_activations(gf__run_activations *out, const gf_activation_stats *activations,
                                  int count) {
  size_t bytes = ((size_t)count + 1) * (sizeof *out->layers + sizeof *out->dead);
  out->layers = malloc(((size_t)count + 1) * sizeof *out->layers);
  out->dead = malloc(((size_t)count + 1) * sizeof *out->dead);
  if (!out->layers || !out->dead) return gf__fail_host_memory(bytes);
  out->layer_count = count;
  out->epoch_count = 1;
  for (int i = 0; i < count; i++) {
    out->layers[i] = activations[i].layer;
    out->dead[i] = activations[i].dead;
  }
  return GF_OK;
}

gf_status gf__trial_candidates_find(gf__trial_state *trial, const gf_activation_stats *activations,
                                    int count) {
  gf__case c = {.run = {.folder = trial->folder}, .typical_ratio = NAN, .rate = NAN};
  gf__candidate as_it_is = {0};
  int unused;
  GF_TRY(copy_text(&as_it_is.text, "The config as it is."));
  GF_TRY(add_candidate(trial, &as_it_is, &unused));
  gf_status status = gf_config_load(&c.config, trial->config_path);
  if (status == GF_OK) status = gf__network_read(&c.network, trial->folder);
  const char *decay = status == GF_OK ? gf__case_setting(&c, "optimizer", "weight_decay") : NULL;
  if (decay && !gf__float_parse(decay, &c.decay)) c.decay = 0;
  c.optimizer = c.network.optimizer;
  if (status == GF_OK) status = fill_activations(&c.run.activations, activations, count);
  if (status == GF_OK) status = gf__remedies_that_fit(&c, add_remedy, trial);
  free(c.run.activations.layers);
  free(c.run.activations.dead);
  gf__network_free(&c.network);
  gf_config_free(&c.config);
  return status;
}

/* ---- pairs ---- */

/* Whether the two say different things of one key. */
static bool contradict(const char *a, const char *b) {
  size_t key = strcspn(a, "=") + 1;
  return strncmp(a, b, key) == 0 && strcmp(a, b) != 0;
}

static gf_status join(gf__candidate *out, const gf__candidate *a, const gf__candidate *b,
                      bool *fits) {
  GF_TRY(copy_text(&out->text, a->text));
  for (int i = 0; i < a->setting_count; i++) GF_TRY(add_setting(out, a->settings[i]));
  for (int i = 0; i < b->setting_count && *fits; i++) {
    bool is_there = false;
    for (int k = 0; k < a->setting_count; k++) {
      *fits &= !contradict(a->settings[k], b->settings[i]);
      is_there |= !strcmp(a->settings[k], b->settings[i]);
    }
    if (*fits && !is_there) GF_TRY(add_setting(out, b->settings[i]));
  }
  *fits &= out->setting_count > a->setting_count && out->setting_count > b->setting_count;
  return GF_OK;
}

/* Whether the sections of the network and the optimizer take the settings. */
static bool is_accepted(const gf__trial_state *trial, const gf__candidate *c) {
  gf_config *config = NULL;
  gf__network_config network;
  gf_status status = gf__trial_candidate_config(trial, c, 0, &config);
  if (status == GF_OK) status = gf__network_config_read(&network, config);
  if (status == GF_OK) gf__network_config_free(&network);
  gf_config_free(&config);
  return status == GF_OK;
}

gf_status gf__trial_candidates_pair(gf__trial_state *trial, int a, int b, int *index) {
  gf__candidate pair = {.is_pair = true};
  bool fits = true;
  *index = -1;
  gf_status status = join(&pair, &trial->candidates[a], &trial->candidates[b], &fits);
  if (status == GF_OK && fits && is_accepted(trial, &pair))
    return add_candidate(trial, &pair, index);
  free_candidate(&pair);
  return status;
}

gf_status gf__trial_candidate_config(const gf__trial_state *trial, const gf__candidate *candidate,
                                     unsigned long long seed, gf_config **out) {
  char set[64];
  GF_TRY(gf_config_parse(out, trial->config_path, trial->config.data));
  snprintf(set, sizeof set, "train.seed=%llu", seed);
  gf_status status = gf_config_set(*out, set);
  /* Measuring algorithms would take the time of the trainings. */
  if (status == GF_OK) status = gf_config_set(*out, "model.tune=off");
  for (int i = 0; i < candidate->setting_count && status == GF_OK; i++)
    status = gf_config_set(*out, candidate->settings[i]);
  if (status != GF_OK) gf_config_free(out);
  return status;
}
