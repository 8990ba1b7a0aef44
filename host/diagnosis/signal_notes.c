/* What the numbers of a fresh network say: the headline, and a note for each thing that is wrong.
 */
#include <math.h>
#include <stdlib.h>

#include "diagnosis/signal.h"

static const double unusual_mean = 1, least_deviation = 0.1, most_deviation = 5; /* of inputs */
static const double dead_fraction = 0.4; /* as in the rules of a run */
static const double far_from_guess = 2;  /* times the loss of guessing */
static const double usual_class = 3;     /* times the images of a class that are to be expected */
static const double exploded = 10;       /* mean |g|; norms alone bring it to 1 */

static gf_status add_note(gf__fresh *s, gf__text *text) {
  gf_status status = gf__text_status(text);
  gf_signal *out = &s->signal;
  if (status == GF_OK && text->data && out->note_count < GF_MOST_SIGNAL_NOTES)
    out->notes[out->note_count++] = text->data;
  else
    gf__text_free(text);
  return status;
}

/* ---- the signal ---- */

static void note_signal(const gf__fresh *s, gf__text *out) {
  const gf__signal_course *c = &s->course;
  gf__signal_end end = gf__signal_end_of(c);
  if (end.state != GF__SIGNAL_IS_LOST && end.state != GF__SIGNAL_IS_FAINT) return;
  if (end.state == GF__SIGNAL_IS_LOST)
    gf__text_add(
        out,
        "Signal lost forward: in %s the contrast is %.1e, which is what rounding leaves in "
        "single precision; the logits do not depend on the image.",
        c->layers[end.at], c->contrast[end.at]);
  else
    gf__text_add(out,
                 "Signal faint forward: from %s on the contrast is below %s, and %.1e at %s: the "
                 "images differ by less than a thousandth of the values.",
                 c->layers[end.at], gf__shorten(GF__SIGNAL_FAINT).text, c->contrast[end.last],
                 c->layers[end.last]);
  if (end.steepest < 0) return;
  int before = end.steepest - 1;
  while (before > 0 && isnan(c->contrast[before])) before--;
  gf__text_add(out, " The largest loss in one layer is in %s, by a factor of %.3g.",
               c->layers[end.steepest], c->contrast[before] / c->contrast[end.steepest]);
}

static void note_gradient(const gf__fresh *s, gf__text *out) {
  const gf__signal_course *c = &s->course;
  gf__gradient_ends g = gf__gradient_ends_of(c, s->vanishing.level);
  if (g.lost < 0) return;
  gf__text_add(out,
               "Gradient faint backward: mean |gradient| is below %s in %d layers, from %s towards "
               "the input, and falls by a factor of %.3g between %s (%.1e) and %s (%.1e).",
               s->vanishing.label, g.lost_count, c->layers[g.lost],
               c->mean_abs[g.most] / c->mean_abs[g.least], c->layers[g.most], c->mean_abs[g.most],
               c->layers[g.least], c->mean_abs[g.least]);
}

static void note_exploding(const gf__fresh *s, gf__text *out) {
  const gf__signal_course *c = &s->course;
  gf__gradient_ends g = gf__gradient_ends_of(c, 0);
  if (g.most < 0 || !(c->mean_abs[g.most] > exploded)) return;
  gf__text_add(out,
               "Gradient explodes: mean |gradient| is %.1e in %s, and above 10 a usual step is "
               "larger than the weights.",
               c->mean_abs[g.most], c->layers[g.most]);
}

static void note_dead(const gf__fresh *s, gf__text *out) {
  const gf__signal_course *c = &s->course;
  int count = 0, most = -1;
  for (int i = 0; i < c->count; i++) {
    if (!(c->dead[i] > dead_fraction)) continue;
    count++;
    if (most < 0 || c->dead[i] > c->dead[most]) most = i;
  }
  if (count == 0) return;
  gf__text_add(out,
               "Dead at the start: in %d activation%s more than 40%% of the channels let no "
               "gradient through, up to %.0f%% in %s.",
               count, count == 1 ? "" : "s", 100 * c->dead[most], c->layers[most]);
}

static void note_loss(const gf__fresh *s, gf__text *out) {
  double loss = s->signal.loss, guess = s->signal.guess;
  if (isfinite(loss) && loss <= far_from_guess * guess) return;
  gf__text_add(out,
               "The loss begins at %.3g, and that of guessing is %.3f: the scale of the logits "
               "is too large, or something is not finite.",
               loss, guess);
}

/* ---- the data ---- */

static void note_inputs(const gf__fresh *s, gf__text *out) {
  const gf_signal_batch *b = &s->signal.batch;
  for (int c = 0; c < b->channels; c++) {
    bool is_usual = fabs(b->mean[c]) <= unusual_mean && b->deviation[c] >= least_deviation &&
                    b->deviation[c] <= most_deviation;
    if (is_usual) continue;
    gf__text_add(out,
                 "The inputs are not normalised: channel %d has mean %.3g and deviation %.3g, "
                 "and 0 and 1 are usual; see data.mean and data.std.",
                 c, b->mean[c], b->deviation[c]);
    return;
  }
}

static void note_images(const gf__fresh *s, gf__text *out) {
  const gf_signal_batch *b = &s->signal.batch;
  const char *between = "";
  if (b->nonfinite) {
    gf__text_add(out, "%d values of the images are not finite.", b->nonfinite);
    between = " ";
  }
  if (b->constant) {
    gf__text_add(out, "%s%d of %d images have the same value everywhere.", between, b->constant,
                 b->images);
    between = " ";
  }
  if (b->duplicates)
    gf__text_add(out, "%s%d of %d images are equal to another one of the batch.", between,
                 b->duplicates, b->images);
}

static void note_labels(const gf__fresh *s, gf__text *out) {
  const gf_signal_batch *b = &s->signal.batch;
  int most = 0;
  if (b->wrong_labels) {
    gf__text_add(out, "%d labels are not between 0 and %d.", b->wrong_labels, b->classes - 1);
    return;
  }
  for (int c = 0; c < b->classes; c++)
    if (b->class_images[c] > b->class_images[most]) most = c;
  double expected = (double)b->images / b->classes;
  double chance = expected + usual_class * sqrt(expected) + 1;
  if (b->class_images[most] <= usual_class * expected || b->class_images[most] <= chance) return;
  gf__text_add(out,
               "The classes are uneven: %d of %d images are of class %d, and %.3g would be "
               "with even ones.",
               b->class_images[most], b->images, most, expected);
}

/* ---- all ---- */

static gf_status fill_course(gf__fresh *s) {
  size_t count = (size_t)s->signal.layer_count;
  s->names = malloc((count + 1) * sizeof *s->names);
  s->course_numbers = malloc((3 * count + 1) * sizeof *s->course_numbers);
  if (!s->names || !s->course_numbers) return gf__fail_host_memory(3 * count * sizeof(double));
  double *contrast = s->course_numbers, *mean_abs = contrast + count, *dead = mean_abs + count;
  for (size_t i = 0; i < count; i++) {
    s->names[i] = s->layers[i].layer;
    contrast[i] = s->layers[i].contrast;
    mean_abs[i] = s->layers[i].mean_abs;
    dead[i] = s->layers[i].dead;
  }
  s->course = (gf__signal_course){(int)count, s->names, contrast, mean_abs, dead};
  return GF_OK;
}

gf_status gf__signal_judge(gf__fresh *s) {
  static void (*const notes[])(const gf__fresh *s, gf__text *out) = {
      note_signal, note_gradient, note_exploding, note_dead,
      note_loss,   note_inputs,   note_images,    note_labels};
  _Static_assert(sizeof notes / sizeof *notes <= GF_MOST_SIGNAL_NOTES, "all have room");
  GF_TRY(fill_course(s));
  for (size_t i = 0; i < sizeof notes / sizeof *notes; i++) {
    gf__text text = {0};
    notes[i](s, &text);
    GF_TRY(add_note(s, &text));
  }
  gf__text line = {0};
  gf__signal_add_line(&line, &s->course, &s->vanishing);
  gf_status status = gf__text_status(&line);
  s->signal.headline = line.data;
  return status;
}
