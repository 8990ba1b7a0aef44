/* The rules of a diagnosis. docs/diagnosis.md says where each threshold comes from. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "diagnosis/diagnosis_query.h"
#include "diagnosis/rules_signal.h"

static const double exploded = 1;        /* mean |g| */
static const double dead_fraction = 0.4; /* of a layer's channels */
static const double small_ratio = 1e-4;  /* |update| / |weights| */
static const double large_ratio = 0.1;   /* |update| / |weights| */
static const double loss_margin = 0.01;  /* of the loss of guessing, for standing still on it */
static const double chance_margin = 1.5; /* times the accuracy of guessing is still guessing */
static const int epochs_to_learn = 3;    /* before a run is said not to learn */

/* The texts of a finding while they are written. */
typedef struct draft {
  gf__text headline, evidence, threshold;
} draft;

/* ---- gradients ---- */

static const char mean_gradient[] = "mean |gradient|";

static double last_train_loss(const gf__case *c) {
  size_t rows = c->run.metrics.rows;
  return rows ? c->run.metrics.numbers[GF__TRAIN_LOSS][rows - 1] : 0;
}

static bool find_nonfinite(const gf__case *c, draft *r) {
  gf__query q = gf__query_gradients(c, gf__is_nonfinite, 0);
  const gf__csv *m = &c->run.metrics;
  int count = q.epoch_count ? gf__extremes_of_last(&q).count : 0;
  if (!count && isfinite(last_train_loss(c)) && !c->diverged) return false;
  if (count)
    gf__text_add(&r->headline,
                 "non-finite: the gradients of %d of %d layers are not finite, since epoch %.0f",
                 count, q.layer_count, gf__since(&q));
  else if (m->rows == 0)
    gf__text_add(&r->headline, "non-finite: the run diverged in its first epoch");
  else
    gf__text_add(&r->headline, "non-finite: the run diverged %s epoch %.0f",
                 c->diverged ? "after" : "in", m->numbers[GF__EPOCH][m->rows - 1]);
  if (count)
    gf__text_add(&r->evidence, "The first from the input is %s.",
                 q.layers[gf__extremes_of_last(&q).first]);
  if (c->end_message)
    gf__text_add(&r->evidence, "%sThe run ended: %s.", count ? " " : "", c->end_message);
  gf__text_add(&r->threshold, "An infinity or a NaN in a gradient or a loss.");
  return true;
}

static bool find_exploding(const gf__case *c, draft *r) {
  gf__query q = gf__query_gradients(c, gf__is_above, exploded);
  gf__extremes s = gf__extremes_of_last(&q);
  if (!s.count) return false;
  gf__text_add(&r->headline, "exploding: %d of %d layers above 1, up to %.1e, since epoch %.0f",
               s.count, q.layer_count, gf__value_at(&q, q.epoch_count - 1, s.most), gf__since(&q));
  gf__add_ends(&r->evidence, &q, mean_gradient);
  gf__text_add(&r->threshold,
               "A mean |gradient| above 1: at the usual rates of plain gradient descent a step is "
               "then larger than the weights, which begin below 1/sqrt(fan_in) (Pascanu et al., "
               "2013, on gradients that explode).");
  return true;
}

static int mostly_zero(const gf__case *c) {
  const gf__run *run = &c->run;
  const double *zeros = run->zeros + (size_t)(run->epoch_count - 1) * (size_t)run->layer_count;
  int count = 0;
  for (int i = 0; i < run->layer_count; i++) count += zeros[i] > 0.5;
  return count;
}

static bool find_vanishing(const gf__case *c, draft *r) {
  const gf__vanishing *v = &c->run.vanishing;
  gf__query q = gf__query_gradients(c, gf__is_below, v->level);
  gf__extremes s = gf__extremes_of_last(&q);
  if (!s.count) return false;
  gf__text_add(&r->headline,
               "vanishing: %d of %d layers below %s, from %s towards the input, since epoch %.0f",
               s.count, q.layer_count, v->number.text, q.layers[s.last], gf__since(&q));
  gf__add_ends(&r->evidence, &q, mean_gradient);
  int zeros = mostly_zero(c);
  if (zeros)
    gf__text_add(&r->evidence, " In %d layer%s most elements of the gradient are exactly 0.", zeros,
                 zeros == 1 ? "" : "s");
  gf__signal_add_direction(&r->evidence, c);
  if (v->is_eps)
    gf__text_add(&r->threshold,
                 "A mean |gradient| below %s, which is added to the root of the mean squared "
                 "gradient as eps (Kingma and Ba, 2015, for Adam): from there on the steps shrink "
                 "with the gradient.",
                 v->number.text);
  else
    gf__text_add(&r->threshold,
                 "A mean |gradient| below %s: steps of %s at a usual rate are then lost in the "
                 "rounding of the weights, which are in single precision.",
                 v->number.text, v->optimizer);
  return true;
}

/* ---- the signal ---- */

static bool find_signal_lost(const gf__case *c, draft *r) {
  gf__text_add(&r->threshold, "%s", gf__signal_lost_threshold);
  return gf__signal_is_lost(c, &r->headline, &r->evidence);
}

static bool find_killed(const gf__case *c, draft *r) {
  gf__text_add(&r->threshold, "%s", gf__signal_killed_threshold);
  return gf__signal_is_killed(c, &r->headline, &r->evidence);
}

/* ---- activations ---- */

/* "act_0 75%, act_1 50% and 2 more" of the layers for which the test holds. */
static void add_fractions(gf__text *out, const gf__query *q) {
  enum { MOST_NAMED = 4 };
  int last = q->epoch_count - 1, named = 0, count = gf__extremes_of_last(q).count;
  for (int i = 0; i < q->layer_count && named < MOST_NAMED; i++) {
    if (!gf__holds(q, last, i)) continue;
    gf__text_add(out, "%s%s %.0f%%", named ? ", " : "", q->layers[i],
                 100 * gf__value_at(q, last, i));
    named++;
  }
  if (count > named) gf__text_add(out, " and %d more", count - named);
}

static bool find_channels(const gf__case *c, draft *r, gf__layer_kind kind, const char *name,
                          const char *adjective) {
  gf__query q = gf__query_dead(c, dead_fraction, kind);
  if (q.epoch_count == 0) return false;
  int last = q.epoch_count - 1;
  gf__extremes s = gf__extremes_of_last(&q);
  if (!s.count) return false;
  gf__text_add(&r->headline,
               "%s: %d of %d activations with more than 40%% of %s channels, up to %.0f%% in %s, "
               "since epoch %.0f",
               name, s.count, s.asked, adjective, 100 * gf__value_at(&q, last, s.most),
               q.layers[s.most], gf__since(&q));
  gf__text_add(&r->evidence, "Share of %s channels in epoch %.0f: ", adjective, q.epochs[last]);
  add_fractions(&r->evidence, &q);
  gf__text_add(&r->evidence, ".");
  return true;
}

static bool find_dead(const gf__case *c, draft *r) {
  if (!find_channels(c, r, GF__SILENT, "dead units", "dead")) return false;
  gf__text_add(&r->threshold,
               "A channel is dead when its derivative is at most 0.01 on a whole batch. 40%% of a "
               "network may die of a learning rate that is too high (Stanford's notes CS231n); a "
               "layer that is all dead stops the network (Lu et al., 2019).");
  return true;
}

/* A layer that is dead as a whole lets no gradient through, so what vanishes does so of it. */
static bool find_dead_layer(const gf__case *c, draft *r) {
  gf__query q = gf__query_dead(c, dead_fraction, GF__SILENT);
  if (q.epoch_count == 0) return false;
  gf__extremes s = gf__extremes_of_last(&q);
  return s.count && gf__value_at(&q, q.epoch_count - 1, s.most) >= 1 && find_dead(c, r);
}

static bool find_saturated(const gf__case *c, draft *r) {
  if (!find_channels(c, r, GF__SATURATING, "saturated", "saturated")) return false;
  gf__text_add(&r->threshold,
               "A channel is saturated when its derivative is at most 0.01 on a whole batch "
               "(Glorot and Bengio, 2010, on layers that saturate one after the other); 40%% of a "
               "layer as for dead units.");
  return true;
}

/* ---- steps ---- */

static void add_typical(gf__text *out, const gf__case *c) {
  if (!isnan(c->typical_ratio))
    gf__text_add(out,
                 " A step moves the weights by %.1e of their size (median of layers and epochs).",
                 c->typical_ratio);
}

static void add_loss(gf__text *out, const gf__case *c) {
  const gf__csv *m = &c->run.metrics;
  if (m->rows)
    gf__text_add(out, "The train loss went from %.3f to %.3f in %zu epoch%s.",
                 m->numbers[GF__TRAIN_LOSS][0], last_train_loss(c), m->rows,
                 m->rows == 1 ? "" : "s");
}

static void report_steps(const gf__case *c, draft *r, const char *name) {
  gf__text_add(&r->headline,
               "%s: a step moves the weights by %.1e of their size, and 1e-3 is usual", name,
               c->typical_ratio);
  gf__query q = gf__query_gradients(c, gf__is_below, 0);
  q.values = c->run.update_ratios;
  gf__add_ends(&r->evidence, &q, "|update| / |weights|");
  gf__text_add(&r->evidence, " ");
  add_loss(&r->evidence, c);
}

static bool find_small_steps(const gf__case *c, draft *r) {
  if (!gf__is_below(c->typical_ratio, small_ratio)) return false;
  report_steps(c, r, "small steps");
  gf__text_add(&r->threshold,
               "A median of layers and epochs below 1e-4, a tenth of the rule of thumb of 1e-3 "
               "(Hinton, 2010).");
  return true;
}

static bool find_large_steps(const gf__case *c, draft *r) {
  if (!gf__is_above(c->typical_ratio, large_ratio)) return false;
  report_steps(c, r, "large steps");
  gf__text_add(&r->threshold,
               "A median of layers and epochs above 0.1, a hundred times the rule of thumb of 1e-3 "
               "(Hinton, 2010).");
  return true;
}

/* ---- learning ---- */

static bool find_not_learning(const gf__case *c, draft *r) {
  const gf__csv *m = &c->run.metrics;
  if (c->network.classes == 0 || m->rows < (size_t)epochs_to_learn) return false;
  double guess = log(c->network.classes), loss = last_train_loss(c);
  double accuracy = m->numbers[GF__TRAIN_ACCURACY][m->rows - 1]; /* percent */
  bool is_at_guess = fabs(loss - guess) <= loss_margin * guess;
  bool guesses = accuracy <= chance_margin * 100 / c->network.classes;
  if (!is_at_guess && !guesses) return false;
  gf__text_add(&r->headline,
               "not learning: after %zu epochs the train loss is %.3f and the accuracy %.1f%%, as "
               "by guessing among %d classes, although gradients flow",
               m->rows, loss, accuracy, c->network.classes);
  gf__query q = gf__query_gradients(c, gf__is_below, 0);
  gf__add_ends(&r->evidence, &q, mean_gradient);
  add_typical(&r->evidence, c);
  gf__text_add(&r->threshold,
               "A train loss within 1%% of ln %d = %.3f, which is that of guessing, or a train "
               "accuracy of at most %.3g%%, 1.5 times that of guessing, after %d epochs or more.",
               c->network.classes, guess, chance_margin * 100 / c->network.classes,
               epochs_to_learn);
  return true;
}

static bool find_healthy(const gf__case *c, draft *r) {
  gf__query q = gf__query_gradients(c, gf__is_below, 0);
  int last = q.epoch_count - 1;
  gf__extremes s = gf__extremes_of_last(&q);
  gf__text_add(&r->headline, "healthy: mean |gradient| of all %d layers between %.1e and %.1e",
               q.layer_count, gf__value_at(&q, last, s.least), gf__value_at(&q, last, s.most));
  add_loss(&r->evidence, c);
  add_typical(&r->evidence, c);
  gf__text_add(&r->threshold, "None of the rules of docs/diagnosis.md holds.");
  return true;
}

/* ---- the table ---- */

enum {
  NONFINITE = 1 << GF_VERDICT_NONFINITE,
  EXPLODING = 1 << GF_VERDICT_EXPLODING,
  VANISHING = 1 << GF_VERDICT_VANISHING,
  DEAD = 1 << GF_VERDICT_DEAD,
  SIGNAL = 1 << GF_VERDICT_SIGNAL_LOST | 1 << GF_VERDICT_KILLED,
  STEPS = 1 << GF_VERDICT_SMALL_STEPS | 1 << GF_VERDICT_LARGE_STEPS,
  ANY = -1
};

static const struct rule {
  gf_verdict verdict;
  bool (*find)(const gf__case *c, draft *r);
  int unless; /* findings of which this one is a consequence, so that it is not said */
} rules[] = {
    {GF_VERDICT_NONFINITE, find_nonfinite, 0},
    {GF_VERDICT_EXPLODING, find_exploding, 0},
    {GF_VERDICT_DEAD, find_dead_layer, NONFINITE | EXPLODING},
    {GF_VERDICT_KILLED, find_killed, NONFINITE},
    {GF_VERDICT_VANISHING, find_vanishing, 0},
    {GF_VERDICT_DEAD, find_dead, NONFINITE | DEAD},
    {GF_VERDICT_SATURATED, find_saturated, NONFINITE},
    {GF_VERDICT_SIGNAL_LOST, find_signal_lost, NONFINITE},
    {GF_VERDICT_SMALL_STEPS, find_small_steps, NONFINITE | VANISHING},
    {GF_VERDICT_LARGE_STEPS, find_large_steps, NONFINITE | EXPLODING},
    {GF_VERDICT_NOT_LEARNING, find_not_learning,
     NONFINITE | EXPLODING | VANISHING | STEPS | SIGNAL},
    {GF_VERDICT_HEALTHY, find_healthy, ANY},
};

const char *gf_verdict_name(gf_verdict verdict) {
  static const char *const names[GF_VERDICT_COUNT] = {
      [GF_VERDICT_NONFINITE] = "non-finite",    [GF_VERDICT_EXPLODING] = "exploding",
      [GF_VERDICT_VANISHING] = "vanishing",     [GF_VERDICT_DEAD] = "dead units",
      [GF_VERDICT_SATURATED] = "saturated",     [GF_VERDICT_SMALL_STEPS] = "small steps",
      [GF_VERDICT_LARGE_STEPS] = "large steps", [GF_VERDICT_NOT_LEARNING] = "not learning",
      [GF_VERDICT_SIGNAL_LOST] = "signal lost", [GF_VERDICT_KILLED] = "killed by training",
      [GF_VERDICT_HEALTHY] = "healthy",
  };
  return (unsigned)verdict < GF_VERDICT_COUNT ? names[verdict] : "unknown";
}

gf_status gf__apply_rules(const gf__case *c, gf_diagnosis *out) {
  int found = 0;
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
    draft r = {0};
    if (found & rules[i].unless) continue;
    /* Without records only a run that has diverged can be judged. */
    if (rules[i].verdict != GF_VERDICT_NONFINITE && c->run.epoch_count == 0) continue;
    if (!rules[i].find(c, &r)) {
      gf__text_free(&r.threshold);
      continue;
    }
    found |= 1 << rules[i].verdict;
    gf__text_add(&r.evidence, "%s", ""); /* it may be empty, but is there */
    out->findings[out->finding_count++] = (gf_finding){.verdict = rules[i].verdict,
                                                       .headline = r.headline.data,
                                                       .evidence = r.evidence.data,
                                                       .threshold = r.threshold.data};
    GF_TRY(gf__text_status(&r.headline));
    GF_TRY(gf__text_status(&r.evidence));
    GF_TRY(gf__text_status(&r.threshold));
  }
  return GF_OK;
}
