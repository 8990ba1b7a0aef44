/* Configurations: a YAML file, or text, and overrides of the form key=value. */
#ifndef GRADFLOW_CONFIG_H
#define GRADFLOW_CONFIG_H

#include <gradflow/status.h>

typedef struct gf_config gf_config;

/* Reads a YAML file. Syntax errors and duplicate keys are errors with
 * file:line:column; keys are checked when something reads them. The caller frees *out. */
GF_API gf_status gf_config_load(gf_config **out, const char *path) GF_MUST_USE;
/* The same from text; name stands in messages where a path would. */
GF_API gf_status gf_config_parse(gf_config **out, const char *name, const char *yaml) GF_MUST_USE;
/* Applies "a.b.c=value", value being YAML ("3", "[1, 2]", "true"); creates what is missing. */
GF_API gf_status gf_config_set(gf_config *config, const char *assignment) GF_MUST_USE;
GF_API void gf_config_free(gf_config **config);

#endif
