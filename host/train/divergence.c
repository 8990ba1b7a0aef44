#include <gradflow/divergence.h>
#include <stdlib.h>

#include "train/lockstep.h"
#include "train/training.h"

const char *gf_divergence_phase_name(gf_divergence_phase phase) {
  static const char *const names[] = {
      [GF_DIVERGENCE_FORWARD] = "forward",
      [GF_DIVERGENCE_BACKWARD] = "backward",
      [GF_DIVERGENCE_GRADIENT] = "gradient",
      [GF_DIVERGENCE_WEIGHT] = "weight",
  };
  return names[phase];
}

typedef struct comparison {
  gf__train_config run;
  gf_dataset *dataset;
  gf_loader *loader;
  gf__lockstep lockstep;
  const gf_divergence_options *options;
  gf_divergence *result;
} comparison;

static gf_status open_comparison(comparison *c, gf_device *const devices[2],
                                 const gf_config *config) {
  GF_TRY(gf__train_config_read(&c->run, config));
  GF_TRY(gf_dataset_open(&c->dataset, config, GF_SPLIT_TRAIN));
  gf_dataset_info info = gf_dataset_describe(c->dataset);
  int batch = c->run.batch_size < info.count ? c->run.batch_size : info.count;
  gf_loader_options options = gf_loader_options_default();
  options.batch_size = batch;
  options.seed = c->run.seed;
  options.training = true;
  GF_TRY(gf_loader_open(&c->loader, c->dataset, &options));
  size_t bytes = (size_t)c->options->steps * sizeof *c->result->steps;
  c->result->steps = malloc(bytes);
  if (!c->result->steps) return gf__fail_host_memory(bytes);
  GF_TRY(gf__lockstep_open(&c->lockstep, devices, config, info, batch, c->run.seed));
  GF_TRY(gf__training_load_weights(c->lockstep.models[0], &c->run));
  return gf__lockstep_align(&c->lockstep);
}

static void close_comparison(comparison *c) {
  gf__lockstep_close(&c->lockstep);
  gf_loader_free(&c->loader);
  gf_dataset_free(&c->dataset);
}

static bool is_over(const comparison *c) {
  return c->result->diverged || c->result->step_count == c->options->steps;
}

static gf_status compare_epoch(comparison *c, int epoch) {
  double base = gf__trainer_optimizer(c->lockstep.trainers[0])->learning_rate;
  double rate = gf__schedule_rate(&c->run.schedule, base, epoch, c->run.epochs);
  for (int i = 0; i < 2; i++)
    gf__model_weigh_auxiliaries(c->lockstep.models[i], 1 - (double)epoch / c->run.epochs);
  GF_TRY(gf_loader_start(c->loader, epoch, 0));
  while (!is_over(c)) {
    gf_batch batch;
    GF_TRY(gf_loader_next(c->loader, &batch));
    if (batch.count == 0) return GF_OK;
    if (c->options->progress)
      c->options->progress(c->options->user, c->result->step_count + 1, c->result);
    if (c->options->resync) GF_TRY(gf__lockstep_align(&c->lockstep));
    GF_TRY(gf__lockstep_step(&c->lockstep, &batch, rate));
  }
  return GF_OK;
}

gf_divergence_options gf_divergence_options_default(void) {
  return (gf_divergence_options){.steps = 10, .tolerance = 0.1};
}

gf_status gf_divergence_run(gf_divergence *out, gf_device *a, gf_device *b, const gf_config *config,
                            const gf_divergence_options *options) {
  *out = (gf_divergence){0};
  if (options->steps < 1 || !(options->tolerance >= 0))
    return gf__fail(GF_ERROR_ARGUMENT, "%d steps with a tolerance of %g: at least 1 and 0",
                    options->steps, options->tolerance);
  comparison c = {.options = options,
                  .result = out,
                  .lockstep = {.tolerance = options->tolerance, .result = out}};
  gf_status status = open_comparison(&c, (gf_device *const[]){a, b}, config);
  for (int epoch = 0; status == GF_OK && !is_over(&c); epoch++)
    status = compare_epoch(&c, epoch % c.run.epochs);
  close_comparison(&c);
  if (status != GF_OK) gf_divergence_free(out);
  return status;
}

void gf_divergence_free(gf_divergence *result) {
  free(result->steps);
  free(result->layers);
  *result = (gf_divergence){0};
}
