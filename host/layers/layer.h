/* Layers: the nodes of a network's graph, each with its config keys, shapes,
 * parameters, forward and backward. State lives in the node; a layer knows its
 * node and the device, never the network or the trainer. */
#ifndef GF_LAYERS_LAYER_H
#define GF_LAYERS_LAYER_H

#include <stdint.h>

#include "base/config.h"
#include "ops/activation_statistics.h"
#include "ops/batch_norm.h"
#include "ops/conv2d/tuning.h"

typedef struct gf__layer gf__layer;
typedef struct gf_node gf_node;

/* Inputs: eight, and the residual that fusion may add. */
enum { GF__NAME_SIZE = 64, GF__MOST_INPUTS = 9, GF__MOST_PARAMETERS = 4 };
/* Floats of an image's activation and of a parameter: the sum over eight inputs is an int, too. */
enum { GF__MOST_FLOATS = (1 << 28) - 1 };

/* An activation of the network, (batch, d, h, w, c), and its gradient. */
typedef struct gf__tensor {
  char name[GF__NAME_SIZE]; /* of the node that makes it */
  int d, h, w, c;           /* depth d is 1 for images */
  gf_buffer *data;
  gf_buffer *grad;          /* NULL where nothing needs it */
  int data_slot, grad_slot; /* of the memory plan; -1: none */
  int index;                /* among the graph's tensors; the graph's input is 0 */
} gf__tensor;

static inline size_t gf__tensor_pixels(const gf__tensor *t) {
  return (size_t)t->d * (size_t)t->h * (size_t)t->w;
}
static inline bool gf__tensor_is_vector(const gf__tensor *t) {
  return t->d == 1 && t->h == 1 && t->w == 1;
}
static inline size_t gf__tensor_size(const gf__tensor *t) {
  return gf__tensor_pixels(t) * (size_t)t->c; /* floats an image */
}

/* How a parameter begins. */
typedef enum gf__fill {
  GF__FILL_RANDOM, /* by the network's initialisation, from fan_in and fan_out */
  GF__FILL_FAN_IN, /* uniform in +-1/sqrt(fan_in) whatever the network's: biases */
  GF__FILL_ZERO,
  GF__FILL_ONE
} gf__fill;

typedef struct gf__parameter {
  char name[GF__NAME_SIZE + 32]; /* "block_0_0_conv_0.weight" */
  const char *layer;             /* the node's name */
  int dims[5], dim_count;        /* as PyTorch has them; on the device the dims stand in
                                    the order 2, 3, 4, 1, 0 (2, 3, 1, 0 for four of them and
                                    1, 0 for two) */
  size_t count;                  /* floats */
  size_t offset;                 /* in the flat buffer, floats */
  bool is_weight, trainable;
  gf__fill fill;
  int fan_in, fan_out;
  gf_buffer *data, *grad; /* parts of the flat buffers; grad NULL if not trainable */
} gf__parameter;

/* Where a node's backward leaves the gradient of one of its inputs: it writes
 * epilogue(gradient) to grad. The epilogue's residual is grad itself where an
 * earlier node has written its share; its mask is the input's where this is
 * the last share and the input has a fused activation. */
typedef struct gf__input_gradient {
  gf_buffer *grad; /* NULL: not wanted */
  gf__epilogue epilogue;
  bool is_wanted, accumulates, masks; /* what the plan decided */
} gf__input_gradient;

struct gf_node {
  const gf__layer *layer;
  char name[GF__NAME_SIZE];
  void *options; /* by the layer's keys */
  void *state;   /* layer->state_size bytes, zero at first */
  gf__tensor *in[GF__MOST_INPUTS];
  int in_count;
  gf__tensor out;
  gf__parameter parameters[GF__MOST_PARAMETERS];
  int parameter_count;
  gf_buffer *saved; /* layer->saved bytes, kept from forward to backward; or NULL */
  int number;       /* in the graph, for random streams */
  /* Fused into the store of the output: an residual, the last input, and an activation. */
  bool has_residual;
  gf__activation activation;
  /* In inference a convolution does the work of the batch_norm behind it: that node, or NULL. */
  gf_node *norm;
  bool is_folded;   /* such a batch_norm */
  bool trains_only; /* nothing but auxiliary losses comes of it */
  gf__input_gradient input_gradients[GF__MOST_INPUTS];
};

/* What computes statistics over the whole of a batch, of which this device has a shard. Every rank
 * makes these calls, in the same order, one without images too. */
typedef struct gf__whole_batch {
  void *user;
  /* moments (2, channels), those of this shard as gf__batch_norm_moments has them, become those of
   * the batch, whose images have pixels rows each; *rows: all of its rows. */
  gf_status (*join_batch_norm)(void *user, gf_buffer *moments, int channels, size_t pixels,
                               long *rows);
  /* dgamma and dbeta (channels), those of this shard, become those of the batch. */
  gf_status (*average_batch_norm)(void *user, gf_buffer *dgamma, gf_buffer *dbeta, int channels);
  /* moments (channels), those of this shard, become those of the batch. */
  gf_status (*join_activations)(void *user, gf__activation_moments *moments, size_t channels);
} gf__whole_batch;

/* What one pass over the network hands to its nodes. */
typedef struct gf__pass {
  gf_device *device;
  int n; /* images in this batch; 0: there are some for other ranks only */
  bool training;
  gf_buffer *workspace; /* of the largest need of any node */
  /* A weight and a bias for a convolution that does the work of its norm; NULL: none does,
   * as in training. */
  gf_buffer *folded[2];
  const gf_buffer *labels; /* n ints, and n second ones behind them if label_share < 1 */
  double label_share;      /* of the first ones in the target */
  gf_buffer *results;      /* (rows, 2): sums of losses and correct */
  int row;
  uint32_t dropout_key[2];
  int step;                           /* of training, for random streams */
  int first_image;                    /* of these, in the whole batch */
  const gf__whole_batch *whole_batch; /* NULL: these images are a batch of their own */
  double label_smoothing;             /* of the losses, in training */
  double auxiliary_weight;            /* what auxiliary losses are multiplied by */
} gf__pass;

struct gf__layer {
  const char *name, *help;
  const gf__key *keys;
  size_t key_count, options_size, state_size;
  int least_inputs, most_inputs;
  /* What backward reads besides the output's gradient. */
  bool backward_reads_input, backward_reads_output;
  /* Computes over the whole batch of a pass that has one, even without images of its own. */
  bool joins_whole_batch;
  /* Forward ends in an epilogue, so that an add and an activation can be fused into it. */
  bool has_epilogue;
  /* Fills out's shape, adds parameters; GF_ERROR_SHAPE if the inputs do not fit. */
  gf_status (*setup)(gf_node *node);
  /* Chooses algorithms for batches of batch images; NULL if there is nothing to choose. */
  gf_status (*open)(gf_node *node, gf__tuning *tuning, int batch);
  size_t (*workspace)(const gf_node *node, const gf_device *device, int batch); /* bytes, or NULL */
  size_t (*saved)(const gf_node *node, int batch);                              /* bytes, or NULL */
  gf_status (*forward)(gf_node *node, const gf__pass *pass);
  gf_status (*backward)(gf_node *node, const gf__pass *pass);
  double (*flops)(const gf_node *node); /* of forward, an image; NULL: negligible */
  /* Of layers that are an activation which can be fused; NULL for others. */
  gf__activation (*activation)(const gf_node *node);
  /* Of activations that cannot be fused: the outputs between which the derivative is above
   * GF__ALIVE, or above 0 where the output does not tell; NULL for all others. */
  gf__interval (*alive)(const gf_node *node);
};

/* The library's table, ended by NULL. */
extern const gf__layer *const gf__layers[];
/* The layers that the user has registered, from 0 on; NULL behind the last one. */
const gf__layer *gf__layer_outside(int index);
/* The library's rows and then those; NULL behind the last one. */
enum { GF__MOST_LAYERS = 64 };
const gf__layer *gf__layer_at(int index);
/* The row of that name, or NULL. */
const gf__layer *gf__layer_find(const char *name);

/* Adds a parameter "NODE.suffix" of dims. */
gf__parameter *gf__node_add_parameter(gf_node *node, const char *suffix, gf__fill fill,
                                      int dim_count, const int *dims, int fan_in, int fan_out);
/* The setup of layers whose output is like their first input. */
gf_status gf__node_keep_shape(gf_node *node) GF_MUST_USE;
/* Pixels of the output of all images of the pass. */
size_t gf__node_rows(const gf_node *node, const gf__pass *pass);
/* The epilogue of the node's forward store: its fused residual and activation. */
gf__epilogue gf__node_epilogue(const gf_node *node, const gf_buffer *bias);
/* The operation of a batch_norm. */
gf__batch_norm gf__node_batch_norm(const gf_node *node);
/* Gives the output's gradient to the fused residual's input_gradient; for nodes with an epilogue.
 */
gf_status gf__node_backward_residual(gf_node *node, const gf__pass *pass) GF_MUST_USE;
/* The setup's check of layers that take images alone. */
gf_status gf__node_check_image(const gf_node *node) GF_MUST_USE;
/* GF_ERROR_SHAPE: "conv2d 'name' with input 'x' (4x4x32): …"; a volume's depth stands first. */
gf_status gf__node_fail(const gf_node *node, const char *format, ...)
    __attribute__((format(printf, 2, 3), cold));

extern const gf__layer gf__layer_conv2d, gf__layer_linear, gf__layer_batch_norm,
    gf__layer_leaky_relu, gf__layer_relu, gf__layer_tanh, gf__layer_sigmoid, gf__layer_elu,
    gf__layer_gelu, gf__layer_silu, gf__layer_avg_pool, gf__layer_max_pool,
    gf__layer_global_avg_pool, gf__layer_conv3d, gf__layer_avg_pool3d, gf__layer_max_pool3d,
    gf__layer_to_volume, gf__layer_to_image, gf__layer_add, gf__layer_concat,
    gf__layer_pad_shortcut, gf__layer_flatten, gf__layer_dropout, gf__layer_softmax_cross_entropy,
    gf__layer_auxiliary_loss;

/* Words of auxiliary_loss's key loss, ended by NULL. */
extern const char *const gf__auxiliary_losses[];

/* Whether the gradient begins at the node. */
static inline bool gf__node_is_loss(const gf_node *node) {
  return node->layer == &gf__layer_softmax_cross_entropy ||
         node->layer == &gf__layer_auxiliary_loss;
}

#endif
