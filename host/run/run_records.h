/* What a run folder's CSVs say, as columns to plot, and the threshold that goes with them. */
#ifndef GF_RUN_RUN_RECORDS_H
#define GF_RUN_RUN_RECORDS_H

#include "base/csv.h"
#include "run/early_steps.h"
#include "run/guess.h"
#include "run/thresholds.h"

/* The columns of metrics.csv; accuracies are read as fractions and kept in percent. */
typedef enum gf__metric {
  GF__EPOCH,
  GF__TRAIN_LOSS,
  GF__TRAIN_ACCURACY,
  GF__VALIDATION_LOSS,
  GF__VALIDATION_ACCURACY,
  GF__LEARNING_RATE,     /* NaN where the file lacks the column, as are the next two */
  GF__PREDICTED_CLASSES, /* of validation: how many classes were predicted at all */
  GF__MOST_PREDICTED,    /* and the fraction of the commonest of them */
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
  double *weight_norms; /* L2 norms of the weights; NaN where they were not recorded */
  gf__run_activations activations;
  gf__early_steps early;
  bool counts_steps;       /* what is called epoch here, in metrics as well, is a step */
  gf__vanishing vanishing; /* by the run's optimizer */
  gf__data_record data;    /* of no classes where it was not recorded */
  gf__guess guess;
} gf__run;

/* Free the result with gf__run_free. GF_ERROR_FILE without metrics.csv, GF_ERROR_DATA for a
 * CSV that is damaged; gradients.csv and activations.csv may be missing. */
gf_status gf__run_load(gf__run *out, const char *folder) GF_MUST_USE;
/* The same for charts: of a run with fewer than three epochs, which a chart of epochs would show as
 * a point or a line, each record is one of its own, and steps stand in place of epochs. */
gf_status gf__run_load_for_charts(gf__run *out, const char *folder) GF_MUST_USE;
/* The step of the last record of gradients; NaN without any. */
double gf__run_steps(const gf__run *run);
/* The label of the threshold that all of the runs have, or NULL where they have several. */
const char *gf__runs_threshold(const gf__run *runs, int count);
void gf__run_free(gf__run *run); /* clears; an empty one is fine */

#endif
