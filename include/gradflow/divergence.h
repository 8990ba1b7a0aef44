/** @file
 * Two devices that make the same training steps: where they part, or how far they agree. */
#ifndef GRADFLOW_DIVERGENCE_H
#define GRADFLOW_DIVERGENCE_H

#include <stdbool.h>

#include <gradflow/config.h>
#include <gradflow/device.h>
#include <gradflow/status.h>

/** What is compared, in the order of a step. */
typedef enum gf_divergence_phase {
  GF_DIVERGENCE_FORWARD,  /**< what a layer stores */
  GF_DIVERGENCE_BACKWARD, /**< the gradient that a layer leaves for an input of its own */
  GF_DIVERGENCE_GRADIENT, /**< the gradient of a parameter */
  GF_DIVERGENCE_WEIGHT,   /**< a parameter after the optimizer's step, or a running statistic */
  GF_DIVERGENCE_PHASES    /**< how many there are */
} gf_divergence_phase;

/** "forward", "backward", "gradient" or "weight". */
GF_API const char *gf_divergence_phase_name(gf_divergence_phase phase);

/** The difference of a tensor: |a - b| / |a| in the L2 norm; infinite where only one of two
 * elements is finite, or where a is all zeros and b is not. A single element is no measure: next to
 * the kink of an activation rounding alone can make its gradient another one. */
typedef struct gf_divergence_place {
  int step;                  /**< from 1; 0: nothing was compared */
  gf_divergence_phase phase; /**< of the step */
  char layer[64];            /**< "block_0_0_conv_0" */
  char tensor[96];           /**< the parameter or the input */
  /** The place of the element where they differ most: in activations (image, height, width,
   * channel), in volumes with depth before height, in parameters as in gf_parameter_info. */
  int index[5];
  int shape[5];      /**< of the tensor */
  int dims;          /**< of index and shape */
  double a;          /**< the element on the first device */
  double b;          /**< the element on the second device */
  double difference; /**< of the whole tensor */
} gf_divergence_place;

/** The largest differences of a layer over all steps. */
typedef struct gf_divergence_layer {
  char name[64];                            /**< "block_0_0_conv_0" */
  double differences[GF_DIVERGENCE_PHASES]; /**< by phase; NaN where the layer has none */
} gf_divergence_layer;

/** The largest differences of a step over all layers. */
typedef struct gf_divergence_step {
  double losses[2]; /**< of the devices, mean over the batch; NaN where the step was not finished */
  double differences[GF_DIVERGENCE_PHASES]; /**< by phase; NaN where nothing was compared */
} gf_divergence_step;

/** How two devices compare. */
typedef struct gf_divergence {
  bool diverged;               /**< first is beyond the tolerance; nothing after it was compared */
  gf_divergence_place first;   /**< the first tensor beyond it in the order of the step */
  gf_divergence_place worst;   /**< the largest difference of all */
  gf_divergence_step *steps;   /**< (step_count) */
  int step_count;              /**< steps that were compared */
  gf_divergence_layer *layers; /**< (layer_count), from the input to the output */
  int layer_count;             /**< layers of the network */
  int parameter_count;         /**< tensors that are trained, and running statistics */
} gf_divergence;

/** How two devices are compared. */
typedef struct gf_divergence_options {
  int steps;        /**< at least 1 */
  double tolerance; /**< of differences, at least 0 */
  /** The second device gets the first one's weights and state before each step: no drift, only
   * single steps. */
  bool resync;
  void *user; /**< passed to progress */
  /** Called before each step, from 1, with the result so far. */
  void (*progress)(void *user, int step, const gf_divergence *so_far);
} gf_divergence_options;

/** 10 steps, a tolerance of 0.1, no resync. */
GF_API gf_divergence_options gf_divergence_options_default(void);

/** Trains the config's network on the devices a and b, which may be the same one, from the same
 * weights over the same batches of its training images, and compares them layer by layer. The
 * caller frees the result. GF_ERROR_ARGUMENT for options out of their ranges,
 * GF_ERROR_DEVICE_MEMORY where a device has no room for a batch. */
GF_API gf_status gf_divergence_run(gf_divergence *out, gf_device *a, gf_device *b,
                                   const gf_config *config,
                                   const gf_divergence_options *options) GF_MUST_USE;

/** Frees what a result points to. */
GF_API void gf_divergence_free(gf_divergence *result);

#endif
