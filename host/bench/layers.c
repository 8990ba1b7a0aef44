/* gf_bench_layers: layers in shapes of the caller's, each algorithm of a convolution by itself. */
#include <stdio.h>
#include <string.h>

#include "bench/bench.h"
#include "bench/case.h"
#include "ops/conv/conv.h"

static bool is_convolution(const gf_bench_layer *of) {
  return !strcmp(of->type, gf__layer_conv2d.name);
}

/* The algorithm number i by which the layer is measured, or NULL. */
static const char *algorithm_at(const gf_bench_layer_options *o, const gf_bench_layer *of, int i) {
  if (is_convolution(of) && !o->algorithm)
    return gf__conv_algorithms[i] ? gf__conv_algorithms[i]->name : NULL;
  if (i > 0) return NULL;
  return is_convolution(of) ? o->algorithm : "auto";
}

/* The algorithm that a convolution takes in a direction, which is not the wanted one where that
 * does not take the shape; "" for other layers. */
static const char *algorithm_of(const gf_model *model, int d) {
  const gf_node *node = model->graph.nodes[0];
  if (!gf__layer_has(node->layer, GF__LAYER_IS_CONVOLUTION)) return "";
  return ((const gf__conv *)node->state)->algorithm[d]->name;
}

static gf_status measure_direction(gf__measurement *m, const gf_bench_layer *of, gf_model *model,
                                   int d) {
  gf__bench_timing timing;
  gf_bench_row row = {.batch = model->pass.n,
                      .flops = gf__bench_flops(model, d),
                      .bytes = gf__bench_bytes(model, d)};
  const char *algorithm = algorithm_of(model, d);
  gf__bench_layer_work work = {model, &gf__bench_directions(model->graph.nodes[0]->layer)[d]};
  snprintf(row.algorithm, sizeof row.algorithm, "%s", algorithm);
  snprintf(row.name, sizeof row.name, "%s%s%s %s%s%s", of->name, *algorithm ? " " : "", algorithm,
           work.direction->name, of->note ? "  " : "", of->note ? of->note : "");
  GF_TRY(gf__bench_time(m->device, gf__bench_queue_layer, &work, &m->effort, &timing));
  return gf__measurement_add(m, &row, &timing);
}

static gf_status measure_layer(gf__measurement *m, const gf_bench_layer *of, const char *by) {
  gf_model *model = NULL;
  const gf__bench_case c = {gf__layer_find(of->type), of->keys, of->image};
  char what[128];
  snprintf(what, sizeof what, "%s %s", of->name, is_convolution(of) ? by : "");
  GF_TRY(gf__measurement_next(m, what));
  if (!c.layer) return gf__fail(GF_ERROR_ARGUMENT, "there is no layer of type '%s'", of->type);
  gf_status status = gf__bench_case_open(&model, m->device, &c, of->batch, by, m->layers->tune);
  const gf__bench_direction *directions = gf__bench_directions(c.layer);
  for (int d = 0; status == GF_OK && directions[d].name; d++) {
    bool is_other =
        is_convolution(of) && strcmp(by, "auto") != 0 && strcmp(algorithm_of(model, d), by) != 0;
    if (!is_other) status = measure_direction(m, of, model, d);
  }
  gf_model_free(&model);
  return status;
}

int gf__bench_count_layers(const gf__measurement *m) {
  const gf_bench_layer_options *o = m->layers;
  int count = 0;
  for (int i = 0; i < o->count; i++)
    for (int k = 0; algorithm_at(o, &o->layers[i], k); k++) count++;
  return count;
}

gf_status gf__bench_layers(gf__measurement *m) {
  const gf_bench_layer_options *o = m->layers;
  if (o->gemm_defaults) gf__gemm_keep_defaults(m->device);
  GF_TRY(gf__measurement_limits(m));
  for (int i = 0; i < o->count; i++)
    for (int k = 0; algorithm_at(o, &o->layers[i], k); k++)
      GF_TRY(measure_layer(m, &o->layers[i], algorithm_at(o, &o->layers[i], k)));
  if (m->out->row_count > 0) return GF_OK;
  return gf__fail(GF_ERROR_ARGUMENT, "%s takes none of the shapes on this device",
                  o->algorithm ? o->algorithm : "the layer");
}
