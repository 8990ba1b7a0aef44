/* What the files of the reference network share: its nodes, and how one is added. */
#ifndef REF_NETWORK_NODES_H
#define REF_NETWORK_NODES_H

#include "ref_network.h"

typedef struct node node;

/* A backward adds to its inputs' dy, which are cleared before the pass. */
typedef struct kind {
  void (*forward)(ref_network *network, node *self);
  void (*backward)(ref_network *network, node *self);
} kind;

struct node {
  const kind *kind; /* NULL: the images */
  node *inputs[2];
  int d, h, w, c;                                              /* d is 1 but for volumes */
  int kernel, stride, padding;                                 /* of a convolution */
  int kernel_depth, depth_stride, depth_padding;               /* of one of volumes, 1 x 1 wide */
  double *y, *dy;                                              /* (batch, d, h, w, c) */
  ref_tensor *weight, *bias, *running_mean, *running_variance; /* NULL where it has none */
};

struct ref_network {
  ref_network_options options;
  node *nodes;
  int node_count;
  ref_tensor *tensors, *running;
  double **moments; /* Adam's m and v of tensor i at 2i and 2i + 1 */
  int tensor_count, running_count;
  double *scratch[2]; /* as large as the largest activation */
  int n, step;
  bool training, failed;
};

enum { REF_MOST_NODES = 1024, REF_MOST_TENSORS = 1024 };

extern const kind ref_conv_node, ref_norm_node, ref_activation_node, ref_avg_pool_node,
    ref_max_pool_node, ref_sum_node, ref_concat_node, ref_pad_node, ref_global_pool_node,
    ref_linear_node, ref_conv3d_node, ref_to_volume_node;

/* Elements of y in a pass. */
size_t ref_node_size(const ref_network *network, const node *at);
/* calloc; a failure is remembered and ends in ref_network_new. */
void *ref_allocate(ref_network *network, size_t count, size_t size);
/* Adds the nodes of the network's family, the images first and the logits last. */
void ref_network_build(ref_network *network);

#endif
