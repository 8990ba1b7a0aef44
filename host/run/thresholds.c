#include "run/thresholds.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "train/optimizers.h"

/* Adam's default (Kingma and Ba, 2015). */
static const double usual_eps = 1e-8;
/* Single precision has no normal numbers below it. */
static const double least_eps = 1.18e-38;

gf__short_number gf__shorten(double value) {
  gf__short_number n;
  snprintf(n.text, sizeof n.text, "%.3g", value);
  char *zeros = strstr(n.text, "e-0");
  if (zeros) memmove(zeros + 2, zeros + 3, strlen(zeros + 3) + 1);
  return n;
}

gf__vanishing gf__vanishing_of(const char *kind, double eps) {
  gf__vanishing v = {.level = isnan(eps) ? usual_eps : fmax(eps, least_eps),
                     .is_eps = !kind || !isnan(eps)};
  snprintf(v.optimizer, sizeof v.optimizer, "%s", kind ? kind : "");
  v.number = gf__shorten(v.level);
  if (v.is_eps)
    snprintf(v.label, sizeof v.label, "%s's eps, %s", kind ? kind : "adam", v.number.text);
  else
    snprintf(v.label, sizeof v.label, "vanished below %s", v.number.text);
  return v;
}

gf__vanishing gf__vanishing_of_config(const gf_config *config) {
  gf__optimizer_config optimizer;
  if (gf__optimizer_config_read(&optimizer, config) != GF_OK) return gf__vanishing_of(NULL, NAN);
  gf__vanishing v =
      gf__vanishing_of(gf__optimizers[optimizer.kind]->name, gf__optimizer_eps(&optimizer));
  gf__optimizer_config_free(&optimizer);
  return v;
}

bool gf__gradient_is_lost(const gf__vanishing *v, double mean_abs, double output) {
  if (!(mean_abs < v->level)) return false;
  return !(mean_abs >= GF__LOST_SCALE * output);
}

bool gf__layer_is_auxiliary(const char *layer) {
  static const char prefix[] = "auxiliary_";
  return strncmp(layer, prefix, sizeof prefix - 1) == 0;
}

/* Kingma and Ba (2015) for Adam. Of gradient descent with momentum the middle of what is usual,
 * 0.01 to 0.1 (Bengio, 2012; He et al., 2015b). */
double gf__usual_rate(const char *optimizer) {
  static const struct {
    const char *name;
    double rate;
  } usual[] = {{"adam", 1e-3}, {"adamw", 1e-3}, {"rmsprop", 1e-3}, {"sgd", 0.03}};
  for (size_t i = 0; optimizer && i < sizeof usual / sizeof *usual; i++)
    if (!strcmp(usual[i].name, optimizer)) return usual[i].rate;
  return (double)NAN;
}

bool gf__vanishing_is_same(const gf__vanishing *a, const gf__vanishing *b) {
  return a->level == b->level && !strcmp(a->label, b->label);
}
