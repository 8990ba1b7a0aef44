#include "bench/step.h"

#include <stdlib.h>

gf_status gf__bench_step_open(gf__bench_step *out, gf_device *device, const gf_config *config,
                              gf_image_shape image, int classes, int batch) {
  size_t floats = (size_t)batch * (size_t)image.height * (size_t)image.width;
  floats *= (size_t)image.channels;
  *out = (gf__bench_step){0};
  GF_TRY(gf_model_open(&out->model, device, config, image, classes, batch, 0));
  GF_TRY(gf_trainer_open(&out->trainer, out->model, config));
  out->images = malloc(floats * sizeof *out->images);
  out->labels = malloc((size_t)batch * sizeof *out->labels);
  if (!out->images || !out->labels) return gf__fail_host_memory(floats * sizeof *out->images);
  for (size_t i = 0; i < floats; i++) out->images[i] = (float)(i * 7919 % 1000) / 250.0F - 2.0F;
  for (int i = 0; i < batch; i++) out->labels[i] = i % classes;
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

/* Forward reads and writes, of an image. */
static double node_forward_floats(const gf_node *node) {
  double sum = (double)gf__tensor_size(&node->out);
  for (int i = 0; i < node->in_count; i++) sum += (double)gf__tensor_size(node->in[i]);
  return sum;
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

double gf__bench_inference_flops(const gf__bench_step *step) {
  const gf__graph *graph = &step->model->graph;
  double sum = 0;
  for (int i = 0; i < graph->count; i++)
    if (graph->nodes[i]->layer->flops) sum += graph->nodes[i]->layer->flops(graph->nodes[i]);
  return sum * step->batch.count;
}

double gf__bench_inference_bytes(const gf__bench_step *step) {
  const gf__graph *graph = &step->model->graph;
  double floats = 0;
  for (int i = 0; i < graph->count; i++) floats += node_forward_floats(graph->nodes[i]);
  return sizeof(float) * (floats * step->batch.count + (double)step->model->flat_floats);
}
