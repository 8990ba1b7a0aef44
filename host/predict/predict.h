/* What predictions are made of: a run's network with the names of its classes, and the gradient
 * with respect to its input. */
#ifndef GF_PREDICT_PREDICT_H
#define GF_PREDICT_PREDICT_H

#include <gradflow/predict.h>

#include "data/dataset.h"
#include "model/model.h"
#include "run/network.h"
#include "run/run_folder.h"

/* predictor.c */
struct gf_predictor {
  gf_config *config;
  char weights[GF__PATH_SIZE];
  gf_dataset *data; /* that the run was trained on, without its images */
  gf__network network; /* of the run; names may point into it */
  gf__class_names names;
  int classes;
  gf_model *model, *saliency; /* saliency is NULL where no maps are wanted */
  int batch;
  size_t size;            /* values of an image */
  float *images, *logits; /* (batch, size), (batch, classes) */
};

gf_status gf__predictor_open_with(gf_predictor **out, gf_device *device, const char *folder,
                                  const char *classes, bool saliency) GF_MUST_USE;
/* The logits of the first count images. */
gf_status gf__predictor_run(gf_predictor *predictor, int count) GF_MUST_USE;
/* False, and out anything, where a logit is not finite. out: (classes). */
bool gf__softmax(const float *logits, int classes, double *out);

/* saliency.c: opens a network with the weights of trained that can give its input's gradient. */
gf_status gf__saliency_open(gf_model **out, gf_model *trained, const gf_config *config) GF_MUST_USE;
/* d logit / d image of one class for each of count images, (count, height, width, channels), in
 * inference: the running statistics of norms are constants. classes: (count). */
gf_status gf__saliency_gradient(gf_model *model, const float *images, const int *classes, int count,
                                float *out) GF_MUST_USE;

#endif
