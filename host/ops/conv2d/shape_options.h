/* The build options that tell a kernel a convolution's shape. */
#ifndef GF_OPS_CONV2D_SHAPE_OPTIONS_H
#define GF_OPS_CONV2D_SHAPE_OPTIONS_H

#include "ops/conv2d/conv2d.h"

enum { GF__SHAPE_OPTIONS_SIZE = 512 };

/* Writes "-DH=… -DW=… …" and then more, a format and its arguments. */
void gf__conv2d_options(char out[GF__SHAPE_OPTIONS_SIZE], const gf__conv2d_shape *shape,
                        const char *more, ...) __attribute__((format(printf, 3, 4)));

#endif
