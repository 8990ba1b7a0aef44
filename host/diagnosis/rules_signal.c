/* Rules about the signal: lost on the way forward from the start, or killed by training. */

#include <math.h>

#include "diagnosis/rules.h"
#include "run/signal.h"

static const double killed_factor = 1e-3; /* of the contrast at the start */
static const double most_lost = 0.1;      /* of it, for the layer that is named */

/* ---- what is on record ---- */

static gf__signal_course early_course(const gf__case *c, int step) {
  const gf__early_steps *e = &c->run.early;
  size_t at = (size_t)step * (size_t)e->layer_count;
  return (gf__signal_course){e->layer_count, e->layers, e->contrast + at, e->mean_abs + at,
                             e->dead + at};
}

/* Gradients are not asked for here. */
static gf__signal_course last_course(const gf__case *c) {
  const gf__run_activations *a = &c->run.activations;
  size_t at = (size_t)(a->epoch_count - 1) * (size_t)a->layer_count;
  return (gf__signal_course){a->layer_count, a->layers, a->contrasts + at, a->contrasts + at,
                             a->dead + at};
}

static bool has_records(const gf__case *c) {
  return c->run.activations.epoch_count > 0 && c->run.activations.layer_count > 0;
}

static double logits_contrast(const gf__signal_course *course) {
  gf__signal_end end = gf__signal_end_of(course);
  return end.last < 0 ? (double)NAN : course->contrast[end.last];
}

static bool has_dead_layer(const gf__signal_course *course, int *layer) {
  for (int i = 0; i < course->count; i++)
    if (course->dead[i] >= 1) {
      *layer = i;
      return true;
    }
  return false;
}

/* Whether the loss is still, or again, that of guessing, or above it. */
static bool guesses(const gf__case *c) {
  return c->learning.is_known && !gf__is_below_guessing(c->run.guess.loss, c->learning.loss);
}

static bool is_below_faint(gf__signal_state state) {
  return state == GF__SIGNAL_IS_FAINT || state == GF__SIGNAL_IS_LOST;
}

static void add_last_loss(gf__text *out, const gf__case *c) {
  gf__text_add(out, " The train loss is %.3f, and that of guessing %.3f.", c->learning.loss,
               c->run.guess.loss);
}

/* ---- lost forward from the start ---- */

/* The state before the first step; of the last record where that is not on record. */
static gf__signal_course first_course(const gf__case *c) {
  return c->run.early.step_count ? early_course(c, 0) : last_course(c);
}

bool gf__find_signal_lost(const gf__case *c, gf__draft *d) {
  gf__text *headline = &d->headline, *evidence = &d->evidence;
  if (!has_records(c) || !guesses(c)) return false;
  gf__signal_course first = first_course(c), last = last_course(c);
  gf__signal_end end = gf__signal_end_of(&first), now = gf__signal_end_of(&last);
  if (!is_below_faint(end.state) || !is_below_faint(now.state)) return false;
  gf__text_add(
      headline,
      "signal lost: from %s on the images make no difference, contrast %.1e at the logits, "
      "%s",
      first.layers[end.at], first.contrast[end.last],
      c->run.early.step_count ? "already before the first step" : "in the last record");
  gf__text_add(evidence, "The contrast falls from %.1e (%s) to %.1e (%s)",
               first.contrast[end.first], first.layers[end.first], first.contrast[end.last],
               first.layers[end.last]);
  if (end.steepest > 0) gf__text_add(evidence, ", most of all in %s", first.layers[end.steepest]);
  gf__text_add(evidence, ", and is %.1e at the logits in the last record.",
               last.contrast[now.last]);
  add_last_loss(evidence, c);
  return true;
}

/* ---- killed by training ---- */

static bool is_killed(const gf__signal_course *course, double at_first) {
  int unused;
  double now = logits_contrast(course);
  return now <= killed_factor * at_first || has_dead_layer(course, &unused);
}

/* A network that no step could have moved was not killed by one. */
static bool all_gradients_are_lost(const gf__case *c, const gf__signal_course *course) {
  gf__gradient_ends ends = gf__gradient_ends_of(course, c->run.vanishing.level);
  return ends.most >= 0 && course->mean_abs[ends.most] < c->run.vanishing.level;
}

/* The first early record from which on the signal is gone in each; the number of them where it is
 * gone in the last record alone. */
static int find_death(const gf__case *c, double at_first) {
  int death = c->run.early.step_count;
  while (death > 0) {
    gf__signal_course course = early_course(c, death - 1);
    if (!is_killed(&course, at_first)) break;
    death--;
  }
  return death;
}

/* The first layer from the input that is dead; else that from which on all layers to the output
 * have lost most of their contrast. */
static int find_layer(const gf__signal_course *now, const gf__signal_course *first) {
  int layer = 0;
  if (has_dead_layer(now, &layer)) return layer;
  for (layer = now->count; layer > 0; layer--) {
    double before = layer <= first->count ? first->contrast[layer - 1] : (double)NAN;
    if (now->contrast[layer - 1] > most_lost * before) break;
  }
  return layer < now->count ? layer : now->count - 1;
}

bool gf__find_killed(const gf__case *c, gf__draft *d) {
  gf__text *headline = &d->headline, *evidence = &d->evidence;
  const gf__early_steps *e = &c->run.early;
  if (!has_records(c) || e->step_count == 0 || !guesses(c)) return false;
  gf__signal_course first = early_course(c, 0), last = last_course(c);
  double at_first = logits_contrast(&first);
  if (gf__signal_end_of(&first).state != GF__SIGNAL_IS_SOUND || !is_killed(&last, at_first) ||
      all_gradients_are_lost(c, &first))
    return false;
  int death = find_death(c, at_first);
  if (death == 0) return false; /* a layer was dead at the start */
  bool has_date = death < e->step_count;
  gf__signal_course then = has_date ? early_course(c, death) : last;
  int layer = find_layer(&then, &first);
  gf__text_add(headline, "killed by training: contrast %.1e at the logits before the first step, ",
               at_first);
  if (has_date)
    gf__text_add(headline, "lost between steps %.0f and %.0f, first in %s", e->steps[death - 1],
                 e->steps[death], then.layers[layer]);
  else
    gf__text_add(headline, "lost after step %.0f, in %s", e->steps[death - 1], then.layers[layer]);
  gf__text_add(evidence, "%s step %.0f the contrast at the logits is %.1e, and %.1e in %s",
               has_date ? "At" : "In the last record, after",
               e->steps[has_date ? death : death - 1], logits_contrast(&then), then.contrast[layer],
               then.layers[layer]);
  if (then.dead[layer] > 0)
    gf__text_add(evidence, ", %.0f%% of whose channels are dead", 100 * then.dead[layer]);
  gf__text_add(evidence, "; in the last record it is %.1e at the logits.", logits_contrast(&last));
  gf__text_add(evidence, " The loss was %.3f at first.", e->losses[0]);
  add_last_loss(evidence, c);
  return true;
}

/* ---- backward ---- */

void gf__add_direction(gf__text *out, const gf__case *c) {
  if (!has_records(c)) return;
  gf__signal_course last = last_course(c);
  gf__signal_end end = gf__signal_end_of(&last);
  if (end.state == GF__SIGNAL_IS_SOUND)
    gf__text_add(out,
                 " The signal reaches the logits, contrast %.1e: the gradient is lost on its way "
                 "back.",
                 last.contrast[end.last]);
  else if (is_below_faint(end.state))
    gf__text_add(out,
                 " The signal does not reach the logits, contrast %.1e: it is lost on its way "
                 "forward.",
                 last.contrast[end.last]);
}
