#include "ops/conv/tuning.h"

#include <stdio.h>

#include "ops/conv/trial.h"

enum { KEY_SIZE = 768 };

/* What is computed: "n2 4x6x3 filters 5 kernel 3x3 … forward". */
static void write_key(const gf__conv_shape *s, int batch, gf__conv_direction direction,
                      char out[KEY_SIZE]) {
  const gf__window *w = &s->window;
  char groups[32] = "";
  if (s->groups > 1) snprintf(groups, sizeof groups, "groups %d ", s->groups);
  snprintf(out, KEY_SIZE, "n%d %sx%d filters %d kernel %s stride %s padding %s dilation %s %s%s",
           batch, gf__window_text(w, w->size).text, s->c, s->filters,
           gf__window_text(w, w->kernel).text, gf__window_text(w, w->stride).text,
           gf__window_padding_text(w).text, gf__window_text(w, w->dilation).text, groups,
           gf__conv_direction_names[direction]);
}

/* One direction of a convolution whose algorithm is being chosen. */
typedef struct decision {
  gf__tuning *tuning;
  gf__conv_trial *trial;
  gf__conv *conv;
  gf__conv_direction direction;
  char key[KEY_SIZE];
  const gf__conv_algorithm *reference;
  double reference_seconds, best_seconds;
  bool keeps; /* no candidate failed for a reason that may be gone another time */
} decision;

static bool is_candidate(const decision *d, const gf__conv_algorithm *a) {
  const gf_device *device = gf__tuning_device(d->tuning);
  return a != d->reference && a->accepts(a, device, &d->conv->shape, d->direction) &&
         a->priority(a, device, &d->conv->shape) >= 0;
}

/* Takes the candidate if it computes the same and is faster than the best so far. */
static void try_candidate(decision *d, const gf__conv_algorithm *a) {
  double seconds;
  gf_status status = gf__conv_trial_measure(d->trial, a, d->direction, d->trial->got, &seconds);
  if (status != GF_OK || !gf__conv_trial_agrees(d->trial, d->direction)) {
    char why[512];
    if (status == GF_OK)
      snprintf(why, sizeof why, "its result differs from %s's", d->reference->name);
    else
      snprintf(why, sizeof why, "%s", gf_error_message());
    gf__log(GF_LOG_WARNING, "%s is not used for %s: %s", a->name, d->key, why);
    d->keeps = d->keeps && status != GF_ERROR_DEVICE_MEMORY && status != GF_ERROR_MEMORY &&
               status != GF_ERROR_DEVICE;
    return;
  }
  if (seconds >= d->best_seconds) return;
  d->best_seconds = seconds;
  d->conv->algorithm[d->direction] = a;
}

static void log_decision(const decision *d) {
  const gf__conv_shape *s = &d->conv->shape;
  const gf__window *w = &s->window;
  const gf__conv_algorithm *chosen = d->conv->algorithm[d->direction];
  double best = chosen == d->reference ? d->reference_seconds : d->best_seconds;
  gf__log(GF_LOG_DETAIL, "tuned %s %d->%s %d, %s %s: %s %.2f ms, %s %.2f ms",
          gf__window_text(w, w->size).text, s->c, gf__window_text(w, w->out).text, s->filters,
          gf__window_text(w, w->kernel).text, gf__conv_direction_names[d->direction], chosen->name,
          1e3 * best, d->reference->name, 1e3 * d->reference_seconds);
}

/* Measures the reference and the candidates. Where time is over before all of them are measured,
 * standard, the device's default, is chosen and not kept. */
static gf_status measure_candidates(decision *d, const gf__conv_algorithm *standard) {
  d->reference = gf__conv_reference(gf__tuning_device(d->tuning), &d->conv->shape, d->direction);
  GF_TRY(gf__conv_trial_measure(d->trial, d->reference, d->direction, d->trial->expected,
                                &d->reference_seconds));
  /* im2col has to be clearly faster than the others: CLBlast may allocate in a step. */
  d->best_seconds = 1.1 * d->reference_seconds;
  d->conv->algorithm[d->direction] = d->reference;
  d->keeps = true;
  for (const gf__conv_algorithm *const *a = gf__conv_algorithms; *a; a++) {
    if (!is_candidate(d, *a)) continue;
    if (!gf__tuning_may_measure(d->tuning)) {
      d->conv->algorithm[d->direction] = standard;
      return GF_OK;
    }
    try_candidate(d, *a);
  }
  log_decision(d);
  if (d->keeps) gf__tuning_keep(d->tuning, d->key, d->conv->algorithm[d->direction]->name);
  return GF_OK;
}

/* The algorithm of an earlier run or of the file, or NULL. */
static const gf__conv_algorithm *find_known(const decision *d) {
  const gf_device *device = gf__tuning_device(d->tuning);
  const char *names[] = {gf__tuning_preferred(d->tuning, d->key),
                         gf__tuning_known(d->tuning, d->key)};
  const gf__conv_algorithm *found = NULL;
  for (int i = 0; i < 2 && !found; i++)
    if (names[i]) found = gf__conv_find(names[i], device, &d->conv->shape, d->direction);
  return found;
}

static gf_status decide(decision *d, int batch) {
  const gf__conv_algorithm *standard = d->conv->algorithm[d->direction], *known = find_known(d);
  if (known) d->conv->algorithm[d->direction] = known;
  if (known || !gf__tuning_may_measure(d->tuning)) return GF_OK;
  gf_status status = GF_OK;
  if (!d->trial->x)
    status = gf__conv_trial_open(d->trial, gf__tuning_device(d->tuning), &d->conv->shape, batch);
  if (status == GF_OK) status = measure_candidates(d, standard);
  if (status != GF_ERROR_DEVICE_MEMORY && status != GF_ERROR_MEMORY) return status;
  /* What is too large to be tried next to everything else may still run, with the default. */
  gf__conv_trial_close(d->trial);
  d->conv->algorithm[d->direction] = standard;
  return GF_OK;
}

gf_status gf__conv_tune(gf__conv *conv, gf__tuning *tuning, int batch) {
  gf__conv_trial trial = {0};
  gf_status status = GF_OK;
  gf__conv_choose(conv, gf__tuning_device(tuning), gf__tuning_forced(tuning));
  for (gf__conv_direction d = 0; d < GF__CONV_DIRECTIONS && status == GF_OK; d++) {
    decision of = {.tuning = tuning, .trial = &trial, .conv = conv, .direction = d};
    write_key(&conv->shape, batch, d, of.key);
    status = decide(&of, batch);
    gf__tuning_record(tuning, of.key, conv->algorithm[d]->name);
  }
  gf__conv_trial_close(&trial);
  return status;
}
