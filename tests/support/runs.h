/* What the tests of runs share: a small data set with the shape of CIFAR-100, configs that train
 * in a moment, and comparisons of run folders. */
#ifndef SUPPORT_RUNS_H
#define SUPPORT_RUNS_H

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gradflow/train.h>

#include "base/text.h"
#include "reference.h"
#include "support/device.h"

/* 300 records, of which 5% validate; batches of 50, the last of 35. */
enum { RECORDS = 300, VALIDATION = 15, TESTED = 70, BATCH = 50, BATCHES = 6, CLASSES = 100 };

/* Two label bytes, of which the second counts, and three planes of noise around a colour. */
gf_status write_records(const char *name, int count, uint32_t random);

int open_all(void **state);

/* The model's section and further ones; two epochs with the seed 5 unless more says otherwise. */
gf_config *config_of(const char *model, const char *more);

gf_status train_with(const gf_config *config, const char *out, const gf_train_events *events);

/* Trains and frees the config. */
gf_status train(gf_config *config, const char *out, const gf_train_events *events);

gf_config *with_seed(gf_config *config, int seed);
char *read_text(const char *run, const char *name, size_t *size);
bool is_same_file(const char *a, const char *b);
bool is_same(const char *run, const char *other, const char *name);

/* Every number of a CSV of two runs, to a relative tolerance. */
void compare_run_csv(const char *run, const char *other, const char *name, double tolerance);

#endif
