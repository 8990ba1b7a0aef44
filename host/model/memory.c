/* How much device memory a network needs, before it is allocated. */
#include "model/memory.h"

#include <limits.h>

#include "base/numbers.h"
#include "model/activations.h"

size_t gf__model_workspace_bytes(const gf_model *model, int batch) {
  size_t most = sizeof(float);
  for (int i = 0; i < model->graph.count; i++) {
    const gf_node *node = model->graph.nodes[i];
    size_t bytes = node->layer->workspace ? node->layer->workspace(node, model->device, batch) : 0;
    size_t statistics = gf__activations_workspace(model, node);
    most = GF__MAX(most, GF__MAX(bytes, statistics));
  }
  return most;
}

size_t gf__model_folded_bytes(const gf_model *model, int which) {
  size_t most = 0;
  for (int i = 0; i < model->graph.count; i++) {
    const gf_node *node = model->graph.nodes[i];
    size_t count = which == 0 ? node->parameters[0].count : (size_t)node->out.c;
    if (node->norm) most = GF__MAX(most, count);
  }
  return most * sizeof(float);
}

static size_t saved_bytes(const gf_model *model, int batch) {
  size_t sum = 0;
  for (int i = 0; i < model->graph.count; i++) {
    const gf_node *node = model->graph.nodes[i];
    if (node->layer->saved) sum += node->layer->saved(node, batch);
  }
  return sum;
}

gf_memory gf__model_memory(const gf_model *model, int batch) {
  size_t images = (size_t)batch;
  return (gf_memory){
      .parameters = (2 * model->flat_floats + model->running_floats) * sizeof(float),
      .activations = images * gf__plan_floats(&model->plan) * sizeof(float) +
                     saved_bytes(model, batch) + gf__activations_bytes(model),
      .input = images * (gf__tensor_size(&model->graph.input) * sizeof(float) + 2 * sizeof(int)) +
               GF__RESULT_ROWS * 2 * sizeof(float),
      .workspace = gf__model_workspace_bytes(model, batch) + gf__model_folded_bytes(model, 0) +
                   gf__model_folded_bytes(model, 1)};
}

size_t gf__memory_total(const gf_memory *memory) {
  return memory->parameters + memory->optimizer + memory->activations + memory->input +
         memory->workspace;
}

/* Kernels count the floats of a piece in an int. */
static size_t largest_piece(const gf_device_info *info) {
  size_t countable = (size_t)INT_MAX * sizeof(float);
  return GF__MIN((size_t)info->max_allocation, countable);
}

/* Whether the device has enough memory in all, and for the largest piece. */
static bool batch_fits(const gf_model *model, int batch) {
  const gf_device_info *info = gf_device_describe(model->device);
  gf_memory memory = gf__model_memory(model, batch);
  size_t flat = model->flat_floats * sizeof(float);
  size_t piece = GF__MAX(memory.workspace, flat);
  for (int b = 0; b < model->plan.count; b++) {
    size_t bytes = model->plan.buffers[b].floats * (size_t)batch * sizeof(float);
    piece = GF__MAX(piece, bytes);
  }
  return gf__memory_total(&memory) <= info->memory && piece <= largest_piece(info);
}

gf_status gf__model_check_memory(const gf_model *model) {
  if (batch_fits(model, model->batch)) return GF_OK;
  const gf_device_info *info = gf_device_describe(model->device);
  gf_memory memory = gf__model_memory(model, model->batch);
  size_t need = gf__memory_total(&memory), have = info->memory;
  int fits = 0, too_large = model->batch;
  while (too_large - fits > 1) {
    int middle = fits + (too_large - fits) / 2;
    if (batch_fits(model, middle))
      fits = middle;
    else
      too_large = middle;
  }
  return gf__fail(GF_ERROR_DEVICE_MEMORY,
                  "a batch of %d images needs %.1f MiB on %s, which has %.1f MiB, at most %.1f MiB "
                  "in one piece; a batch of %d %s",
                  model->batch, (double)need / 0x1p20, info->name, (double)have / 0x1p20,
                  (double)largest_piece(info) / 0x1p20, fits ? fits : 1,
                  fits ? "would fit" : "would not fit either");
}
