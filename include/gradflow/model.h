/** @file
 * Networks: a graph of layers on a device, with its parameters and gradients. */
#ifndef GRADFLOW_MODEL_H
#define GRADFLOW_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include <gradflow/config.h>
#include <gradflow/device.h>
#include <gradflow/status.h>

/** A network on a device. */
typedef struct gf_model gf_model;

/** The shape of one image. */
typedef struct gf_image_shape {
  int height;   /**< in pixels */
  int width;    /**< in pixels */
  int channels; /**< colours, or bands of a spectrum */
} gf_image_shape;

/** Builds the network of the config's "model" section for images of a shape, a number of classes
 * and batches of at most batch images, with parameters initialised from seed. The device must
 * outlive the model. The caller frees *out. GF_ERROR_CONFIG for a section that is wrong,
 * GF_ERROR_SHAPE for layers that do not fit each other. */
GF_API gf_status gf_model_open(gf_model **out, gf_device *device, const gf_config *config,
                               gf_image_shape image, int classes, int batch,
                               unsigned long long seed) GF_MUST_USE;

/** Frees a model, after the trainers that were opened on it. */
GF_API void gf_model_free(gf_model **model);

/** Memory on the device, in bytes. */
typedef struct gf_memory {
  size_t parameters;  /**< with gradients and running statistics */
  size_t optimizer;   /**< its state, and gradient statistics; 0 without a trainer */
  size_t activations; /**< with their gradients and what layers keep for backward */
  size_t input;       /**< images, labels, losses */
  size_t workspace;   /**< of the operations, shared by all */
} gf_memory;

/** A parameter tensor. Values cross the API in the layouts of PyTorch: conv2d weight (filters,
 * channels, kernel height, kernel width), conv3d weight with the kernel's depth before its height,
 * linear weight (outputs, inputs), vectors (count). */
typedef struct gf_parameter_info {
  const char *name;  /**< "block_0_0_conv_0.weight"; owned by the model */
  const char *layer; /**< "block_0_0_conv_0"; owned by the model */
  int dims[5];       /**< its sizes */
  int dim_count;     /**< how many of dims are used */
  size_t count;      /**< elements */
  bool is_weight;    /**< false: a bias or a shift, which gradient-flow pictures leave out */
  bool trainable;    /**< false: a running statistic */
} gf_parameter_info;

/** The number of parameter tensors: from the input towards the output, then running statistics. */
GF_API int gf_model_parameter_count(const gf_model *model);

/** The parameter tensor at an index from 0 to gf_model_parameter_count() - 1. */
GF_API gf_parameter_info gf_model_parameter(const gf_model *model, int index);

/** The number of trainable elements of all tensors together. */
GF_API size_t gf_model_parameter_total(const gf_model *model);

/** Copies the tensor at an index to out, which has room for gf_parameter_info.count floats. Waits
 * for the device. GF_ERROR_ARGUMENT for an index that does not exist. */
GF_API gf_status gf_model_read_parameter(gf_model *model, int index, float *out) GF_MUST_USE;

/** Replaces the tensor at an index by gf_parameter_info.count floats. GF_ERROR_ARGUMENT for an
 * index that does not exist. */
GF_API gf_status gf_model_write_parameter(gf_model *model, int index,
                                          const float *values) GF_MUST_USE;

/** Copies the gradient of the trainable tensor at an index, as gf_model_read_parameter() does the
 * tensor. */
GF_API gf_status gf_model_read_gradient(gf_model *model, int index, float *out) GF_MUST_USE;

/** Writes all parameter tensors as a safetensors file, which appears whole or not at all.
 * GF_ERROR_FILE where path cannot be written. */
GF_API gf_status gf_model_save(gf_model *model, const char *path) GF_MUST_USE;

/** Replaces all parameter tensors by those of a safetensors file. GF_ERROR_DATA where names or
 * shapes do not agree: the message names every tensor that is missing, extra or misshapen. */
GF_API gf_status gf_model_load(gf_model *model, const char *path) GF_MUST_USE;

/** How well a batch was classified. */
typedef struct gf_loss {
  double loss; /**< mean over the images */
  int correct; /**< images whose largest logit is the label's */
} gf_loss;

/** Computes one pass forward over count images (count, height, width, channels) in host memory, and
 * their loss against labels (count), each from 0 to classes - 1. training selects the batch's own
 * statistics and dropout. labels may be NULL where loss is. Waits for the result. */
GF_API gf_status gf_model_forward(gf_model *model, const float *images, const int *labels,
                                  int count, bool training, gf_loss *loss) GF_MUST_USE;

/** Computes the gradient of the mean loss of the last forward pass, which was a training one with
 * labels; otherwise GF_ERROR_ARGUMENT. */
GF_API gf_status gf_model_backward(gf_model *model) GF_MUST_USE;

/** Statistics of what a layer stores in a forward pass, its fused activation included. */
typedef struct gf_activation_stats {
  const char *layer; /**< of the tensor: "block_0_0_act_0"; owned by the model */
  /** The layer that computes it: the convolution or norm in whose store an activation is fused. */
  const char *stored_by;
  double mean;      /**< of its elements */
  double deviation; /**< their standard deviation */
  /** Fraction of channels that are dead on the batch: the activation's derivative is at most 0.01
   * at every pixel of every image, so that hardly any gradient comes through. NaN where the layer
   * has no activation. */
  double dead;
  /** The fraction of the output's energy that differs between the images: the sum of squares after
   * the mean over the images is taken away from each element, by the sum of squares of all. 0 where
   * the images make no difference; NaN for a single image, and where a value is not finite. */
  double contrast;
} gf_activation_stats;

/** Copies the logits of the last forward pass, (count, classes), to out. Waits for the device. */
GF_API gf_status gf_model_logits(gf_model *model, float *out) GF_MUST_USE;

/** One layer of a network as its config has it, before anything is fused. */
typedef struct gf_layer_summary {
  char name[64];         /**< "block_0_0_conv_0" */
  const char *type;      /**< "conv2d"; owned by the library */
  gf_image_shape output; /**< of one image */
  int depth;             /**< of the output: 1 for images, more for volumes */
  size_t parameters;     /**< trainable elements */
  double flops; /**< of the convolutions and linear layers, of a forward pass of an image */
  size_t bytes; /**< of an image's output */
} gf_layer_summary;

/** Lists the layers of the config's network from the input to the logits, for images of a shape and
 * a number of classes; *count is their number. Needs no device. The caller frees *out with free.
 * Errors are those of gf_model_open(). */
GF_API gf_status gf_model_summarise(gf_layer_summary **out, int *count, const gf_config *config,
                                    gf_image_shape image, int classes) GF_MUST_USE;

#endif
