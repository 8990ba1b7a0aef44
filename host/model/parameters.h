#ifndef GF_MODEL_PARAMETERS_H
#define GF_MODEL_PARAMETERS_H

#include "model/model.h"

/* Lists the nodes' parameters and gives each its place in the flat buffers. */
gf_status gf__parameters_collect(gf_model *model) GF_MUST_USE;
gf_status gf__parameters_allocate(gf_model *model) GF_MUST_USE;
void gf__parameters_free(gf_model *model);

#endif
