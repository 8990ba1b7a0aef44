/* A diagnosis: what is known of a run, the rules, the remedies. */
#ifndef GF_DIAGNOSIS_DIAGNOSIS_H
#define GF_DIAGNOSIS_DIAGNOSIS_H

#include <gradflow/diagnosis.h>
#include <gradflow/train.h>

#include "base/config.h"
#include "run/network.h"
#include "run/run_records.h"

/* How well the run does, beside guessing. */
typedef struct gf__learning {
  size_t epochs;
  double steps;                       /* of the run; NaN where no record says it */
  double first_loss, loss, best_loss; /* of training: first, last and lowest; NaN without epochs */
  double accuracy;                    /* of training in the last epoch, a fraction */
  bool is_known;     /* the number of classes is, without which nothing is said of guessing */
  bool guesses;      /* loss and accuracy are those of guessing */
  bool is_better;    /* accuracy and loss are better than by guessing */
  bool has_learnt;   /* the loss is at most half of what it was by guessing */
  bool is_fitted;    /* there is hardly a loss left */
  bool was_unstable; /* an epoch's loss was far above that of guessing */
} gf__learning;

/* What is known of a run. */
typedef struct gf__case {
  gf__run run;
  gf_config *config;   /* resolved, or NULL without a config.yaml */
  gf__network network; /* without layers, and of 0 classes, where it is not known */
  /* Median of |update| / |weights| over layers and epochs, as rates fall towards the end; NaN where
   * none is finite. */
  double typical_ratio;
  gf__learning learning;
  int output;            /* the weights nearest to the loss, an index of the run's layers; -1 */
  const char *optimizer; /* its kind, or NULL */
  double rate;           /* the highest of an epoch; NaN where it is not known */
  double decay;          /* weight decay; 0 where it is not known */
  bool diverged;         /* the run ended by a loss that is not finite */
  char *end_message;     /* of that end, or NULL */
} gf__case;

/* After a failure out is empty. */
gf_status gf__case_load(gf__case *out, const char *folder) GF_MUST_USE;
void gf__case_free(gf__case *c);
/* What the config says, "" for what is no scalar, NULL where it says nothing. */
const char *gf__case_setting(const gf__case *c, const char *section, const char *key);
/* Whether the layer of that name is a sigmoid or a tanh; layer NULL: any is. */
bool gf__case_saturates(const gf__case *c, const char *layer);

/* The mean |gradient| of the layer nearest to the loss; NaN where there is none. */
double gf__case_output_gradient(const gf__case *c, int epoch);
/* Whether the layer's gradient has vanished in the record of an epoch, an index. */
bool gf__case_is_lost(const gf__case *c, int epoch, int layer);

/* Fills in the findings of every rule that holds, healthy if none does; without remedies. */
gf_status gf__apply_rules(const gf__case *c, gf_diagnosis *out) GF_MUST_USE;

/* Fills in what helps against the finding and is not in the run yet. */
gf_status gf__add_remedies(const gf__case *c, gf_finding *finding) GF_MUST_USE;

/* Calls add with every remedy that the config of the case has not got and the program accepts,
 * whatever it is against; also is a second setting that goes with it, or NULL. */
typedef gf_status gf__remedy_function(void *user, const char *setting, const char *also,
                                      const char *text);
gf_status gf__remedies_that_fit(const gf__case *c, gf__remedy_function *add,
                                void *user) GF_MUST_USE;

#endif
