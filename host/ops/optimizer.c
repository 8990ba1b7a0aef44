#include "ops/optimizer.h"

#include <math.h>

static gf__grid elements_grid(gf_device *device, int count, int operands) {
  gf__grid grid = gf__grid_flat(device, (size_t)count);
  grid.bytes = 4.0 * count * operands;
  return grid;
}

gf_status gf__adam_step(gf_device *device, const gf__optimizer_step *s, const gf__adam *a) {
  gf__kernel *kernel;
  GF_TRY(gf__kernel_get(&kernel, device, "optimizer.cl", "adam", ""));
  double coupled = a->decoupled ? 0 : s->weight_decay;
  double shrink = a->decoupled ? s->learning_rate * s->weight_decay : 0;
  return GF_LAUNCH(
      kernel, elements_grid(device, s->count, 7), GF_BUFFER(s->w), GF_BUFFER(s->gradient),
      GF_BUFFER(s->first), GF_BUFFER(s->second), GF_INT(s->count), GF_FLOAT(s->learning_rate),
      GF_FLOAT(coupled), GF_FLOAT(shrink), GF_BUFFER(s->clip_scale), GF_FLOAT(s->clip_value),
      GF_FLOAT(1 - a->beta1), GF_FLOAT(1 - a->beta2), GF_FLOAT(a->eps),
      GF_FLOAT(1 / (1 - pow(a->beta1, s->t))), GF_FLOAT(1 / sqrt(1 - pow(a->beta2, s->t))));
}

gf_status gf__sgd_step(gf_device *device, const gf__optimizer_step *step, const gf__sgd *sgd) {
  gf__kernel *kernel;
  GF_TRY(gf__kernel_get(&kernel, device, "optimizer.cl", "sgd", ""));
  return GF_LAUNCH(kernel, elements_grid(device, step->count, 5), GF_BUFFER(step->w),
                   GF_BUFFER(step->gradient), GF_BUFFER(step->first), GF_INT(step->count),
                   GF_FLOAT(step->learning_rate), GF_FLOAT(step->weight_decay),
                   GF_BUFFER(step->clip_scale), GF_FLOAT(step->clip_value), GF_FLOAT(sgd->momentum),
                   GF_INT(sgd->nesterov));
}

gf_status gf__rmsprop_step(gf_device *device, const gf__optimizer_step *step,
                           const gf__rmsprop *rmsprop) {
  gf__kernel *kernel;
  GF_TRY(gf__kernel_get(&kernel, device, "optimizer.cl", "rmsprop", ""));
  return GF_LAUNCH(kernel, elements_grid(device, step->count, 7), GF_BUFFER(step->w),
                   GF_BUFFER(step->gradient), GF_BUFFER(step->first), GF_BUFFER(step->second),
                   GF_INT(step->count), GF_FLOAT(step->learning_rate), GF_FLOAT(step->weight_decay),
                   GF_BUFFER(step->clip_scale), GF_FLOAT(step->clip_value),
                   GF_FLOAT(1 - rmsprop->alpha), GF_FLOAT(rmsprop->eps),
                   GF_FLOAT(rmsprop->momentum));
}
