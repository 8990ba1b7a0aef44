/* Runs that were made with other settings than the study has now. */
#ifndef GF_STUDY_CHANGED_H
#define GF_STUDY_CHANGED_H

#include "study/study.h"

/* Appends what differs, "model.filters: 8, was 4; train.epochs: 3, was 2"; nothing where the run in
 * the folder has the setting's config, or there is none that can be read. */
gf_status gf__study_difference(gf__text *out, const gf_study *study, const gf__setting *setting,
                               uint64_t seed, const char *folder) GF_MUST_USE;

#endif
