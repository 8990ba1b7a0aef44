#include "run/guess.h"

#include <math.h>

/* A guess is above three standard deviations once in 740 epochs. */
static const double deviations = 3;
/* Of guessing, where nothing is known of the sampling error. */
static const double usual_margin = 1.5;

static void add_frequencies(gf__guess *g, const gf__class_counts *counts) {
  double loss = 0;
  g->images = counts->images;
  g->commonest = 0;
  g->present = 0;
  for (int c = 0; c < g->classes; c++) {
    double p = (double)counts->class_images[c] / (double)counts->images;
    if (p > 0) loss -= p * log(p);
    g->present += p > 0;
    if (p <= g->commonest) continue;
    g->commonest = p;
    g->commonest_class = c;
  }
  g->loss = loss;
  g->accuracy = fmax(g->accuracy, g->commonest);
}

gf__guess gf__guess_of(int classes, const gf__data_record *record, long images) {
  gf__guess g = {
      .classes = classes, .images = images, .commonest = (double)NAN, .commonest_class = -1};
  if (classes < 1) return g;
  g.uniform_loss = g.loss = log(classes);
  g.accuracy = 1.0 / classes;
  g.present = classes;
  bool has_counts = record->classes == classes && record->train.images > 0;
  if (has_counts && record->train.class_images) add_frequencies(&g, &record->train);
  return g;
}

double gf__guess_most(const gf__guess *g) {
  double p = g->accuracy;
  if (g->images < 1) return fmin(1, usual_margin * p);
  return fmin(1, p + deviations * sqrt(p * (1 - p) / (double)g->images));
}

bool gf__is_below_guessing(double guess_loss, double loss) {
  static const double margin = 0.01;
  return loss < (1 - margin) * guess_loss;
}

bool gf__is_guessing(const gf__guess *g, double loss, double accuracy) {
  if (g->classes < 2 || gf__is_below_guessing(g->loss, loss)) return false;
  return accuracy <= gf__guess_most(g);
}
