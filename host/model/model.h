/* A network on a device: what the trainer and the tests see of it. */
#ifndef GF_MODEL_MODEL_H
#define GF_MODEL_MODEL_H

#include <gradflow/model.h>

#include "model/graph.h"
#include "model/plan.h"

/* Rows of a model's results; the last one is that of a micro-batch. */
enum { GF__RESULT_ROWS = 256, GF__MICRO_BATCH_ROW = GF__RESULT_ROWS - 1 };

typedef enum gf__initialisation {
  GF__UNIFORM_FAN_IN, /* U(+-1/sqrt(fan_in)), PyTorch's default: the report's */
  GF__HE,             /* N(0, 2/fan_in): He et al., 2015; biases 0 */
  GF__XAVIER,         /* U(+-sqrt(6/(fan_in + fan_out))): Glorot and Bengio, 2010; biases 0 */
  GF__ORTHOGONAL,     /* gain * Q of a Gaussian matrix: Saxe et al., 2014; biases 0 */
  /* Orthogonal, and scaled to a variance of 1 on the first batch (host/train/lsuv.c): Mishkin and
   * Matas, 2016; biases 0 */
  GF__LSUV
} gf__initialisation;

struct gf_model {
  gf_device *device;
  gf__graph graph;
  gf__plan plan;
  gf_image_shape image;
  int classes, batch;
  gf__parameter **parameters; /* trainable ones from input to output, then running statistics */
  int parameter_count, trainable_count;
  /* Flat buffers: each tensor begins at a multiple of the device's alignment. */
  size_t flat_floats, running_floats;
  gf_buffer *weights, *gradients, *running;
  gf_buffer *workspace, *labels, *results;
  gf_buffer *folded[2]; /* in inference: a convolution's weight and bias with its norm's; or NULL */
  gf__upload *image_upload, *label_upload;
  gf__initialisation initialisation;
  char *algorithms; /* of convolutions, as JSON */
  double orthogonal_gain, auxiliary_weight;
  bool joins_batch_norms; /* those of several ranks are to be over the whole batch */
  gf__pass pass;
  /* Statistics of activations: forward passes compute them while this is set. */
  bool takes_activation_statistics, has_activation_statistics;
  gf_buffer *activation_moments; /* of every channel that is measured; or NULL */
  /* Of several ranks: means over this shard's images of every unit that is measured; else NULL. */
  double *unit_means;
  bool keeps_unit_means; /* forward passes fill them while they take statistics */
};

/* What gf_model_open decides and tests may decide otherwise. */
typedef struct gf__model_options {
  bool no_loss;           /* the output's gradient comes from outside */
  bool input_gradient;    /* the gradient of the input is wanted */
  bool measures_nothing;  /* whatever model.tune says: algorithms are those that are known */
  const char *algorithms; /* for convolutions, as gf_model.algorithms had them; or NULL */
} gf__model_options;

gf_status gf__model_open_with(gf_model **out, gf_device *device, const gf_config *config,
                              gf_image_shape image, int classes, int batch, unsigned long long seed,
                              const gf__model_options *options) GF_MUST_USE;
/* Initialises every parameter by seed. */
gf_status gf__model_initialise(gf_model *model, unsigned long long seed) GF_MUST_USE;

/* The first running statistic from the input that is not finite, or NULL. Waits. parameters.c */
gf_status gf__model_find_nonfinite_running(gf_model *model, const char **name) GF_MUST_USE;

/* gf_model_load of weights to train from. GF_ERROR_DATA where one is not finite. checkpoint.c */
gf_status gf__model_load_finite(gf_model *model, const char *path) GF_MUST_USE;

/* memory.c: the device memory that the network needs for batch images. */
gf_memory gf__model_memory(const gf_model *model, int batch);
size_t gf__memory_total(const gf_memory *memory);

/* The steps of gf_model_forward and gf_model_backward, without waiting: */
gf_status gf__model_upload(gf_model *model, const float *images, const int *labels,
                           int count) GF_MUST_USE;
/* With labels (2, count): the target of an image is mix of its first label and 1 - mix of its
 * second one. With a mix of 1 there are count labels. */
gf_status gf__model_upload_mixed(gf_model *model, const float *images, const int *labels, int count,
                                 double mix) GF_MUST_USE;
/* The sums of losses and of correct go to row of model->results. */
gf_status gf__model_queue_forward(gf_model *model, bool training, int row) GF_MUST_USE;
/* Does what comes before the first node of a forward pass, for callers that run the nodes
 * themselves. */
void gf__model_begin_forward(gf_model *model, bool training, int row);
gf_status gf__model_queue_backward(gf_model *model) GF_MUST_USE;
/* Queues the backward of nodes end - 1 to begin alone. The pass ends with node 0. */
gf_status gf__model_queue_backward_nodes(gf_model *model, int begin, int end) GF_MUST_USE;
/* From here on auxiliary losses are weighted by a fraction of model.auxiliary_weight, 1 at first.
 */
void gf__model_weigh_auxiliaries(gf_model *model, double fraction);
/* out (count, 2): the sums of losses and of correct in the rows from first on. Waits. */
gf_status gf__model_read_results(gf_model *model, int first, int count, float *out) GF_MUST_USE;

/* Layers whose activations are measured, from the input to the output: whatever is stored by a
 * convolution, a linear layer, a norm or an activation. */
int gf__model_activation_count(const gf_model *model);
/* Their statistics in the last forward pass with model->takes_activation_statistics, one row per
 * layer; over the whole batch unless that is NULL. Waits. */
gf_status gf__model_read_activations(gf_model *model, const gf__whole_batch *whole,
                                     gf_activation_stats *out) GF_MUST_USE;

#endif
