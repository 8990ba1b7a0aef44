/* What a run's folder says of it. */
#ifndef GF_STUDY_OUTCOME_H
#define GF_STUDY_OUTCOME_H

#include <gradflow/diagnosis.h>

#include "run/guess.h"
#include "study/study.h"

typedef struct gf__outcome {
  gf_run_state state;
  /* By gf__column, accuracies in percent: of training those of the last epoch; of validation
   * those of the epoch with the best accuracy, the first of several; of the test those of its
   * weights, by test.json; gradients of finished runs, those of the last epoch. NaN where there
   * is none. */
  double values[GF__COLUMN_COUNT];
  int classes;        /* by test.json; 0 unknown */
  gf__guess guess;    /* of 0 classes where they are not known */
  bool at_chance;     /* finished, with the loss and the accuracy of guessing in training */
  gf_verdict verdict; /* the diagnosis' first; GF_VERDICT_COUNT where nothing can be said */
  /* How the run's config differs from the study's, owned, or NULL; such a run has no values. */
  char *difference;
  bool has_stale_test; /* test.json is of weights that the run has no more, so it is left out */
} gf__outcome;

/* Of a run that says nothing. */
gf__outcome gf__outcome_none(void);
/* GF_ERROR_DATA for files that are damaged; a run that is not there is none. */
gf_status gf__outcome_load(gf__outcome *out, const char *folder) GF_MUST_USE;

/* Tests the weights of a finished run into its test.json; one of the same weights is kept, and one
 * of an earlier version, which does not say of which weights it is. */
gf_status gf__outcome_test(gf_device *device, const char *folder) GF_MUST_USE;

#endif
