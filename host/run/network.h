/* network.json of a run folder: the structure of the network that was trained, its classes, and its
 * optimizer. docs/records.md has the format. */
#ifndef GF_RUN_NETWORK_H
#define GF_RUN_NETWORK_H

#include <jansson.h>

#include <gradflow/data.h>
#include <gradflow/model.h>

#include "base/config.h"

/* How many images the statistics of a record are of; 0 where that is not known. */
typedef struct gf__record_images {
  int gradients, activations;
  int norms; /* that a batch norm sees together in training, at least; 0 where that is not known */
} gf__record_images;

typedef struct gf__network_layer {
  const char *name, *kind;
  const char *activation; /* the layer whose activation this one's output goes through, or NULL */
  const char *input;      /* the first layer that it reads, or NULL */
  long pixels;            /* of its output for one image; 0 where that is not known */
  double elements;        /* trainable ones; 0 where that is not known */
} gf__network_layer;

/* What network.json says, as far as it is read. */
typedef struct gf__network {
  json_t *json;             /* owns the texts */
  gf_image_shape image;     /* 0 x 0 x 0 where it is not known */
  int classes;              /* 0 where they are not known, or there are none */
  const char **class_names; /* (classes), or NULL where they are not known */
  const char *optimizer;    /* its kind, or NULL where it is not known */
  double eps;               /* of the optimizer; NaN where it has none */
  const char *logit_layer;  /* or NULL */
  gf__record_images images; /* of the statistics */
  const char *framework;    /* "pytorch", "keras", …; NULL for gradflow's own runs */
  int layer_count;
  gf__network_layer *layers; /* (layer_count) from input to output */
} gf__network;

/* The content of network.json for a config whose data set is data; needs no device. The caller
 * frees *out with json_decref. */
gf_status gf__network_describe(json_t **out, const gf_config *config, const gf_dataset_info *data,
                               gf__record_images images) GF_MUST_USE;
/* Writes network.json into the folder. */
gf_status gf__network_write(const char *folder, const gf_config *config,
                            const gf_dataset_info *data, gf__record_images images) GF_MUST_USE;
/* Reads network.json; where there is none, as in runs of older programs, the network is built from
 * config.yaml. GF_ERROR_DATA for a damaged file; GF_ERROR_FILE or the builder's error, with both
 * reasons, where neither is to be had. Free *out, also after a failure. */
gf_status gf__network_read(gf__network *out, const char *folder) GF_MUST_USE;
/* The same for those who need the shape of the images and the number of classes: GF_ERROR_DATA
 * where they are not known. */
gf_status gf__network_read_shaped(gf__network *out, const char *folder) GF_MUST_USE;
void gf__network_free(gf__network *network); /* clears; an empty one is fine */

/* The layer of that name, or NULL. */
const gf__network_layer *gf__network_find(const gf__network *network, const char *name);

#endif
