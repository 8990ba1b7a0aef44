#include "diagnosis/diagnosis_query.h"

#include <math.h>

bool gf__is_below(double value, double threshold) { return value < threshold; }

bool gf__is_above(double value, double threshold) { return isfinite(value) && value > threshold; }

bool gf__is_nonfinite(double value, double threshold) {
  (void)threshold;
  return !isfinite(value);
}

gf__query gf__query_gradients(const gf__case *c, gf__layer_test *test, double threshold) {
  const gf__run *r = &c->run;
  return (gf__query){c,    r->mean_gradients, r->epochs, r->epoch_count, r->layer_count, r->layers,
                     test, threshold,         GF__ALL};
}

gf__query gf__query_dead(const gf__case *c, double threshold, gf__layer_kind kind) {
  const gf__run_activations *a = &c->run.activations;
  return (gf__query){
      c,         a->dead, a->epochs, a->epoch_count, a->layer_count, a->layers, gf__is_above,
      threshold, kind};
}

double gf__value_at(const gf__query *q, int epoch, int layer) {
  return q->values[(size_t)epoch * (size_t)q->layer_count + (size_t)layer];
}

static bool is_asked(const gf__query *q, int layer) {
  return q->kind == GF__ALL ||
         gf__case_saturates(q->c, q->layers[layer]) == (q->kind == GF__SATURATING);
}

bool gf__holds(const gf__query *q, int epoch, int layer) {
  return is_asked(q, layer) && q->test(gf__value_at(q, epoch, layer), q->threshold);
}

static gf__extremes extremes_of_epoch(const gf__query *q, int epoch) {
  gf__extremes s = {.first = -1, .last = -1, .least = -1, .most = -1};
  for (int i = 0; i < q->layer_count; i++) {
    if (!is_asked(q, i)) continue;
    double value = gf__value_at(q, epoch, i);
    if (q->test(value, q->threshold)) {
      s.count++;
      s.last = i;
      if (s.first < 0) s.first = i;
    }
    if (!isfinite(value)) continue;
    s.asked++;
    if (s.least < 0 || value < gf__value_at(q, epoch, s.least)) s.least = i;
    if (s.most < 0 || value > gf__value_at(q, epoch, s.most)) s.most = i;
  }
  return s;
}

gf__extremes gf__extremes_of_last(const gf__query *q) {
  return extremes_of_epoch(q, q->epoch_count - 1);
}

double gf__since(const gf__query *q) {
  int first = q->epoch_count - 1;
  while (first > 0 && extremes_of_epoch(q, first - 1).count) first--;
  return q->epochs[first];
}

void gf__add_ends(gf__text *out, const gf__query *q, const char *what) {
  int last = q->epoch_count - 1;
  gf__extremes s = gf__extremes_of_last(q);
  if (s.least < 0) return;
  double least = gf__value_at(q, last, s.least), most = gf__value_at(q, last, s.most);
  gf__text_add(out, "In epoch %.0f %s is ", q->epochs[last], what);
  if (least == most)
    gf__text_add(out, "%.1e in every layer.", most);
  else
    gf__text_add(out, "between %.1e (%s) and %.1e (%s).", least, q->layers[s.least], most,
                 q->layers[s.most]);
}
