/* Networks: a graph of layers on a device, with its parameters and gradients. */
#ifndef GRADFLOW_MODEL_H
#define GRADFLOW_MODEL_H

#include <stddef.h>

#include <gradflow/config.h>
#include <gradflow/device.h>
#include <gradflow/status.h>

typedef struct gf_model gf_model;

/* Height, width and channels of one image. */
typedef struct gf_image_shape {
  int height, width, channels;
} gf_image_shape;

/* Builds the network of the config's "model" section for images of a shape, a
 * number of classes and batches of at most batch images, with parameters
 * initialised from seed. The device must outlive the model. The caller frees *out. */
GF_API gf_status gf_model_open(gf_model **out, gf_device *device, const gf_config *config,
                               gf_image_shape image, int classes, int batch,
                               unsigned long long seed) GF_MUST_USE;
GF_API void gf_model_free(gf_model **model);

/* Bytes on the device. */
typedef struct gf_memory {
  size_t parameters;  /* with gradients and running statistics */
  size_t optimizer;   /* its state, and gradient statistics; 0 without a trainer */
  size_t activations; /* with their gradients and what layers keep for backward */
  size_t input;       /* images, labels, losses */
  size_t workspace;   /* of the operations, shared by all */
} gf_memory;

/* A trainable tensor. Values cross the API in the layouts of PyTorch: conv2d
 * weight (filters, channels, kernel height, kernel width), conv3d weight with
 * the kernel's depth before its height, linear weight (outputs, inputs), vectors
 * (count). */
typedef struct gf_parameter_info {
  const char *name;  /* "block_0_0_conv_0.weight"; owned by the model */
  const char *layer; /* "block_0_0_conv_0" */
  int dims[5], dim_count;
  size_t count;  /* elements */
  int is_weight; /* 0: a bias or a shift, which gradient-flow pictures leave out */
  int trainable; /* 0: a running statistic */
} gf_parameter_info;

/* Parameters from the input towards the output; running statistics come last. */
GF_API int gf_model_parameter_count(const gf_model *model);
GF_API gf_parameter_info gf_model_parameter(const gf_model *model, int index);
/* Trainable elements in all. */
GF_API size_t gf_model_parameter_total(const gf_model *model);
/* Copies of parameter index, gf_parameter_info.count floats each. */
GF_API gf_status gf_model_read_parameter(gf_model *model, int index, float *out) GF_MUST_USE;
GF_API gf_status gf_model_write_parameter(gf_model *model, int index,
                                          const float *values) GF_MUST_USE;
GF_API gf_status gf_model_read_gradient(gf_model *model, int index, float *out) GF_MUST_USE;

/* Weights as a safetensors file, and back; names and shapes must agree, and
 * every tensor that is missing, extra or misshapen is named. */
GF_API gf_status gf_model_save(gf_model *model, const char *path) GF_MUST_USE;
GF_API gf_status gf_model_load(gf_model *model, const char *path) GF_MUST_USE;

typedef struct gf_loss {
  double loss; /* mean over the images */
  int correct; /* images whose largest logit is the label's */
} gf_loss;

/* One pass forward over count images (count, height, width, channels) in host
 * memory. training selects batch statistics and dropout. labels may be NULL
 * when loss is. Waits for the result. */
GF_API gf_status gf_model_forward(gf_model *model, const float *images, const int *labels,
                                  int count, int training, gf_loss *loss) GF_MUST_USE;
/* The gradient of the mean loss of the last forward pass, which was a training one. */
GF_API gf_status gf_model_backward(gf_model *model) GF_MUST_USE;
/* Statistics of what a layer stores in a forward pass, its fused activation included. */
typedef struct gf_activation_stats {
  const char *layer; /* of the tensor: "block_0_0_act_0"; owned by the model */
  double mean, deviation;
  /* Share of channels that are dead on the batch: the activation's derivative is at most 0.01
   * at every pixel of every image, so that hardly any gradient comes through. NaN where the
   * layer has no activation. */
  double dead;
} gf_activation_stats;

/* The logits of the last forward pass, (count, classes). */
GF_API gf_status gf_model_logits(gf_model *model, float *out) GF_MUST_USE;

/* One layer of a network as its config has it, before anything is fused. */
typedef struct gf_layer_summary {
  char name[64];
  const char *type; /* "conv2d" */
  gf_image_shape output;
  int depth;         /* of the output: 1 for images, more for volumes */
  size_t parameters; /* trainable elements */
  double flops;      /* of the convolutions and linear layers, of a forward pass of an image */
  size_t bytes;      /* of an image's output */
} gf_layer_summary;

/* The layers of the config's network from the input to the logits, for images of a shape and a
 * number of classes. Needs no device. The caller frees *out with free. */
GF_API gf_status gf_model_summarise(gf_layer_summary **out, int *count, const gf_config *config,
                                    gf_image_shape image, int classes) GF_MUST_USE;

#endif
