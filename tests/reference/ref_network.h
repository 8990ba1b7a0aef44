/* The networks of the vgg family in double precision, on top of reference.h:
 * forward, loss, every gradient, Adam. Slow and plain, for tests.
 *
 *   entry       conv 3x3 without bias, batch norm, leaky ReLU
 *   a stage     blocks x [conv, lrelu, conv, lrelu], without bias; then a
 *               reduction [conv, lrelu, avg pool 2x2, conv, lrelu], with bias
 *   the end     average pool over what is left, linear with bias
 *   shortcut    out = lrelu(conv_1(x1) + x) in each block; in a reduction x and
 *               x1 are both pooled
 *   norm_every  a batch norm after every conv, before the sum and the activation
 *
 * Convolutions are 3x3, stride 1, padding 1. Batch norm has eps 1e-5 and
 * momentum 0.1; Adam has betas 0.9 and 0.999 and eps 1e-8. */
#ifndef REF_NETWORK_H
#define REF_NETWORK_H

#include <stdbool.h>
#include <stddef.h>

typedef struct ref_network_options {
  int height, width, channels; /* of an image; each stage halves, rounding down */
  int classes;
  int stages, blocks_per_stage, filters;
  bool shortcut, norm_every;
  double slope; /* of the leaky ReLU, 0.01 in the study */
  int batch;    /* the most images that a pass may have */
} ref_network_options;

typedef struct ref_network ref_network;

/* Values are 0, except for norm weights and running variances, which are 1.
 * NULL if memory runs out or nothing is left of the image. The caller frees it. */
ref_network *ref_network_new(const ref_network_options *options);
void ref_network_free(ref_network **network);

/* Layouts of PyTorch: conv weight (filters, channels, 3, 3), linear weight
 * (outputs, inputs), vectors (count). value and gradient belong to the network. */
typedef struct ref_tensor {
  char name[64]; /* "block_0_0_conv_0.weight" */
  int dims[4], dim_count;
  size_t count;
  bool trainable; /* false: a running statistic, whose gradient is NULL */
  double *value, *gradient;
} ref_tensor;

/* Tensors from the input towards the output; running statistics come last. */
int ref_network_tensor_count(const ref_network *network);
const ref_tensor *ref_network_tensor(const ref_network *network, int index);
/* NULL if there is none of this name. */
const ref_tensor *ref_network_find(const ref_network *network, const char *name);
/* Trainable elements in all. */
size_t ref_network_parameter_total(const ref_network *network);
/* Copies tensor->count values into the tensor. */
void ref_network_set(const ref_tensor *tensor, const float *values);

/* The mean loss of n images (n, h, w, c). training selects batch statistics,
 * and updates the running ones, which are used otherwise. correct may be NULL. */
double ref_network_forward(ref_network *network, const double *images, const int *labels, int n,
                           bool training, int *correct);
/* Writes every gradient of the loss of the last forward pass, a training one. */
void ref_network_backward(ref_network *network);
/* One Adam step along the gradients, with coupled weight decay. */
void ref_network_adam(ref_network *network, double lr, double weight_decay);
/* Forward in training, backward and Adam; returns the loss before the step. */
double ref_network_step(ref_network *network, const double *images, const int *labels, int n,
                        double lr, double weight_decay);
/* Of the last forward pass, (n, classes). */
const double *ref_network_logits(const ref_network *network);

#endif
