/* From a line of a case list to the config of the layer that it is a case of. */
#ifndef GF_VERIFY_CASE_CONFIG_H
#define GF_VERIFY_CASE_CONFIG_H

#include <gradflow/model.h>

#include "base/text.h"
#include "layers/layer.h"
#include "verify/cases.h"

/* Appends the case's values of the layer's keys as a config has them, each after a comma:
 * ", kernel: [3,2], bias: true" of "n=2 h=7 w=5 c=3 kernel=3,2 bias=true". */
void gf__case_layer_keys(const gf__cases *list, const gf__layer *layer, gf__text *out);

/* The images that the layer of the case reads; those of a volume have its depth in their
 * channels. */
gf_image_shape gf__case_image(gf__cases *list);
int gf__case_batch(gf__cases *list);

#endif
