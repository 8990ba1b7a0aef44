#include "bench/case.h"

#include <stdlib.h>

#include "ops/conv/conv.h"

/* ---- opening ---- */

/* No number is denormal, and no two neighbours are equal. */
static gf_status case_fill(gf_buffer *buffer, size_t floats) {
  float *values = malloc(floats * sizeof *values);
  if (!values) return gf__fail_host_memory(floats * sizeof *values);
  for (size_t i = 0; i < floats; i++) values[i] = (float)(i * 7919 % 1000) / 250.0F - 1.998F;
  gf_status status = gf__buffer_write(buffer, 0, floats * sizeof *values, values);
  free(values);
  return status;
}

static gf_status case_prepare(gf_model *model, int batch) {
  gf_node *node = model->graph.nodes[0];
  model->pass.n = batch;
  model->pass.training = true;
  GF_TRY(gf__buffer_zero(model->labels));
  GF_TRY(case_fill(node->in[0]->data, (size_t)batch * gf__tensor_size(node->in[0])));
  if (!node->out.grad) return GF_OK;
  return case_fill(node->out.grad, (size_t)batch * gf__tensor_size(&node->out));
}

gf_status gf__bench_case_open(gf_model **out, gf_device *device, const gf__bench_case *of,
                              int batch, const char *algorithm, const char *tune) {
  gf__text text = {0};
  gf_config *config = NULL;
  *out = NULL;
  gf__text_add(&text, "model:\n  algorithm: %s\n  tune: %s\n  graph:\n  - {type: %s", algorithm,
               tune, of->layer->name);
  if (of->layer->least_inputs == 2) gf__text_add(&text, ", input: [input, input]");
  gf__text_add(&text, "%s}\n", of->keys);
  gf_status status = gf__text_status(&text);
  if (status == GF_OK) status = gf_config_parse(&config, of->layer->name, text.data);
  if (status == GF_OK)
    status = gf__model_open_with(out, device, config, of->image, 1, batch, 0,
                                 &(gf__model_options){.no_loss = true, .input_gradient = true});
  if (status == GF_OK) status = case_prepare(*out, batch);
  if (status != GF_OK) gf_model_free(out);
  gf_config_free(&config);
  gf__text_free(&text);
  return status;
}

/* ---- directions ---- */

static gf_status queue_forward(gf_node *node, const gf__pass *pass) {
  return node->layer->forward(node, pass);
}

static gf_status queue_backward(gf_node *node, const gf__pass *pass) {
  return node->layer->backward(node, pass);
}

/* The two halves of a convolution's backward. */
static gf_status queue_backward_data(gf_node *node, const gf__pass *pass) {
  gf__conv_operands run = {.n = pass->n,
                           .w = node->parameters[0].data,
                           .dy = node->out.grad,
                           .out = node->input_gradients[0].grad,
                           .workspace = pass->workspace};
  return gf__conv_run(node->state, pass->device, GF__CONV_BACKWARD_DATA, &run);
}

static gf_status queue_backward_weight(gf_node *node, const gf__pass *pass) {
  gf__conv_operands run = {.n = pass->n,
                           .x = node->in[0]->data,
                           .dy = node->out.grad,
                           .out = node->parameters[0].grad,
                           .workspace = pass->workspace};
  return gf__conv_run(node->state, pass->device, GF__CONV_BACKWARD_WEIGHT, &run);
}

const gf__bench_direction *gf__bench_directions(const gf__layer *layer) {
  static const gf__bench_direction all[] = {
      {"forward", queue_forward}, {"backward", queue_backward}, {NULL, NULL}};
  static const gf__bench_direction convolution[] = {{"forward", queue_forward},
                                                    {"backward_data", queue_backward_data},
                                                    {"backward_weight", queue_backward_weight},
                                                    {NULL, NULL}};
  return gf__layer_has(layer, GF__LAYER_IS_CONVOLUTION) ? convolution : all;
}

gf_status gf__bench_queue_layer(void *layer_work) {
  gf__bench_layer_work *work = layer_work;
  return work->direction->queue(work->model->graph.nodes[0], &work->model->pass);
}

static bool is_convolution(const gf_node *node) {
  return gf__layer_has(node->layer, GF__LAYER_IS_CONVOLUTION);
}

double gf__bench_flops(const gf_model *model, int d) {
  const gf_node *node = model->graph.nodes[0];
  double forward_flops = node->layer->flops ? model->pass.n * node->layer->flops(node) : 0;
  return d == 0 || is_convolution(node) ? forward_flops : 2 * forward_flops;
}

double gf__bench_bytes(const gf_model *model, int d) {
  const gf_node *node = model->graph.nodes[0];
  double n = model->pass.n, x = 0, y = n * (double)gf__tensor_size(&node->out), parameters = 0;
  for (int i = 0; i < node->in_count; i++) x += n * (double)gf__tensor_size(node->in[i]);
  for (int i = 0; i < node->parameter_count; i++) parameters += (double)node->parameters[i].count;
  double floats = x + y + parameters; /* each is read or written once */
  if (d > 0 && !is_convolution(node))
    floats += (gf__layer_has(node->layer, GF__LAYER_BACKWARD_READS_INPUT) ? x : 0) +
              (gf__layer_has(node->layer, GF__LAYER_BACKWARD_READS_OUTPUT) ? y : 0);
  return sizeof(float) * floats;
}
