/* 2-D convolution (cross-correlation, as the field calls it) of NHWC tensors by
 * one of several algorithms. A linear layer is the case of 1 x 1 images. */
#ifndef GF_OPS_CONV2D_H
#define GF_OPS_CONV2D_H

#include "ops/epilogue.h"

typedef struct gf__conv2d_shape {
  int h, w, c; /* of an input image */
  int filters;
  int kernel[2], stride[2], padding[2], dilation[2]; /* vertical, horizontal */
  int out_h, out_w;                                  /* by gf__conv2d_infer */
} gf__conv2d_shape;

typedef enum gf__conv2d_pass {
  GF__CONV2D_FORWARD,
  GF__CONV2D_BACKWARD_DATA,
  GF__CONV2D_BACKWARD_WEIGHT,
  GF__CONV2D_PASSES
} gf__conv2d_pass;

/* The operands of a pass over n images. Weights are (kernel h, kernel w, c, filters). */
typedef struct gf__conv2d_run {
  int n;
  const gf_buffer *x;    /* (n, h, w, c): forward, backward_weight */
  const gf_buffer *w;    /* forward, backward_data */
  const gf_buffer *dy;   /* (n, out_h, out_w, filters): both backward passes */
  gf_buffer *out;        /* y, dx or dw: written */
  gf_buffer *bias_out;   /* backward_weight: (filters), or NULL */
  gf__epilogue epilogue; /* forward and backward_data */
  gf_buffer *workspace;  /* of the bytes that gf__conv2d_workspace says */
} gf__conv2d_run;

typedef struct gf__conv2d_algorithm {
  const char *name;
  const char *needs; /* what it takes of a device, for people; NULL: nothing */
  bool (*accepts)(const gf_device *device, const gf__conv2d_shape *shape, gf__conv2d_pass pass);
  /* Preference among the algorithms that accept, when nothing was measured; the highest wins. */
  int (*rank)(const gf_device *device, const gf__conv2d_shape *shape);
  size_t (*workspace)(const gf_device *device, const gf__conv2d_shape *shape, gf__conv2d_pass pass,
                      int batch); /* bytes */
  gf_status (*run[GF__CONV2D_PASSES])(gf_device *device, const gf__conv2d_shape *shape,
                                      const gf__conv2d_run *run);
} gf__conv2d_algorithm;

/* All algorithms, NULL at the end; im2col, which takes every shape, is the first. */
extern const gf__conv2d_algorithm *const gf__conv2d_algorithms[];

/* A shape, and the algorithm of each of its passes. */
typedef struct gf__conv2d {
  gf__conv2d_shape shape;
  const gf__conv2d_algorithm *algorithm[GF__CONV2D_PASSES];
} gf__conv2d;

/* Fills out_h and out_w; GF_ERROR_SHAPE when the kernel does not fit the padded image. */
gf_status gf__conv2d_infer(gf__conv2d_shape *shape) GF_MUST_USE;

/* Chooses an algorithm for each pass of convolution->shape: the one named if
 * force is not NULL and the algorithm takes the shape, else the default for the device. */
void gf__conv2d_choose(gf__conv2d *convolution, const gf_device *device, const char *force);

size_t gf__conv2d_workspace(const gf__conv2d *convolution, const gf_device *device, int batch);
gf_status gf__conv2d_run_pass(const gf__conv2d *convolution, gf_device *device,
                              gf__conv2d_pass pass, const gf__conv2d_run *run) GF_MUST_USE;

/* What a pass over n images takes: multiply-adds counted as 2, and bytes of images moved. */
double gf__conv2d_flops(const gf__conv2d_shape *shape, int n);
double gf__conv2d_bytes(const gf__conv2d_shape *shape, int n);
/* Parts of a weight gradient on a CPU: a few a unit, so that units that finish early find more. */
int gf__conv2d_weight_parts(const gf_device *device);
/* The shape whose forward pass on flipped weights is the data gradient; stride is 1. */
gf__conv2d_shape gf__conv2d_flipped(const gf__conv2d_shape *shape);

extern const gf__conv2d_algorithm gf__conv2d_im2col, gf__conv2d_direct, gf__conv2d_tiled,
    gf__conv2d_winograd2, gf__conv2d_winograd4;

#endif
