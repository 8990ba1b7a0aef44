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

typedef struct clamp_options {
  double minimum, maximum;
} clamp_options;

static const gf__key clamp_keys[] = {
    {"min", GF__KEY_FLOAT, offsetof(clamp_options, minimum), "0", -1e6, 1e6, NULL,
     "what smaller x become"},
    {"max", GF__KEY_FLOAT, offsetof(clamp_options, maximum), "6", -1e6, 1e6, NULL,
     "what larger x become; above min"},
};

/* The kinds of layers without options. */
static const struct {
  const gf__layer *layer;
  gf__activation_of_input_kind kind;
} kinds[] = {
    {&gf__layer_elu, GF__ACTIVATION_OF_INPUT_ELU},
    {&gf__layer_gelu, GF__ACTIVATION_OF_INPUT_GELU},
    {&gf__layer_silu, GF__ACTIVATION_OF_INPUT_SILU},
    {&gf__layer_clamp, GF__ACTIVATION_OF_INPUT_CLAMP},
    {&gf__layer_hard_sigmoid, GF__ACTIVATION_OF_INPUT_HARD_SIGMOID},
    {&gf__layer_hard_swish, GF__ACTIVATION_OF_INPUT_HARD_SWISH},
};

static gf__activation_of_input activation_of(const gf_node *node) {
  int i = 0;
  while (kinds[i].layer != node->layer) i++;
  gf__activation_of_input activation = {.kind = kinds[i].kind};
  if (node->layer == &gf__layer_elu)
    activation.a = (float)((const elu_options *)node->options)->alpha;
  if (node->layer == &gf__layer_clamp) {
    const clamp_options *o = node->options;
    activation.a = (float)o->minimum;
    activation.b = (float)o->maximum;
  }
  return activation;
}

static gf_status clamp_setup(gf_node *node) {
  const clamp_options *o = node->options;
  if (!(o->minimum < o->maximum))
    return gf__node_fail(node, "min %g is not below max %g", o->minimum, o->maximum);
  return gf__node_keep_shape(node);
}

static gf_status activation_of_input_forward(gf_node *node, const gf__pass *pass) {
  return gf__activation_of_input_forward(pass->device, gf__node_rows(node, pass), node->out.c,
                                         activation_of(node), node->in[0]->data, node->out.data);
}

static gf_status activation_of_input_backward(gf_node *node, const gf__pass *pass) {
  const gf__input_gradient *input_gradient = &node->input_gradients[0];
  if (!input_gradient->grad) return GF_OK;
  return gf__activation_of_input_backward(pass->device, gf__node_rows(node, pass), node->out.c,
                                          activation_of(node), node->out.grad, node->in[0]->data,
                                          input_gradient->grad, &input_gradient->epilogue);
}

/* The derivative below 0 is the output + alpha. */
static gf__interval elu_alive(const gf_node *node) {
  const elu_options *o = node->options;
  return (gf__interval){fmin(0, GF__ALIVE - o->alpha), INFINITY};
}

static gf__interval positive_alive(const gf_node *node) {
  (void)node;
  return (gf__interval){0, INFINITY};
}

static gf__interval clamp_alive(const gf_node *node) {
  const clamp_options *o = node->options;
  return (gf__interval){o->minimum, o->maximum};
}

static gf__interval hard_sigmoid_alive(const gf_node *node) {
  (void)node;
  return (gf__interval){0, 1};
}

#define OF_INPUT                                                                \
  .least_inputs = 1, .most_inputs = 1, .flags = GF__LAYER_BACKWARD_READS_INPUT, \
  .forward = activation_of_input_forward, .backward = activation_of_input_backward

const gf__layer gf__layer_elu = {
    .name = "elu",
    .help = "x where it is positive, alpha * (exp(x) - 1) elsewhere",
    .keys = elu_keys,
    .key_count = sizeof elu_keys / sizeof *elu_keys,
    .options_size = sizeof(elu_options),
    .setup = gf__node_keep_shape,
    .alive = elu_alive,
    OF_INPUT,
};

const gf__layer gf__layer_gelu = {.name = "gelu",
                                  .help = "x * Phi(x) with the normal distribution's Phi",
                                  .setup = gf__node_keep_shape,
                                  .alive = positive_alive,
                                  OF_INPUT};

const gf__layer gf__layer_silu = {.name = "silu",
                                  .help = "x / (1 + exp(-x)), also called swish",
                                  .setup = gf__node_keep_shape,
                                  .alive = positive_alive,
                                  OF_INPUT};

const gf__layer gf__layer_clamp = {
    .name = "clamp",
    .help = "x between a minimum and a maximum; as it is, ReLU6",
    .keys = clamp_keys,
    .key_count = sizeof clamp_keys / sizeof *clamp_keys,
    .options_size = sizeof(clamp_options),
    .setup = clamp_setup,
    .alive = clamp_alive,
    OF_INPUT,
};

const gf__layer gf__layer_hard_sigmoid = {
    .name = "hard_sigmoid",
    .help = "x / 6 + 1/2 between 0 and 1",
    .setup = gf__node_keep_shape,
    .alive = hard_sigmoid_alive,
    OF_INPUT,
};

const gf__layer gf__layer_hard_swish = {.name = "hard_swish",
                                        .help = "x * hard_sigmoid(x)",
                                        .setup = gf__node_keep_shape,
                                        .alive = positive_alive,
                                        OF_INPUT};
