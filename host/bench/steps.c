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

/* Images of CIFAR-100. */
static const gf_image_shape cifar_image = {32, 32, 3};
enum { CIFAR_CLASSES = 100 };

static gf_status open_network(gf__bench_step *out, gf_device *device, int i, int batch,
                              const char *tune) {
  gf_config *config = NULL;
  char text[256];
  *out = (gf__bench_step){0};
  snprintf(text, sizeof text, "model: {%s, tune: %s}\noptimizer: {name: adam}\n", networks[i].model,
           tune);
  GF_TRY(gf_config_parse(&config, networks[i].name, text));
  gf_status status = gf__bench_step_open(out, device, config, cifar_image, CIFAR_CLASSES, batch);
  gf_config_free(&config);
  return status;
}

static gf_status measure_step(gf__measurement *m, int i) {
  gf__bench_step step;
  gf__bench_timing timing;
  gf_bench_row row = {.kind = GF_BENCH_STEP, .batch = m->batch};
  snprintf(row.name, sizeof row.name, "%s", networks[i].name);
  GF_TRY(gf__measurement_next(m, row.name));
  gf_status status = open_network(&step, m->device, i, m->batch, m->tune);
  if (status == GF_OK)
    status = gf__bench_time(m->device, gf__bench_step_run, &step, &m->effort, &timing);
  if (status == GF_OK) {
    row.flops = gf__bench_step_flops(&step);
    row.bytes = gf__bench_step_bytes(&step);
    row.upload_bytes = gf__bench_step_upload(&step);
    status = gf__measurement_add(m, &row, &timing);
  }
  gf__bench_step_free(&step);
  return status;
}

/* A device of its own, which has no program yet. */
static gf_status measure_fresh(gf__measurement *m) {
  gf_device *device = NULL;
  gf__bench_step step = {0};
  GF_TRY(gf__measurement_next(m, "compiling afresh"));
  double start = gf__seconds();
  gf_status status = gf_device_open(&device, m->selector);
  if (status == GF_OK) {
    gf__device_build_afresh(device);
    status = open_network(&step, device, 0, m->batch, "off");
  }
  if (status == GF_OK) status = gf__bench_step_run(&step);
  m->out->builds.fresh_seconds = gf__seconds() - start;
  gf__bench_step_free(&step);
  gf_device_free(&device);
  return status;
}

static bool is_full(const gf__measurement *m) { return m->form == GF_BENCH_FULL; }

int gf__bench_count_steps(const gf__measurement *m) { return NETWORKS + is_full(m); }

gf_status gf__bench_steps(gf__measurement *m) {
  for (int i = 0; i < NETWORKS; i++) GF_TRY(measure_step(m, i));
  return is_full(m) ? measure_fresh(m) : GF_OK;
}
