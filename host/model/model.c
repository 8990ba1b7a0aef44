#include "model/model.h"

#include <stdlib.h>

#include "base/random.h"
#include "model/network_config.h"
#include "model/parameters.h"

/* The graph of the config's section, fused and planned, before anything is on the device. */
static gf_status build_graph(gf_model *model, const gf__network_config *network,
                             const gf__model_options *options) {
  gf_config *expanded;
  GF_TRY(gf__network_config_expand(network, model->classes, &expanded));
  const gf__value *list = network->graph;
  if (expanded) list = gf__value_get(gf__config_root(expanded), "graph");
  gf__tensor *input = &model->graph.input;
  input->h = model->image.height;
  input->w = model->image.width;
  input->c = model->image.channels;
  gf_status status = gf__graph_build(&model->graph, list, !options->no_loss);
  if (status != GF_OK && expanded)
    status = gf__fail(status, "the network of model.family does not fit images of %dx%d: %s",
                      input->h, input->w, gf_error_message());
  gf_config_free(&expanded);
  if (status != GF_OK) return status;
  const gf__node *last = model->graph.nodes[model->graph.count - 1];
  const gf__tensor *logits = options->no_loss ? &last->out : last->in[0];
  if (!options->no_loss && (int)gf__tensor_size(logits) != model->classes)
    return gf__fail(GF_ERROR_SHAPE,
                    "the network's last layer '%s' gives %zu values and the data has %d classes",
                    logits->name, gf__tensor_size(logits), model->classes);
  if (gf__network_config_fuses(network)) gf__graph_fuse(&model->graph);
  return gf__plan_make(&model->plan, &model->graph, options->input_gradient);
}

static size_t workspace_bytes(const gf_model *model, int batch) {
  size_t most = sizeof(float);
  for (int i = 0; i < model->graph.count; i++) {
    const gf__node *node = model->graph.nodes[i];
    size_t bytes = node->layer->workspace ? node->layer->workspace(node, model->device, batch) : 0;
    if (bytes > most) most = bytes;
  }
  return most;
}

static size_t saved_bytes(const gf_model *model, int batch) {
  size_t sum = 0;
  for (int i = 0; i < model->graph.count; i++) {
    const gf__node *node = model->graph.nodes[i];
    if (node->layer->saved) sum += node->layer->saved(node, batch);
  }
  return sum;
}

gf_memory gf__model_memory(const gf_model *model, int batch) {
  size_t images = (size_t)batch;
  return (gf_memory){
      .parameters = (2 * model->flat_floats + model->running_floats) * sizeof(float),
      .activations =
          images * gf__plan_floats(&model->plan) * sizeof(float) + saved_bytes(model, batch),
      .input = images * (gf__tensor_size(&model->graph.input) * sizeof(float) + sizeof(int)) +
               GF__RESULT_SLOTS * 2 * sizeof(float),
      .workspace = workspace_bytes(model, batch)};
}

size_t gf__memory_total(const gf_memory *memory) {
  return memory->parameters + memory->optimizer + memory->activations + memory->input +
         memory->workspace;
}

/* In all, and in the largest piece. */
static bool batch_fits(const gf_model *model, int batch) {
  const gf_device_info *info = gf_device_describe(model->device);
  gf_memory memory = gf__model_memory(model, batch);
  size_t piece = memory.workspace;
  for (int s = 0; s < model->plan.count; s++) {
    size_t bytes = model->plan.slots[s].floats * (size_t)batch * sizeof(float);
    if (bytes > piece) piece = bytes;
  }
  return gf__memory_total(&memory) <= info->memory && piece <= info->max_allocation;
}

/* Fails before anything is allocated if the device cannot hold the network. */
static gf_status check_memory(const gf_model *model) {
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
  return gf__fail(GF_ERROR_MEMORY,
                  "a batch of %d images needs %.1f MiB on %s, which has %.1f MiB, at most %.1f MiB "
                  "in one piece; a batch of %d %s",
                  model->batch, (double)need / 0x1p20, info->name, (double)have / 0x1p20,
                  (double)info->max_allocation / 0x1p20, fits ? fits : 1,
                  fits ? "would fit" : "would not fit either");
}

static gf_status allocate(gf_model *model) {
  gf_device *device = model->device;
  size_t images = (size_t)model->batch;
  size_t image_bytes = images * gf__tensor_size(&model->graph.input) * sizeof(float);
  GF_TRY(gf__parameters_allocate(model));
  GF_TRY(gf__plan_allocate(&model->plan, &model->graph, device, model->batch));
  for (int i = 0; i < model->graph.count; i++) {
    gf__node *node = model->graph.nodes[i];
    size_t bytes = node->layer->saved ? node->layer->saved(node, model->batch) : 0;
    if (bytes) GF_TRY(gf__buffer_new(&node->saved, device, bytes, node->name));
  }
  GF_TRY(gf__buffer_new(&model->graph.input.data, device, image_bytes, "images"));
  GF_TRY(gf__buffer_new(&model->labels, device, images * sizeof(int), "labels"));
  GF_TRY(gf__buffer_new(&model->results, device, GF__RESULT_SLOTS * 2 * sizeof(float), "losses"));
  GF_TRY(gf__buffer_new(&model->workspace, device, workspace_bytes(model, model->batch),
                        "the workspace of the layers"));
  GF_TRY(gf__upload_new(&model->image_upload, device, image_bytes));
  return gf__upload_new(&model->label_upload, device, images * sizeof(int));
}

static gf_status choose_algorithms(gf_model *model, const gf__network_config *network) {
  gf__tuning *tuning;
  const char *force = network->algorithm ? gf__algorithm_words[network->algorithm] : NULL;
  gf_status status = gf__tuning_open(&tuning, model->device, (gf__tune)network->tune, force);
  for (int i = 0; status == GF_OK && i < model->graph.count; i++) {
    gf__node *node = model->graph.nodes[i];
    if (node->layer->open) status = node->layer->open(node, tuning, model->batch);
  }
  gf__tuning_close(&tuning);
  return status;
}

static gf_status open_model(gf_model *model, const gf_config *config,
                            const gf__model_options *options, unsigned long long seed) {
  gf__network_config network;
  GF_TRY(gf__network_config_read(&network, config));
  model->initialisation = (gf__initialisation)network.initialisation;
  gf_status status = build_graph(model, &network, options);
  if (status == GF_OK) status = choose_algorithms(model, &network);
  gf__network_config_free(&network);
  if (status != GF_OK) return status;
  GF_TRY(gf__parameters_collect(model));
  GF_TRY(check_memory(model));
  GF_TRY(allocate(model));
  model->pass = (gf__pass){.device = model->device,
                           .workspace = model->workspace,
                           .labels = model->labels,
                           .results = model->results};
  gf__random_key(seed, GF__STREAM_DROPOUT, model->pass.dropout_key);
  return gf__model_initialise(model, seed);
}

gf_status gf__model_open(gf_model **out, gf_device *device, const gf_config *config,
                         gf_image_shape image, int classes, int batch, unsigned long long seed,
                         const gf__model_options *options) {
  *out = NULL;
  if (batch < 1 || image.height < 1 || image.width < 1 || image.channels < 1 || classes < 1)
    return gf__fail(GF_ERROR_ARGUMENT, "a network needs at least one image, pixel and class");
  gf_model *model = calloc(1, sizeof *model);
  if (!model) return gf__fail_host_memory(sizeof *model);
  model->device = device;
  model->image = image;
  model->classes = classes;
  model->batch = batch;
  gf_status status = open_model(model, config, options, seed);
  if (status != GF_OK) gf_model_free(&model);
  *out = model;
  return status;
}

gf_status gf_model_open(gf_model **out, gf_device *device, const gf_config *config,
                        gf_image_shape image, int classes, int batch, unsigned long long seed) {
  return gf__model_open(out, device, config, image, classes, batch, seed, &(gf__model_options){0});
}

void gf_model_free(gf_model **model_pointer) {
  gf_model *model = *model_pointer;
  if (!model) return;
  gf__upload_free(&model->image_upload);
  gf__upload_free(&model->label_upload);
  if (model->parameters) gf__parameters_free(model);
  gf__plan_free(&model->plan);
  gf__buffer_free(&model->graph.input.data);
  gf__buffer_free(&model->labels);
  gf__buffer_free(&model->results);
  gf__buffer_free(&model->workspace);
  gf__graph_free(&model->graph);
  free(model);
  *model_pointer = NULL;
}

gf_status gf__model_upload(gf_model *model, const float *images, const int *labels, int count) {
  if (count < 1 || count > model->batch)
    return gf__fail(GF_ERROR_ARGUMENT, "%d images for a network made for batches of %d", count,
                    model->batch);
  model->pass.n = count;
  size_t bytes = (size_t)count * gf__tensor_size(&model->graph.input) * sizeof(float);
  GF_TRY(gf__upload_send(model->image_upload, model->graph.input.data, bytes, images));
  model->pass.labels = labels ? model->labels : NULL;
  if (!labels) return GF_OK;
  return gf__upload_send(model->label_upload, model->labels, (size_t)count * sizeof(int), labels);
}

gf_status gf__model_queue_forward(gf_model *model, bool training, int slot) {
  model->pass.training = training;
  model->pass.slot = slot;
  for (int i = 0; i < model->graph.count; i++)
    GF_TRY(model->graph.nodes[i]->layer->forward(model->graph.nodes[i], &model->pass));
  return GF_OK;
}

gf_status gf__model_queue_backward(gf_model *model) {
  for (int i = model->graph.count - 1; i >= 0; i--) {
    gf__node *node = model->graph.nodes[i];
    bool is_loss = node->layer == &gf__layer_softmax_cross_entropy;
    if (is_loss || node->out.grad) GF_TRY(node->layer->backward(node, &model->pass));
  }
  model->pass.step++;
  return GF_OK;
}

gf_status gf__model_read_results(gf_model *model, int first, int count, float *out) {
  const size_t slot = 2 * sizeof(float);
  return gf__buffer_read(model->results, (size_t)first * slot, (size_t)count * slot, out);
}

gf_status gf_model_forward(gf_model *model, const float *images, const int *labels, int count,
                           int training, gf_loss *loss) {
  GF_TRY(gf__model_upload(model, images, labels, count));
  GF_TRY(gf__model_queue_forward(model, training, 0));
  if (!loss) return gf_device_finish(model->device);
  if (!labels) return gf__fail(GF_ERROR_ARGUMENT, "a loss needs labels");
  float sums[2];
  GF_TRY(gf__model_read_results(model, 0, 1, sums));
  *loss = (gf_loss){sums[0] / count, (int)sums[1]};
  return GF_OK;
}

gf_status gf_model_backward(gf_model *model) {
  if (model->pass.n == 0 || !model->pass.training)
    return gf__fail(GF_ERROR_ARGUMENT, "backward needs a forward pass in training before it");
  GF_TRY(gf__model_queue_backward(model));
  return gf_device_finish(model->device);
}

gf_status gf_model_logits(gf_model *model, float *out) {
  const gf__node *last = model->graph.nodes[model->graph.count - 1];
  const gf__tensor *logits = last->in[0];
  if (model->pass.n == 0)
    return gf__fail(GF_ERROR_ARGUMENT, "logits need a forward pass before them");
  size_t bytes = (size_t)model->pass.n * gf__tensor_size(logits) * sizeof(float);
  return gf__buffer_read(logits->data, 0, bytes, out);
}
