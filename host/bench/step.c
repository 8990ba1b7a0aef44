#include "bench/step.h"

#include <stdlib.h>

gf_status gf__bench_step_open(gf__bench_step *out, gf_device *device, const gf_config *config,
                              int batch) {
  gf_image_shape image = {GF__BENCH_SIDE, GF__BENCH_SIDE, GF__BENCH_CHANNELS};
  size_t pixels = (size_t)batch * GF__BENCH_SIDE * GF__BENCH_SIDE * GF__BENCH_CHANNELS;
  *out = (gf__bench_step){0};
  GF_TRY(gf_model_open(&out->model, device, config, image, GF__BENCH_CLASSES, batch, 0));
  GF_TRY(gf_trainer_open(&out->trainer, out->model, config));
  out->images = malloc(pixels * sizeof *out->images);
  out->labels = malloc((size_t)batch * sizeof *out->labels);
  if (!out->images || !out->labels) return gf__fail_host_memory(pixels * sizeof *out->images);
  for (size_t i = 0; i < pixels; i++) out->images[i] = (float)(i * 7919 % 1000) / 250.0F - 2.0F;
  for (int i = 0; i < batch; i++) out->labels[i] = i % GF__BENCH_CLASSES;
  out->batch = (gf_batch){.images = out->images, .labels = out->labels, .count = batch, .mix = 1};
  return GF_OK;
}

void gf__bench_step_free(gf__bench_step *step) {
  gf_trainer_free(&step->trainer);
  gf_model_free(&step->model);
  free(step->images);
  free(step->labels);
  *step = (gf__bench_step){0};
}

gf_status gf__bench_step_run(void *user) {
  gf__bench_step *step = user;
  return gf_trainer_step(step->trainer, step->batch.images, step->batch.labels, step->batch.count,
                         1e-3, NULL, NULL);
}

/* Backward costs as much as forward for the weights, and once more for the data where its gradient
 * is wanted. */
double gf__bench_step_flops(const gf__bench_step *step) {
  const gf__graph *graph = &step->model->graph;
  double sum = 0;
  for (int i = 0; i < graph->count; i++) {
    const gf_node *node = graph->nodes[i];
    if (node->layer->flops)
      sum += node->layer->flops(node) * (2 + node->input_gradients[0].is_wanted);
  }
  return sum * step->batch.count;
}

static double node_floats(const gf_node *node) { /* of an image */
  double x = 0, y = (double)gf__tensor_size(&node->out), sum = y;
  for (int i = 0; i < node->in_count; i++) {
    x += (double)gf__tensor_size(node->in[i]);
    if (node->input_gradients[i].is_wanted) sum += (double)gf__tensor_size(node->in[i]);
  }
  sum += x + y; /* forward reads and writes, backward reads y's gradient */
  if (gf__layer_has(node->layer, GF__LAYER_BACKWARD_READS_INPUT)) sum += x;
  if (gf__layer_has(node->layer, GF__LAYER_BACKWARD_READS_OUTPUT)) sum += y;
  return sum;
}

double gf__bench_step_bytes(const gf__bench_step *step) {
  /* Weights: read twice; gradients: written and read; Adam: three read and written. */
  enum { OF_A_WEIGHT = 2 + 2 + 6 };
  const gf__graph *graph = &step->model->graph;
  double floats = 0;
  for (int i = 0; i < graph->count; i++) floats += node_floats(graph->nodes[i]);
  return sizeof(float) *
         (floats * step->batch.count + (double)OF_A_WEIGHT * (double)step->model->flat_floats);
}

double gf__bench_step_upload(const gf__bench_step *step) {
  double image = (double)gf__tensor_size(&step->model->graph.input) * sizeof(float);
  return step->batch.count * (image + sizeof(int));
}
