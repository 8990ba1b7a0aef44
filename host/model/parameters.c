/* The parameters of a network: where they lie, and their way between the layouts
 * of the API and of the device. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/numbers.h"
#include "model/model.h"
#include "model/parameters.h"

/* Floats from one tensor's start to where the next may start: at least 16, so that the vectors of
 * tensors are aligned as well as the tensors are. */
static size_t aligned_floats(const gf_device *device, size_t floats) {
  size_t alignment = gf_device_describe(device)->base_alignment / sizeof(float);
  return gf__align(floats, GF__MAX(alignment, (size_t)16));
}

static void collect_parameters(gf_model *model, bool trainable, size_t *floats) {
  for (int i = 0; i < model->graph.count; i++)
    for (int k = 0; k < model->graph.nodes[i]->parameter_count; k++) {
      gf__parameter *p = &model->graph.nodes[i]->parameters[k];
      if (p->trainable != trainable) continue;
      p->offset = *floats;
      *floats += aligned_floats(model->device, p->count);
      model->parameters[model->parameter_count++] = p;
    }
}

gf_status gf__parameters_collect(gf_model *model) {
  size_t most = 0;
  for (int i = 0; i < model->graph.count; i++)
    most += (size_t)model->graph.nodes[i]->parameter_count;
  model->parameters = calloc(most + 1, sizeof *model->parameters);
  if (!model->parameters) return gf__fail_host_memory(most * sizeof *model->parameters);
  collect_parameters(model, true, &model->flat_floats);
  model->trainable_count = model->parameter_count;
  collect_parameters(model, false, &model->running_floats);
  return GF_OK;
}

gf_status gf__parameters_allocate(gf_model *model) {
  gf_device *device = model->device;
  size_t flat = model->flat_floats * sizeof(float), running = model->running_floats * sizeof(float);
  if (flat) {
    GF_TRY(gf__buffer_new(&model->weights, device, flat, "parameters"));
    GF_TRY(gf__buffer_new(&model->gradients, device, flat, "gradients of parameters"));
    GF_TRY(gf__buffer_zero(model->gradients));
  }
  if (running) GF_TRY(gf__buffer_new(&model->running, device, running, "running statistics"));
  for (int i = 0; i < model->parameter_count; i++) {
    gf__parameter *p = model->parameters[i];
    size_t offset = p->offset * sizeof(float), bytes = p->count * sizeof(float);
    GF_TRY(gf__sub_buffer_new(&p->data, p->trainable ? model->weights : model->running, offset,
                              bytes));
    if (p->trainable) GF_TRY(gf__sub_buffer_new(&p->grad, model->gradients, offset, bytes));
  }
  return GF_OK;
}

void gf__parameters_free(gf_model *model) {
  for (int i = 0; i < model->parameter_count; i++) {
    gf__buffer_free(&model->parameters[i]->data);
    gf__buffer_free(&model->parameters[i]->grad);
  }
  free(model->parameters);
  gf__buffer_free(&model->weights);
  gf__buffer_free(&model->gradients);
  gf__buffer_free(&model->running);
}

/* Filters, channels, and taps of the kernel. */
static void sizes_of(const gf__parameter *p, size_t d[3]) {
  d[0] = (size_t)p->dims[0];
  d[1] = p->dim_count > 1 ? (size_t)p->dims[1] : 1;
  d[2] = p->count / d[0] / d[1];
}

/* p->count floats from PyTorch's order of dims to the device's, and back. */
static void to_device(const gf__parameter *p, const float *from, float *to) {
  size_t d[3], at = 0;
  sizes_of(p, d);
  for (size_t k = 0; k < d[0]; k++)
    for (size_t c = 0; c < d[1]; c++)
      for (size_t rs = 0; rs < d[2]; rs++) to[(rs * d[1] + c) * d[0] + k] = from[at++];
}

static void from_device(const gf__parameter *p, const float *from, float *to) {
  size_t d[3], at = 0;
  sizes_of(p, d);
  for (size_t k = 0; k < d[0]; k++)
    for (size_t c = 0; c < d[1]; c++)
      for (size_t rs = 0; rs < d[2]; rs++) to[at++] = from[(rs * d[1] + c) * d[0] + k];
}

int gf_model_parameter_count(const gf_model *model) { return model->parameter_count; }

gf_parameter_info gf_model_parameter(const gf_model *model, int index) {
  const gf__parameter *p = model->parameters[index];
  gf_parameter_info out = {.name = p->name,
                           .layer = p->layer,
                           .dim_count = p->dim_count,
                           .count = p->count,
                           .is_weight = p->is_weight,
                           .trainable = p->trainable};
  memcpy(out.dims, p->dims, sizeof out.dims);
  return out;
}

size_t gf_model_parameter_total(const gf_model *model) {
  size_t total = 0;
  for (int i = 0; i < model->trainable_count; i++) total += model->parameters[i]->count;
  return total;
}

static gf_status check_index(const gf_model *model, int index) {
  if (index >= 0 && index < model->parameter_count) return GF_OK;
  return gf__fail(GF_ERROR_ARGUMENT, "there is no parameter %d; the network has %d", index,
                  model->parameter_count);
}

gf_status gf__parameter_tensor(const gf__parameter *p, const char *prefix, gf__named_tensor *out) {
  *out = (gf__named_tensor){
      .dim_count = p->dim_count, .count = p->count, .values = malloc(p->count * sizeof(float))};
  snprintf(out->name, sizeof out->name, "%s%s", prefix, p->name);
  memcpy(out->dims, p->dims, sizeof out->dims);
  return out->values ? GF_OK : gf__fail_host_memory(p->count * sizeof(float));
}

gf_status gf__parameter_read(const gf__parameter *p, gf_buffer *flat, float *out) {
  size_t bytes = p->count * sizeof(float);
  float *values = malloc(bytes);
  if (!values) return gf__fail_host_memory(bytes);
  gf_status status = gf__buffer_read(flat, p->offset * sizeof(float), bytes, values);
  if (status == GF_OK) from_device(p, values, out);
  free(values);
  return status;
}

gf_status gf__parameter_write(const gf__parameter *p, gf_buffer *flat, const float *values) {
  size_t bytes = p->count * sizeof(float);
  float *ordered = malloc(bytes);
  if (!ordered) return gf__fail_host_memory(bytes);
  to_device(p, values, ordered);
  gf_status status = gf__buffer_write(flat, p->offset * sizeof(float), bytes, ordered);
  free(ordered);
  return status;
}

static gf_buffer *flat_of(const gf_model *model, const gf__parameter *p) {
  return p->trainable ? model->weights : model->running;
}

gf_status gf_model_read_parameter(gf_model *model, int index, float *out) {
  GF_TRY(check_index(model, index));
  const gf__parameter *p = model->parameters[index];
  return gf__parameter_read(p, flat_of(model, p), out);
}

gf_status gf_model_read_gradient(gf_model *model, int index, float *out) {
  GF_TRY(check_index(model, index));
  if (!model->parameters[index]->trainable)
    return gf__fail(GF_ERROR_ARGUMENT, "%s has no gradient", model->parameters[index]->name);
  return gf__parameter_read(model->parameters[index], model->gradients, out);
}

gf_status gf_model_write_parameter(gf_model *model, int index, const float *values) {
  GF_TRY(check_index(model, index));
  const gf__parameter *p = model->parameters[index];
  return gf__parameter_write(p, flat_of(model, p), values);
}

static bool is_finite_tensor(const float *values, size_t count) {
  size_t finite = 0;
  while (finite < count && isfinite(values[finite])) finite++;
  return finite == count;
}

gf_status gf__model_find_nonfinite_running(gf_model *model, const char **name) {
  size_t bytes = model->running_floats * sizeof(float);
  *name = NULL;
  if (bytes == 0) return GF_OK;
  float *values = malloc(bytes);
  if (!values) return gf__fail_host_memory(bytes);
  gf_status status = gf__buffer_read(model->running, 0, bytes, values);
  /* What lies between tensors counts for nothing. */
  for (int i = model->trainable_count; status == GF_OK && !*name && i < model->parameter_count; i++)
    if (!is_finite_tensor(values + model->parameters[i]->offset, model->parameters[i]->count))
      *name = model->parameters[i]->name;
  free(values);
  return status;
}
