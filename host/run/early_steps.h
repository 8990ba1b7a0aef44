/* early_steps.csv of a run folder: what the layers did at the steps 0, 1, 2, 4, 8, …, so that a
 * signal that is lost in training has a date. docs/records.md has the columns. */
#ifndef GF_RUN_EARLY_STEPS_H
#define GF_RUN_EARLY_STEPS_H

#include "base/csv.h"
#include "run/run_folder.h"
#include "run/thresholds.h"

/* Whether the step after so many is recorded: 0, and each power of two. */
bool gf__early_steps_has(long step);

/* A record: the loss of a batch, and what the layers store and the gradients are on it. */
typedef struct gf__early_step {
  long step; /* updates of the weights before it */
  double loss;
  const gf_activation_stats *activations;
  const gf_gradient_stats *gradients;
  int activation_count, gradient_count;
} gf__early_step;
void gf__early_steps_add(gf__run_folder *folder, const gf__early_step *step);
/* Logs one line on the fresh network, whose record it is. */
void gf__early_steps_log(const gf__early_step *step, const gf__vanishing *vanishing);

/* What the file says; all counts are 0 without it, as in runs of older programs. */
typedef struct gf__early_steps {
  gf__csv csv; /* owns the names */
  int layer_count, step_count;
  const char **layers;    /* (layer_count) from input to output */
  double *steps, *losses; /* (step_count) */
  /* (step_count, layer_count) each; NaN where a layer has no activation, or no weight. */
  double *rms, *contrast, *dead, *mean_abs;
} gf__early_steps;

/* Free the result, also after a failure. GF_ERROR_DATA for a file that is damaged. */
gf_status gf__early_steps_load(gf__early_steps *out, const char *folder) GF_MUST_USE;
void gf__early_steps_free(gf__early_steps *steps); /* clears; an empty one is fine */

#endif
