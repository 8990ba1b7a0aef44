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

/* What a norm over rows reads and writes. */
typedef struct gf__batch_norm_operands {
  int rows;
  const gf_buffer *x;        /* (rows, channels) */
  gf_buffer *y;              /* forward: written */
  const gf_buffer *dy;       /* backward */
  gf_buffer *dx;             /* backward: written; or NULL */
  gf_buffer *dgamma, *dbeta; /* backward: (channels), written */
  gf__epilogue epilogue;     /* of y, or of dx */
  gf_buffer *workspace;      /* gf__batch_norm_workspace bytes */
} gf__batch_norm_operands;

/* y = epilogue(gamma * normalized x + beta). Training normalizes by the statistics of these rows,
 * which also move the running ones; otherwise the running ones are used. */
gf_status gf__batch_norm_forward(gf_device *device, const gf__batch_norm *norm,
                                 const gf__batch_norm_operands *operands,
                                 bool training) GF_MUST_USE;
/* A forward in training of a batch whose rows are at several places takes three steps. First,
 * moments (2, channels): the mean of these rows, and the sum of squares of their distances. */
gf_status gf__batch_norm_moments(gf_device *device, const gf__batch_norm *norm, int rows,
                                 const gf_buffer *x, gf_buffer *moments,
                                 gf_buffer *workspace) GF_MUST_USE;
/* Joins those of places, all (places, 2, channels) with rows (places) of them, into
 * out (2, channels), in the order of places: Chan, Golub and LeVeque, 1979. Returns all rows. */
long gf__batch_norm_join(int channels, int places, const long *rows, const float *all, float *out);
/* Last, y by the moments (2, channels) of all rows, which also move the running statistics; of no
 * rows, these alone. */
gf_status gf__batch_norm_forward_by(gf_device *device, const gf__batch_norm *norm, int rows,
                                    const gf_buffer *x, gf_buffer *y, const gf_buffer *moments,
                                    long all_rows, const gf__epilogue *epilogue) GF_MUST_USE;

/* Writes dgamma and dbeta, and dx unless it is NULL, after a forward in training. */
gf_status gf__batch_norm_backward(gf_device *device, const gf__batch_norm *norm,
                                  const gf__batch_norm_operands *operands) GF_MUST_USE;
/* The two halves of gf__batch_norm_backward: dgamma and dbeta of these rows, then dx by those of
 * all rows, each multiplied by the fraction that these rows are of them. */
gf_status gf__batch_norm_backward_sums(gf_device *device, const gf__batch_norm *norm, int rows,
                                       const gf_buffer *x, const gf_buffer *dy, gf_buffer *dgamma,
                                       gf_buffer *dbeta, gf_buffer *workspace) GF_MUST_USE;
gf_status gf__batch_norm_backward_by(gf_device *device, const gf__batch_norm *norm, int rows,
                                     const gf_buffer *x, const gf_buffer *dy,
                                     const gf_buffer *dgamma, const gf_buffer *dbeta, gf_buffer *dx,
                                     const gf__epilogue *epilogue) GF_MUST_USE;
/* Writes dx alone, after a forward by the running statistics, which are constants. It reads nothing
 * that forward has left, so it also serves a norm that was folded into its convolution. */
gf_status gf__batch_norm_backward_running(gf_device *device, const gf__batch_norm *norm, int rows,
                                          const gf_buffer *dy, gf_buffer *dx,
                                          const gf__epilogue *epilogue) GF_MUST_USE;

/* Folds the norm into the convolution before it, of count weights and channels filters, for
 * inference: weight gamma / deviation and beta + (bias - mean) gamma / deviation, by the
 * running statistics. bias may be NULL. */
gf_status gf__batch_norm_fold(gf_device *device, const gf__batch_norm *norm, size_t count,
                              const gf_buffer *weight, const gf_buffer *bias,
                              gf_buffer *folded_weight, gf_buffer *folded_bias) GF_MUST_USE;

#endif
