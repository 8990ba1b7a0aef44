/* The rules about the signal: lost on the way forward from the start, or killed by training. Each
 * says whether it holds, and appends the texts of its finding then. */
#ifndef GF_DIAGNOSIS_RULES_SIGNAL_H
#define GF_DIAGNOSIS_RULES_SIGNAL_H

#include "diagnosis/diagnosis.h"

bool gf__signal_is_lost(const gf__case *c, gf__text *headline, gf__text *evidence);
bool gf__signal_is_killed(const gf__case *c, gf__text *headline, gf__text *evidence);
/* For a gradient that vanishes: whether the signal reaches the logits, so that the gradient is lost
 * on its way back. Nothing where that is not known. */
void gf__signal_add_direction(gf__text *out, const gf__case *c);

extern const char gf__signal_lost_threshold[], gf__signal_killed_threshold[];

#endif
