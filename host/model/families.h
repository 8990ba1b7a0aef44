/* Families of networks: options of a config that stand for a graph. */
#ifndef GF_MODEL_FAMILIES_H
#define GF_MODEL_FAMILIES_H

#include "base/config.h"

typedef struct gf__family {
  const char *name, *help;
  const gf__key *keys;
  size_t key_count, options_size;
  /* Appends the graph as a YAML list of nodes for a number of classes. */
  void (*write)(gf__text *out, const void *options, int classes);
} gf__family;

/* The table, ended by NULL. */
extern const gf__family *const gf__families[];

extern const gf__family gf__family_vgg_stages;

#endif
