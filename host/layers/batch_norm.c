#include "ops/batch_norm.h"

#include "layers/layer.h"

typedef struct batch_norm_options {
  double eps, momentum;
} batch_norm_options;

static const gf__key keys[] = {
    {"eps", GF__KEY_FLOAT, offsetof(batch_norm_options, eps), "1e-5", 1e-12, 1, NULL,
     "added to the variance"},
    {"momentum", GF__KEY_FLOAT, offsetof(batch_norm_options, momentum), "0.1", 0, 1, NULL,
     "fraction of a batch in the running statistics"},
};

enum { GAMMA, BETA, RUNNING_MEAN, RUNNING_VARIANCE };

static gf_status batch_norm_setup(gf_node *node) {
  const gf__tensor *x = node->in[0];
  gf__node_add_parameter(node, "weight", GF__FILL_ONE, 1, &x->c, x->c, x->c);
  gf__node_add_parameter(node, "bias", GF__FILL_ZERO, 1, &x->c, x->c, x->c);
  gf__node_add_parameter(node, "running_mean", GF__FILL_ZERO, 1, &x->c, x->c, x->c);
  gf__node_add_parameter(node, "running_var", GF__FILL_ONE, 1, &x->c, x->c, x->c);
  node->parameters[RUNNING_MEAN].trainable = node->parameters[RUNNING_VARIANCE].trainable = false;
  return gf__node_keep_shape(node);
}

static size_t batch_norm_workspace(const gf_node *node, const gf_device *device, int batch) {
  (void)batch;
  return gf__batch_norm_workspace(device, node->out.c);
}

static size_t batch_norm_saved(const gf_node *node, int batch) {
  (void)batch;
  return 2 * (size_t)node->out.c * sizeof(float);
}

gf__batch_norm gf__node_batch_norm(const gf_node *node) {
  const batch_norm_options *o = node->options;
  return (gf__batch_norm){.channels = node->out.c,
                          .eps = (float)o->eps,
                          .momentum = (float)o->momentum,
                          .gamma = node->parameters[GAMMA].data,
                          .beta = node->parameters[BETA].data,
                          .running_mean = node->parameters[RUNNING_MEAN].data,
                          .running_variance = node->parameters[RUNNING_VARIANCE].data,
                          .saved = node->saved};
}

/* By the moments of the whole batch, of which this pass has a shard or nothing. */
static gf_status batch_norm_forward_whole_batch(gf_node *node, const gf__pass *pass) {
  const gf__whole_batch *whole = pass->whole_batch;
  gf__batch_norm norm = gf__node_batch_norm(node);
  gf__epilogue epilogue = gf__node_epilogue(node, NULL);
  int rows = (int)gf__node_rows(node, pass);
  long all_rows;
  if (rows)
    GF_TRY(gf__batch_norm_moments(pass->device, &norm, rows, node->in[0]->data, node->saved,
                                  pass->workspace));
  GF_TRY(whole->join_batch_norm(whole->user, node->saved, norm.channels,
                                gf__tensor_pixels(&node->out), &all_rows));
  return gf__batch_norm_forward_by(pass->device, &norm, rows, node->in[0]->data, node->out.data,
                                   node->saved, all_rows, &epilogue);
}

static gf__batch_norm_operands batch_norm_operands_of(const gf_node *node, const gf__pass *pass) {
  return (gf__batch_norm_operands){
      .rows = (int)gf__node_rows(node, pass), .x = node->in[0]->data, .workspace = pass->workspace};
}

static gf_status batch_norm_forward(gf_node *node, const gf__pass *pass) {
  if (pass->training && pass->whole_batch) return batch_norm_forward_whole_batch(node, pass);
  if (node->is_folded && pass->folded[0]) return GF_OK;
  gf__batch_norm norm = gf__node_batch_norm(node);
  gf__batch_norm_operands operands = batch_norm_operands_of(node, pass);
  operands.y = node->out.data;
  operands.epilogue = gf__node_epilogue(node, NULL);
  return gf__batch_norm_forward(pass->device, &norm, &operands, pass->training);
}

static gf_status batch_norm_backward_inference(gf_node *node, const gf__pass *pass) {
  gf__batch_norm norm = gf__node_batch_norm(node);
  const gf__input_gradient *input_gradient = &node->input_gradients[0];
  if (!input_gradient->grad) return GF_OK;
  return gf__batch_norm_backward_running(pass->device, &norm, (int)gf__node_rows(node, pass),
                                         node->out.grad, input_gradient->grad,
                                         &input_gradient->epilogue);
}

static gf_status batch_norm_backward_training(gf_node *node, const gf__pass *pass) {
  const gf__whole_batch *whole = pass->whole_batch;
  gf__batch_norm norm = gf__node_batch_norm(node);
  const gf__input_gradient *input_gradient = &node->input_gradients[0];
  gf_buffer *dgamma = node->parameters[GAMMA].grad, *dbeta = node->parameters[BETA].grad;
  const gf_buffer *x = node->in[0]->data, *dy = node->out.grad;
  int rows = (int)gf__node_rows(node, pass);
  if (rows)
    GF_TRY(gf__batch_norm_backward_sums(pass->device, &norm, rows, x, dy, dgamma, dbeta,
                                        pass->workspace));
  if (whole) GF_TRY(whole->average_batch_norm(whole->user, dgamma, dbeta, norm.channels));
  if (rows == 0 || !input_gradient->grad) return GF_OK;
  return gf__batch_norm_backward_by(pass->device, &norm, rows, x, dy, dgamma, dbeta,
                                    input_gradient->grad, &input_gradient->epilogue);
}

static gf_status batch_norm_backward(gf_node *node, const gf__pass *pass) {
  if (pass->n) GF_TRY(gf__node_backward_residual(node, pass));
  return pass->training ? batch_norm_backward_training(node, pass)
                        : batch_norm_backward_inference(node, pass);
}

const gf__layer gf__layer_batch_norm = {
    .name = "batch_norm",
    .help = "batch normalization (Ioffe and Szegedy, 2015)",
    .keys = keys,
    .key_count = sizeof keys / sizeof *keys,
    .options_size = sizeof(batch_norm_options),
    .least_inputs = 1,
    .most_inputs = 1,
    .flags = GF__LAYER_BACKWARD_READS_INPUT | GF__LAYER_JOINS_WHOLE_BATCH | GF__LAYER_HAS_EPILOGUE |
             GF__LAYER_IS_NORM,
    .setup = batch_norm_setup,
    .workspace = batch_norm_workspace,
    .saved = batch_norm_saved,
    .forward = batch_norm_forward,
    .backward = batch_norm_backward,
};
