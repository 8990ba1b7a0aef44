/* The sections "train" and "logging" of a config, and a config as a whole. */
#ifndef GF_TRAIN_TRAIN_CONFIG_H
#define GF_TRAIN_TRAIN_CONFIG_H

#include <stdint.h>

#include <gradflow/data.h>

#include "base/config.h"
#include "train/schedules.h"
#include "train/stop.h"

enum { GF__STOP_AT_NONFINITE, GF__SKIP_NONFINITE };

typedef struct gf__train_config {
  int epochs, batch_size;
  uint64_t seed;
  int gradients_every;           /* steps; 0: the last whole batch of an epoch only */
  int on_nonfinite;              /* a loss or gradient */
  const gf__value *weights;      /* of the config: a path; or NULL */
  const gf__value *stop_section; /* of the config, or NULL */
  gf__stop_config stop;          /* what it says */
  gf__schedule_config schedule;
  bool tensorboard; /* event files are written */
} gf__train_config;

/* Checks the names of all sections, and reads those that are the trainer's. */
gf_status gf__train_config_read(gf__train_config *out, const gf_config *config) GF_MUST_USE;
/* "" where the run begins with random weights. */
const char *gf__train_config_weights(const gf__train_config *run);
void gf__train_config_write(gf__text *out, const gf__train_config *run);

/* resolve.c: appends the config with every default in it. train: its training split, whose files
 * say what the config leaves open; NULL: without them. */
gf_status gf__config_resolve(gf__text *out, const gf_config *config,
                             const gf_dataset *train) GF_MUST_USE;
/* The same, without files, as a config of its own; the caller frees it. */
gf_status gf__config_resolved(gf_config **out, const gf_config *config) GF_MUST_USE;

#endif
