/* diagnose of a config: a fresh network and one batch, before anything is trained. */
#ifndef GF_CLI_DIAGNOSE_CONFIG_H
#define GF_CLI_DIAGNOSE_CONFIG_H

#include "cli/cli.h"

typedef struct gf__diagnose_config {
  const char *device; /* as --device; or NULL */
  const gf__texts *sets;
  const char *out; /* the folder of the picture; or NULL */
  bool json;
} gf__diagnose_config;

/* Whether the argument of diagnose is a config and not a run folder. */
bool gf__diagnose_is_config(const char *path);
gf_status gf__diagnose_print_config(const char *path, const gf__diagnose_config *how) GF_MUST_USE;

#endif
