/* The initialisation lsuv: layer-sequential unit variance, Mishkin and Matas, 2016. */
#ifndef GF_TRAIN_LSUV_H
#define GF_TRAIN_LSUV_H

#include <gradflow/data.h>

#include "model/model.h"

/* Scales the random weights of each layer, from the input to the output, so that what the layer
 * computes of the batch, before any activation, has a variance of 1. The model's weights are those
 * that gf__model_initialise gives them for the seed. Nothing is done for other initialisations. */
gf_status gf__lsuv_scale(gf_model *model, const gf_config *config, const gf_batch *batch,
                         unsigned long long seed) GF_MUST_USE;
/* The same with the loader's first batch. */
gf_status gf__lsuv_start(gf_model *model, const gf_config *config, gf_loader *loader,
                         unsigned long long seed) GF_MUST_USE;

#endif
