/* A trial: candidates, what they came to, and the plan by which time is given to them. */
#ifndef GF_TRIAL_TRIAL_H
#define GF_TRIAL_TRIAL_H

#include <gradflow/trial.h>

#include "base/os.h"
#include "train/training.h"

enum { GF__TRIAL_MOST_SETTINGS = 4, GF__TRIAL_MOST_SEEDS = 16, GF__TRIAL_RUNGS = 3 };

/* The config as it is, or with settings. */
typedef struct gf__candidate {
  char *name, *text;
  char *settings[GF__TRIAL_MOST_SETTINGS];
  int setting_count;
  char *id;     /* the settings with a blank between them; "" of the config as it is */
  bool is_pair; /* of two remedies */
} gf__candidate;

/* What one training came to. */
typedef struct gf__trial_result {
  char *id; /* of the candidate */
  unsigned long long seed;
  int steps;
  double loss, accuracy, flow; /* NaN where it has diverged or failed */
  bool has_diverged;
  char *failure;  /* why it could not be trained, or NULL */
  double *losses; /* (loss_count) of its steps; NaN where they are not known */
  int loss_count;
} gf__trial_result;

/* Which trainings there are: successive halving (Jamieson and Talwalkar, 2016) in three rungs. */
typedef struct gf__trial_plan {
  int steps[GF__TRIAL_RUNGS]; /* 0: not planned yet */
  bool is_settled;            /* steps are by what the first rung took */
  int candidates;             /* that the first rung has, the first one being the config as it is */
  int kept;                   /* remedies that the second rung has */
  int pairs;                  /* of the best remedies, that join it */
  int finalists;              /* remedies that the third rung has, besides the config as it is */
  int seeds;                  /* of those */
  int validation_images;
} gf__trial_plan;

typedef struct gf__trial_state {
  gf_device *device;
  gf_trial_options options;
  char folder[GF__PATH_SIZE], config_path[GF__PATH_SIZE];
  gf__file_lock *lock;
  gf__text config; /* resolved */
  gf_dataset *train, *validation;
  int batch_size; /* of the config as it is */
  unsigned long long seed;
  gf__candidate *candidates;
  int candidate_count;
  gf__trial_result *results;
  int result_count;
  gf__trial_plan plan;
  double begun; /* seconds on the clock */
  int expected; /* trainings in all */
  /* Measured on the config as it is at first, then means over the trainings of this process. */
  double open_seconds, step_seconds;
  /* Of those trainings: */
  double opening, stepping; /* opening: the shortest, whose kernels were compiled before */
  int opened, stepped;      /* steps of the config as it is */
} gf__trial_state;

/* ---- candidates.c ---- */

/* Fills in the candidates: the config as it is, and each remedy that it has not got. Needs
 * config.yaml and network.json in the folder. activations (count) are those of the config as it is.
 */
gf_status gf__trial_candidates_find(gf__trial_state *trial, const gf_activation_stats *activations,
                                    int count) GF_MUST_USE;
/* Adds two remedies together and returns the candidate's index, which may be that of an earlier
 * one; -1 where the config does not take both. */
gf_status gf__trial_candidates_pair(gf__trial_state *trial, int a, int b, int *index) GF_MUST_USE;
/* The config of a candidate; the caller frees *out. */
gf_status gf__trial_candidate_config(const gf__trial_state *trial, const gf__candidate *candidate,
                                     unsigned long long seed, gf_config **out) GF_MUST_USE;
void gf__trial_candidates_free(gf__trial_state *trial);

/* ---- trainee.c ---- */

/* Measures the config as it is, and how its activations are called: *activations (*count) to
 * free. */
gf_status gf__trainee_probe(gf__trial_state *trial, gf_activation_stats **activations,
                            int *count) GF_MUST_USE;
/* Trains the candidate on from where its longest training with the seed has ended, to the step, and
 * validates it. *is_late: the time was over before, and there is no result. */
gf_status gf__trainee_train(gf__trial_state *trial, const gf__candidate *candidate,
                            unsigned long long seed, int steps, gf__trial_result *out,
                            bool *is_late) GF_MUST_USE;
double gf__trial_seconds_left(const gf__trial_state *trial);

/* ---- results.c ---- */

/* The result of a training, or NULL. */
const gf__trial_result *gf__trial_find(const gf__trial_state *trial, const gf__candidate *candidate,
                                       unsigned long long seed, int steps);
/* Keeps it, in the folder, too; it is the trial's afterwards, also after a failure. */
gf_status gf__trial_keep(gf__trial_state *trial, gf__trial_result *result) GF_MUST_USE;
/* Reads trial.json, where there is one. */
gf_status gf__trial_read(gf__trial_state *trial) GF_MUST_USE;
gf_status gf__trial_write(const gf__trial_state *trial) GF_MUST_USE;
void gf__trial_result_free(gf__trial_result *result);

/* ---- halving.c ---- */

/* Fills in the plan for the time that is left. GF_ERROR_ARGUMENT where it is too short. */
gf_status gf__trial_make_plan(gf__trial_state *trial) GF_MUST_USE;
/* Trains what is planned and not there yet; *is_complete: all of it is there now. */
gf_status gf__trial_halve(gf__trial_state *trial, bool *is_complete) GF_MUST_USE;

/* ---- rows.c ---- */

/* The rows of all candidates, sorted; the caller frees *out, whose texts are the trial's. */
gf_status gf__trial_rows(const gf__trial_state *trial, gf_trial_row **out) GF_MUST_USE;
/* Differences of losses below it say nothing: the range of the config as it is over its seeds, and
 * at least the least margin, which depends on no result, so that a trial that goes on keeps its
 * order. */
double gf__trial_margin(const gf__trial_state *trial);
double gf__trial_least_margin(const gf__trial_state *trial);
/* The index of the row to use, or -1. */
int gf__trial_best(const gf_trial_row *rows, int count);

/* ---- report.c ---- */

gf_status gf__trial_draw(const gf__trial_state *trial, const gf_trial *out) GF_MUST_USE;
gf_status gf__trial_write_study(const gf__trial_state *trial, const gf_trial *out) GF_MUST_USE;
gf_status gf__trial_write_report(const gf__trial_state *trial, const gf_trial *out) GF_MUST_USE;

#endif
