/* Which runs a shard has, and how long they last. */
#ifndef GF_STUDY_PLAN_H
#define GF_STUDY_PLAN_H

#include "study/study.h"

/* The setting of an item. */
int gf__item_setting(const gf_study *study, const gf_study_item *item);
/* Seconds of an epoch of each setting, by those of its runs among the items that have any; NaN of
 * the others. The caller frees *out. */
gf_status gf__study_epoch_seconds(const gf_study *study, const gf_study_item *items, int count,
                                  double **out) GF_MUST_USE;
/* The config of the item's run; the caller frees *out. */
gf_status gf__item_config(const gf_study *study, const gf_study_item *item,
                          gf_config **out) GF_MUST_USE;
/* Epochs that the item's run still has to do. */
int gf__item_epochs_left(const gf_study_item *item);

#endif
