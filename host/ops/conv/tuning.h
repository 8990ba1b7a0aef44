/* The choice of a convolution's algorithms by measurement on the device. */
#ifndef GF_OPS_CONV_TUNING_H
#define GF_OPS_CONV_TUNING_H

#include "ops/algorithm.h"
#include "ops/conv/conv.h"

/* Sets the algorithm of each direction of conv->shape for batches of batch inputs. */
gf_status gf__conv_tune(gf__conv *conv, gf__tuning *tuning, int batch) GF_MUST_USE;

#endif
