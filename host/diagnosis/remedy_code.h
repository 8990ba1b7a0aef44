/* Remedies as code of the framework that a run was recorded in. */
#ifndef GF_DIAGNOSIS_REMEDY_CODE_H
#define GF_DIAGNOSIS_REMEDY_CODE_H

#include "diagnosis/diagnosis.h"

/* Gives the remedy that sets section.key to value as lines of code. *out is NULL for a run that has
 * a config, where a setting says it, and for one of no framework that is known here; else the
 * caller frees it. value: one that the remedy sets, or NULL. key: NULL where
 * no setting does it. */
gf_status gf__remedy_code(const gf__case *c, const char *section, const char *key,
                          const char *value, char **out) GF_MUST_USE;
/* Whether the layers in network.json show that the network has the remedy; false where a config
 * says it, or nothing does. */
bool gf__remedy_is_in_layers(const gf__case *c, const char *section, const char *key);
/* The learning rate of the last epoch in metrics.csv; NaN without one. */
double gf__recorded_rate(const gf__case *c);

#endif
