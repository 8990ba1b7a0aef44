/* The build options by which a kernel knows the shape of a convolution. */
#ifndef GF_OPS_CONV_OPTIONS_H
#define GF_OPS_CONV_OPTIONS_H

#include "ops/conv/conv.h"

enum { GF__CONV_OPTIONS_SIZE = 512 };

/* Writes "-DD=… -DH=… …", followed by more, a format and its arguments. */
void gf__conv_options(char out[GF__CONV_OPTIONS_SIZE], const gf__conv_shape *shape,
                      const char *more, ...) __attribute__((format(printf, 3, 4)));

#endif
