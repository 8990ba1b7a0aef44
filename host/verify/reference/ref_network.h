/* The networks of the families in double precision, on top of reference.h:
 * forward, loss, every gradient, Adam. Slow and plain, for tests.
 *
 * vgg_stages:
 *   entry       conv 3x3 without bias, batch norm, leaky ReLU
 *   a stage     blocks x [conv, lrelu, conv, lrelu], without bias; then a
 *               reduction [conv, lrelu, avg pool 2x2, conv, lrelu], with bias
 *   the end     average pool over what is left, linear with bias
 *   shortcut    out = lrelu(conv_1(x1) + x) in each block; in a reduction x and
 *               x1 are both pooled
 *   norm_every  a batch norm after every conv, before the sum and the activation
 *   norm_after  norms behind activations instead
 *
 * resnet_cifar (He et al., 2015 and 2016): conv 3x3, norm, activation; three stages of
 * blocks of two 3x3 convs, of filters, twice and four times as many, each with a norm; the
 * first conv of the second and third stage has stride 2. Without shortcuts a plain net.
 *
 * multi_scale (Li et al., 2018): conv 3x3, activation; stages of blocks with a max pool
 * 2x2 between them: act(conv 3x3) and act(conv 5x5) side by side, twice, then a 1x1 conv,
 * plus the block's input.
 *
 * spectral_spatial (Zhong et al., 2018): the channels as depth; conv 7x1x1 of stride 2 over it;
 * blocks of two 7x1x1 convs and their input; a conv over all that is left of the depth, of
 * bridge_filters; conv 3x3 without padding; blocks of two 3x3 convs and their input. Each conv
 * has a bias, a norm and an activation.
 *
 * Other convolutions have stride 1 and padding of half their kernel. Batch norm has eps 1e-5 and
 * momentum 0.1; Adam has betas 0.9 and 0.999 and eps 1e-8. */
#ifndef REF_NETWORK_H
#define REF_NETWORK_H

#include <stdbool.h>
#include <stddef.h>

typedef enum ref_family {
  REF_VGG_STAGES,
  REF_RESNET_CIFAR,
  REF_MULTI_SCALE,
  REF_SPECTRAL_SPATIAL
} ref_family;

/* REF_SHORTCUT_IDENTITY is vgg_stages', options A and B are resnet_cifar's. */
enum { REF_SHORTCUT_NONE, REF_SHORTCUT_IDENTITY, REF_SHORTCUT_A, REF_SHORTCUT_B };

typedef struct ref_network_options {
  ref_family family;
  int height, width, channels; /* of an image; each stage halves, rounding down */
  int classes;
  int bridge_filters;
  int stages, blocks_per_stage, filters; /* resnet_cifar always has three stages */
  int shortcut;
  bool norm_every, norm_after, pre_activation;
  const char *activation; /* of reference.h; NULL: leaky_relu */
  double slope;           /* of the leaky ReLU, 0.01 in the study; or the alpha of elu */
  int batch;              /* the most images that a pass may have */
} ref_network_options;

typedef struct ref_network ref_network;

/* Values are 0, except for norm weights and running variances, which are 1.
 * NULL if memory runs out or nothing is left of the image. The caller frees it. */
ref_network *ref_network_new(const ref_network_options *options);
void ref_network_free(ref_network **network);

/* Layouts of PyTorch: conv weight (filters, channels, kernel), linear weight
 * (outputs, inputs), vectors (count). value and gradient belong to the network. */
typedef struct ref_tensor {
  char name[64]; /* "block_0_0_conv_0.weight" */
  int dims[5], dim_count;
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
