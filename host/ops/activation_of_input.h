/* Activations whose derivative does not follow from their output, so that backward reads
 * their input. */
#ifndef GF_OPS_ACTIVATION_OF_INPUT_H
#define GF_OPS_ACTIVATION_OF_INPUT_H

#include "ops/epilogue.h"

typedef enum gf__activation_of_input_kind {
  GF__ACTIVATION_OF_INPUT_ELU,   /* x, or alpha (exp(x) - 1) below 0: Clevert et al., 2016 */
  GF__ACTIVATION_OF_INPUT_GELU,  /* x Phi(x) with the normal distribution's Phi: Hendrycks and
                                    Gimpel, 2016 */
  GF__ACTIVATION_OF_INPUT_SILU,  /* x sigmoid(x): Elfwing et al., 2018 */
  GF__ACTIVATION_OF_INPUT_CLAMP, /* x between a minimum and a maximum */
  GF__ACTIVATION_OF_INPUT_HARD_SIGMOID, /* x / 6 + 1/2 between 0 and 1: Courbariaux et al., 2015 */
  GF__ACTIVATION_OF_INPUT_HARD_SWISH    /* x hard_sigmoid(x): Howard et al., 2019 */
} gf__activation_of_input_kind;

typedef struct gf__activation_of_input {
  gf__activation_of_input_kind kind;
  float a, b; /* elu: alpha, >= 0; clamp: the minimum and the maximum; else unused */
} gf__activation_of_input;

/* y = f(x) for rows * channels floats. */
gf_status gf__activation_of_input_forward(gf_device *device, size_t rows, int channels,
                                          gf__activation_of_input activation, const gf_buffer *x,
                                          gf_buffer *y) GF_MUST_USE;
/* dx = epilogue(f'(x) dy). */
gf_status gf__activation_of_input_backward(gf_device *device, size_t rows, int channels,
                                           gf__activation_of_input activation, const gf_buffer *dy,
                                           const gf_buffer *x, gf_buffer *dx,
                                           const gf__epilogue *epilogue) GF_MUST_USE;

#endif
