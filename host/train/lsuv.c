#include "train/lsuv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
  MOST_IMAGES = 32, /* whose pixels are enough for a variance */
  MOST_ROUNDS = 10  /* for a layer */
};
static const double tolerance = 0.05; /* of the variance */

typedef struct lsuv {
  gf_model *probe; /* the network without fusion, so that each layer stores what it computes */
  const gf_batch *batch;
  gf_activation_stats *stats; /* (stat_count) */
  int stat_count;
} lsuv;

static gf_status open_probe(lsuv *x, const gf_model *model, const gf_config *config,
                            unsigned long long seed) {
  gf_config *unfused = NULL;
  int images = x->batch->count < MOST_IMAGES ? x->batch->count : MOST_IMAGES;
  GF_TRY(gf__config_copy(&unfused, config));
  gf_status status = gf_config_set(unfused, "model.fuse=off");
  if (status == GF_OK) status = gf_config_set(unfused, "model.tune=off");
  if (status == GF_OK)
    status = gf__model_open_with(&x->probe, model->device, unfused, model->image, model->classes,
                                 images, seed, &(gf__model_options){0});
  gf_config_free(&unfused);
  GF_TRY(status);
  x->stat_count = gf__model_activation_count(x->probe);
  size_t bytes = ((size_t)x->stat_count + 1) * sizeof *x->stats;
  x->stats = malloc(bytes);
  return x->stats ? GF_OK : gf__fail_host_memory(bytes);
}

/* The deviation of what the layer computes of the batch; NaN where it is not measured. */
static gf_status measure_layer(lsuv *x, const char *layer, double *deviation) {
  gf_model *probe = x->probe;
  GF_TRY(gf__model_upload(probe, x->batch->images, x->batch->labels, probe->batch));
  probe->takes_activation_statistics = true;
  gf_status status = gf__model_queue_forward(probe, true, 0);
  probe->takes_activation_statistics = false;
  GF_TRY(status);
  GF_TRY(gf__model_read_activations(probe, NULL, x->stats));
  *deviation = NAN;
  for (int i = 0; i < x->stat_count; i++)
    if (!strcmp(x->stats[i].layer, layer)) *deviation = x->stats[i].deviation;
  return GF_OK;
}

static gf_status scale_parameter(lsuv *x, int index, double factor, float *values) {
  const gf__parameter *p = x->probe->parameters[index];
  GF_TRY(gf_model_read_parameter(x->probe, index, values));
  for (size_t i = 0; i < p->count; i++) values[i] = (float)(factor * (double)values[i]);
  return gf_model_write_parameter(x->probe, index, values);
}

static gf_status scale_layer(lsuv *x, int index) {
  const gf__parameter *p = x->probe->parameters[index];
  gf_status status = GF_OK;
  float *values = malloc(p->count * sizeof *values);
  if (!values) return gf__fail_host_memory(p->count * sizeof *values);
  for (int round = 0; round < MOST_ROUNDS && status == GF_OK; round++) {
    double deviation = NAN;
    status = measure_layer(x, p->layer, &deviation);
    bool can_scale = isfinite(deviation) && deviation > 0;
    if (status != GF_OK || !can_scale || fabs(deviation * deviation - 1) <= tolerance) break;
    status = scale_parameter(x, index, 1 / deviation, values);
  }
  free(values);
  return status;
}

/* The parameter of the same name; both models have all of them. */
static int index_of(const gf_model *model, const char *name) {
  int i = 0;
  while (i < model->parameter_count && strcmp(model->parameters[i]->name, name) != 0) i++;
  return i;
}

static gf_status copy_parameter(const lsuv *x, int index, gf_model *model) {
  const gf__parameter *p = x->probe->parameters[index];
  int there = index_of(model, p->name);
  if (there == model->parameter_count)
    return gf__fail(GF_ERROR_ARGUMENT, "the network without fusion has no %s", p->name);
  float *values = malloc(p->count * sizeof *values);
  if (!values) return gf__fail_host_memory(p->count * sizeof *values);
  gf_status status = gf_model_read_parameter(x->probe, index, values);
  if (status == GF_OK) status = gf_model_write_parameter(model, there, values);
  free(values);
  return status;
}

static gf_status scale_layers(lsuv *x, gf_model *model) {
  for (int i = 0; i < x->probe->trainable_count; i++) {
    if (x->probe->parameters[i]->fill != GF__FILL_RANDOM) continue;
    GF_TRY(scale_layer(x, i));
    GF_TRY(copy_parameter(x, i, model));
  }
  return GF_OK;
}

gf_status gf__lsuv_scale(gf_model *model, const gf_config *config, const gf_batch *batch,
                         unsigned long long seed) {
  lsuv x = {.batch = batch};
  if (model->initialisation != GF__LSUV || batch->count == 0) return GF_OK;
  gf_status status = open_probe(&x, model, config, seed);
  if (status == GF_OK) status = scale_layers(&x, model);
  free(x.stats);
  gf_model_free(&x.probe);
  return status;
}

gf_status gf__lsuv_start(gf_model *model, const gf_config *config, gf_loader *loader,
                         unsigned long long seed) {
  gf_batch batch;
  if (model->initialisation != GF__LSUV) return GF_OK;
  GF_TRY(gf_loader_start(loader, 0, 0));
  GF_TRY(gf_loader_next(loader, &batch));
  return gf__lsuv_scale(model, config, &batch, seed);
}
