/* Rules about activations: channels that let no gradient through, and residual branches. */
#include <math.h>
#include <string.h>

#include "diagnosis/rules.h"

static const double dead_fraction = 0.4; /* of the channels */
static const double whole = 0.999;       /* of a layer's channels: all of them */
static const double growth = 100;        /* of activations over the residual blocks */
/* Of few images most channels of a healthy network see nothing that they react to. */
static const int least_images = 16;

/* ---- dead and saturated channels ---- */

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

/* Mean fraction over the layers of the kind in a record; 0 without one. */
static double mean_fraction(const gf__query *q, int record) {
  gf__query all = *q;
  double sum = 0;
  int count = 0;
  all.threshold = -1;
  for (int i = 0; i < q->layer_count; i++) {
    if (!gf__holds(&all, record, i)) continue;
    sum += gf__value_at(q, record, i);
    count++;
  }
  return count ? sum / count : 0;
}

/* The rule of a whole network: in the last two records. */
static bool is_widespread(const gf__case *c, gf__query *q) {
  int images = c->network.images.activations;
  if (q->epoch_count == 0 || (images > 0 && images < least_images)) return false;
  return mean_fraction(q, q->epoch_count - 1) > dead_fraction &&
         mean_fraction(q, gf__record_before(q->epoch_count)) > dead_fraction;
}

static void describe_channels(gf__draft *d, const gf__query *q, const char *name,
                              const char *adjective) {
  int last = q->epoch_count - 1;
  gf__extremes s = gf__extremes_of_last(q);
  gf__text_add(&d->headline,
               "%s: %d of %d activations with more than 40%% of %s channels, up to %.0f%% in %s, "
               "since epoch %.0f",
               name, s.count, s.asked, adjective, 100 * gf__value_at(q, last, s.most),
               q->layers[s.most], gf__since(q));
  gf__text_add(&d->evidence, "Fraction of %s channels in epoch %.0f: ", adjective, q->epochs[last]);
  add_fractions(&d->evidence, q);
  gf__text_add(&d->evidence, "; %.0f%% over all activations.", 100 * mean_fraction(q, last));
  gf__add_only_record(&d->evidence, q->epoch_count);
}

bool gf__find_dead(const gf__case *c, gf__draft *d) {
  gf__query q = gf__query_dead(c, dead_fraction, GF__SILENT);
  if (c->learning.has_learnt || !is_widespread(c, &q)) return false;
  describe_channels(d, &q, "dead units", "dead");
  return true;
}

bool gf__find_saturated(const gf__case *c, gf__draft *d) {
  gf__query q = gf__query_dead(c, dead_fraction, GF__SATURATING);
  if (c->learning.has_learnt || !is_widespread(c, &q)) return false;
  describe_channels(d, &q, "saturated", "saturated");
  return true;
}

/* ---- layers that are dead as a whole ---- */

/* The first from the input that is dead in each record from first on, an index; -1: none. */
static int find_whole(const gf__query *q, int first) {
  for (int i = 0; i < q->layer_count; i++) {
    bool is_dead = true;
    for (int record = first; record < q->epoch_count; record++)
      is_dead = is_dead && gf__holds(q, record, i);
    if (is_dead) return i;
  }
  return -1;
}

static int count_whole(const gf__query *q) { return gf__extremes_of_last(q).count; }

/* A dead branch beside a shortcut stops nothing: what matters is that gradients are lost, or that
 * nothing is learnt. */
static bool stops_something(const gf__case *c) {
  int nearest, records = c->run.epoch_count;
  if (!c->learning.is_better) return true;
  return records && gf__count_lost(c, gf__record_before(records), records - 1, &nearest) > 0;
}

static void add_whole(const gf__query *q, gf__draft *d) {
  gf__text_add(&d->evidence, "Dead as a whole in epoch %.0f: ", q->epochs[q->epoch_count - 1]);
  add_fractions(&d->evidence, q);
  gf__text_add(&d->evidence, ".");
  gf__add_only_record(&d->evidence, q->epoch_count);
}

/* Whether an activation was dead before the first step; or that is not on record. */
static bool may_be_born_dead(const gf__case *c) {
  const gf__early_steps *e = &c->run.early;
  for (int i = 0; e->step_count && i < e->layer_count; i++)
    if (e->dead[i] >= 1) return true;
  return e->step_count == 0 || e->steps[0] != 0;
}

bool gf__find_dead_at_start(const gf__case *c, gf__draft *d) {
  gf__query q = gf__query_dead(c, whole, GF__SILENT);
  const gf__learning *l = &c->learning;
  double guess = l->is_known ? c->run.guess.loss : l->first_loss;
  bool never_moved = !(l->best_loss < 0.99 * guess) && !l->was_unstable;
  if (q.epoch_count == 0 || !never_moved || l->is_fitted || !stops_something(c)) return false;
  if (!may_be_born_dead(c)) return false;
  int layer = find_whole(&q, 0);
  if (layer < 0) return false;
  gf__text_add(&d->headline,
               "%s: %d of %d activations let no gradient through, the first from the input %s, "
               "from the first record on",
               gf_verdict_name(GF_VERDICT_DEAD_AT_START), count_whole(&q),
               gf__extremes_of_last(&q).asked, q.layers[layer]);
  add_whole(&q, d);
  gf__text_add(&d->evidence, " The loss was never below that of guessing.");
  return true;
}

bool gf__find_dead_layer(const gf__case *c, gf__draft *d) {
  gf__query q = gf__query_dead(c, whole, GF__SILENT);
  if (q.epoch_count == 0 || c->learning.is_fitted || !stops_something(c)) return false;
  int layer = find_whole(&q, gf__record_before(q.epoch_count));
  if (layer < 0) return false;
  gf__text_add(&d->headline,
               "%s: %d of %d activations let no gradient through, the first from the input %s, "
               "since epoch %.0f",
               gf_verdict_name(GF_VERDICT_DEAD_LAYER), count_whole(&q),
               gf__extremes_of_last(&q).asked, q.layers[layer], gf__since(&q));
  add_whole(&q, d);
  return true;
}

/* ---- residual branches ---- */

/* Whether what the layer stores comes directly from an addition. */
static bool follows_addition(const gf__case *c, const char *name) {
  const gf__network_layer *layer = gf__network_find(&c->network, name);
  if (!layer) return false;
  if (!strcmp(layer->kind, "add")) return true;
  const gf__network_layer *input =
      layer->input ? gf__network_find(&c->network, layer->input) : NULL;
  return input && !strcmp(input->kind, "add");
}

/* What follows the first and the last addition, and how large it is. */
typedef struct gf__branch_growth {
  const char *first, *last; /* NULL: no two layers follow additions */
  double first_size, last_size;
} gf__branch_growth;

static gf__branch_growth measure_growth(const gf__case *c, const char *const *layers, int count,
                                        const double *sizes) {
  gf__branch_growth out = {NULL, NULL, NAN, NAN};
  for (int i = 0; i < count; i++) {
    if (!follows_addition(c, layers[i])) continue;
    out.last = layers[i];
    out.last_size = sizes[i];
    if (out.first) continue;
    out.first = layers[i];
    out.first_size = sizes[i];
  }
  return out;
}

static bool is_large(const gf__branch_growth *g) {
  double factor = g->last_size / g->first_size;
  return isfinite(factor) && factor > growth;
}

bool gf__find_growing_branch(const gf__case *c, gf__draft *d) {
  const gf__run_activations *a = &c->run.activations;
  const gf__early_steps *e = &c->run.early;
  gf__branch_growth found = {NULL, NULL, NAN, NAN};
  if (c->learning.is_better) return false;
  if (a->epoch_count)
    found = measure_growth(c, a->layers, a->layer_count,
                           a->deviations + (size_t)(a->epoch_count - 1) * (size_t)a->layer_count);
  bool is_last = is_large(&found);
  if (!is_last && e->step_count && e->steps[0] == 0)
    found = measure_growth(c, e->layers, e->layer_count, e->rms);
  if (!is_large(&found)) return false;
  gf__text_add(&d->headline,
               "%s: activations grow by a factor of %.1e from the first residual block to the "
               "last%s",
               gf_verdict_name(GF_VERDICT_BRANCH_GROWS), found.last_size / found.first_size,
               is_last ? "" : " before the first step");
  if (is_last)
    gf__text_add(&d->evidence, "In epoch %.0f their deviation", a->epochs[a->epoch_count - 1]);
  else
    gf__text_add(&d->evidence, "Before the first step their root mean square");
  gf__text_add(&d->evidence, " is %.1e after %s and %.1e after %s. ", found.first_size, found.first,
               found.last_size, found.last);
  gf__add_loss(&d->evidence, c);
  if (is_last) gf__add_only_record(&d->evidence, a->epoch_count);
  return true;
}
