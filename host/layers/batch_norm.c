#include "ops/batch_norm.h"

#include <stdlib.h>

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

/* ---- over ranks ---- */

/* The two numbers a channel of every rank. */
typedef struct exchange {
  size_t count;      /* 2 * channels */
  float *mine, *all; /* (count), (ranks, count) */
  long *rows;        /* (ranks) */
} exchange;

static void free_exchange(exchange *x) {
  free(x->mine);
  free(x->all);
  free(x->rows);
}

static gf_status open_exchange(exchange *x, const gf_node *node, const gf__pass *pass) {
  const gf__peers *peers = pass->peers;
  size_t ranks = (size_t)peers->ranks, count = 2 * (size_t)node->out.c;
  *x = (exchange){count, calloc(count, sizeof *x->mine), malloc(ranks * count * sizeof *x->all),
                  malloc(ranks * sizeof *x->rows)};
  if (x->mine && x->all && x->rows) {
    for (size_t r = 0; r < ranks; r++)
      x->rows[r] = peers->images[r] * (long)gf__tensor_pixels(&node->out);
    return GF_OK;
  }
  free_exchange(x);
  return gf__fail_host_memory(ranks * count * sizeof *x->all);
}

static gf_status join_moments(const gf_node *node, const gf__pass *pass, const gf__batch_norm *norm,
                              exchange *x, long *rows) {
  const gf__peers *peers = pass->peers;
  if (pass->n) {
    GF_TRY(gf__batch_norm_moments(pass->device, norm, (int)gf__node_rows(node, pass),
                                  node->in[0]->data, node->saved, pass->workspace));
    GF_TRY(gf__buffer_read(node->saved, 0, x->count * sizeof *x->mine, x->mine));
  }
  GF_TRY(peers->gather(peers->user, x->mine, x->count, x->all));
  *rows = gf__batch_norm_join(node->out.c, peers->ranks, x->rows, x->all, x->mine);
  return gf__buffer_write(node->saved, 0, x->count * sizeof *x->mine, x->mine);
}

static gf_status forward_joined(gf_node *node, const gf__pass *pass) {
  gf__batch_norm norm = gf__node_batch_norm(node);
  gf__epilogue epilogue = gf__node_epilogue(node, NULL);
  exchange x;
  long rows;
  GF_TRY(open_exchange(&x, node, pass));
  gf_status status = join_moments(node, pass, &norm, &x, &rows);
  free_exchange(&x);
  GF_TRY(status);
  return gf__batch_norm_forward_by(pass->device, &norm, (int)gf__node_rows(node, pass),
                                   node->in[0]->data, node->out.data, node->saved, rows, &epilogue);
}

/* Each rank's gradients are those of its own mean loss, so the whole batch's are their mean,
 * weighted by images. */
static void average(const gf__peers *peers, exchange *x) {
  double images = 0;
  for (int r = 0; r < peers->ranks; r++) images += peers->images[r];
  for (size_t i = 0; i < x->count; i++) {
    double sum = 0;
    for (int r = 0; r < peers->ranks; r++)
      if (peers->images[r]) sum += peers->images[r] * (double)x->all[(size_t)r * x->count + i];
    x->mine[i] = (float)(sum / images);
  }
}

static gf_status join_gradients(const gf_node *node, const gf__pass *pass,
                                const gf__batch_norm *norm, exchange *x) {
  const gf__peers *peers = pass->peers;
  gf_buffer *dgamma = node->parameters[GAMMA].grad, *dbeta = node->parameters[BETA].grad;
  size_t half = x->count / 2, bytes = half * sizeof *x->mine;
  if (pass->n) {
    GF_TRY(gf__batch_norm_backward_sums(pass->device, norm, (int)gf__node_rows(node, pass),
                                        node->in[0]->data, node->out.grad, dgamma, dbeta,
                                        pass->workspace));
    GF_TRY(gf__buffer_read(dgamma, 0, bytes, x->mine));
    GF_TRY(gf__buffer_read(dbeta, 0, bytes, x->mine + half));
  }
  GF_TRY(peers->gather(peers->user, x->mine, x->count, x->all));
  average(peers, x);
  GF_TRY(gf__buffer_write(dgamma, 0, bytes, x->mine));
  return gf__buffer_write(dbeta, 0, bytes, x->mine + half);
}

static gf_status backward_joined(gf_node *node, const gf__pass *pass) {
  gf__batch_norm norm = gf__node_batch_norm(node);
  const gf__input_gradient *input_gradient = &node->input_gradients[0];
  exchange x;
  if (pass->n) GF_TRY(gf__node_backward_residual(node, pass));
  GF_TRY(open_exchange(&x, node, pass));
  gf_status status = join_gradients(node, pass, &norm, &x);
  free_exchange(&x);
  if (status != GF_OK || pass->n == 0 || !input_gradient->grad) return status;
  return gf__batch_norm_backward_by(pass->device, &norm, (int)gf__node_rows(node, pass),
                                    node->in[0]->data, node->out.grad, node->parameters[GAMMA].grad,
                                    node->parameters[BETA].grad, input_gradient->grad,
                                    &input_gradient->epilogue);
}

/* ---- a pass ---- */

static gf__batch_norm_operands batch_norm_operands_of(const gf_node *node, const gf__pass *pass) {
  return (gf__batch_norm_operands){
      .rows = (int)gf__node_rows(node, pass), .x = node->in[0]->data, .workspace = pass->workspace};
}

static gf_status batch_norm_forward(gf_node *node, const gf__pass *pass) {
  if (pass->training && pass->peers) return forward_joined(node, pass);
  if (node->is_folded && pass->folded[0]) return GF_OK;
  gf__batch_norm norm = gf__node_batch_norm(node);
  gf__batch_norm_operands operands = batch_norm_operands_of(node, pass);
  operands.y = node->out.data;
  operands.epilogue = gf__node_epilogue(node, NULL);
  return gf__batch_norm_forward(pass->device, &norm, &operands, pass->training);
}

static gf_status batch_norm_backward(gf_node *node, const gf__pass *pass) {
  if (pass->training && pass->peers) return backward_joined(node, pass);
  gf__batch_norm norm = gf__node_batch_norm(node);
  const gf__input_gradient *input_gradient = &node->input_gradients[0];
  gf__batch_norm_operands operands = batch_norm_operands_of(node, pass);
  GF_TRY(gf__node_backward_residual(node, pass));
  if (!pass->training && !input_gradient->grad) return GF_OK;
  if (!pass->training)
    return gf__batch_norm_backward_running(pass->device, &norm, operands.rows, node->out.grad,
                                           input_gradient->grad, &input_gradient->epilogue);
  operands.dy = node->out.grad;
  operands.dx = input_gradient->grad;
  operands.dgamma = node->parameters[GAMMA].grad;
  operands.dbeta = node->parameters[BETA].grad;
  operands.epilogue = input_gradient->epilogue;
  return gf__batch_norm_backward(pass->device, &norm, &operands);
}

const gf__layer gf__layer_batch_norm = {
    .name = "batch_norm",
    .help = "batch normalization (Ioffe and Szegedy, 2015)",
    .keys = keys,
    .key_count = sizeof keys / sizeof *keys,
    .options_size = sizeof(batch_norm_options),
    .least_inputs = 1,
    .most_inputs = 1,
    .flags = GF__LAYER_BACKWARD_READS_INPUT | GF__LAYER_JOINS_RANKS | GF__LAYER_HAS_EPILOGUE |
             GF__LAYER_IS_NORM,
    .setup = batch_norm_setup,
    .workspace = batch_norm_workspace,
    .saved = batch_norm_saved,
    .forward = batch_norm_forward,
    .backward = batch_norm_backward,
};
