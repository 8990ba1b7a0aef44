/* The thresholds that records of a run are compared with, wherever that is done: the verdict of a
 * diagnosis, the live view of a training run, and the lines in charts. */
#ifndef GF_RUN_THRESHOLDS_H
#define GF_RUN_THRESHOLDS_H

#include <stdbool.h>

#include "base/config.h"

/* "1e-8" of 1e-8, for which printf has "1e-08". */
typedef struct gf__short_number {
  char text[32];
} gf__short_number;
gf__short_number gf__shorten(double value);

/* When the gradient of a layer counts as vanished. */
typedef struct gf__vanishing {
  double level;            /* a mean |gradient| below it has vanished */
  bool is_eps;             /* level is what the optimizer adds to the root of the mean square */
  char optimizer[32];      /* its kind; empty where it is not known */
  gf__short_number number; /* level as text */
  char label[64];          /* what a line in a chart is called */
} gf__vanishing;

/* The threshold of an optimizer: its eps, below which its steps shrink with the gradient; 1e-8
 * where it has none, and eps is NaN: there its steps are lost in the rounding of the weights. kind
 * is NULL where nothing is known of the run; it is judged as one of Adam with its defaults then. */
gf__vanishing gf__vanishing_of(const char *kind, double eps);
/* The threshold of a config's optimizer; that of an unknown one where its section cannot be read.
 */
gf__vanishing gf__vanishing_of_config(const gf_config *config);
/* A gradient that is lost on its way is this many times smaller than at the output; trained
 * networks stay within a factor of 100. */
#define GF__LOST_SCALE 1e-3
/* Whether a layer's mean |gradient| has vanished: it is below the level and, for that of the layer
 * nearest to the output, small. output: NaN where it is not known. */
bool gf__gradient_is_lost(const gf__vanishing *vanishing, double mean_abs, double output);

/* Whether the layer is of an auxiliary classifier, which records have after the logits. */
bool gf__layer_is_auxiliary(const char *layer);

/* The learning rate that the optimizer usually takes; NaN of one that is not known here. */
double gf__usual_rate(const char *optimizer);

/* Whether both have the same level and the same label, so that one line stands for both. */
bool gf__vanishing_is_same(const gf__vanishing *a, const gf__vanishing *b);

#endif
