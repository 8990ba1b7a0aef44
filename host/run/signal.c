#include "run/signal.h"

#include <math.h>

/* The first layer of those at the end that are all faint; -1 where the last one is not. */
static int faint_from(const gf__signal_course *c) {
  int at = -1;
  for (int i = c->count; i-- > 0;) {
    if (isnan(c->contrast[i])) continue;
    if (!(c->contrast[i] < GF__SIGNAL_FAINT)) break;
    at = i;
  }
  return at;
}

/* The first of these that has lost the signal: what comes after it is rounding, however large. */
static int lost_from(const gf__signal_course *c, int faint) {
  for (int i = faint; i >= 0 && i < c->count; i++)
    if (c->contrast[i] < GF__SIGNAL_LOST) return i;
  return -1;
}

gf__signal_end gf__signal_end_of(const gf__signal_course *c) {
  gf__signal_end end = {.at = -1, .first = -1, .last = -1, .steepest = -1};
  double least = 1;
  for (int i = 0; i < c->count; i++) {
    if (isnan(c->contrast[i])) continue;
    double before = end.last < 0 ? 0 : c->contrast[end.last];
    if (before > 0 && c->contrast[i] > 0 && c->contrast[i] / before < least) {
      least = c->contrast[i] / before;
      end.steepest = i;
    }
    if (end.first < 0) end.first = i;
    end.last = i;
  }
  if (end.last < 0) return end;
  end.state = GF__SIGNAL_IS_SOUND;
  int faint = faint_from(c), lost = lost_from(c, faint);
  if (faint >= 0) end.state = lost >= 0 ? GF__SIGNAL_IS_LOST : GF__SIGNAL_IS_FAINT;
  end.at = lost >= 0 ? lost : faint;
  return end;
}

gf__gradient_ends gf__gradient_ends_of(const gf__signal_course *c, double level) {
  gf__gradient_ends ends = {-1, -1, -1, 0};
  for (int i = 0; i < c->count; i++) {
    double g = c->mean_abs[i];
    if (!isfinite(g)) continue;
    if (ends.least < 0 || g < c->mean_abs[ends.least]) ends.least = i;
    if (ends.most < 0 || g > c->mean_abs[ends.most]) ends.most = i;
    if (g < level) {
      ends.lost = i;
      ends.lost_count++;
    }
  }
  return ends;
}

static void add_contrast(gf__text *out, const gf__signal_course *c, const gf__signal_end *end) {
  static const char *const heads[] = {
      [GF__SIGNAL_IS_SOUND] = "the signal reaches the logits",
      [GF__SIGNAL_IS_FAINT] = "the signal is faint at the logits",
      [GF__SIGNAL_IS_LOST] = "the signal is lost on its way forward"};
  if (end->state == GF__SIGNAL_IS_UNKNOWN) {
    gf__text_add(out, "contrast needs a batch of two images or more");
    return;
  }
  gf__text_add(out, "%s: contrast %.2g (%s) to %.2g (%s)", heads[end->state],
               c->contrast[end->first], c->layers[end->first], c->contrast[end->last],
               c->layers[end->last]);
  if (end->state == GF__SIGNAL_IS_LOST)
    gf__text_add(out, ", lost in %s at %.2g", c->layers[end->at], c->contrast[end->at]);
  if (end->state == GF__SIGNAL_IS_FAINT)
    gf__text_add(out, ", below %s from %s on", gf__shorten(GF__SIGNAL_FAINT).text,
                 c->layers[end->at]);
}

void gf__signal_add_line(gf__text *out, const gf__signal_course *c,
                         const gf__vanishing *vanishing) {
  gf__signal_end end = gf__signal_end_of(c);
  gf__gradient_ends g = gf__gradient_ends_of(c, vanishing->level);
  add_contrast(out, c, &end);
  if (g.least < 0) return;
  gf__text_add(out, "; mean |gradient| between %.1e (%s) and %.1e (%s)", c->mean_abs[g.least],
               c->layers[g.least], c->mean_abs[g.most], c->layers[g.most]);
  if (g.lost >= 0)
    gf__text_add(out, ", below %s in %d layer%s", vanishing->number.text, g.lost_count,
                 g.lost_count == 1 ? "" : "s");
}
