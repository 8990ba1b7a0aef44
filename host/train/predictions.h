/* Which classes the images of a validation split were taken for. */
#ifndef GF_TRAIN_PREDICTIONS_H
#define GF_TRAIN_PREDICTIONS_H

#include <gradflow/communicator.h>

#include "model/model.h"

/* Zero-initialise it, and free it. */
typedef struct gf__predictions {
  int classes;
  double *images; /* (classes) that were taken for each class */
  float *logits;  /* (batch, classes) */
} gf__predictions;

/* Counts for the model begin at 0. */
gf_status gf__predictions_begin(gf__predictions *predictions, const gf_model *model) GF_MUST_USE;
/* Adds the images of the model's last forward pass. Scores that are not numbers predict nothing.
 * Waits. */
gf_status gf__predictions_add(gf__predictions *predictions, gf_model *model) GF_MUST_USE;
/* Those of each rank become those of all. */
gf_status gf__predictions_sum(gf__predictions *predictions,
                              gf_communicator *communicator) GF_MUST_USE;
/* How many classes were predicted at least once. */
int gf__predictions_classes(const gf__predictions *predictions);
/* The fraction of the images that were taken for the commonest class; NaN without any. */
double gf__predictions_most(const gf__predictions *predictions);
void gf__predictions_free(gf__predictions *predictions);

#endif
