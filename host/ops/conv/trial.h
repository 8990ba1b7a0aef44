/* A trial run of a convolution on noise: how long an algorithm takes, and what it computes. */
#ifndef GF_OPS_CONV_TRIAL_H
#define GF_OPS_CONV_TRIAL_H

#include "ops/conv/conv.h"

typedef struct gf__conv_trial {
  gf_device *device;
  const gf__conv_shape *shape;
  int batch;
  gf_buffer *x, *w, *dy, *out, *workspace;
  float *expected, *got; /* results, of the reference and of a candidate */
} gf__conv_trial;

/* Fills the operands, for batches of batch inputs, with noise. After an error, gf__conv_trial_close
 * frees what was opened. */
gf_status gf__conv_trial_open(gf__conv_trial *out, gf_device *device, const gf__conv_shape *shape,
                              int batch) GF_MUST_USE;
void gf__conv_trial_close(gf__conv_trial *trial);
/* The shortest time of some runs, and the result, in trial->expected or trial->got. */
gf_status gf__conv_trial_measure(const gf__conv_trial *trial, const gf__conv_algorithm *algorithm,
                                 gf__conv_direction direction, float *result,
                                 double *seconds) GF_MUST_USE;
/* Whether got is expected, as far as single precision allows. */
bool gf__conv_trial_agrees(const gf__conv_trial *trial, gf__conv_direction direction);

#endif
