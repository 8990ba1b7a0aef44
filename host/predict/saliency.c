/* The gradient of a class's score with respect to the image: Simonyan, Vedaldi and Zisserman
 * (2014), Deep Inside Convolutional Networks. A network of its own gives it, since one without a
 * loss takes the gradient of its output from outside, and has no auxiliaries. */
#include <stdlib.h>
#include <string.h>

#include "predict/predict.h"

static int find_parameter(const gf_model *model, const char *name) {
  int i = 0;
  while (i < model->parameter_count && strcmp(model->parameters[i]->name, name) != 0) i++;
  return i;
}

static gf_status copy_parameter(gf_model *from, gf_model *to, int index) {
  const gf__parameter *parameter = to->parameters[index];
  int source = find_parameter(from, parameter->name);
  float *values = malloc(parameter->count * sizeof *values);
  if (!values) return gf__fail_host_memory(parameter->count * sizeof *values);
  gf_status status = gf_model_read_parameter(from, source, values);
  if (status == GF_OK) status = gf_model_write_parameter(to, index, values);
  free(values);
  return status;
}

gf_status gf__saliency_open(gf_model **out, gf_model *trained, const gf_config *config) {
  gf__model_options options = {.no_loss = true,
                               .input_gradient = true,
                               .measures_nothing = true,
                               .algorithms = trained->algorithms};
  GF_TRY(gf__model_open_with(out, trained->device, config, trained->image, trained->classes,
                             trained->batch, 0, &options));
  gf_status status = GF_OK;
  for (int i = 0; i < (*out)->parameter_count && status == GF_OK; i++)
    status = copy_parameter(trained, *out, i);
  if (status != GF_OK) gf_model_free(out);
  return status;
}

gf_status gf__saliency_gradient(gf_model *model, const float *images, const int *classes, int count,
                                float *out) {
  const gf__tensor *input = &model->graph.input;
  const gf__tensor *logits = &model->graph.nodes[model->graph.count - 1]->out;
  size_t scores = (size_t)count * (size_t)model->classes;
  float *chosen = calloc(scores, sizeof *chosen);
  if (!chosen) return gf__fail_host_memory(scores * sizeof *chosen);
  for (int i = 0; i < count; i++) chosen[i * model->classes + classes[i]] = 1;
  gf_status status = gf__model_upload(model, images, NULL, count);
  if (status == GF_OK) status = gf__model_queue_forward(model, false, 0);
  if (status == GF_OK) status = gf__buffer_write(logits->grad, 0, scores * sizeof *chosen, chosen);
  free(chosen);
  if (status == GF_OK) status = gf__model_queue_backward(model);
  size_t floats = (size_t)count * gf__tensor_size(input);
  return status == GF_OK ? gf__buffer_read(input->grad, 0, floats * sizeof *out, out) : status;
}
