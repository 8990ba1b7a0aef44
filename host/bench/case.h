/* A network of one layer, which is measured in each direction. */
#ifndef GF_BENCH_CASE_H
#define GF_BENCH_CASE_H

#include "model/model.h"

typedef struct gf__bench_case {
  const gf__layer *layer;
  const char *keys; /* of a config, each after a comma: ", kernel: [3, 2]"; or "" */
  gf_image_shape image;
} gf__bench_case;

/* The network for batches of batch images, ready to train, with numbers in its operands. algorithm
 * and tune are as in a config. */
gf_status gf__bench_case_open(gf_model **out, gf_device *device, const gf__bench_case *of,
                              int batch, const char *algorithm, const char *tune) GF_MUST_USE;

/* What is measured of the layer of such a network. */
typedef struct gf__bench_direction {
  const char *name; /* "forward" */
  gf_status (*queue)(gf_node *node, const gf__pass *pass);
} gf__bench_direction;

/* Ended by a row without a name. A convolution's are in the order of gf__conv_direction. */
const gf__bench_direction *gf__bench_directions(const gf__layer *layer);

/* A layer and a direction of it, for gf__bench_queue_layer, which is a gf__bench_work. */
typedef struct gf__bench_layer_work {
  gf_model *model;
  const gf__bench_direction *direction;
} gf__bench_layer_work;

gf_status gf__bench_queue_layer(void *layer_work) GF_MUST_USE;

/* What direction number d costs over the images of the model's pass: flops as of direct
 * convolution, and the bytes that it reads and writes at least. */
double gf__bench_flops(const gf_model *model, int d);
double gf__bench_bytes(const gf_model *model, int d);

#endif
