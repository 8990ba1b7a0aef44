/* The weights of a network as a safetensors file. */
#include <stdlib.h>

#include "model/parameters.h"

static gf_status make_tensors(const gf_model *model, gf__named_tensor **out) {
  size_t count = (size_t)model->parameter_count;
  *out = calloc(count + 1, sizeof **out);
  if (!*out) return gf__fail_host_memory(count * sizeof **out);
  for (size_t i = 0; i < count; i++)
    GF_TRY(gf__parameter_tensor(model->parameters[i], "", &(*out)[i]));
  return GF_OK;
}

gf_status gf_model_save(gf_model *model, const char *path) {
  size_t count = (size_t)model->parameter_count;
  gf__named_tensor *tensors;
  gf_status status = make_tensors(model, &tensors);
  for (int i = 0; status == GF_OK && i < model->parameter_count; i++)
    status = gf_model_read_parameter(model, i, tensors[i].values);
  if (status == GF_OK) status = gf__safetensors_write(path, tensors, count, NULL);
  gf__named_tensors_free(tensors, count);
  return status;
}

gf_status gf_model_load(gf_model *model, const char *path) {
  size_t count = (size_t)model->parameter_count;
  gf__named_tensor *tensors;
  gf_status status = make_tensors(model, &tensors);
  if (status == GF_OK) status = gf__safetensors_read(path, tensors, count);
  for (int i = 0; status == GF_OK && i < model->parameter_count; i++)
    status = gf_model_write_parameter(model, i, tensors[i].values);
  gf__named_tensors_free(tensors, count);
  return status;
}
