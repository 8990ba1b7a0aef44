/* What the layers of convolutions check alike. */
#ifndef GF_LAYERS_CONV_H
#define GF_LAYERS_CONV_H

#include "layers/layer.h"
#include "ops/conv/conv.h"

/* GF_ERROR_SHAPE if the weight has more elements than ints of kernels count. */
gf_status gf__conv_check_weight(const gf_node *node, const gf__conv_shape *shape) GF_MUST_USE;
/* GF_ERROR_SHAPE if the groups divide the input's channels or the filters not. */
gf_status gf__conv_check_groups(const gf_node *node, int filters, int groups) GF_MUST_USE;

#endif
