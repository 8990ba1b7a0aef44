/* Rules about what reaches the network: its inputs, and norms that leave nothing of them. */
#include <math.h>
#include <string.h>

#include "diagnosis/rules.h"

/* Inputs are usually within a factor of 2 of mean 0 and deviation 1. */
static const double most_input = 10, least_input = 0.02;
static const double least_contrast = 1e-12; /* single precision rounds the rest of it away */

/* ---- norms ---- */

bool gf__find_norm_of_one(const gf__case *c, gf__draft *d) {
  const gf__network *n = &c->network;
  const gf__network_layer *first = NULL;
  int count = 0, norms = 0;
  for (int i = 0; i < n->layer_count; i++) {
    if (strcmp(n->layers[i].kind, "batch_norm") != 0) continue;
    norms++;
    if (n->images.norms * n->layers[i].pixels != 1) continue;
    if (!first) first = &n->layers[i];
    count++;
  }
  if (!first) return false;
  gf__text_add(&d->headline,
               "%s: %d of %d batch norms see one value of each channel, the first from the input "
               "%s, and store their shift whatever the image",
               gf_verdict_name(GF_VERDICT_NORM_OF_ONE), count, norms, first->name);
  gf__text_add(&d->evidence,
               "A batch norm of this run sees %d image%s at a time, and the output of %s has %ld "
               "pixel%s.",
               n->images.norms, n->images.norms == 1 ? "" : "s", first->name, first->pixels,
               first->pixels == 1 ? "" : "s");
  return true;
}

/* ---- inputs ---- */

bool gf__find_constant_input(const gf__case *c, gf__draft *d) {
  const gf__input_statistics *s = &c->run.data.input;
  if (s->images < 2 || !(s->contrast < least_contrast)) return false;
  gf__text_add(&d->headline, "%s: the %d images of the first batch are all the same",
               gf_verdict_name(GF_VERDICT_INPUT_CONSTANT), s->images);
  gf__text_add(&d->evidence,
               "%.1e of the energy of its pixels differs between images. The mean of the first "
               "channel is %.3g, its deviation %.3g.",
               s->contrast, s->mean[0], s->deviation[0]);
  return true;
}

static bool is_far(double mean, double deviation) {
  return fabs(mean) > most_input || deviation > most_input || deviation < least_input;
}

bool gf__find_input_scale(const gf__case *c, gf__draft *d) {
  const gf__input_statistics *s = &c->run.data.input;
  int far = -1, count = 0;
  for (int i = 0; i < s->channels; i++) {
    if (!is_far(s->mean[i], s->deviation[i])) continue;
    if (far < 0) far = i;
    count++;
  }
  /* A channel of many that is constant, such as a dead band of a sensor, does no harm. */
  if (2 * count <= s->channels) return false;
  gf__text_add(&d->headline,
               "%s: the input has mean %.3g and deviation %.3g, and 0 and 1 are usual",
               gf_verdict_name(GF_VERDICT_INPUT_SCALE), s->mean[far], s->deviation[far]);
  gf__text_add(&d->evidence,
               "That is channel %d over the %d images of the first batch; %d of %d channel%s so.",
               far, s->images, count, s->channels, s->channels == 1 ? " is" : "s are");
  return true;
}
