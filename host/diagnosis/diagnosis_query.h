/* Which layers of a run are below, above, … a threshold, and since when. */
#ifndef GF_DIAGNOSIS_DIAGNOSIS_QUERY_H
#define GF_DIAGNOSIS_DIAGNOSIS_QUERY_H

#include "diagnosis/diagnosis.h"

typedef bool gf__layer_test(double value, double threshold);
bool gf__is_below(double value, double threshold);
bool gf__is_above(double value, double threshold); /* and finite */
bool gf__is_nonfinite(double value, double threshold);

/* Which layers a rule is about: a silent one is neither a sigmoid nor a tanh. */
typedef enum gf__layer_kind { GF__ALL, GF__SILENT, GF__SATURATING } gf__layer_kind;

/* A matrix of numbers, and which of them a rule is after. */
typedef struct gf__query {
  const gf__case *c;
  const double *values, *epochs; /* (epoch_count, layer_count), (epoch_count) */
  int epoch_count, layer_count;
  const char *const *layers;
  gf__layer_test *test;
  double threshold;
  gf__layer_kind kind;
} gf__query;

/* Of mean |g|; set values for other numbers of the same layers. */
gf__query gf__query_gradients(const gf__case *c, gf__layer_test *test, double threshold);
/* Of fractions of dead channels above the threshold. */
gf__query gf__query_dead(const gf__case *c, double threshold, gf__layer_kind kind);

double gf__value_at(const gf__query *q, int epoch, int layer);
/* Whether the layer is of the kind, and the test holds for its value. */
bool gf__holds(const gf__query *q, int epoch, int layer);

typedef struct gf__extremes {
  int count;       /* layers for which the test holds */
  int first, last; /* of them, from the input; -1: none */
  int least, most; /* layers with the extreme finite values; -1: none */
  int asked;       /* layers of the kind that have a finite value */
} gf__extremes;

/* The layers of the last epoch. */
gf__extremes gf__extremes_of_last(const gf__query *q);
/* The epoch from which on the test holds for some layer in every one. */
double gf__since(const gf__query *q);
/* Appends "In epoch 5 WHAT is between 1.2e-18 (input_conv) and 8.0e-04 (logit_linear)." */
void gf__add_ends(gf__text *out, const gf__query *q, const char *what);

#endif
