/* What a run folder's CSVs say, as columns to plot, and the threshold that goes with them. */
#ifndef GF_RUN_RUN_RECORDS_H
#define GF_RUN_RUN_RECORDS_H

#include "base/csv.h"
#include "run/early_steps.h"
#include "run/thresholds.h"

/* The columns of metrics.csv; accuracies are read as fractions and kept in percent. */
typedef enum gf__metric {
  GF__EPOCH,
  GF__TRAIN_LOSS,
  GF__TRAIN_ACCURACY,
  GF__VALIDATION_LOSS,
  GF__VALIDATION_ACCURACY,
  GF__METRIC_COUNT
} gf__metric;

/* What activations.csv says. */
typedef struct gf__run_activations {
  gf__csv csv;         /* where the names stand */
  int layer_count;     /* 0 without the file */
  const char **layers; /* (layer_count) from input to output */
  int epoch_count;
  double *epochs; /* (epoch_count) */
  /* (epoch_count, layer_count) each, of the epoch's last record; dead, a share of channels, is
   * NaN for a layer that has no activation; contrasts are all NaN in a run of an older program. */
  double *means, *deviations, *dead, *contrasts;
} gf__run_activations;

typedef struct gf__run {
  const char *folder; /* the caller's */
  char *name;         /* the folder's base name */
  gf__csv metrics;    /* numbers by gf__metric */
  gf__csv gradients;
  int layer_count;     /* 0 without gradients */
  const char **layers; /* (layer_count) weight tensors from input to output, without ".weight" */
  int epoch_count;     /* epochs with gradients */
  double *epochs;      /* (epoch_count) */
  /* (epoch_count, layer_count) each, of the epoch's last record: mean |g|, its L2 norm, the
   * share of elements that are 0, and how far the step moved the weights for their size. */
  double *mean_gradients, *l2_norms, *zeros, *update_ratios;
  gf__run_activations activations;
  gf__early_steps early;
  gf__vanishing vanishing; /* by the run's optimizer */
} gf__run;

/* Free the result with gf__run_free. GF_ERROR_FILE without metrics.csv, GF_ERROR_DATA for a
 * CSV that is damaged; gradients.csv and activations.csv may be missing. */
gf_status gf__run_load(gf__run *out, const char *folder) GF_MUST_USE;
/* The label of the threshold that all of the runs have, or NULL where they have several. */
const char *gf__runs_threshold(const gf__run *runs, int count);
void gf__run_free(gf__run *run); /* clears; an empty one is fine */

#endif
