#include "train/stop.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "train/verdicts.h"

enum { NO_METRIC, VALIDATION_LOSS, VALIDATION_ACCURACY };
static const char *const metrics[] = {"none", "validation_loss", "validation_accuracy", NULL};

static const gf__key keys[] = {
    GF__KEY(gf__stop_config, verdict, NAMES, .initial = "",
            .help = "verdicts of the diagnosis, any of which ends the run: vanishing, non_finite, "
                    "not_learning, …"),
    GF__KEY(gf__stop_config, metric, CHOICE, .initial = "none", .choices = metrics,
            .help = "ends the run when it no longer improves (early stopping; Prechelt, 1998)"),
    GF__KEY(gf__stop_config, patience, INT, .initial = "5", .minimum = 1, .maximum = 100000,
            .help = "epochs in a row with such a verdict, or without improvement"),
    GF__KEY(gf__stop_config, min_delta, FLOAT, .initial = "0", .maximum = 1e6,
            .help = "what the metric has to change by to have improved"),
    GF__KEY(gf__stop_config, time, SCALAR, .initial = "",
            .help = "ends the run after a step when it has taken so long: 90s, 30m, 2h, 1h30m"),
};
enum { KEYS = sizeof keys / sizeof *keys };

/* ---- the section ---- */

static gf_status read_verdict(gf__stop_config *stop, const gf__value *value) {
  const char *word;
  gf__text known = {0};
  for (int i = 0; (word = gf__verdict_word(i)); i++) {
    if (!strcmp(word, gf__scalar_words(value))) {
      stop->verdicts |= UINT64_C(1) << i;
      gf__text_free(&known);
      return GF_OK;
    }
    gf__text_add(&known, "%s%s", i ? ", " : "", word);
  }
  gf_status status = gf__value_fail(value, "train.stop.verdict has '%s'; the verdicts are %s",
                                    gf__scalar_words(value), known.data ? known.data : "");
  gf__text_free(&known);
  return status;
}

static gf_status read_verdicts(gf__stop_config *stop) {
  const gf__value *v = stop->verdict;
  if (v && v->kind == GF__SCALAR && *v->text) return read_verdict(stop, v);
  for (size_t i = 0; v && v->kind == GF__SEQUENCE && i < v->count; i++)
    GF_TRY(read_verdict(stop, v->items[i]));
  return GF_OK;
}

gf_status gf__stop_config_read(gf__stop_config *out, const gf__value *section) {
  *out = (gf__stop_config){0};
  GF_TRY(gf__keys_read(section, "train.stop", keys, KEYS, out));
  const char *time = gf__scalar_words(out->time);
  if (out->time &&
      (out->time->kind != GF__SCALAR || (*time && !gf__duration_parse(time, &out->seconds))))
    return gf__value_fail(out->time,
                          "train.stop.time must be a time with its unit, such as 90s, 30m, 2h or "
                          "1h30m, not '%s'",
                          time);
  return read_verdicts(out);
}

void gf__stop_config_write(gf__text *out, const gf__stop_config *stop) {
  if (!gf__stop_has_rules(stop)) return;
  gf__text_add(out, "  stop:\n");
  if (stop->verdicts) {
    const char *word, *comma = "";
    gf__text_add(out, "    verdict: [");
    for (int i = 0; (word = gf__verdict_word(i)); i++) {
      if (!(stop->verdicts >> i & 1)) continue;
      gf__text_add(out, "%s%s", comma, word);
      comma = ", ";
    }
    gf__text_add(out, "]\n");
  }
  gf__keys_write(out, 4, keys, KEYS, stop);
  if (stop->seconds > 0) gf__text_add(out, "    time: %s\n", gf__scalar_words(stop->time));
}

void gf__stop_config_help(gf__help *help) {
  gf__help_title(help, "train.stop:");
  gf__help_keys(help, keys, KEYS);
}

gf_status gf__stop_config_check(const gf__stop_config *stop, int validation_images) {
  if (stop->metric == NO_METRIC || validation_images > 0) return GF_OK;
  return gf__fail(GF_ERROR_CONFIG,
                  "train.stop.metric is %s, but there are no validation images; give it some with "
                  "data.validation, or leave the metric out",
                  metrics[stop->metric]);
}

bool gf__stop_has_rules(const gf__stop_config *stop) {
  return stop->verdicts || stop->metric != NO_METRIC || stop->seconds > 0;
}

/* ---- the rules ---- */

gf__stop_state gf__stop_begin(void) { return (gf__stop_state){.best = NAN}; }

void gf__stop_go_on(const gf__stop_config *stop, gf__stop_state *state) {
  double seconds = gf__stop_is_late(stop, state->seconds) ? 0 : state->seconds;
  *state = gf__stop_begin();
  state->seconds = seconds;
}

/* NaN never improves. */
static bool is_better(const gf__stop_config *stop, double value, double best) {
  if (isnan(best)) return !isnan(value);
  return stop->metric == VALIDATION_LOSS ? value < best - stop->min_delta
                                         : value > best + stop->min_delta;
}

static void judge_metric(const gf__stop_config *stop, const gf_epoch *epoch, gf__stop_state *state,
                         gf__stop *out) {
  bool is_loss = stop->metric == VALIDATION_LOSS;
  double value = is_loss ? epoch->validation_loss : epoch->validation_accuracy;
  if (stop->metric == NO_METRIC) return;
  state->waited++;
  if (is_better(stop, value, state->best)) {
    state->best = value;
    state->best_epoch = epoch->epoch;
    state->waited = 0;
  }
  if (state->waited < stop->patience) return;
  snprintf(out->by, sizeof out->by, "%s", metrics[stop->metric]);
  snprintf(out->message, sizeof out->message,
           "the validation %s has not improved%s for %d epoch%s; its best was %.5g in epoch %d",
           is_loss ? "loss" : "accuracy", stop->min_delta > 0 ? " by min_delta" : "", state->waited,
           state->waited == 1 ? "" : "s", state->best, state->best_epoch);
}

static gf_status judge_verdict(const gf__stop_config *stop, const char *folder,
                               gf__stop_state *state, gf__stop *out) {
  uint64_t found;
  int first = 0;
  if (!stop->verdicts) return GF_OK;
  GF_TRY(gf__verdicts_of_run(folder, &found));
  found &= stop->verdicts;
  state->ill = found ? state->ill + 1 : 0;
  if (state->ill < stop->patience) return GF_OK;
  while (!(found >> first & 1)) first++;
  snprintf(out->by, sizeof out->by, "%s", gf__verdict_word(first));
  snprintf(out->message, sizeof out->message,
           "%d epoch%s in a row had a verdict of train.stop.verdict, the last of them %s",
           state->ill, state->ill == 1 ? "" : "s", out->by);
  return GF_OK;
}

gf_status gf__stop_judge(const gf__stop_config *stop, const gf_epoch *epoch, const char *folder,
                         gf__stop_state *state, gf__stop *out) {
  judge_metric(stop, epoch, state, out);
  return judge_verdict(stop, folder, state, out);
}

bool gf__stop_is_late(const gf__stop_config *stop, double seconds) {
  return stop->seconds > 0 && seconds >= stop->seconds;
}

void gf__stop_by_time(const gf__stop_config *stop, gf__stop *out) {
  snprintf(out->by, sizeof out->by, "time");
  snprintf(out->message, sizeof out->message, "it has taken the %s of train.stop.time",
           gf__scalar_words(stop->time));
}
