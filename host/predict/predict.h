/* What predictions are made of: image files as the network takes them, the names of its classes,
 * and the gradient with respect to its input. */
#ifndef GF_PREDICT_PREDICT_H
#define GF_PREDICT_PREDICT_H

#include <gradflow/predict.h>

#include "data/dataset.h"
#include "model/model.h"
#include "run/network.h"
#include "run/run_folder.h"

/* predict_input.c: how a data set would have treated an image file. Needs none of its files. */
typedef struct gf__predict_input {
  gf__data_settings settings;
  gf_dataset_info info; /* classes 0: the data set alone does not tell */
  gf__transform transform;
  int side; /* of the square that is read; the rest of the image is a black border */
  uint8_t *rgb;
} gf__predict_input;

gf_status gf__predict_input_open(gf__predict_input *out, const gf_config *config) GF_MUST_USE;
void gf__predict_input_free(gf__predict_input *input);
/* pixels and floats are (height, width, channels); floats are normalised. */
gf_status gf__predict_input_read(const gf__predict_input *input, const char *path, uint8_t *pixels,
                                 float *floats) GF_MUST_USE;
/* By its name: .jpg, .jpeg or .png in any case, and no dot in front. */
bool gf__predict_is_image(const char *name);

/* predict_classes.c */
typedef struct gf__class_names {
  int count;
  const char **v; /* (count), or NULL where they are not known */
  gf__text text;  /* that v points into */
} gf__class_names;

/* From the file, or else from the data set's files where they are there; without either the count
 * is that of the classes. GF_ERROR_DATA where their number is not input->info.classes. Free *out,
 * also after a failure. */
gf_status gf__class_names_read(gf__class_names *out, const gf__predict_input *input,
                               const char *file) GF_MUST_USE;
void gf__class_names_free(gf__class_names *names);

/* predictor.c */
struct gf_predictor {
  gf_config *config;
  char weights[GF__RUN_PATH_SIZE];
  gf__predict_input input;
  gf__network network; /* of the run; names may point into it */
  gf__class_names names;
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
