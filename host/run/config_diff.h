/* What differs between two configs, in words. */
#ifndef GF_RUN_CONFIG_DIFF_H
#define GF_RUN_CONFIG_DIFF_H

#include "base/config.h"

/* Appends "\n  train.epochs: 5, was 3" for every value that differs; model.tune, data.path,
 * logging and train.stop may, which say how, from where and until when, and not what. */
void gf__config_diff(const gf__value *now, const gf__value *before, gf__text *out);

#endif
