/* What a kernel does to a value just before it stores it (cl/epilogue.clh). */
#ifndef GF_OPS_EPILOGUE_H
#define GF_OPS_EPILOGUE_H

#include "device/device.h"

typedef enum gf__activation_kind {
  GF__ACTIVATION_NONE,
  GF__ACTIVATION_LEAKY_RELU, /* relu is slope 0 */
  GF__ACTIVATION_TANH,
  GF__ACTIVATION_SIGMOID
} gf__activation_kind;

/* Activations whose derivative is a function of their output, so that the
 * output alone is kept. slope >= 0. */
typedef struct gf__activation {
  gf__activation_kind kind;
  float slope;
} gf__activation;

typedef struct gf__epilogue {
  const gf_buffer *bias;     /* (channels), or NULL */
  const gf_buffer *residual; /* like the output, added; it may be the output itself, as
                               where a gradient accumulates; or NULL */
  const gf_buffer *mask;     /* like the output: multiplies by the derivative at this
                                 output of the activation, instead of applying it; or NULL */
  gf__activation activation;
} gf__epilogue;

/* The five kernel arguments of an epilogue. */
#define GF_EPILOGUE(e)                                                  \
  GF_BUFFER((e)->bias), GF_BUFFER((e)->residual), GF_BUFFER((e)->mask), \
      GF_INT((e)->activation.kind), GF_FLOAT((e)->activation.slope)

/* The widest vector that the device prefers and that divides count. */
int gf__vector_width(const gf_device *device, int count);

#endif
