/* Rules about the size of gradients on their way from the loss to the input. */
#include <math.h>
#include <stdlib.h>

#include "diagnosis/rules.h"

static const double exploded = 1;    /* mean |g| */
static const double grown = 10;      /* times that of the layer nearest to the loss */
static const double certain = 1e-20; /* a smaller gradient may have been rounded to 0 */

const char gf__mean_gradient[] = "mean |gradient|";

/* ---- sentences ---- */

void gf__add_only_record(gf__text *out, int records) {
  if (records == 1) gf__text_add(out, " It is the only record of the run.");
}

int gf__record_before(int records) { return records > 1 ? records - 2 : records - 1; }

static double mean_at(const gf__case *c, int record, int layer) {
  return c->run.mean_gradients[(size_t)record * (size_t)c->run.layer_count + (size_t)layer];
}

/* ---- non-finite ---- */

static void add_diverged(const gf__case *c, gf__text *out) {
  const gf__csv *m = &c->run.metrics;
  if (m->rows == 0)
    gf__text_add(out, "non-finite: the run diverged in its first epoch");
  else
    gf__text_add(out, "non-finite: the run diverged %s epoch %.0f", c->diverged ? "after" : "in",
                 m->numbers[GF__EPOCH][m->rows - 1]);
}

bool gf__find_nonfinite(const gf__case *c, gf__draft *d) {
  gf__query q = gf__query_gradients(c, gf__is_nonfinite, 0);
  int count = q.epoch_count ? gf__extremes_of_last(&q).count : 0;
  bool is_finite = c->learning.epochs == 0 || isfinite(c->learning.loss);
  if (!count && is_finite && !c->diverged) return false;
  if (count)
    gf__text_add(&d->headline,
                 "non-finite: the gradients of %d of %d layers are not finite, since epoch %.0f",
                 count, q.layer_count, gf__since(&q));
  else
    add_diverged(c, &d->headline);
  if (count)
    gf__text_add(&d->evidence, "The first from the input is %s.",
                 q.layers[gf__extremes_of_last(&q).first]);
  if (c->end_message)
    gf__text_add(&d->evidence, "%sThe run ended: %s.", count ? " " : "", c->end_message);
  return true;
}

/* ---- exploding ---- */

static bool is_exploding(const gf__case *c, int record) {
  double output = gf__case_output_gradient(c, record);
  for (int i = 0; i < c->run.layer_count; i++)
    if (gf__is_above(mean_at(c, record, i), exploded) && !(mean_at(c, record, i) <= grown * output))
      return true;
  return false;
}

/* Large gradients everywhere are those of a large loss. */
bool gf__find_exploding(const gf__case *c, gf__draft *d) {
  gf__query q = gf__query_gradients(c, gf__is_above, exploded);
  gf__extremes s = gf__extremes_of_last(&q);
  int last = q.epoch_count - 1;
  bool is_one = is_exploding(c, last) && is_exploding(c, gf__record_before(q.epoch_count));
  if (!s.count || !is_one || c->learning.has_learnt) return false;
  gf__text_add(&d->headline, "exploding: %d of %d layers above 1, up to %.1e, since epoch %.0f",
               s.count, q.layer_count, gf__value_at(&q, last, s.most), gf__since(&q));
  gf__add_ends(&d->evidence, &q, gf__mean_gradient);
  gf__text_add(&d->evidence, " In %s, nearest to the loss, it is %.1e.", q.layers[c->output],
               gf__case_output_gradient(c, last));
  gf__add_only_record(&d->evidence, q.epoch_count);
  return true;
}

/* ---- vanishing ---- */

int gf__count_lost(const gf__case *c, int first, int last, int *nearest) {
  int count = 0;
  *nearest = -1;
  for (int i = 0; i < c->run.layer_count; i++) {
    bool is_lost = true;
    for (int record = first; record <= last; record++)
      is_lost = is_lost && gf__case_is_lost(c, record, i);
    count += is_lost;
    if (is_lost) *nearest = i;
  }
  return count;
}

static int mostly_zero(const gf__case *c) {
  const gf__run *run = &c->run;
  const double *zeros = run->zeros + (size_t)(run->epoch_count - 1) * (size_t)run->layer_count;
  int count = 0;
  for (int i = 0; i < run->layer_count; i++) count += zeros[i] > 0.5;
  return count;
}

/* The first record from which on some layer has lost its gradient in each. */
static int lost_since(const gf__case *c) {
  int record = c->run.epoch_count - 1, nearest;
  while (record > 0 && gf__count_lost(c, record - 1, record - 1, &nearest)) record--;
  return record;
}

bool gf__find_vanishing(const gf__case *c, gf__draft *d) {
  const gf__vanishing *v = &c->run.vanishing;
  const gf__run *run = &c->run;
  int last = run->epoch_count - 1, nearest;
  int count = gf__count_lost(c, gf__record_before(run->epoch_count), last, &nearest);
  if (!count || c->learning.is_fitted) return false;
  gf__text_add(&d->headline,
               "vanishing: %d of %d layers below %s, from %s towards the input, since epoch %.0f",
               count, run->layer_count, v->number.text, run->layers[nearest],
               run->epochs[lost_since(c)]);
  gf__query q = gf__query_gradients(c, gf__is_below, v->level);
  gf__add_ends(&d->evidence, &q, gf__mean_gradient);
  gf__text_add(&d->evidence, " In %s, nearest to the loss, it is %.1e.", run->layers[c->output],
               gf__case_output_gradient(c, last));
  int zeros = mostly_zero(c);
  if (zeros)
    gf__text_add(&d->evidence, " In %d layer%s most elements of the gradient are exactly 0.", zeros,
                 zeros == 1 ? "" : "s");
  gf__add_direction(&d->evidence, c);
  gf__add_only_record(&d->evidence, run->epoch_count);
  gf__text_add(&d->here, v->is_eps ? "The level is %s, which %s adds as eps." : "The level is %s.",
               v->number.text, *v->optimizer ? v->optimizer : "adam");
  return true;
}

/* ---- without a gradient ---- */

static bool is_always(const gf__case *c, const double *values, int layer, double value) {
  const gf__run *run = &c->run;
  for (int record = 0; record < run->epoch_count; record++)
    if (values[(size_t)record * (size_t)run->layer_count + (size_t)layer] != value) return false;
  return true;
}

/* Its gradient is exactly 0 in each record although that of the next layer towards the loss is too
 * large to be rounded away. */
static bool is_detached(const gf__case *c, int layer) {
  if (!is_always(c, c->run.mean_gradients, layer, 0)) return false;
  for (int i = layer + 1; i < c->run.layer_count; i++)
    if (!is_always(c, c->run.mean_gradients, i, 0))
      return mean_at(c, c->run.epoch_count - 1, i) > certain;
  return false;
}

/* It has a gradient, and no step moves it, while steps move others. */
static bool is_frozen(const gf__case *c, int layer) {
  return is_always(c, c->run.update_ratios, layer, 0) && c->typical_ratio > 0 &&
         mean_at(c, c->run.epoch_count - 1, layer) > c->run.vanishing.level;
}

/* Whether an activation lets nothing through, which would explain it; it may where none was
 * recorded. */
static bool has_dead_layer(const gf__case *c) {
  gf__query q = gf__query_dead(c, 0.999, GF__ALL);
  return q.epoch_count == 0 || gf__extremes_of_last(&q).count > 0;
}

static bool is_without(const gf__case *c, int layer, bool dead) {
  return (!dead && is_detached(c, layer)) || is_frozen(c, layer);
}

bool gf__find_no_gradient(const gf__case *c, gf__draft *d) {
  const gf__run *run = &c->run;
  int count = 0, nearest = -1, frozen = 0;
  bool dead = has_dead_layer(c);
  for (int i = 0; i < run->layer_count; i++) {
    if (!is_without(c, i, dead)) continue;
    count++;
    frozen += is_frozen(c, i);
    nearest = i;
  }
  if (!count) return false;
  bool is_frozen_alone = frozen == count;
  gf__text_add(&d->headline, "%s: %d of %d layers %s, from %s towards the input",
               gf_verdict_name(GF_VERDICT_NO_GRADIENT), count, run->layer_count,
               is_frozen_alone ? "are never moved" : "get none", run->layers[nearest]);
  if (is_frozen_alone)
    gf__text_add(&d->evidence,
                 "Their gradient is not 0, and |update| / |weights| is exactly 0 in each of %d "
                 "records, while its median over all layers is %.1e.",
                 run->epoch_count, c->typical_ratio);
  else
    gf__text_add(&d->evidence,
                 "The gradient of %s is exactly 0 in each of %d records, and that of %s, the next "
                 "towards the loss, is %.1e in the last.",
                 run->layers[nearest], run->epoch_count, run->layers[nearest + 1],
                 mean_at(c, run->epoch_count - 1, nearest + 1));
  return true;
}
