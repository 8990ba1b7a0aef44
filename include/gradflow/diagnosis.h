/* What the gradients of a run did, and what helps. */
#ifndef GRADFLOW_DIAGNOSIS_H
#define GRADFLOW_DIAGNOSIS_H

#include <gradflow/status.h>

/* In the order in which they become the headline where several hold; but a layer that is dead as a
 * whole comes before what vanishes behind it. docs/diagnosis.md has the thresholds and their
 * sources. */
typedef enum gf_verdict {
  GF_VERDICT_NONFINITE,    /* a gradient or a loss is an infinity or a NaN */
  GF_VERDICT_EXPLODING,    /* mean |g| of a layer is above 1 */
  GF_VERDICT_VANISHING,    /* mean |g| of a layer is below the optimizer's eps */
  GF_VERDICT_DEAD,         /* more than 40% of an activation's channels let no gradient through */
  GF_VERDICT_SATURATED,    /* the same of a sigmoid or tanh, which are at an end of their range */
  GF_VERDICT_SMALL_STEPS,  /* steps move the weights by less than 1e-4 of their size */
  GF_VERDICT_LARGE_STEPS,  /* by more than 0.1 of their size */
  GF_VERDICT_NOT_LEARNING, /* all that is well, and the loss or the accuracy stays that of guessing
                            */
  GF_VERDICT_HEALTHY,      /* none of these */
  GF_VERDICT_COUNT
} gf_verdict;

/* "vanishing", "dead units"; never NULL. */
GF_API const char *gf_verdict_name(gf_verdict verdict);

typedef struct gf_remedy {
  const char *text; /* what to do, why, and who found it */
  /* The setting that does it, "model.shortcut=identity", checked against the run's config; NULL
   * where the config is a graph of its own or is missing. */
  char *setting;
} gf_remedy;

enum { GF_MOST_REMEDIES = 12 };

typedef struct gf_finding {
  gf_verdict verdict;
  char *headline; /* one line: "vanishing: 33 of 38 layers below 1e-8, from … towards the input" */
  char *evidence;  /* sentences with the numbers */
  char *threshold; /* a sentence: against which value, and its source */
  int remedy_count;
  gf_remedy remedies[GF_MOST_REMEDIES]; /* without what the run already has */
} gf_finding;

typedef struct gf_diagnosis {
  int finding_count; /* at least 1; the first is the headline */
  gf_finding findings[GF_VERDICT_COUNT];

  /* The weights from the input to the output, and the epochs that have records of them. */
  int layer_count, epoch_count;
  const char *const *layers; /* (layer_count) */
  const double *epochs;      /* (epoch_count) */
  /* (epoch_count, layer_count) each: mean |g|, its L2 norm, the share of its elements that are 0,
   * and how far the step moved the weights for their size. */
  const double *mean_abs, *l2, *zeros, *update_ratio;
  /* (layer_count) of the last epoch: the fraction of dead channels in the activation that the
   * layer's output goes through, by network.json; NaN where there is none. */
  const double *dead;

  /* The same for what layers store in a forward pass; counts are 0 without activations.csv. */
  int activation_count, activation_epoch_count;
  const char *const *activations;  /* (activation_count) */
  const double *activation_epochs; /* (activation_epoch_count) */
  /* (activation_epoch_count, activation_count) each; dead is NaN without an activation. */
  const double *activation_mean, *activation_deviation, *activation_dead;
  void *owner;
} gf_diagnosis;

/* Reads metrics.csv, gradients.csv, activations.csv where there is one, config.yaml and
 * network.json of a run folder. All belongs to *out, which the caller frees. GF_ERROR_FILE
 * for a folder that is no run's, GF_ERROR_DATA for a CSV that is damaged and for a run without a
 * finished epoch. */
GF_API gf_status gf_diagnosis_open(gf_diagnosis **out, const char *run_folder) GF_MUST_USE;
GF_API void gf_diagnosis_free(gf_diagnosis **diagnosis);

/* Only the headline: what happened in one line. The caller frees *out with free. */
GF_API gf_status gf_diagnose(const char *run_folder, char **out) GF_MUST_USE;

#endif
