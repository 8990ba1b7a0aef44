/* Rules about loss and accuracy, beside those of guessing. */
#include <math.h>
#include <stdio.h>

#include "diagnosis/rules.h"

static const size_t epochs_to_learn = 3;   /* before a run is said not to learn */
static const double steps_to_learn = 100;  /* likewise */
static const double noticeable = 1e-3;     /* of the loss of guessing, in an epoch */
static const double imbalanced = 1.5;      /* times the mean of the classes that are there */
static const double above = 1.05;          /* times ln(classes) */
static const double far_above = 3;         /* likewise, whether it falls or not */
static const double risen = 1.2;           /* validation loss, for its lowest */
static const double fallen = 0.9;          /* train loss, for that of the same epoch */
static const double least_gap = 0.05;      /* between accuracies */
static const size_t overfitted_epochs = 2; /* that have passed since the lowest */
static const size_t flat_epochs = 10;      /* and a third of the run */
static const double flat = 0.99;           /* of the lowest loss before */
static const double flat_loss = 0.1;       /* of the loss of guessing: less is nearly fitted */
static const double steady_rate = 0.5;     /* of the highest: schedules end flat on purpose */

/* ---- sentences ---- */

void gf__add_loss(gf__text *out, const gf__case *c) {
  const gf__learning *l = &c->learning;
  if (l->epochs)
    gf__text_add(out, "The train loss went from %.3f to %.3f in %zu epoch%s.", l->first_loss,
                 l->loss, l->epochs, l->epochs == 1 ? "" : "s");
}

void gf__add_guess(gf__text *out, const gf__case *c) {
  const gf__guess *g = &c->run.guess;
  if (!c->learning.is_known) return;
  gf__text_add(out,
               " Guessing has a loss of %.3f and is right in %.1f%%; the train accuracy is "
               "%.1f%%.",
               g->loss, 100 * g->accuracy, 100 * c->learning.accuracy);
}

/* A metric of an epoch, counted from the last: 0 is the last. */
static double metric_at(const gf__case *c, gf__metric metric, size_t back) {
  const gf__csv *m = &c->run.metrics;
  return m->rows > back ? m->numbers[metric][m->rows - 1 - back] : (double)NAN;
}

/* ---- one class ---- */

static double predicted_classes(const gf__case *c, size_t back) {
  return metric_at(c, GF__PREDICTED_CLASSES, back);
}

/* Validation images that are not of their commonest class. */
static long others_in_validation(const gf__case *c) {
  const gf__data_record *data = &c->run.data;
  long most = 0;
  for (int i = 0; i < data->classes; i++)
    if (data->validation.class_images[i] > most) most = data->validation.class_images[i];
  return data->validation.images - most;
}

/* In the last two epochs, or the only one, every validation image was taken for one class. */
static bool is_one_in_validation(const gf__case *c) {
  enum { FEW = 3 };
  bool is_one = predicted_classes(c, 0) == 1;
  if (c->learning.epochs > 1) is_one = is_one && predicted_classes(c, 1) == 1;
  return is_one && others_in_validation(c) >= FEW;
}

/* Exactly as many training images were right as the commonest class has. */
static bool is_commonest(const gf__case *c, size_t back) {
  const gf__guess *g = &c->run.guess;
  double right = metric_at(c, GF__TRAIN_ACCURACY, back) / 100 * (double)g->images;
  return fabs(right - g->commonest * (double)g->images) < 0.25;
}

static bool is_one_in_training(const gf__case *c) {
  if (!(c->run.guess.commonest > 0) || c->learning.epochs < 2) return false;
  return is_commonest(c, 0) && is_commonest(c, 1);
}

bool gf__find_one_class(const gf__case *c, gf__draft *d) {
  const gf__guess *g = &c->run.guess;
  if (!c->learning.is_known || g->commonest >= 1) return false;
  bool is_imbalanced = g->commonest > imbalanced / g->present;
  bool in_validation = is_one_in_validation(c);
  bool in_training = is_imbalanced && is_one_in_training(c);
  /* Where classes are as large as each other, one that is guessed is nothing of its own. */
  if (!in_training && !(in_validation && (is_imbalanced || c->learning.is_better))) return false;
  gf__text_add(&d->headline, "%s: whatever the image, the answer is the same",
               gf_verdict_name(GF_VERDICT_ONE_CLASS));
  if (is_imbalanced)
    gf__text_add(&d->headline, "; class %d has %.1f%% of the training images", g->commonest_class,
                 100 * g->commonest);
  if (in_validation)
    gf__text_add(&d->evidence,
                 "All %ld validation images were taken for one class, and %ld of them are not of "
                 "the commonest. ",
                 c->run.data.validation.images, others_in_validation(c));
  if (in_training)
    gf__text_add(&d->evidence, "The train accuracy is exactly the fraction of that class. ");
  gf__add_loss(&d->evidence, c);
  gf__add_guess(&d->evidence, c);
  return true;
}

/* ---- guessing ---- */

bool gf__find_above_guessing(const gf__case *c, gf__draft *d) {
  const gf__learning *l = &c->learning;
  if (!l->is_known || l->epochs < 2) return false;
  double level = above * c->run.guess.uniform_loss, before = metric_at(c, GF__TRAIN_LOSS, 1);
  bool is_falling = l->loss < fallen * before && l->loss <= far_above * c->run.guess.uniform_loss;
  if (!(l->loss > level && before > level) || is_falling) return false;
  gf__text_add(&d->headline,
               "%s: after %zu epochs the train loss is %.3f, and ln %d = %.3f is that of guessing",
               gf_verdict_name(GF_VERDICT_ABOVE_GUESSING), l->epochs, l->loss, c->run.guess.classes,
               c->run.guess.uniform_loss);
  gf__add_loss(&d->evidence, c);
  gf__add_guess(&d->evidence, c);
  gf__add_typical(&d->evidence, c);
  return true;
}

/* Two epochs in a row that bring the loss down may be the beginning. */
static bool begins_to_fall(const gf__case *c) {
  double last = metric_at(c, GF__TRAIN_LOSS, 0), before = metric_at(c, GF__TRAIN_LOSS, 1),
         least = noticeable * c->run.guess.loss;
  return before - last > least && metric_at(c, GF__TRAIN_LOSS, 2) - before > least;
}

bool gf__find_not_learning(const gf__case *c, gf__draft *d) {
  const gf__learning *l = &c->learning;
  const gf__guess *g = &c->run.guess;
  if (!l->guesses || l->epochs < epochs_to_learn || l->steps < steps_to_learn) return false;
  if (begins_to_fall(c)) return false;
  gf__text_add(&d->headline,
               "not learning: after %zu epochs the train loss is %.3f and the accuracy %.1f%%, as "
               "by guessing among %d classes, although gradients flow",
               l->epochs, l->loss, 100 * l->accuracy, g->classes);
  gf__query q = gf__query_gradients(c, gf__is_below, 0);
  gf__add_ends(&d->evidence, &q, gf__mean_gradient);
  gf__add_typical(&d->evidence, c);
  if (predicted_classes(c, 0) == 1)
    gf__text_add(&d->evidence, " All validation images were taken for one class.");
  gf__text_add(&d->here, "Guessing has a loss of %.3f and an accuracy of %.3g%%", g->loss,
               100 * g->accuracy);
  if (g->images)
    gf__text_add(&d->here, ", at most %.3g%% of %ld images.", 100 * gf__guess_most(g), g->images);
  else
    gf__text_add(&d->here, ", at most %.3g%% here, as the number of images is not known.",
                 100 * gf__guess_most(g));
  return true;
}

/* ---- overfitting ---- */

/* Rows back from the last to the lowest validation loss. */
static size_t back_to_lowest(const gf__case *c) {
  size_t back = 0;
  for (size_t i = 1; i < c->learning.epochs; i++)
    if (metric_at(c, GF__VALIDATION_LOSS, i) < metric_at(c, GF__VALIDATION_LOSS, back)) back = i;
  return back;
}

/* Three standard deviations of the binomial distribution, and at least least_gap. */
static double gap_margin(const gf__case *c, double accuracy) {
  double images = (double)c->run.data.validation.images;
  if (images < 1) return least_gap;
  return fmax(least_gap, 3 * sqrt(accuracy * (1 - accuracy) / images));
}

bool gf__find_overfitting(const gf__case *c, gf__draft *d) {
  size_t back = back_to_lowest(c);
  double lowest = metric_at(c, GF__VALIDATION_LOSS, back),
         now = metric_at(c, GF__VALIDATION_LOSS, 0),
         accuracy = metric_at(c, GF__VALIDATION_ACCURACY, 0) / 100;
  bool has_risen = back >= overfitted_epochs && now >= risen * lowest;
  bool trains = c->learning.loss <= fallen * metric_at(c, GF__TRAIN_LOSS, back);
  bool has_gap = c->learning.accuracy - accuracy > gap_margin(c, accuracy);
  if (!has_risen || !trains || !has_gap) return false;
  double since = metric_at(c, GF__EPOCH, back);
  gf__text_add(&d->headline,
               "overfitting since epoch %.0f: the validation loss rose from %.3f to %.3f while the "
               "train loss fell from %.3f to %.3f",
               since, lowest, now, metric_at(c, GF__TRAIN_LOSS, back), c->learning.loss);
  gf__text_add(&d->evidence,
               "In the last epoch the accuracy is %.1f%% of the training images and %.1f%% of the "
               "validation images.",
               100 * c->learning.accuracy, 100 * accuracy);
  if (c->run.data.validation.images)
    gf__text_add(&d->evidence, " Of %ld validation images a gap above %.1f%% is not by chance.",
                 c->run.data.validation.images, 100 * gap_margin(c, accuracy));
  return true;
}

/* ---- plateau ---- */

/* The epochs since the loss was last lower by one part in a hundred than in all before. */
static size_t count_flat(const gf__case *c) {
  const double *losses = c->run.metrics.numbers[GF__TRAIN_LOSS];
  double lowest = INFINITY;
  size_t since = 0;
  for (size_t i = 0; i < c->learning.epochs; i++) {
    if (!(losses[i] < flat * lowest)) continue;
    lowest = losses[i];
    since = i;
  }
  return c->learning.epochs ? c->learning.epochs - 1 - since : 0;
}

bool gf__find_plateau(const gf__case *c, gf__draft *d) {
  const gf__learning *l = &c->learning;
  size_t count = count_flat(c);
  double guess = l->is_known ? c->run.guess.loss : l->first_loss;
  bool is_steady = !(metric_at(c, GF__LEARNING_RATE, 0) < steady_rate * c->rate);
  if (count < flat_epochs || 3 * count < l->epochs || !is_steady) return false;
  if (!l->is_better || l->loss < flat_loss * guess) return false;
  gf__text_add(&d->headline,
               "plateau: the train loss has not fallen below %.3f by more than 1%% for %zu epochs",
               l->best_loss, count);
  gf__add_loss(&d->evidence, c);
  gf__text_add(&d->evidence,
               " The rate is still %.3g. A loss that the labels themselves leave "
               "would be as flat.",
               metric_at(c, GF__LEARNING_RATE, 0));
  gf__add_typical(&d->evidence, c);
  return true;
}

/* ---- nothing wrong ---- */

bool gf__find_fitted(const gf__case *c, gf__draft *d) {
  const gf__learning *l = &c->learning;
  if (!l->is_fitted) return false;
  gf__text_add(&d->headline,
               "fitted: the train loss is %.1e and the accuracy %.1f%%, so gradients have little "
               "left to do",
               l->loss, 100 * l->accuracy);
  gf__add_loss(&d->evidence, c);
  gf__text_add(&d->evidence, " ");
  gf__query q = gf__query_gradients(c, gf__is_below, 0);
  gf__add_ends(&d->evidence, &q, gf__mean_gradient);
  return true;
}

bool gf__find_healthy(const gf__case *c, gf__draft *d) {
  gf__query q = gf__query_gradients(c, gf__is_below, 0);
  int last = q.epoch_count - 1;
  gf__extremes s = gf__extremes_of_last(&q);
  if (s.least < 0) {
    gf__text_add(&d->headline, "healthy: no rule holds");
    return true;
  }
  gf__text_add(&d->headline, "healthy: mean |gradient| of all %d layers between %.1e and %.1e",
               q.layer_count, gf__value_at(&q, last, s.least), gf__value_at(&q, last, s.most));
  gf__add_loss(&d->evidence, c);
  gf__add_typical(&d->evidence, c);
  if (c->learning.guesses)
    gf__text_add(&d->evidence,
                 " Loss and accuracy are still those of guessing, but %zu epoch%s of %.0f steps in "
                 "all are too few to judge that.",
                 c->learning.epochs, c->learning.epochs == 1 ? "" : "s", c->learning.steps);
  return true;
}
