/* Convolution (cross-correlation, as the field calls it) of tensors (n, depth, height, width,
 * channels) by one of several algorithms. Images have depth 1, and a linear layer convolves images
 * of 1 x 1. */
#ifndef GF_OPS_CONV_H
#define GF_OPS_CONV_H

#include "ops/epilogue.h"
#include "ops/window.h"

typedef struct gf__conv_shape {
  gf__window window;
  int c, filters; /* channels of the input and of the output */
  /* Divides both: group g of the filters reads group g of the channels alone. */
  int groups;
} gf__conv_shape;

typedef enum gf__conv_direction {
  GF__CONV_FORWARD,
  GF__CONV_BACKWARD_DATA,
  GF__CONV_BACKWARD_WEIGHT,
  GF__CONV_DIRECTIONS
} gf__conv_direction;

/* "forward", "backward_data", "backward_weight". */
extern const char *const gf__conv_direction_names[GF__CONV_DIRECTIONS];

/* What one direction over n images or volumes reads and writes. Weights are (kernel d, kernel h,
 * kernel w, c / groups, filters). */
typedef struct gf__conv_operands {
  int n;
  const gf_buffer *x;    /* (n, window.size, c): forward, backward_weight */
  const gf_buffer *w;    /* forward, backward_data */
  const gf_buffer *dy;   /* (n, window.out, filters): both backward directions */
  gf_buffer *out;        /* y, dx or dw: written */
  gf_buffer *bias_out;   /* backward_weight: (filters), or NULL */
  gf__epilogue epilogue; /* forward and backward_data */
  gf_buffer *workspace;  /* gf__conv_workspace bytes */
} gf__conv_operands;

typedef struct gf__conv_algorithm gf__conv_algorithm;

/* Computes one direction. */
typedef gf_status gf__conv_function(const gf__conv_algorithm *self, gf_device *device,
                                    const gf__conv_shape *shape, const gf__conv_operands *operands);

struct gf__conv_algorithm {
  const char *name;
  const char *needs; /* what a device must have, for people; NULL: nothing */
  int tile;          /* outputs of a tile along each axis; 0: the algorithm has no such tiles */
  bool (*accepts)(const gf__conv_algorithm *self, const gf_device *device,
                  const gf__conv_shape *shape, gf__conv_direction direction);
  /* Where nothing was measured, the highest of those that accept is used; one below 0 is not even
   * measured. */
  int (*priority)(const gf__conv_algorithm *self, const gf_device *device,
                  const gf__conv_shape *shape);
  size_t (*workspace)(const gf__conv_algorithm *self, const gf_device *device,
                      const gf__conv_shape *shape, gf__conv_direction direction,
                      int batch); /* bytes */
  gf__conv_function *run[GF__CONV_DIRECTIONS];
};

/* All algorithms, ended by NULL. The first one that accepts a shape is the reference, with which
 * the results of the others must agree: im2col, which accepts every image without groups, or
 * grouped. */
extern const gf__conv_algorithm *const gf__conv_algorithms[];
const gf__conv_algorithm *gf__conv_reference(const gf_device *device, const gf__conv_shape *shape,
                                             gf__conv_direction direction);
/* The algorithm of that name, if it accepts the shape, or NULL. */
const gf__conv_algorithm *gf__conv_find(const char *name, const gf_device *device,
                                        const gf__conv_shape *shape, gf__conv_direction direction);

/* A shape, and the algorithm of each direction. */
typedef struct gf__conv {
  gf__conv_shape shape;
  const gf__conv_algorithm *algorithm[GF__CONV_DIRECTIONS];
} gf__conv;

/* Chooses an algorithm for each direction: the one that force names, if it is not NULL and that
 * algorithm accepts conv->shape, or else the device's default. */
void gf__conv_choose(gf__conv *conv, const gf_device *device, const char *force);

size_t gf__conv_workspace(const gf__conv *conv, const gf_device *device, int batch); /* bytes */
gf_status gf__conv_run(const gf__conv *conv, gf_device *device, gf__conv_direction direction,
                       const gf__conv_operands *operands) GF_MUST_USE;

size_t gf__conv_inputs(const gf__conv_shape *shape);  /* floats of one input */
size_t gf__conv_outputs(const gf__conv_shape *shape); /* floats of one output */
size_t gf__conv_weights(const gf__conv_shape *shape); /* floats */
/* Channels that a filter reads, which are all of them where there is one group. */
int gf__conv_group_channels(const gf__conv_shape *shape);
/* What one direction over n inputs costs: multiply-adds counted as 2, and bytes of tensors moved.
 */
double gf__conv_flops(const gf__conv_shape *shape, int n);
double gf__conv_bytes(const gf__conv_shape *shape, int n);
/* Partial sums of a weight gradient on a CPU: a few per unit, so that units that finish early find
 * more. */
int gf__conv_weight_partials(const gf_device *device);
/* The shape whose forward direction with flipped weights is the data gradient; stride is 1. */
gf__conv_shape gf__conv_flipped(const gf__conv_shape *shape);

extern const gf__conv_algorithm gf__conv_im2col, gf__conv_direct, gf__conv_tiled,
    gf__conv_winograd2, gf__conv_winograd4, gf__conv_direct3d, gf__conv_grouped, gf__conv_depthwise;

#endif
