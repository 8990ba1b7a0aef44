/* Activations whose backward reads their input, so that nothing is fused with them. */
#include "ops/activation_of_input.h"

#include <math.h>

#include "layers/layer.h"

typedef struct elu_options {
  double alpha;
} elu_options;

static const gf__key elu_keys[] = {
    {"alpha", GF__KEY_FLOAT, offsetof(elu_options, alpha), "1", 0, 1000, NULL,
     "the value that large negative x approach is -alpha"},
};

static gf_status activation_of_input_forward(gf_node *node, const gf__pass *pass,
                                             gf__activation_of_input activation) {
  return gf__activation_of_input_forward(pass->device, gf__node_rows(node, pass), node->out.c,
                                         activation, node->in[0]->data, node->out.data);
}

static gf_status activation_of_input_backward(gf_node *node, const gf__pass *pass,
                                              gf__activation_of_input activation) {
  const gf__input_gradient *input_gradient = &node->input_gradients[0];
  if (!input_gradient->grad) return GF_OK;
  return gf__activation_of_input_backward(pass->device, gf__node_rows(node, pass), node->out.c,
                                          activation, node->out.grad, node->in[0]->data,
                                          input_gradient->grad, &input_gradient->epilogue);
}

static gf__activation_of_input elu_of(const gf_node *node) {
  const elu_options *o = node->options;
  return (gf__activation_of_input){GF__ACTIVATION_OF_INPUT_ELU, (float)o->alpha};
}

static gf_status elu_forward(gf_node *node, const gf__pass *pass) {
  return activation_of_input_forward(node, pass, elu_of(node));
}

static gf_status elu_backward(gf_node *node, const gf__pass *pass) {
  return activation_of_input_backward(node, pass, elu_of(node));
}

static gf_status gelu_forward(gf_node *node, const gf__pass *pass) {
  return activation_of_input_forward(
      node, pass, (gf__activation_of_input){.kind = GF__ACTIVATION_OF_INPUT_GELU});
}

static gf_status gelu_backward(gf_node *node, const gf__pass *pass) {
  return activation_of_input_backward(
      node, pass, (gf__activation_of_input){.kind = GF__ACTIVATION_OF_INPUT_GELU});
}

static gf_status silu_forward(gf_node *node, const gf__pass *pass) {
  return activation_of_input_forward(
      node, pass, (gf__activation_of_input){.kind = GF__ACTIVATION_OF_INPUT_SILU});
}

static gf_status silu_backward(gf_node *node, const gf__pass *pass) {
  return activation_of_input_backward(
      node, pass, (gf__activation_of_input){.kind = GF__ACTIVATION_OF_INPUT_SILU});
}

/* The derivative below 0 is the output + alpha. */
static gf__interval elu_alive(const gf_node *node) {
  return (gf__interval){fmin(0, GF__ALIVE - (double)elu_of(node).alpha), INFINITY};
}

static gf__interval positive_alive(const gf_node *node) {
  (void)node;
  return (gf__interval){0, INFINITY};
}

#define OF_INPUT                                                                \
  .least_inputs = 1, .most_inputs = 1, .flags = GF__LAYER_BACKWARD_READS_INPUT, \
  .setup = gf__node_keep_shape

const gf__layer gf__layer_elu = {
    .name = "elu",
    .help = "x where it is positive, alpha * (exp(x) - 1) elsewhere",
    .keys = elu_keys,
    .key_count = sizeof elu_keys / sizeof *elu_keys,
    .options_size = sizeof(elu_options),
    .forward = elu_forward,
    .backward = elu_backward,
    .alive = elu_alive,
    OF_INPUT,
};

const gf__layer gf__layer_gelu = {.name = "gelu",
                                  .help = "x * Phi(x) with the normal distribution's Phi",
                                  .forward = gelu_forward,
                                  .backward = gelu_backward,
                                  .alive = positive_alive,
                                  OF_INPUT};

const gf__layer gf__layer_silu = {.name = "silu",
                                  .help = "x / (1 + exp(-x)), also called swish",
                                  .forward = silu_forward,
                                  .backward = silu_backward,
                                  .alive = positive_alive,
                                  OF_INPUT};
