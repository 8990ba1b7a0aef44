#include "ops/batch_norm.h"

#include "layers/layer.h"

typedef struct batch_norm_options {
  double eps, momentum;
} batch_norm_options;

static const gf__key keys[] = {
    {"eps", GF__KEY_FLOAT, offsetof(batch_norm_options, eps), "1e-5", 1e-12, 1, NULL,
     "added to the variance"},
    {"momentum", GF__KEY_FLOAT, offsetof(batch_norm_options, momentum), "0.1", 0, 1, NULL,
     "share of a batch in the running statistics"},
};

enum { GAMMA, BETA, RUNNING_MEAN, RUNNING_VARIANCE };

static gf_status setup(gf__node *node) {
  const gf__tensor *x = node->in[0];
  gf__node_add_parameter(node, "weight", GF__FILL_ONE, 1, &x->c, x->c, x->c);
  gf__node_add_parameter(node, "bias", GF__FILL_ZERO, 1, &x->c, x->c, x->c);
  gf__node_add_parameter(node, "running_mean", GF__FILL_ZERO, 1, &x->c, x->c, x->c);
  gf__node_add_parameter(node, "running_var", GF__FILL_ONE, 1, &x->c, x->c, x->c);
  node->parameters[RUNNING_MEAN].trainable = node->parameters[RUNNING_VARIANCE].trainable = false;
  return gf__node_keep_shape(node);
}

static size_t workspace(const gf__node *node, const gf_device *device, int batch) {
  (void)batch;
  return gf__batch_norm_workspace(device, node->out.c);
}

static size_t saved(const gf__node *node, int batch) {
  (void)batch;
  return 2 * (size_t)node->out.c * sizeof(float);
}

gf__batch_norm gf__node_batch_norm(const gf__node *node) {
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

static gf_status forward(gf__node *node, const gf__pass *pass) {
  if (node->is_folded && pass->folded[0]) return GF_OK;
  gf__batch_norm norm = gf__node_batch_norm(node);
  gf__epilogue epilogue = gf__node_epilogue(node, NULL);
  return gf__batch_norm_forward(pass->device, &norm, (int)gf__node_rows(node, pass),
                                node->in[0]->data, node->out.data, pass->training, &epilogue,
                                pass->workspace);
}

static gf_status backward(gf__node *node, const gf__pass *pass) {
  gf__batch_norm norm = gf__node_batch_norm(node);
  const gf__sink *sink = &node->sinks[0];
  int rows = (int)gf__node_rows(node, pass);
  GF_TRY(gf__node_backward_addend(node, pass));
  if (!pass->training && !sink->grad) return GF_OK;
  if (!pass->training)
    return gf__batch_norm_backward_running(pass->device, &norm, rows, node->out.grad, sink->grad,
                                           &sink->epilogue);
  return gf__batch_norm_backward(pass->device, &norm, rows, node->in[0]->data, node->out.grad,
                                 node->parameters[GAMMA].grad, node->parameters[BETA].grad,
                                 sink->grad, &sink->epilogue, pass->workspace);
}

const gf__layer gf__layer_batch_norm = {
    .name = "batch_norm",
    .help = "batch normalization (Ioffe and Szegedy, 2015)",
    .keys = keys,
    .key_count = sizeof keys / sizeof *keys,
    .options_size = sizeof(batch_norm_options),
    .least_inputs = 1,
    .most_inputs = 1,
    .backward_reads_input = true,
    .has_epilogue = true,
    .setup = setup,
    .workspace = workspace,
    .saved = saved,
    .forward = forward,
    .backward = backward,
};
