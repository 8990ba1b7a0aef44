/* The training step of the standard networks, which are those of configs/ by the same names. */
#include <stdio.h>

#include "base/os.h"
#include "bench/bench.h"
#include "bench/step.h"

static const struct {
  const char *name, *model;
} networks[] = {
    {"plain7", "family: vgg_stages, blocks_per_stage: 0"},
    {"plain37", "family: vgg_stages, blocks_per_stage: 5"},
    {"residual37", "family: vgg_stages, blocks_per_stage: 5, shortcut: identity"},
};
enum { NETWORKS = sizeof networks / sizeof *networks };

static gf_status open_network(gf__bench_step *out, gf_device *device, int i, int batch,
                              const char *tune) {
  gf_config *config = NULL;
  char text[256];
  *out = (gf__bench_step){0};
  snprintf(text, sizeof text, "model: {%s, tune: %s}\noptimizer: {name: adam}\n", networks[i].model,
           tune);
  GF_TRY(gf_config_parse(&config, networks[i].name, text));
  gf_status status = gf__bench_step_open(out, device, config, batch);
  gf_config_free(&config);
  return status;
}

static gf_status measure_step(gf__bench_run *run, int i) {
  gf__bench_step step;
  gf__bench_timing timing;
  gf_bench_row row = {.is_step = 1, .batch = run->batch};
  snprintf(row.name, sizeof row.name, "%s", networks[i].name);
  GF_TRY(gf__bench_begin(run, row.name));
  gf_status status = open_network(&step, run->device, i, run->batch, run->tune);
  if (status == GF_OK)
    status = gf__bench_time(run->device, gf__bench_step_run, &step, &run->effort, &timing);
  if (status == GF_OK) {
    row.flops = gf__bench_step_flops(&step);
    row.bytes = gf__bench_step_bytes(&step);
    row.upload_bytes = gf__bench_step_upload(&step);
    status = gf__bench_add(run, &row, &timing);
  }
  gf__bench_step_free(&step);
  return status;
}

/* A device of its own, which has no program yet. */
static gf_status measure_fresh(gf__bench_run *run) {
  gf_device *device = NULL;
  gf__bench_step step = {0};
  GF_TRY(gf__bench_begin(run, "compiling afresh"));
  double begun = gf__seconds();
  gf_status status = gf_device_open(&device, run->selector);
  if (status == GF_OK) {
    gf__device_build_afresh(device);
    status = open_network(&step, device, 0, run->batch, "off");
  }
  if (status == GF_OK) status = gf__bench_step_run(&step);
  run->out->builds.fresh_seconds = gf__seconds() - begun;
  gf__bench_step_free(&step);
  gf_device_free(&device);
  return status;
}

static bool is_full(const gf__bench_run *run) { return run->options->form == GF_BENCH_FULL; }

int gf__bench_count_steps(const gf__bench_run *run) { return NETWORKS + is_full(run); }

gf_status gf__bench_steps(gf__bench_run *run) {
  for (int i = 0; i < NETWORKS; i++) GF_TRY(measure_step(run, i));
  return is_full(run) ? measure_fresh(run) : GF_OK;
}
