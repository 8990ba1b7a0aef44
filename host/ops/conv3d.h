/* 3-D convolution (cross-correlation, as the field calls it) of tensors (n, depth, height, width,
 * channels), by direct kernels. */
#ifndef GF_OPS_CONV3D_H
#define GF_OPS_CONV3D_H

#include "ops/epilogue.h"

/* Triples are depth, height, width. */
typedef struct gf__conv3d_shape {
  int size[3], c; /* of an input volume */
  int filters;
  int kernel[3], stride[3], padding[3];
  int out[3]; /* by gf__conv3d_infer */
} gf__conv3d_shape;

/* The operands of a pass over n volumes. Weights are (kernel d, h, w, c, filters). */
typedef struct gf__conv3d_run {
  int n;
  const gf_buffer *x;    /* (n, d, h, w, c): forward, backward_weight */
  const gf_buffer *w;    /* forward, backward_data */
  const gf_buffer *dy;   /* (n, out, filters): both backward passes */
  gf_buffer *out;        /* y, dx or dw: written */
  gf_buffer *bias_out;   /* backward_weight: (filters), or NULL */
  gf__epilogue epilogue; /* forward and backward_data */
  gf_buffer *workspace;  /* backward passes: of gf__conv3d_workspace bytes */
} gf__conv3d_run;

/* Fills out; GF_ERROR_SHAPE when the kernel does not fit the padded volume. */
gf_status gf__conv3d_infer(gf__conv3d_shape *shape) GF_MUST_USE;
size_t gf__conv3d_workspace(const gf_device *device, const gf__conv3d_shape *shape);
gf_status gf__conv3d(gf_device *device, const gf__conv3d_shape *shape,
                     const gf__conv3d_run *run) GF_MUST_USE;
gf_status gf__conv3d_backward_data(gf_device *device, const gf__conv3d_shape *shape,
                                   const gf__conv3d_run *run) GF_MUST_USE;
gf_status gf__conv3d_backward_weight(gf_device *device, const gf__conv3d_shape *shape,
                                     const gf__conv3d_run *run) GF_MUST_USE;

/* Multiply-adds of a volume's forward pass, counted as 2. */
double gf__conv3d_flops(const gf__conv3d_shape *shape);

#endif
