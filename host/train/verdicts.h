/* Verdicts about a run that is still being trained. host/diagnosis implements them: it builds upon
 * training, so that training can only declare what it needs of it. */
#ifndef GF_TRAIN_VERDICTS_H
#define GF_TRAIN_VERDICTS_H

#include <stdint.h>

#include "base/error.h"

/* The word of verdict number index as a config has it, "not_learning"; NULL past the last one that
 * says that something is wrong. */
const char *gf__verdict_word(int index);
/* Bit i of *set: the diagnosis of the run folder, as it is by now, finds verdict number i. */
gf_status gf__verdicts_of_run(const char *folder, uint64_t *set) GF_MUST_USE;

#endif
