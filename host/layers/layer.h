/* Layers: the nodes of a network's graph, each with its config keys, shapes,
 * parameters, forward and backward. State lives in the node; a layer knows its
 * node and the device, never the network or the trainer. */
#ifndef GF_LAYERS_LAYER_H
#define GF_LAYERS_LAYER_H

#include <stdint.h>

#include "base/config.h"
#include "ops/activation_statistics.h"
#include "ops/algorithm.h"
#include "ops/batch_norm.h"

typedef struct gf__layer gf__layer;
typedef struct gf_node gf_node;

/* Inputs: eight, and the residual that fusion may add. */
enum { GF__NAME_SIZE = 64, GF__MOST_INPUTS = 9, GF__MOST_PARAMETERS = 4 };
/* Floats of an image's activation and of a parameter: the sum over eight inputs is an int as well.
 */
enum { GF__MOST_FLOATS = (1 << 28) - 1 };

/* An activation of the network, (batch, d, h, w, c), and its gradient. */
typedef struct gf__tensor {
  char name[GF__NAME_SIZE]; /* of the node that makes it */
  int d, h, w, c;           /* depth d is 1 for images */
  gf_buffer *data;
  gf_buffer *grad;            /* NULL where nothing needs it */
  int data_buffer;            /* the index of its buffer in the memory plan; -1: none */
  int grad_buffer;            /* the same of its gradient */
  int index;                  /* among the graph's tensors; the graph's input is 0 */
  gf_node *producer, *reader; /* NULL of the graph's input; the last node that reads it, or NULL */
  int uses;                   /* the number of inputs of nodes that it is */
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

/* What a parameter starts as. */
typedef enum gf__fill {
  GF__FILL_RANDOM, /* by the network's initialisation, from fan_in and fan_out */
  GF__FILL_FAN_IN, /* uniform in +-1/sqrt(fan_in) whatever the network's: biases */
  GF__FILL_ZERO,
  GF__FILL_ONE,
  GF__FILL_VALUE
} gf__fill;

typedef struct gf__parameter {
  char name[GF__NAME_SIZE + 32]; /* "block_0_0_conv_0.weight" */
  const char *layer;             /* the node's name */
  int dims[5], dim_count;        /* as PyTorch has them; on the device the dims are in
                                    the order 2, 3, 4, 1, 0 (2, 3, 1, 0 for four of them and
                                    1, 0 for two) */
  size_t count;                  /* floats */
  size_t offset;                 /* in the flat buffer, floats */
  bool is_weight, trainable;
  gf__fill fill;
  double value; /* of GF__FILL_VALUE */
  int fan_in, fan_out;
  int groups; /* that dims[0] is divided into: matrices which share no input and no output */
  gf_buffer *data, *grad; /* sub-buffers of the flat ones; grad NULL if not trainable */
} gf__parameter;

/* Where a node's backward leaves the gradient of one of its inputs: it writes epilogue(gradient) to
 * grad. The epilogue's residual is grad itself where another reader of the input has already
 * written its gradient; its mask is the input's where this is the last reader and the input has a
 * fused activation. */
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
  /* Fused into the store of the output: a residual, which is the last input, and an activation. */
  bool has_residual;
  gf__activation activation;
  gf_node *fused_into; /* while gf__graph_fuse runs: the node that does this one's work, or NULL */
  /* The batch_norm after this convolution that is folded into it in inference, or NULL. */
  gf_node *norm;
  bool is_folded;   /* this batch_norm has been folded into the convolution before it */
  bool trains_only; /* it feeds auxiliary losses alone */
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
  /* means (units): of each unit of a layer over the images of this shard. *apart: the sum of
   * squares of their distances from those over the batch, an image each. */
  gf_status (*compare_means)(void *user, const double *means, size_t units, double *apart);
} gf__whole_batch;

/* What the nodes know of one pass over the network. */
typedef struct gf__pass {
  gf_device *device;
  int n; /* images in this batch; 0: there are some for other ranks only */
  bool training;
  gf_buffer *workspace; /* as large as any node needs */
  /* The weight and the bias of a convolution with its norm folded in; NULL where none is folded, as
   * in training. */
  gf_buffer *folded[2];
  const gf_buffer *labels; /* n ints, followed by n second ones if mix < 1 */
  double mix;              /* of the first labels in the target */
  gf_buffer *results;      /* (rows, 2): sums of losses and correct */
  int row;                 /* of results */
  uint32_t dropout_key[2];
  int step;                           /* of training, for random streams */
  int first_image;                    /* index in the batch of the micro-batch's first image */
  const gf__whole_batch *whole_batch; /* NULL: these images are a batch of their own */
  double label_smoothing;             /* of the losses, in training */
  double auxiliary_weight;            /* what auxiliary losses are multiplied by */
} gf__pass;

typedef enum gf__layer_flag {
  /* Backward reads these besides the output's gradient. */
  GF__LAYER_BACKWARD_READS_INPUT = 1 << 0,
  GF__LAYER_BACKWARD_READS_OUTPUT = 1 << 1,
  /* It computes over the whole batch of a pass that has one, even without images of its own. */
  GF__LAYER_JOINS_WHOLE_BATCH = 1 << 2,
  /* Forward ends in an epilogue, so that a sum and an activation can be fused into it. */
  GF__LAYER_HAS_EPILOGUE = 1 << 3,
  /* It adds its two inputs, so that it can be fused. */
  GF__LAYER_IS_SUM = 1 << 4,
  /* The gradient starts at it. */
  GF__LAYER_IS_LOSS = 1 << 5,
  /* Its state is a gf__conv, whose directions run on their own. */
  GF__LAYER_IS_CONVOLUTION = 1 << 6,
  /* In inference it can do the work of a norm after it, and be the norm whose work is done. */
  GF__LAYER_FOLDS_NORM = 1 << 7,
  GF__LAYER_IS_NORM = 1 << 8
} gf__layer_flag;

struct gf__layer {
  const char *name, *help;
  const gf__key *keys;
  size_t key_count, options_size, state_size;
  int least_inputs, most_inputs;
  unsigned flags; /* of gf__layer_flag */
  /* The layer that does the same to volumes, where this one accepts images alone; or NULL. */
  const char *of_volumes;
  /* Fills out's shape, adds parameters; GF_ERROR_SHAPE if the inputs do not fit. */
  gf_status (*setup)(gf_node *node);
  /* Chooses algorithms for batches of batch images; NULL if there is nothing to choose. */
  gf_status (*open)(gf_node *node, gf__tuning *tuning, int batch);
  size_t (*workspace)(const gf_node *node, const gf_device *device, int batch); /* bytes; or NULL */
  size_t (*saved)(const gf_node *node, int batch);                              /* bytes; or NULL */
  gf_status (*forward)(gf_node *node, const gf__pass *pass);
  gf_status (*backward)(gf_node *node, const gf__pass *pass);
  double (*flops)(const gf_node *node); /* of forward, an image; NULL: negligible */
  /* The activation, of layers that are one which can be fused; NULL for others. */
  gf__activation (*activation)(const gf_node *node);
  /* The outputs between which the derivative is above GF__ALIVE, or above 0 where the output does
   * not determine it, of activations that cannot be fused; NULL for all others. */
  gf__interval (*alive)(const gf_node *node);
};

/* The library's table, ended by NULL. */
extern const gf__layer *const gf__layers[];
/* The layers that the user has registered, from 0 on; NULL past the last one. */
const gf__layer *gf__layer_outside(int index);
/* The library's rows and then those; NULL past the last one. */
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
/* The setup's check of layers that accept images alone; the message names of_volumes. */
gf_status gf__node_check_image(const gf_node *node) GF_MUST_USE;
/* GF_ERROR_SHAPE: "conv2d 'name' with input 'x' (4x4x32): …"; a volume's depth comes first. */
gf_status gf__node_fail(const gf_node *node, const char *format, ...)
    __attribute__((format(printf, 2, 3), cold));

/* The library's layers, in the order in which help and messages list them. */
/* clang-format off */
#define GF__LAYERS(X)                                                                     \
  X(conv2d) X(conv_transpose2d) X(linear)                                               \
  X(batch_norm) X(layer_norm) X(group_norm) X(layer_scale)                                \
  X(leaky_relu) X(relu) X(tanh) X(sigmoid) X(elu) X(gelu) X(silu)                         \
  X(clamp) X(hard_sigmoid) X(hard_swish)                                                  \
  X(avg_pool) X(max_pool) X(adaptive_avg_pool) X(global_avg_pool)                                              \
  X(conv3d) X(avg_pool3d) X(max_pool3d) X(to_volume) X(to_image)                          \
  X(add) X(multiply) X(concat) X(slice) X(channel_shuffle) X(pad_shortcut)                \
  X(flatten) X(dropout) X(stochastic_depth)                                               \
  X(softmax_cross_entropy) X(auxiliary_loss)
/* clang-format on */

#define GF__LAYER_DECLARATION(name) extern const gf__layer gf__layer_##name;
GF__LAYERS(GF__LAYER_DECLARATION)
#undef GF__LAYER_DECLARATION

/* Words of auxiliary_loss's key loss, ended by NULL. */
extern const char *const gf__auxiliary_losses[];

static inline bool gf__layer_has(const gf__layer *layer, unsigned flag) {
  return (layer->flags & flag) != 0;
}

static inline bool gf__node_is_loss(const gf_node *node) {
  return gf__layer_has(node->layer, GF__LAYER_IS_LOSS);
}

#endif
