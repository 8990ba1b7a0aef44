/* Activations as layers of their own; fusion moves them into the store of the
 * layer before where it can. */
#include "layers/layer.h"
#include "ops/elementwise.h"

typedef struct leaky_relu_options {
  double slope;
} leaky_relu_options;

/* The derivative follows from the sign of the output, so the slope is not negative. */
static const gf__key leaky_relu_keys[] = {
    {"slope", GF__KEY_FLOAT, offsetof(leaky_relu_options, slope), "0.01", 0, 1, NULL,
     "factor of negative values"},
};

static gf__activation leaky_relu_activation(const gf_node *node) {
  const leaky_relu_options *o = node->options;
  return (gf__activation){GF__ACTIVATION_LEAKY_RELU, (float)o->slope};
}

static gf__activation relu_activation(const gf_node *node) {
  (void)node;
  return (gf__activation){GF__ACTIVATION_LEAKY_RELU, 0};
}

static gf__activation tanh_activation(const gf_node *node) {
  (void)node;
  return (gf__activation){GF__ACTIVATION_TANH, 0};
}

static gf__activation sigmoid_activation(const gf_node *node) {
  (void)node;
  return (gf__activation){GF__ACTIVATION_SIGMOID, 0};
}

static gf_status activation_forward(gf_node *node, const gf__pass *pass) {
  gf__epilogue epilogue = {.activation = node->layer->activation(node)};
  return gf__apply(pass->device, gf__node_rows(node, pass), node->out.c, node->in[0]->data,
                   node->out.data, &epilogue);
}

static gf_status activation_backward(gf_node *node, const gf__pass *pass) {
  const gf__input_gradient *input_gradient = &node->input_gradients[0];
  if (!input_gradient->grad) return GF_OK;
  return gf__activation_backward(pass->device, gf__node_rows(node, pass), node->out.c,
                                 node->layer->activation(node), node->out.grad, node->out.data,
                                 input_gradient->grad, &input_gradient->epilogue);
}

#define ACTIVATION                                                               \
  .least_inputs = 1, .most_inputs = 1, .flags = GF__LAYER_BACKWARD_READS_OUTPUT, \
  .setup = gf__node_keep_shape, .forward = activation_forward, .backward = activation_backward

const gf__layer gf__layer_leaky_relu = {
    .name = "leaky_relu",
    .help = "x where it is positive, slope * x elsewhere",
    .keys = leaky_relu_keys,
    .key_count = sizeof leaky_relu_keys / sizeof *leaky_relu_keys,
    .options_size = sizeof(leaky_relu_options),
    .activation = leaky_relu_activation,
    ACTIVATION,
};

const gf__layer gf__layer_relu = {.name = "relu",
                                  .help = "x where it is positive, 0 elsewhere",
                                  .activation = relu_activation,
                                  ACTIVATION};

const gf__layer gf__layer_tanh = {
    .name = "tanh", .help = "hyperbolic tangent", .activation = tanh_activation, ACTIVATION};

const gf__layer gf__layer_sigmoid = {
    .name = "sigmoid", .help = "1 / (1 + exp(-x))", .activation = sigmoid_activation, ACTIVATION};
