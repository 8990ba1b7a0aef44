/* conv2d, and linear, which is its case of 1 x 1 images. */
#include "ops/conv2d/conv2d.h"

#include "layers/layer.h"

typedef struct conv2d_options {
  int filters;
  int kernel[2], stride[2], padding[2], dilation[2];
  bool bias;
} conv2d_options;

typedef struct linear_options {
  int outputs;
  bool bias;
} linear_options;

static const gf__key conv2d_keys[] = {
    {"filters", GF__KEY_INT, offsetof(conv2d_options, filters), NULL, 1, 65536, NULL,
     "number of filters, which are the output's channels"},
    {"kernel", GF__KEY_PAIR, offsetof(conv2d_options, kernel), "3", 1, 1024, NULL,
     "kernel size: one number, or [vertical, horizontal]"},
    {"stride", GF__KEY_PAIR, offsetof(conv2d_options, stride), "1", 1, 1024, NULL,
     "pixels from one window to the next"},
    {"padding", GF__KEY_PAIR, offsetof(conv2d_options, padding), "0", 0, 1024, NULL,
     "rows and columns of zeros around the image"},
    {"dilation", GF__KEY_PAIR, offsetof(conv2d_options, dilation), "1", 1, 1024, NULL,
     "pixels from one tap of the kernel to the next"},
    {"bias", GF__KEY_BOOL, offsetof(conv2d_options, bias), "true", 0, 0, NULL,
     "add a trainable number to each channel"},
};

static const gf__key linear_keys[] = {
    {"outputs", GF__KEY_INT, offsetof(linear_options, outputs), NULL, 1, 1 << 20, NULL,
     "length of the output vector; in the last layer, the number of classes"},
    {"bias", GF__KEY_BOOL, offsetof(linear_options, bias), "true", 0, 0, NULL,
     "add a trainable number to each output"},
};

/* Before products of ints are made of it. */
static gf_status check_weight(const gf_node *node, double floats) {
  if (floats <= GF__MOST_FLOATS) return GF_OK;
  return gf__node_fail(node, "its weight would have %.0f elements; at most %d are possible", floats,
                       GF__MOST_FLOATS);
}

static gf_status conv2d_setup(gf_node *node) {
  const conv2d_options *o = node->options;
  const gf__tensor *x = node->in[0];
  GF_TRY(gf__node_check_image(node));
  gf__conv2d_shape shape = {.h = x->h, .w = x->w, .c = x->c, .filters = o->filters};
  for (int d = 0; d < 2; d++) {
    shape.kernel[d] = o->kernel[d];
    shape.stride[d] = o->stride[d];
    shape.padding[d] = o->padding[d];
    shape.dilation[d] = o->dilation[d];
  }
  if (gf__conv2d_infer(&shape) != GF_OK) return gf__node_fail(node, "%s", gf_error_message());
  node->out.h = shape.out_h;
  node->out.w = shape.out_w;
  node->out.c = o->filters;
  ((gf__conv2d *)node->state)->shape = shape;
  GF_TRY(check_weight(node, (double)o->kernel[0] * o->kernel[1] * x->c * o->filters));
  int taps = o->kernel[0] * o->kernel[1], fan_in = taps * x->c, fan_out = taps * o->filters;
  gf__node_add_parameter(node, "weight", GF__FILL_RANDOM, 4,
                         (int[]){o->filters, x->c, o->kernel[0], o->kernel[1]}, fan_in, fan_out);
  if (o->bias)
    gf__node_add_parameter(node, "bias", GF__FILL_FAN_IN, 1, &o->filters, fan_in, fan_out);
  return GF_OK;
}

static gf_status linear_setup(gf_node *node) {
  const linear_options *o = node->options;
  const gf__tensor *x = node->in[0];
  if (!gf__tensor_is_vector(x))
    return gf__node_fail(node, "it takes vectors; put a flatten or a global_avg_pool before it");
  GF_TRY(check_weight(node, (double)x->c * o->outputs));
  ((gf__conv2d *)node->state)->shape = (gf__conv2d_shape){.h = 1,
                                                          .w = 1,
                                                          .c = x->c,
                                                          .filters = o->outputs,
                                                          .kernel = {1, 1},
                                                          .stride = {1, 1},
                                                          .dilation = {1, 1},
                                                          .out_h = 1,
                                                          .out_w = 1};
  node->out.h = node->out.w = 1;
  node->out.c = o->outputs;
  gf__node_add_parameter(node, "weight", GF__FILL_RANDOM, 2, (int[]){o->outputs, x->c}, x->c,
                         o->outputs);
  if (o->bias)
    gf__node_add_parameter(node, "bias", GF__FILL_FAN_IN, 1, &o->outputs, x->c, o->outputs);
  return GF_OK;
}

static gf_status open_(gf_node *node, gf__tuning *tuning, int batch) {
  return gf__tuning_choose(tuning, node->state, batch);
}

static size_t workspace(const gf_node *node, const gf_device *device, int batch) {
  return gf__conv2d_workspace(node->state, device, batch);
}

static const gf_buffer *bias_of(const gf_node *node) {
  return node->parameter_count > 1 ? node->parameters[1].data : NULL;
}

/* The convolution and its norm as one: Ioffe and Szegedy, 2015, algorithm 2. */
static gf_status forward_folded(gf_node *node, const gf__pass *pass) {
  gf__batch_norm norm = gf__node_batch_norm(node->norm);
  const gf__parameter *weight = &node->parameters[0];
  gf__conv2d_run run = {.n = pass->n,
                        .x = node->in[0]->data,
                        .w = pass->folded[0],
                        .out = node->norm->out.data,
                        .epilogue = gf__node_epilogue(node->norm, pass->folded[1]),
                        .workspace = pass->workspace};
  GF_TRY(gf__batch_norm_fold(pass->device, &norm, weight->count, weight->data, bias_of(node),
                             pass->folded[0], pass->folded[1]));
  return gf__conv2d_run_pass(node->state, pass->device, GF__CONV2D_FORWARD, &run);
}

static gf_status forward(gf_node *node, const gf__pass *pass) {
  if (node->norm && pass->folded[0]) return forward_folded(node, pass);
  gf__conv2d_run run = {.n = pass->n,
                        .x = node->in[0]->data,
                        .w = node->parameters[0].data,
                        .out = node->out.data,
                        .epilogue = gf__node_epilogue(node, bias_of(node)),
                        .workspace = pass->workspace};
  return gf__conv2d_run_pass(node->state, pass->device, GF__CONV2D_FORWARD, &run);
}

static gf_status backward(gf_node *node, const gf__pass *pass) {
  gf__conv2d_run run = {.n = pass->n,
                        .x = node->in[0]->data,
                        .w = node->parameters[0].data,
                        .dy = node->out.grad,
                        .out = node->parameters[0].grad,
                        .bias_out = bias_of(node) ? node->parameters[1].grad : NULL,
                        .workspace = pass->workspace};
  GF_TRY(gf__conv2d_run_pass(node->state, pass->device, GF__CONV2D_BACKWARD_WEIGHT, &run));
  GF_TRY(gf__node_backward_residual(node, pass));
  if (!node->input_gradients[0].grad) return GF_OK;
  run.out = node->input_gradients[0].grad;
  run.epilogue = node->input_gradients[0].epilogue;
  return gf__conv2d_run_pass(node->state, pass->device, GF__CONV2D_BACKWARD_DATA, &run);
}

static double flops(const gf_node *node) {
  return 2.0 * (double)gf__tensor_pixels(&node->out) * (double)node->parameters[0].count;
}

const gf__layer gf__layer_conv2d = {
    .name = "conv2d",
    .help = "2-D convolution",
    .keys = conv2d_keys,
    .key_count = sizeof conv2d_keys / sizeof *conv2d_keys,
    .options_size = sizeof(conv2d_options),
    .state_size = sizeof(gf__conv2d),
    .least_inputs = 1,
    .most_inputs = 1,
    .backward_reads_input = true,
    .has_epilogue = true,
    .setup = conv2d_setup,
    .open = open_,
    .workspace = workspace,
    .forward = forward,
    .backward = backward,
    .flops = flops,
};

const gf__layer gf__layer_linear = {
    .name = "linear",
    .help = "fully connected layer",
    .keys = linear_keys,
    .key_count = sizeof linear_keys / sizeof *linear_keys,
    .options_size = sizeof(linear_options),
    .state_size = sizeof(gf__conv2d),
    .least_inputs = 1,
    .most_inputs = 1,
    .backward_reads_input = true,
    .has_epilogue = true,
    .setup = linear_setup,
    .open = open_,
    .workspace = workspace,
    .forward = forward,
    .backward = backward,
    .flops = flops,
};
