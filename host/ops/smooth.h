/* Activations whose derivative does not follow from their output, so that backward reads
 * their input. */
#ifndef GF_OPS_SMOOTH_H
#define GF_OPS_SMOOTH_H

#include "ops/epilogue.h"

typedef enum gf__smooth_kind {
  GF__SMOOTH_ELU,  /* x, or alpha (exp(x) - 1) below 0: Clevert et al., 2016 */
  GF__SMOOTH_GELU, /* x Phi(x) with the normal distribution's Phi: Hendrycks and Gimpel, 2016 */
  GF__SMOOTH_SILU  /* x sigmoid(x): Elfwing et al., 2018 */
} gf__smooth_kind;

typedef struct gf__smooth {
  gf__smooth_kind kind;
  float alpha; /* of elu; >= 0 */
} gf__smooth;

/* y = f(x) for rows * channels floats. */
gf_status gf__smooth_forward(gf_device *device, size_t rows, int channels, gf__smooth smooth,
                             const gf__buffer *x, gf__buffer *y) GF_MUST_USE;
/* dx = epilogue(f'(x) dy). */
gf_status gf__smooth_backward(gf_device *device, size_t rows, int channels, gf__smooth smooth,
                              const gf__buffer *dy, const gf__buffer *x, gf__buffer *dx,
                              const gf__epilogue *epilogue) GF_MUST_USE;

#endif
