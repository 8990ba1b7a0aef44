/* Optimizers: the "optimizer" section of a config. */
#ifndef GF_TRAIN_OPTIMIZERS_H
#define GF_TRAIN_OPTIMIZERS_H

#include "base/section.h"
#include "ops/optimizer.h"

/* What every optimizer has. */
typedef struct gf__optimizer_config {
  int kind; /* index in gf__optimizers */
  double learning_rate, weight_decay;
  /* 0: no clipping. Gradients are recorded as they were before it. */
  double clip_norm, clip_value;
  void *options; /* of the optimizer */
} gf__optimizer_config;

typedef struct gf__optimizer {
  GF__ROW;
  int states; /* flat buffers like the parameters: 0 to 2 */
  /* t counts steps from 1. */
  gf_status (*step)(gf_device *device, const gf__optimizer_step *step, const void *options);
} gf__optimizer;

/* The table, ended by NULL. */
extern const gf__optimizer *const gf__optimizers[];

gf_status gf__optimizer_config_read(gf__optimizer_config *out, const gf_config *config) GF_MUST_USE;
/* What the optimizer adds to the root of the mean squared gradient; NaN where it has no such key.
 */
double gf__optimizer_eps(const gf__optimizer_config *config);
void gf__optimizer_config_free(gf__optimizer_config *optimizer);
void gf__optimizer_config_write(gf__text *out, const gf__optimizer_config *config);
void gf__optimizer_config_help(gf__help *help);

#endif
