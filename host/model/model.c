#include "model/model.h"

#include <stdlib.h>

#include "base/random.h"
#include "model/activations.h"
#include "model/memory.h"
#include "model/network_config.h"
#include "model/parameters.h"

/* The branch of an addition, which is its first input that comes from a convolution or a norm,
 * begins as zero, and with it what the block adds to its shortcut: the scale of the norm, or the
 * weights of the convolution. Both learn, as the gradient with respect to them is that of the
 * branch times what the branch has computed. */
static void zero_branch(const gf_node *sum) {
  for (int i = 0; i < sum->in_count; i++) {
    gf_node *last = sum->in[i]->producer;
    if (!last || last->parameter_count == 0) continue;
    last->parameters[0].fill = GF__FILL_ZERO;
    if (last->parameter_count > 1) last->parameters[1].fill = GF__FILL_ZERO;
    return;
  }
}

static void zero_branches(gf__graph *graph) {
  for (int i = 0; i < graph->count; i++)
    if (gf__layer_has(graph->nodes[i]->layer, GF__LAYER_IS_SUM)) zero_branch(graph->nodes[i]);
}

/* The graph of the config's section, fused and planned, before anything is on the device. */
static gf_status build_graph(gf_model *model, const gf__network_config *network,
                             const gf__model_options *options) {
  gf__tensor *input = &model->graph.input;
  input->h = model->image.height;
  input->w = model->image.width;
  input->c = model->image.channels;
  GF_TRY(gf__network_build(&model->graph, network, model->classes, !options->no_loss));
  const gf_node *last = model->graph.nodes[model->graph.count - 1];
  if (!options->no_loss) GF_TRY(gf__network_check_classes(last->in[0], model->classes));
  if (network->zero_residual) zero_branches(&model->graph);
  if (gf__network_config_fuses(network)) {
    gf__graph_fuse(&model->graph);
    gf__graph_fold(&model->graph);
  }
  return gf__plan_make(&model->plan, &model->graph, options->input_gradient);
}

static gf_status allocate_model(gf_model *model) {
  gf_device *device = model->device;
  size_t images = (size_t)model->batch;
  size_t image_bytes = images * gf__tensor_size(&model->graph.input) * sizeof(float);
  GF_TRY(gf__parameters_allocate(model));
  GF_TRY(gf__plan_allocate(&model->plan, &model->graph, device, model->batch));
  for (int i = 0; i < model->graph.count; i++) {
    gf_node *node = model->graph.nodes[i];
    size_t bytes = node->layer->saved ? node->layer->saved(node, model->batch) : 0;
    if (bytes) GF_TRY(gf__buffer_new(&node->saved, device, bytes, node->name));
  }
  GF_TRY(gf__buffer_new(&model->graph.input.data, device, image_bytes, "images"));
  GF_TRY(gf__buffer_new(&model->labels, device, 2 * images * sizeof(int), "labels"));
  GF_TRY(gf__buffer_new(&model->results, device, GF__RESULT_ROWS * 2 * sizeof(float), "losses"));
  GF_TRY(gf__buffer_new(&model->workspace, device, gf__model_workspace_bytes(model, model->batch),
                        "the workspace of the layers"));
  for (int i = 0; i < 2 && gf__model_folded_bytes(model, i); i++)
    GF_TRY(gf__buffer_new(&model->folded[i], device, gf__model_folded_bytes(model, i),
                          "folded weights"));
  if (gf__activations_bytes(model))
    GF_TRY(gf__buffer_new(&model->activation_moments, device, gf__activations_bytes(model),
                          "statistics of activations"));
  GF_TRY(gf__upload_new(&model->image_upload, device, image_bytes));
  return gf__upload_new(&model->label_upload, device, 2 * images * sizeof(int));
}

static gf_status choose_algorithms(gf_model *model, const gf__network_config *network,
                                   const gf__model_options *options) {
  gf__tuning *tuning;
  const char *force = gf__network_config_algorithm(network);
  gf__tune mode = (gf__tune)network->tune;
  if (options->measures_nothing && mode > GF__TUNE_KNOWN) mode = GF__TUNE_KNOWN;
  gf_status status = gf__tuning_open(&tuning, model->device, mode, force);
  if (status == GF_OK && options->algorithms) gf__tuning_prefer(tuning, options->algorithms);
  for (int i = 0; status == GF_OK && i < model->graph.count; i++) {
    gf_node *node = model->graph.nodes[i];
    if (node->layer->open) status = node->layer->open(node, tuning, model->batch);
  }
  if (status == GF_OK) status = gf__tuning_choices(tuning, &model->algorithms);
  gf__tuning_close(&tuning);
  return status;
}

static gf_status open_model(gf_model *model, const gf_config *config,
                            const gf__model_options *options, unsigned long long seed) {
  gf__network_config network;
  GF_TRY(gf__network_config_read(&network, config));
  model->initialisation = (gf__initialisation)network.initialisation;
  model->orthogonal_gain = network.orthogonal_gain;
  gf_status status = build_graph(model, &network, options);
  if (status == GF_OK) status = choose_algorithms(model, &network, options);
  gf__network_config_free(&network);
  if (status != GF_OK) return status;
  GF_TRY(gf__parameters_collect(model));
  GF_TRY(gf__model_check_memory(model));
  GF_TRY(allocate_model(model));
  model->pass = (gf__pass){.device = model->device,
                           .workspace = model->workspace,
                           .labels = model->labels,
                           .results = model->results,
                           .mix = 1,
                           .label_smoothing = network.label_smoothing,
                           .auxiliary_weight = network.auxiliary_weight};
  model->auxiliary_weight = network.auxiliary_weight;
  model->joins_batch_norms = network.batch_norm == GF__BATCH_NORM_SYNC;
  gf__random_key(seed, GF__STREAM_DROPOUT, model->pass.dropout_key);
  return gf__model_initialise(model, seed);
}

gf_status gf__model_open_with(gf_model **out, gf_device *device, const gf_config *config,
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
  return gf__model_open_with(out, device, config, image, classes, batch, seed,
                             &(gf__model_options){0});
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
  for (int i = 0; i < 2; i++) gf__buffer_free(&model->folded[i]);
  gf__buffer_free(&model->activation_moments);
  gf__graph_free(&model->graph);
  free(model->algorithms);
  free(model->unit_means);
  free(model);
  *model_pointer = NULL;
}

gf_status gf__model_upload(gf_model *model, const float *images, const int *labels, int count) {
  return gf__model_upload_mixed(model, images, labels, count, 1);
}

gf_status gf__model_upload_mixed(gf_model *model, const float *images, const int *labels, int count,
                                 double mix) {
  if (count < 1 || count > model->batch)
    return gf__fail(GF_ERROR_ARGUMENT, "%d images for a network made for batches of %d", count,
                    model->batch);
  model->pass.n = count;
  size_t bytes = (size_t)count * gf__tensor_size(&model->graph.input) * sizeof(float);
  GF_TRY(gf__upload_send(model->image_upload, model->graph.input.data, bytes, images));
  model->pass.labels = labels ? model->labels : NULL;
  model->pass.mix = mix;
  if (!labels) return GF_OK;
  size_t label_bytes = (size_t)(mix < 1 ? 2 * count : count) * sizeof(int);
  return gf__upload_send(model->label_upload, model->labels, label_bytes, labels);
}

/* Without images a node has nothing to do, unless other ranks wait for it. */
static bool has_work(const gf_node *node, const gf__pass *pass) {
  return pass->n || (pass->whole_batch && gf__layer_has(node->layer, GF__LAYER_JOINS_WHOLE_BATCH));
}

/* Statistics are of every layer's own output. */
static bool is_inference(const gf_model *model, bool training) {
  return !training && !model->takes_activation_statistics;
}

void gf__model_begin_forward(gf_model *model, bool training, int row) {
  bool inference = is_inference(model, training);
  model->pass.training = training;
  model->pass.row = row;
  for (int i = 0; i < 2; i++) model->pass.folded[i] = inference ? model->folded[i] : NULL;
}

gf_status gf__model_queue_forward(gf_model *model, bool training, int row) {
  bool inference = is_inference(model, training);
  gf__activations_place place = {0};
  gf__model_begin_forward(model, training, row);
  for (int i = 0; i < model->graph.count; i++) {
    gf_node *node = model->graph.nodes[i];
    if (inference && node->trains_only) continue;
    if (!has_work(node, &model->pass)) continue;
    GF_TRY(node->layer->forward(node, &model->pass));
    if (model->takes_activation_statistics && model->pass.n)
      GF_TRY(gf__activations_queue(model, node, &place));
  }
  model->has_activation_statistics |= model->takes_activation_statistics;
  return GF_OK;
}

gf_status gf__model_queue_backward_nodes(gf_model *model, int begin, int end) {
  for (int i = end - 1; i >= begin; i--) {
    gf_node *node = model->graph.nodes[i];
    bool is_wanted = gf__node_is_loss(node) || node->out.grad;
    if (is_wanted && has_work(node, &model->pass))
      GF_TRY(node->layer->backward(node, &model->pass));
  }
  if (begin == 0) model->pass.step++;
  return GF_OK;
}

gf_status gf__model_queue_backward(gf_model *model) {
  return gf__model_queue_backward_nodes(model, 0, model->graph.count);
}

void gf__model_weigh_auxiliaries(gf_model *model, double fraction) {
  model->pass.auxiliary_weight = fraction * model->auxiliary_weight;
}

gf_status gf__model_read_results(gf_model *model, int first, int count, float *out) {
  const size_t row = 2 * sizeof(float);
  return gf__buffer_read(model->results, (size_t)first * row, (size_t)count * row, out);
}

gf_status gf_model_forward(gf_model *model, const float *images, const int *labels, int count,
                           bool training, gf_loss *loss) {
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
  const gf_node *last = model->graph.nodes[model->graph.count - 1];
  const gf__tensor *logits = last->in[0];
  if (model->pass.n == 0)
    return gf__fail(GF_ERROR_ARGUMENT, "logits need a forward pass before them");
  size_t bytes = (size_t)model->pass.n * gf__tensor_size(logits) * sizeof(float);
  return gf__buffer_read(logits->data, 0, bytes, out);
}
