/* Two devices that make the same training steps: where they part, or how far they agree. */
#ifndef GRADFLOW_DIVERGENCE_H
#define GRADFLOW_DIVERGENCE_H

#include <gradflow/config.h>
#include <gradflow/device.h>
#include <gradflow/status.h>

/* What is compared, in the order of a step. */
typedef enum gf_divergence_phase {
  GF_DIVERGENCE_FORWARD,  /* what a layer stores */
  GF_DIVERGENCE_BACKWARD, /* the gradient that a layer leaves for an input of its own */
  GF_DIVERGENCE_GRADIENT, /* of a parameter */
  GF_DIVERGENCE_WEIGHT,   /* a parameter after the optimizer's step, or a running statistic */
  GF_DIVERGENCE_PHASES
} gf_divergence_phase;

/* "forward", "backward", "gradient" or "weight". */
GF_API const char *gf_divergence_phase_name(gf_divergence_phase phase);

/* The difference of a tensor: |a - b| / |a| in the norm L2; infinite where only one of two elements
 * is finite, or where a is all zeros and b is not. A single element is no measure: next to the kink
 * of an activation rounding alone can make its gradient another one. */
typedef struct gf_divergence_place {
  int step; /* from 1; 0: nothing was compared */
  gf_divergence_phase phase;
  char layer[64], tensor[96]; /* "block_0_0_conv_0", and the parameter or the input */
  int index[5], shape[5];     /* of the element where they differ most; activations as (image,
                                 height, width, channel), volumes with depth before height,
                                 parameters as in gf_parameter_info */
  int dims;                   /* of both */
  double a, b;                /* the element */
  double difference;
} gf_divergence_place;

/* The largest differences over all steps, by phase; NaN where a layer has none. */
typedef struct gf_divergence_layer {
  char name[64];
  double differences[GF_DIVERGENCE_PHASES];
} gf_divergence_layer;

typedef struct gf_divergence_step {
  double losses[2]; /* mean over the batch; NaN where the step was not finished */
  double differences[GF_DIVERGENCE_PHASES]; /* the largest; NaN where nothing was compared */
} gf_divergence_step;

typedef struct gf_divergence {
  int diverged;              /* first is beyond the tolerance; nothing after it was compared */
  gf_divergence_place first; /* the first tensor beyond it in the order of the step */
  gf_divergence_place worst; /* the largest difference of all */
  gf_divergence_step *steps;
  int step_count;
  gf_divergence_layer *layers; /* from the input to the output */
  int layer_count, parameter_count;
} gf_divergence;

typedef struct gf_divergence_options {
  int steps;        /* at least 1 */
  double tolerance; /* of differences, at least 0 */
  int resync; /* b takes a's weights and state before each step: no drift, only single steps */
  void *user;
  /* Before each step, with the result so far; may be NULL. */
  void (*progress)(void *user, int step, const gf_divergence *so_far);
} gf_divergence_options;

/* The config's network on two devices, which may be the same one, from the same weights over the
 * same batches of its training images, layer by layer. GF_ERROR_DEVICE_MEMORY where a device has no
 * room for a batch. The caller frees the result. */
GF_API gf_status gf_divergence_run(gf_divergence *out, gf_device *a, gf_device *b,
                                   const gf_config *config,
                                   const gf_divergence_options *options) GF_MUST_USE;
GF_API void gf_divergence_free(gf_divergence *result);

#endif
