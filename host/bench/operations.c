/* The operations of the standard networks in the shapes that those have. */
#include <stdio.h>
#include <string.h>

#include "bench/bench.h"
#include "bench/case.h"
#include "ops/conv/conv.h"
#include "ops/optimizer.h"
#include "ops/statistics.h"

/* ---- layers ---- */

#define CONVOLUTION ", filters: 32, padding: 1, bias: false"

/* In the order of a network, from its input to its loss. The first convolution needs no data
 * gradient. */
static const gf__bench_case cases[] = {
    {&gf__layer_conv2d, CONVOLUTION, {32, 32, 3}},
    {&gf__layer_conv2d, CONVOLUTION, {32, 32, 32}},
    {&gf__layer_conv2d, CONVOLUTION, {16, 16, 32}},
    {&gf__layer_conv2d, CONVOLUTION, {8, 8, 32}},
    {&gf__layer_conv2d, CONVOLUTION, {4, 4, 32}},
    {&gf__layer_batch_norm, "", {32, 32, 32}},
    {&gf__layer_leaky_relu, "", {32, 32, 32}},
    {&gf__layer_avg_pool, ", kernel: 2", {32, 32, 32}},
    {&gf__layer_max_pool, ", kernel: 2", {32, 32, 32}},
    {&gf__layer_global_avg_pool, "", {4, 4, 32}},
    {&gf__layer_softmax_cross_entropy, "", {1, 1, 100}},
};
enum { CASES = sizeof cases / sizeof *cases };

static bool is_wanted(const gf__bench_case *c, int d) {
  bool is_input = gf__layer_has(c->layer, GF__LAYER_IS_CONVOLUTION) && c->image.channels == 3;
  return !(is_input && d == GF__CONV_BACKWARD_DATA);
}

static gf_status measure_direction(gf__measurement *m, const gf__bench_case *c, gf_model *model,
                                   int d) {
  gf__bench_timing timing;
  gf_bench_row row = {.batch = model->pass.n,
                      .flops = gf__bench_flops(model, d),
                      .bytes = gf__bench_bytes(model, d)};
  gf__bench_layer_work work = {model, &gf__bench_directions(c->layer)[d]};
  int n = snprintf(row.name, sizeof row.name, "%s %s", c->layer->name, work.direction->name);
  if (c->image.height > 1)
    snprintf(row.name + n, sizeof row.name - (size_t)n, " %dx%dx%d", c->image.height,
             c->image.width, c->image.channels);
  if (gf__layer_has(c->layer, GF__LAYER_IS_CONVOLUTION)) {
    const gf__conv *convolution = model->graph.nodes[0]->state;
    snprintf(row.algorithm, sizeof row.algorithm, "%s", convolution->algorithm[d]->name);
  }
  GF_TRY(gf__measurement_next(m, row.name));
  GF_TRY(gf__bench_time(m->device, gf__bench_queue_layer, &work, &m->effort, &timing));
  return gf__measurement_add(m, &row, &timing);
}

static gf_status measure_case(gf__measurement *m, const gf__bench_case *c) {
  gf_model *model = NULL;
  gf_status status = gf__bench_case_open(&model, m->device, c, m->batch, "auto", m->tune);
  for (int d = 0; status == GF_OK && gf__bench_directions(c->layer)[d].name; d++)
    if (is_wanted(c, d)) status = measure_direction(m, c, model, d);
  gf_model_free(&model);
  return status;
}

/* ---- what works on all parameters ---- */

/* As many as plain37 has in as many tensors: 37 convolutions of 3 x 3, the first with 3 channels,
 * a linear layer, the biases and a norm. */
enum { TENSORS = 47, FLOATS = 9 * 32 * (3 + 36 * 32) + 6 * 32 + 2 * 32 + 33 * 100, STATES = 4 };

typedef struct flat_work {
  gf_device *device;
  gf_buffer *states[STATES]; /* weights, gradient, the optimizer's two */
  gf_buffer *ranges, *workspace, *sums;
  int t;
} flat_work;

static gf_status queue_adam(void *user) {
  flat_work *w = user;
  gf__optimizer_step step = {.t = ++w->t,
                             .count = FLOATS,
                             .w = w->states[0],
                             .gradient = w->states[1],
                             .first = w->states[2],
                             .second = w->states[3],
                             .learning_rate = 1e-3};
  return gf__adam_step(w->device, &step, &(gf__adam){0.9, 0.999, 1e-8, false});
}

static gf_status queue_statistics(void *user) {
  flat_work *w = user;
  return gf__statistics(w->device, TENSORS, w->states[1], w->states[0], w->states[2], w->ranges,
                        w->workspace, w->sums);
}

static const struct {
  const char *name;
  gf__bench_work *work;
  int moved; /* floats for each parameter, read and written */
} flat_operations[] = {{"adam step", queue_adam, 7}, {"gradient statistics", queue_statistics, 3}};
enum { FLAT_OPERATIONS = sizeof flat_operations / sizeof *flat_operations };

static gf_status open_flat(flat_work *w) {
  size_t bytes = FLOATS * sizeof(float);
  int ranges[TENSORS][2];
  for (int i = 0; i < STATES; i++) {
    GF_TRY(gf__buffer_new(&w->states[i], w->device, bytes, "parameters"));
    GF_TRY(gf__buffer_zero(w->states[i]));
  }
  for (int i = 0; i < TENSORS; i++) {
    ranges[i][0] = (int)((long)FLOATS * i / TENSORS);
    ranges[i][1] = (int)((long)FLOATS * (i + 1) / TENSORS) - ranges[i][0];
  }
  GF_TRY(gf__buffer_new(&w->ranges, w->device, sizeof ranges, "the places of tensors"));
  GF_TRY(gf__buffer_write(w->ranges, 0, sizeof ranges, ranges));
  GF_TRY(gf__buffer_new(&w->workspace, w->device, gf__statistics_workspace(TENSORS),
                        "parts of gradient statistics"));
  return gf__buffer_new(&w->sums, w->device, TENSORS * sizeof(gf__statistics_sums),
                        "gradient statistics");
}

static void free_flat(flat_work *w) {
  for (int i = 0; i < STATES; i++) gf__buffer_free(&w->states[i]);
  gf__buffer_free(&w->ranges);
  gf__buffer_free(&w->workspace);
  gf__buffer_free(&w->sums);
}

static gf_status measure_flat(gf__measurement *m, flat_work *w, int i) {
  gf__bench_timing timing;
  gf_bench_row row = {.bytes = (double)sizeof(float) * FLOATS * flat_operations[i].moved};
  snprintf(row.name, sizeof row.name, "%s", flat_operations[i].name);
  GF_TRY(gf__measurement_next(m, row.name));
  GF_TRY(gf__bench_time(m->device, flat_operations[i].work, w, &m->effort, &timing));
  return gf__measurement_add(m, &row, &timing);
}

/* ---- all ---- */

int gf__bench_count_operations(void) {
  int count = FLAT_OPERATIONS;
  for (int i = 0; i < CASES; i++)
    for (int d = 0; gf__bench_directions(cases[i].layer)[d].name; d++)
      count += is_wanted(&cases[i], d);
  return count;
}

gf_status gf__bench_operations(gf__measurement *m) {
  for (int i = 0; i < CASES; i++) GF_TRY(measure_case(m, &cases[i]));
  flat_work flat = {.device = m->device};
  gf_status status = open_flat(&flat);
  for (int i = 0; status == GF_OK && i < FLAT_OPERATIONS; i++) status = measure_flat(m, &flat, i);
  free_flat(&flat);
  return status;
}
