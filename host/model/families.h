/* Families of networks: options of a config that a graph is built from. */
#ifndef GF_MODEL_FAMILIES_H
#define GF_MODEL_FAMILIES_H

#include "base/section.h"

typedef struct gf__family {
  GF__ROW;
  /* What the keys' ranges do not say of the options that section has; NULL: nothing. */
  gf_status (*check)(const gf__value *section, const void *options);
  /* Appends the graph as a YAML list of nodes for a number of classes. */
  void (*write)(gf__text *out, const void *options, int classes);
} gf__family;

/* The table, ended by NULL. */
extern const gf__family *const gf__families[];

extern const gf__family gf__family_vgg_stages, gf__family_resnet_cifar, gf__family_resnet_imagenet,
    gf__family_multi_scale, gf__family_spectral_spatial;

/* ---- helpers of the families' graphs: families.c ---- */

/* The activations that a family may have, ended by NULL. */
extern const char *const gf__family_activations[];

/* The key "dropout" of families whose options are a struct with a double of that name. */
#define GF__FAMILY_DROPOUT(options, value)                                             \
  GF__KEY(options, dropout, FLOAT, .initial = (value), .maximum = 0.99,                \
          .help =                                                                      \
              "fraction of the features that training drops before the linear layer; " \
              "0: none")

/* The name of a node: at most 63 characters, which those of the families never reach. */
typedef struct gf__node_name {
  char text[64];
} gf__node_name;
gf__node_name gf__node_name_of(const char *format, ...) __attribute__((format(printf, 1, 2)));

typedef struct gf__family_conv {
  int filters, kernel, stride; /* padding is half the kernel */
  bool bias;
  int groups;
} gf__family_conv;

/* Append a node of that name; input is a node before it, NULL for the one right before. */
void gf__family_write_conv(gf__text *out, gf__node_name name, const gf__node_name *input,
                           gf__family_conv conv);
void gf__family_write_node(gf__text *out, gf__node_name name, const char *type,
                           const gf__node_name *input);
void gf__family_write_add(gf__text *out, gf__node_name name, gf__node_name a, gf__node_name b);
/* A dropout of probability p; none for 0. */
void gf__family_write_dropout(gf__text *out, double p);
/* The end of a classifier: the mean of each channel, dropout, and a linear layer. */
void gf__family_write_logits(gf__text *out, double dropout, int classes);

#endif
