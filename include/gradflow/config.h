/** @file
 * Configurations: a YAML file, or text, and overrides of the form key=value.
 * docs/configuration.md lists the keys. */
#ifndef GRADFLOW_CONFIG_H
#define GRADFLOW_CONFIG_H

#include <gradflow/status.h>

/** A configuration. */
typedef struct gf_config gf_config;

/** Reads a YAML file. Keys and values are checked by the functions that read them, not here. The
 * caller frees *out. GF_ERROR_FILE where the file cannot be read; GF_ERROR_CONFIG, with
 * file:line:column, for wrong syntax and for duplicate keys. */
GF_API gf_status gf_config_load(gf_config **out, const char *path) GF_MUST_USE;

/** Reads a configuration from the text yaml as gf_config_load() does from a file. name replaces the
 * path in messages. */
GF_API gf_status gf_config_parse(gf_config **out, const char *name, const char *yaml) GF_MUST_USE;

/** Applies an assignment "a.b.c=value", where the value is YAML ("3", "[1, 2]", "true"). Mappings
 * that are missing on the way to the key are created. GF_ERROR_CONFIG for an assignment without
 * "=", wrong YAML, or a key within something that is no mapping. */
GF_API gf_status gf_config_set(gf_config *config, const char *assignment) GF_MUST_USE;

/** Frees a configuration; nothing that was opened with it needs it any more. */
GF_API void gf_config_free(gf_config **config);

#endif
