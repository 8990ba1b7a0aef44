/* A network of one layer, whose passes are measured. */
#ifndef GF_BENCH_CASE_H
#define GF_BENCH_CASE_H

#include "model/model.h"

typedef struct gf__bench_case {
  const gf__layer *layer;
  const char *keys; /* of a config, each behind a comma: ", kernel: [3, 2]"; or "" */
  gf_image_shape image;
} gf__bench_case;

/* The network for batches of batch images, ready to train, with numbers in its operands. algorithm
 * and tune are as in a config. */
gf_status gf__bench_case_open(gf_model **out, gf_device *device, const gf__bench_case *of,
                              int batch, const char *algorithm, const char *tune) GF_MUST_USE;

/* A pass over the layer of such a network. */
typedef struct gf__bench_pass {
  const char *name; /* "forward" */
  gf_status (*run)(gf_node *node, const gf__pass *pass);
} gf__bench_pass;

/* Ended by a row without a name. The passes of a convolution are in the order of gf__conv_direction.
 */
const gf__bench_pass *gf__bench_passes(const gf__layer *layer);

/* Of pass number p over the images of the model's pass, as of direct convolution. */
double gf__bench_flops(const gf_model *model, int p);
/* The bytes that it reads and writes at least. */
double gf__bench_bytes(const gf_model *model, int p);

#endif
