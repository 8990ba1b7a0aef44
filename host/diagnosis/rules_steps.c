/* Rules about the optimizer: its rate, its decay, and how far its steps move the weights. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diagnosis/rules.h"

static const double small_ratio = 1e-4;  /* |update| / |weights| */
static const double large_ratio = 0.1;   /* |update| / |weights| */
static const double high_rate = 10;      /* times the usual one */
static const double low_rate = 0.01;     /* times the usual one */
static const double outweighs = 1.0 / 3; /* decay's part of a step, for the gradient's */
static const double strong_decay = 5e-3; /* ten times what is usual */

/* ---- sentences ---- */

void gf__add_typical(gf__text *out, const gf__case *c) {
  if (!isnan(c->typical_ratio))
    gf__text_add(out,
                 " A step moves the weights by %.1e of their size (median of layers and epochs).",
                 c->typical_ratio);
}

/* ---- the rate ---- */

static bool find_far_rate(const gf__case *c, gf__draft *d, gf_verdict verdict) {
  double usual = gf__usual_rate(c->optimizer);
  bool is_high = verdict == GF_VERDICT_RATE_HIGH;
  double factor = is_high ? c->rate / usual : usual / c->rate;
  gf__text_add(&d->headline, "%s: %s is at %.3g, ", gf_verdict_name(verdict), c->optimizer,
               c->rate);
  if (c->rate == 0)
    gf__text_add(&d->headline, "and its steps move nothing");
  else
    gf__text_add(&d->headline, "%.3g times %s the usual %.3g", factor,
                 is_high ? "as high as" : "lower than", usual);
  gf__add_loss(&d->evidence, c);
  gf__add_guess(&d->evidence, c);
  gf__add_typical(&d->evidence, c);
  return true;
}

/* A rate far above the usual one is none of a run that learns with it. */
bool gf__find_high_rate(const gf__case *c, gf__draft *d) {
  const gf__learning *l = &c->learning;
  bool is_far = c->rate >= high_rate * gf__usual_rate(c->optimizer) * (1 - 1e-9);
  bool is_broken = c->diverged || !isfinite(l->loss) || l->guesses ||
                   (l->was_unstable && !l->has_learnt) ||
                   (gf__is_above(c->typical_ratio, large_ratio) && !l->has_learnt) ||
                   (!l->is_known && !l->is_better);
  return is_far && is_broken && find_far_rate(c, d, GF_VERDICT_RATE_HIGH);
}

bool gf__find_low_rate(const gf__case *c, gf__draft *d) {
  const gf__learning *l = &c->learning;
  bool is_far = c->rate <= low_rate * gf__usual_rate(c->optimizer) * (1 + 1e-9);
  return is_far && !l->has_learnt && !l->was_unstable && l->epochs > 0 &&
         find_far_rate(c, d, GF_VERDICT_RATE_LOW);
}

/* ---- decay ---- */

static double rate_of(const gf__case *c, double epoch) {
  const gf__csv *m = &c->run.metrics;
  for (size_t i = 0; i < m->rows; i++)
    if (m->numbers[GF__EPOCH][i] == epoch) return m->numbers[GF__LEARNING_RATE][i];
  return c->rate;
}

/* What decay adds to a layer's step for what its gradient adds; NaN where that is not known. */
static double decay_ratio(const gf__case *c, int record, int layer) {
  const gf__run *run = &c->run;
  size_t at = (size_t)record * (size_t)run->layer_count + (size_t)layer;
  bool is_decoupled = c->optimizer && !strcmp(c->optimizer, "adamw");
  if (!is_decoupled) return c->decay * run->weight_norms[at] / run->l2_norms[at];
  double own = rate_of(c, run->epochs[record]) * c->decay, step = run->update_ratios[at];
  return own / sqrt(fmax(step * step - own * own, 1e-60));
}

/* The layers in which decay outweighs the gradient in a record, and the largest of their ratios. */
static int count_outweighed(const gf__case *c, int record, double *most) {
  int count = 0;
  *most = 0;
  for (int i = 0; i < c->run.layer_count; i++) {
    double ratio = decay_ratio(c, record, i);
    if (!(ratio > outweighs)) continue;
    *most = fmax(*most, ratio);
    count++;
  }
  return count;
}

/* Where gradients have vanished from the first record on, decay only finishes what is lost. */
static bool is_cause(const gf__case *c) {
  int nearest;
  double guess = c->learning.is_known ? c->run.guess.loss : c->learning.first_loss;
  bool has_collapsed = c->learning.best_loss < 0.97 * guess;
  return has_collapsed || c->decay >= strong_decay || !gf__count_lost(c, 0, 0, &nearest);
}

bool gf__find_decay(const gf__case *c, gf__draft *d) {
  int last = c->run.epoch_count - 1, first = gf__record_before(c->run.epoch_count);
  double most, before;
  if (c->decay <= 0 || c->learning.is_better || last < 0 || !is_cause(c)) return false;
  int count = count_outweighed(c, last, &most);
  if (2 * count <= c->run.layer_count ||
      2 * count_outweighed(c, first, &before) <= c->run.layer_count)
    return false;
  int since = last;
  while (since > 0 && 2 * count_outweighed(c, since - 1, &before) > c->run.layer_count) since--;
  gf__text_add(&d->headline,
               "%s: in %d of %d layers a decay of %.3g outweighs the gradient, since epoch %.0f",
               gf_verdict_name(GF_VERDICT_DECAY), count, c->run.layer_count, c->decay,
               c->run.epochs[since]);
  gf__text_add(&d->evidence, "In epoch %.0f it is up to %.1e times the gradient. ",
               c->run.epochs[last], most);
  gf__add_loss(&d->evidence, c);
  gf__add_guess(&d->evidence, c);
  gf__add_only_record(&d->evidence, c->run.epoch_count);
  return true;
}

/* ---- the size of steps ---- */

static void describe_steps(const gf__case *c, gf__draft *d, gf_verdict verdict) {
  gf__text_add(&d->headline,
               "%s: a step moves the weights by %.1e of their size, and 1e-3 is usual",
               gf_verdict_name(verdict), c->typical_ratio);
  gf__query q = gf__query_gradients(c, gf__is_below, 0);
  q.values = c->run.update_ratios;
  gf__add_ends(&d->evidence, &q, "|update| / |weights|");
  gf__text_add(&d->evidence, " ");
  gf__add_loss(&d->evidence, c);
}

bool gf__find_small_steps(const gf__case *c, gf__draft *d) {
  if (!gf__is_below(c->typical_ratio, small_ratio) || c->learning.has_learnt) return false;
  describe_steps(c, d, GF_VERDICT_SMALL_STEPS);
  return true;
}

bool gf__find_large_steps(const gf__case *c, gf__draft *d) {
  if (!gf__is_above(c->typical_ratio, large_ratio) || c->learning.has_learnt) return false;
  describe_steps(c, d, GF_VERDICT_LARGE_STEPS);
  return true;
}
