/** @file
 * The learning-rate range test (Smith, 2017): training steps at rates that rise, and what they do
 * to the loss. */
#ifndef GRADFLOW_RATE_TEST_H
#define GRADFLOW_RATE_TEST_H

#include <stdbool.h>

#include <gradflow/config.h>
#include <gradflow/device.h>
#include <gradflow/status.h>

/** A training step of the test. */
typedef struct gf_rate_test_step {
  double learning_rate; /**< of the step */
  double loss;          /**< mean over the batch, before the step */
  double smoothed;      /**< exponential mean of the losses so far, each next one weighted by 0.1 */
} gf_rate_test_step;

/** What the rates did to the loss. */
typedef struct gf_rate_test {
  gf_rate_test_step *steps; /**< (step_count) */
  int step_count;           /**< steps that were made */
  int batch_size;           /**< images of a step */
  char optimizer[32];       /**< its name in the config */
  double configured;        /**< the config's rate */
  bool diverged;            /**< it ended since the loss had risen to 4 times its lowest */
  bool out_of_time;         /**< it ended by the options' seconds */
  /** The rate at which the smoothed loss falls fastest; NaN where it falls by less than 1%. */
  double fastest;
  double lowest;      /**< the rate at which the smoothed loss is lowest; NaN as for fastest */
  double lowest_loss; /**< the smoothed loss there; NaN as for fastest */
} gf_rate_test;

/** How a range test goes. */
typedef struct gf_rate_test_options {
  double from;    /**< the first rate, above 0 */
  double to;      /**< the last rate, above the first */
  int steps;      /**< from 10 to 100000, at rates of equal ratios */
  double seconds; /**< it ends after that time; 0: without a limit */
  /** Called after each step with the test so far; true ends the test. */
  bool (*step)(void *user, const gf_rate_test *test);
  void *user; /**< passed to it */
} gf_rate_test_options;

/** 100 steps from 1e-7 to 10, two minutes at most. */
GF_API gf_rate_test_options gf_rate_test_options_default(void);

/** Trains the config's network from its start on the batches of its first epochs, at rates that
 * rise from step to step; its schedule is left aside, and nothing is written. The caller frees *out
 * with gf_rate_test_free(), after a failure too. GF_ERROR_INTERRUPTED where options->step has ended
 * it. */
GF_API gf_status gf_rate_test_run(gf_rate_test *out, gf_device *device, const gf_config *config,
                                  const gf_rate_test_options *options) GF_MUST_USE;

/** Frees what a test has, and clears it. */
GF_API void gf_rate_test_free(gf_rate_test *test);

#endif
