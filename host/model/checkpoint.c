/* The weights of a network as a safetensors file. */
#include <stdlib.h>

#include "model/model.h"
#include "model/safetensors.h"

static void free_tensors(gf__named_tensor *tensors, int count) {
  for (int i = 0; tensors && i < count; i++) free(tensors[i].values);
  free(tensors);
}

/* Names, dims and room for every parameter. */
static gf_status make_tensors(const gf_model *model, gf__named_tensor **out) {
  size_t count = (size_t)model->parameter_count;
  gf__named_tensor *tensors = calloc(count + 1, sizeof *tensors);
  *out = tensors;
  if (!tensors) return gf__fail_host_memory(count * sizeof *tensors);
  for (size_t i = 0; i < count; i++) {
    const gf__parameter *p = model->parameters[i];
    tensors[i] = (gf__named_tensor){.name = p->name,
                                    .dim_count = p->dim_count,
                                    .count = p->count,
                                    .values = malloc(p->count * sizeof(float))};
    for (int d = 0; d < 4; d++) tensors[i].dims[d] = p->dims[d];
    if (!tensors[i].values) return gf__fail_host_memory(p->count * sizeof(float));
  }
  return GF_OK;
}

gf_status gf_model_save(gf_model *model, const char *path) {
  gf__named_tensor *tensors;
  gf_status status = make_tensors(model, &tensors);
  for (int i = 0; status == GF_OK && i < model->parameter_count; i++)
    status = gf_model_read_parameter(model, i, tensors[i].values);
  if (status == GF_OK)
    status = gf__safetensors_write(path, tensors, (size_t)model->parameter_count);
  free_tensors(tensors, model->parameter_count);
  return status;
}

gf_status gf_model_load(gf_model *model, const char *path) {
  gf__named_tensor *tensors;
  gf_status status = make_tensors(model, &tensors);
  if (status == GF_OK) status = gf__safetensors_read(path, tensors, (size_t)model->parameter_count);
  for (int i = 0; status == GF_OK && i < model->parameter_count; i++)
    status = gf_model_write_parameter(model, i, tensors[i].values);
  free_tensors(tensors, model->parameter_count);
  return status;
}
