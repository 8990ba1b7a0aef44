/** @file
 * What the gradients of a run did, and what helps. */
#ifndef GRADFLOW_DIAGNOSIS_H
#define GRADFLOW_DIAGNOSIS_H

#include <gradflow/status.h>

/** What is found, in the order in which findings become the headline where several hold; but a
 * layer that is dead as a whole comes before what vanishes below it. docs/diagnosis.md has the
 * thresholds and their sources. */
typedef enum gf_verdict {
  GF_VERDICT_NONFINITE,    /**< a gradient or a loss is an infinity or a NaN */
  GF_VERDICT_EXPLODING,    /**< mean |g| of a layer is above 1 */
  GF_VERDICT_VANISHING,    /**< mean |g| of a layer is below the optimizer's eps */
  GF_VERDICT_DEAD,         /**< more than 40% of an activation's channels let no gradient through */
  GF_VERDICT_SATURATED,    /**< the same of a sigmoid or tanh at an end of their range */
  GF_VERDICT_SMALL_STEPS,  /**< steps move the weights by less than 1e-4 of their size */
  GF_VERDICT_LARGE_STEPS,  /**< by more than 0.1 of their size */
  GF_VERDICT_NOT_LEARNING, /**< none of these, and the loss or the accuracy stays that of guessing
                            */
  GF_VERDICT_HEALTHY,      /**< none of these */
  GF_VERDICT_COUNT         /**< how many there are */
} gf_verdict;

/** A verdict in words: "vanishing", "dead units". Never NULL; the library owns the text. */
GF_API const char *gf_verdict_name(gf_verdict verdict);

/** What helps against a finding. */
typedef struct gf_remedy {
  const char *text; /**< what to do, why, and who found it */
  /** The setting that does it, "model.shortcut=identity", checked against the run's config; NULL
   * where the config is a graph of its own or is missing. */
  char *setting;
  /** The same as lines of code of the framework that the run was recorded in, by its network.json;
   * NULL where there is a config, and for other frameworks than PyTorch and Keras. */
  char *code;
} gf_remedy;

enum {
  GF_MOST_REMEDIES = 12 /**< of a finding */
};

/** One thing that holds for the gradients of a run. */
typedef struct gf_finding {
  gf_verdict verdict; /**< what it is */
  char
      *headline; /**< one line: "vanishing: 33 of 38 layers below 1e-8, from … towards the input" */
  char *evidence;                       /**< sentences with the numbers */
  char *threshold;                      /**< a sentence: against which value, and its source */
  int remedy_count;                     /**< how many remedies there are */
  gf_remedy remedies[GF_MOST_REMEDIES]; /**< without what the run already has */
} gf_finding;

/** What is found in a run, and the statistics that show it. All of it belongs to the diagnosis. */
typedef struct gf_diagnosis {
  int finding_count;                     /**< at least 1 */
  gf_finding findings[GF_VERDICT_COUNT]; /**< the first one is the headline */

  int layer_count;           /**< layers with weights */
  int epoch_count;           /**< epochs that have records of them */
  const char *const *layers; /**< (layer_count), from the input to the output */
  const double *epochs;      /**< (epoch_count): their numbers, from 1 */
  const double *mean_abs;    /**< (epoch_count, layer_count): mean |g| */
  const double *l2;          /**< (epoch_count, layer_count): the L2 norm of g */
  const double *zeros; /**< (epoch_count, layer_count): fraction of elements of g that are 0 */
  /** (epoch_count, layer_count): how far a step moved the weights, as a fraction of their size. */
  const double *update_ratio;
  /** (layer_count), of the last epoch: the fraction of dead channels in the activation that the
   * layer's output goes through, by network.json; NaN where there is none. */
  const double *dead;

  int activation_count;            /**< layers in activations.csv; 0 without the file */
  int activation_epoch_count;      /**< epochs in activations.csv; 0 without the file */
  const char *const *activations;  /**< (activation_count): their names */
  const double *activation_epochs; /**< (activation_epoch_count): their numbers */
  /** (activation_epoch_count, activation_count): mean of what the layer stores. */
  const double *activation_mean;
  /** (activation_epoch_count, activation_count): standard deviation of the same. */
  const double *activation_deviation;
  /** (activation_epoch_count, activation_count): fraction of dead channels; NaN where the layer has
   * no activation. */
  const double *activation_dead;
  void *owner; /**< the library's */
} gf_diagnosis;

/** Reads metrics.csv, gradients.csv, config.yaml and network.json of a run folder, and
 * activations.csv where there is one. The caller frees *out. GF_ERROR_FILE for a folder that is no
 * run's, GF_ERROR_DATA for a CSV that is damaged and for a run without a finished epoch. */
GF_API gf_status gf_diagnosis_open(gf_diagnosis **out, const char *run_folder) GF_MUST_USE;

/** Frees a diagnosis with everything in it. */
GF_API void gf_diagnosis_free(gf_diagnosis **diagnosis);

/** The headline alone: what happened in one line. The caller frees *out with free. Errors are those
 * of gf_diagnosis_open(). */
GF_API gf_status gf_diagnose(const char *run_folder, char **out) GF_MUST_USE;

#endif
