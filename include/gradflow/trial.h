/**
 * @file
 * Trials: every remedy that fits a config, trained for a few hundred steps beside the config as it
 * is, on the same batches, within a time.
 */
#ifndef GRADFLOW_TRIAL_H
#define GRADFLOW_TRIAL_H

#include <stdbool.h>

#include <gradflow/config.h>
#include <gradflow/device.h>
#include <gradflow/status.h>

/** Where a trial is. */
typedef struct gf_trial_progress {
  int done;                /**< trainings that are done */
  int trials;              /**< trainings in all, as far as it is known */
  const char *remedy;      /**< of the one under way: "shortcut identity" */
  unsigned long long seed; /**< of the one under way */
  int step;                /**< of the one under way */
  int steps;               /**< of the one under way */
  double loss;             /**< of its last step; NaN at first */
  double seconds_left;     /**< of the time for all */
} gf_trial_progress;

/** What is called while remedies are tried; each may be NULL. */
typedef struct gf_trial_events {
  void *user;                                                      /**< passed to each function */
  void (*progress)(void *user, const gf_trial_progress *progress); /**< a few times a second */
  bool (*stop)(void *user); /**< asked before each step; true ends the trial */
} gf_trial_events;

/** Where and how long remedies are tried. */
typedef struct gf_trial_options {
  /** The folder of the trial, which is created: not that of a run, nor in one; there is no default.
   */
  const char *out;
  double seconds;         /**< the time for all */
  int steps;              /**< of the longest trainings, at most */
  int seeds;              /**< of the remedies that are left in the end, 1 to 16 */
  gf_trial_events events; /**< what is called meanwhile */
} gf_trial_options;

/** No folder; 300 seconds, 300 steps and 3 seeds. */
GF_API gf_trial_options gf_trial_options_default(void);

/** What a remedy did. */
typedef enum gf_trial_outcome {
  GF_TRIAL_HELPS,         /**< every seed is better than every seed of the config as it is */
  GF_TRIAL_MAY_HELP,      /**< the median is better, or the one seed that there was time for */
  GF_TRIAL_DOES_NOT_HELP, /**< no difference beyond the margin */
  GF_TRIAL_MAKES_WORSE,   /**< the median is worse */
  GF_TRIAL_DIVERGES,      /**< a loss was not finite */
  GF_TRIAL_FAILS,         /**< the network cannot be opened: note says why */
  GF_TRIAL_NO_TIME,       /**< it was not tried */
  GF_TRIAL_AS_IT_IS       /**< the config itself */
} gf_trial_outcome;

/** "helps", "does not help", "" of the config as it is; never NULL. */
GF_API const char *gf_trial_outcome_name(gf_trial_outcome outcome);

/** A remedy, or two together, or the config as it is. Losses and accuracies are of validation
 * images, or losses of the last steps where the config has none. */
typedef struct gf_trial_row {
  const char *name;            /**< "shortcut identity", "as it is" */
  const char *const *settings; /**< (setting_count) "model.shortcut=identity" */
  int setting_count;           /**< 0 of the config as it is */
  const char *text;            /**< what it does and who found it; of two, that of the first */
  gf_trial_outcome outcome;    /**< what it did */
  const char *note;            /**< of GF_TRIAL_FAILS, else "" */
  int steps;                   /**< of the longest trainings that it was given */
  int seeds;                   /**< of those */
  double loss;                 /**< the median over the seeds; NaN where there is none */
  double loss_least;           /**< the smallest over the seeds */
  double loss_most;            /**< the largest over the seeds */
  double accuracy;             /**< in [0, 1], the median over the seeds */
  /** The smallest mean |g| of a weight tensor by the largest, in the last step: the median over the
   * seeds. */
  double flow;
} gf_trial_row;

/** What came of a trial. */
typedef struct gf_trial {
  /** (row_count) those with the longest trainings first, the best of them first. */
  const gf_trial_row *rows;
  int row_count;       /**< with the config as it is */
  int best;            /**< index of the remedy to use, or -1 where none helps */
  bool is_complete;    /**< everything that was planned has been trained */
  bool is_validated;   /**< losses are of validation images */
  int images;          /**< that they are of */
  double margin;       /**< differences of losses below it say nothing */
  double guessing;     /**< ln(classes) */
  const char *config;  /**< OUT/config.yaml: the config as it is, resolved */
  const char *picture; /**< OUT/trial.png: the losses */
  const char *study;   /**< OUT/study.yaml: the best and the config as it is at full length */
  const char *report;  /**< OUT/report.json: all of this */
  void *owner;         /**< the library's */
} gf_trial;

/** Tries the remedies and fills in *out, which the caller frees with gf_trial_free(). What is
 * trained is kept in the folder: the same call goes on after GF_ERROR_INTERRUPTED and where the
 * time was over. GF_ERROR_ARGUMENT where the time is too short for one remedy and the config as it
 * is, and for a folder that is a run's or lies in one; GF_ERROR_CONFIG for a folder with the trial
 * of another config. */
GF_API gf_status gf_trial_run(gf_trial **out, gf_device *device, const gf_config *config,
                              const gf_trial_options *options) GF_MUST_USE;

/** Frees a trial and clears the pointer; NULL is fine. */
GF_API void gf_trial_free(gf_trial **trial);

#endif
