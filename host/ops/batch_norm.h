/* Batch normalization over the rows of (rows, channels): Ioffe and Szegedy, 2015. */
#ifndef GF_OPS_BATCH_NORM_H
#define GF_OPS_BATCH_NORM_H

#include "ops/epilogue.h"

typedef struct gf__batch_norm {
  int channels;
  float eps, momentum;
  const gf_buffer *gamma, *beta;              /* (channels) */
  gf_buffer *running_mean, *running_variance; /* (channels) */
  gf_buffer *saved;                           /* (2, channels): from forward to backward */
} gf__batch_norm;

size_t gf__batch_norm_workspace(const gf_device *device, int channels); /* bytes */

/* y = epilogue(gamma * normalized x + beta). training: by the statistics of
 * these rows, which also move the running ones; otherwise by the running ones. */
gf_status gf__batch_norm_forward(gf_device *device, const gf__batch_norm *norm, int rows,
                                 const gf_buffer *x, gf_buffer *y, bool training,
                                 const gf__epilogue *epilogue, gf_buffer *workspace) GF_MUST_USE;
/* The same in training where the rows of a batch are at several places, in three steps. First,
 * moments (2, channels): the mean of these rows, and the sum of squares of their distances. */
gf_status gf__batch_norm_moments(gf_device *device, const gf__batch_norm *norm, int rows,
                                 const gf_buffer *x, gf_buffer *moments,
                                 gf_buffer *workspace) GF_MUST_USE;
/* Joins those of places, all (places, 2, channels) with rows (places) of them, into
 * out (2, channels), in the order of places: Chan, Golub and LeVeque, 1979. Returns all rows. */
long gf__batch_norm_join(int channels, int places, const long *rows, const float *all, float *out);
/* Then y by the moments (2, channels) of all rows, which also move the running statistics; of no
 * rows, these alone. */
gf_status gf__batch_norm_forward_by(gf_device *device, const gf__batch_norm *norm, int rows,
                                    const gf_buffer *x, gf_buffer *y, const gf_buffer *moments,
                                    long all_rows, const gf__epilogue *epilogue) GF_MUST_USE;

/* Writes dgamma and dbeta, and dx unless it is NULL; of a training pass. */
gf_status gf__batch_norm_backward(gf_device *device, const gf__batch_norm *norm, int rows,
                                  const gf_buffer *x, const gf_buffer *dy, gf_buffer *dgamma,
                                  gf_buffer *dbeta, gf_buffer *dx, const gf__epilogue *epilogue,
                                  gf_buffer *workspace) GF_MUST_USE;
/* Its two halves: dgamma and dbeta of these rows, then dx by those of all rows, each multiplied
 * by the share of these rows in them. */
gf_status gf__batch_norm_backward_sums(gf_device *device, const gf__batch_norm *norm, int rows,
                                       const gf_buffer *x, const gf_buffer *dy, gf_buffer *dgamma,
                                       gf_buffer *dbeta, gf_buffer *workspace) GF_MUST_USE;
gf_status gf__batch_norm_backward_by(gf_device *device, const gf__batch_norm *norm, int rows,
                                     const gf_buffer *x, const gf_buffer *dy,
                                     const gf_buffer *dgamma, const gf_buffer *dbeta, gf_buffer *dx,
                                     const gf__epilogue *epilogue) GF_MUST_USE;
/* Writes dx alone, of a pass by the running statistics, which are constants. It reads nothing that
 * the forward pass has left, so a norm whose work its convolution did may be asked, too. */
gf_status gf__batch_norm_backward_running(gf_device *device, const gf__batch_norm *norm, int rows,
                                          const gf_buffer *dy, gf_buffer *dx,
                                          const gf__epilogue *epilogue) GF_MUST_USE;

/* What lets a convolution of count weights and channels filters do the work of the norm behind it
 * in inference: weight gamma / deviation and beta + (bias - mean) gamma / deviation, by the
 * running statistics. bias may be NULL. */
gf_status gf__batch_norm_fold(gf_device *device, const gf__batch_norm *norm, size_t count,
                              const gf_buffer *weight, const gf_buffer *bias,
                              gf_buffer *folded_weight, gf_buffer *folded_bias) GF_MUST_USE;

#endif
