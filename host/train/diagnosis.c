/* What the gradients of a run did, in words. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <gradflow/train.h>

#include "base/text.h"
#include "report/runs.h"

/* Adam divides by the root of the squared gradient plus eps, which is 1e-8 by
 * default (Kingma and Ba, 2015): gradients below it move the weights less than
 * the learning rate says, and far below it not at all. */
static const double vanished = 1e-8;
/* A mean |g| above 1 means steps larger than the weights for any usual rate of
 * plain gradient descent (weights begin below 1/sqrt(fan_in)). */
static const double exploded = 1.0;

typedef struct span {
  int below, above, nonfinite; /* layers */
  int last_below;              /* the one nearest to the output, or -1 */
  double least, most;
} span;

static span look(const double *means, int layers) {
  span s = {.last_below = -1, .least = INFINITY};
  for (int i = 0; i < layers; i++) {
    if (!isfinite(means[i])) {
      s.nonfinite++;
      continue;
    }
    if (means[i] < vanished) {
      s.below++;
      s.last_below = i;
    }
    s.above += means[i] > exploded;
    s.least = fmin(s.least, means[i]);
    s.most = fmax(s.most, means[i]);
  }
  return s;
}

static void describe(gf__text *out, const gf__run *run) {
  int layers = run->layer_count;
  const double *means = run->mean_gradients + (size_t)(run->epoch_count - 1) * (size_t)layers;
  span s = look(means, layers);
  if (s.nonfinite)
    gf__text_add(out, "exploding: the gradients of %d of %d layers are not finite", s.nonfinite,
                 layers);
  else if (s.above)
    gf__text_add(out, "exploding: %d of %d layers above %g, up to %.1e", s.above, layers, exploded,
                 s.most);
  else if (s.below)
    gf__text_add(out, "vanishing: %d of %d layers below 1e-8, from %s towards the input", s.below,
                 layers, run->layers[s.last_below]);
  else
    gf__text_add(out, "healthy: mean |gradient| of all %d layers between %.1e and %.1e", layers,
                 s.least, s.most);
}

gf_status gf_diagnose(const char *run_folder, char **out) {
  gf__run run;
  gf__text text = {0};
  *out = NULL;
  GF_TRY(gf__run_load(&run, run_folder));
  gf_status status = GF_OK;
  if (run.epoch_count == 0 || run.layer_count == 0)
    status = gf__fail(GF_ERROR_DATA, "%s has no records of gradients; no epoch was finished",
                      run_folder);
  else
    describe(&text, &run);
  gf__run_free(&run);
  if (status == GF_OK) status = gf__text_status(&text);
  if (status != GF_OK) gf__text_free(&text);
  *out = text.data;
  return status;
}
