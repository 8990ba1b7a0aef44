/* conv2d; conv3d, of volumes; and linear, which convolves images of 1 x 1. */
#include <string.h>

#include "layers/conv.h"
#include "ops/conv/tuning.h"

typedef struct conv2d_options {
  int filters;
  int kernel[2], stride[2], padding[4], dilation[2];
  int groups;
  bool bias;
} conv2d_options;

typedef struct conv3d_options {
  int filters;
  int kernel[3], stride[3], padding[3];
  bool bias;
} conv3d_options;

static const gf__key conv3d_keys[] = {
    {"filters", GF__KEY_INT, offsetof(conv3d_options, filters), NULL, 1, 65536, NULL,
     "number of filters, which are the output's channels"},
    {"kernel", GF__KEY_TRIPLE, offsetof(conv3d_options, kernel), "3", 0, 1024, NULL,
     "size: one number, or [depth, vertical, horizontal]; 0: all of the input"},
    {"stride", GF__KEY_TRIPLE, offsetof(conv3d_options, stride), "1", 1, 1024, NULL,
     "voxels from one window to the next"},
    {"padding", GF__KEY_TRIPLE, offsetof(conv3d_options, padding), "0", 0, 1024, NULL,
     "planes, rows and columns of zeros around the volume"},
    {"bias", GF__KEY_BOOL, offsetof(conv3d_options, bias), "true", 0, 0, NULL,
     "add a trainable number to each channel"},
};

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
    {"padding", GF__KEY_SIDES, offsetof(conv2d_options, padding), "0", 0, 1024, NULL,
     "rows and columns of zeros around the image: one number, [vertical, horizontal], [top, "
     "bottom, "
     "left, right], or same: as many as give ceil(size / stride) outputs, an odd one at the bottom "
     "and the right"},
    {"dilation", GF__KEY_PAIR, offsetof(conv2d_options, dilation), "1", 1, 1024, NULL,
     "pixels from one tap of the kernel to the next"},
    {"groups", GF__KEY_INT, offsetof(conv2d_options, groups), "1", 1, 65536, NULL,
     "groups that channels and filters are divided into, each convolved by itself; as many as the "
     "input has channels: depthwise"},
    {"bias", GF__KEY_BOOL, offsetof(conv2d_options, bias), "true", 0, 0, NULL,
     "add a trainable number to each channel"},
};

static const gf__key linear_keys[] = {
    {"outputs", GF__KEY_INT, offsetof(linear_options, outputs), NULL, 1, 1 << 20, NULL,
     "length of the output vector; in the last layer, the number of classes"},
    {"bias", GF__KEY_BOOL, offsetof(linear_options, bias), "true", 0, 0, NULL,
     "add a trainable number to each output"},
};

gf_status gf__conv_check_weight(const gf_node *node, const gf__conv_shape *s) {
  const int *kernel = s->window.kernel;
  double floats =
      (double)kernel[0] * kernel[1] * kernel[2] * gf__conv_group_channels(s) * s->filters;
  if (floats <= GF__MOST_FLOATS) return GF_OK;
  return gf__node_fail(node, "its weight would have %.0f elements; at most %d are possible", floats,
                       GF__MOST_FLOATS);
}

/* What the setups share after they have filled shape: the output, the weight, whose dims PyTorch
 * orders so, and the bias. */
static gf_status finish_conv_setup(gf_node *node, const gf__conv_shape *shape, bool bias,
                                   int dim_count, const int *dims) {
  const gf__window *w = &shape->window;
  GF_TRY(gf__conv_check_weight(node, shape)); /* before ints are multiplied */
  int taps = (int)gf__window_taps(w), fan_in = taps * gf__conv_group_channels(shape);
  int fan_out = taps * (shape->filters / shape->groups);
  ((gf__conv *)node->state)->shape = *shape;
  node->out.d = w->out[0];
  node->out.h = w->out[1];
  node->out.w = w->out[2];
  node->out.c = shape->filters;
  gf__node_add_parameter(node, "weight", GF__FILL_RANDOM, dim_count, dims, fan_in, fan_out)
      ->groups = shape->groups;
  if (bias)
    gf__node_add_parameter(node, "bias", GF__FILL_FAN_IN, 1, &shape->filters, fan_in, fan_out);
  return GF_OK;
}

static gf__conv_shape shape_over(const gf__tensor *x, int filters) {
  return (gf__conv_shape){gf__window_of((int[]){x->d, x->h, x->w}), x->c, filters, 1};
}

gf_status gf__conv_check_groups(const gf_node *node, int filters, int groups) {
  int channels = node->in[0]->c;
  if (channels % groups == 0 && filters % groups == 0) return GF_OK;
  return gf__node_fail(node, "groups: %d does not divide its %d %s", groups,
                       channels % groups ? channels : filters,
                       channels % groups ? "input channels" : "filters");
}

static gf_status conv2d_setup(gf_node *node) {
  const conv2d_options *o = node->options;
  const gf__tensor *x = node->in[0];
  GF_TRY(gf__node_check_image(node));
  GF_TRY(gf__conv_check_groups(node, o->filters, o->groups));
  gf__conv_shape shape = shape_over(x, o->filters);
  shape.groups = o->groups;
  memcpy(shape.window.kernel + 1, o->kernel, sizeof o->kernel);
  memcpy(shape.window.stride + 1, o->stride, sizeof o->stride);
  memcpy(shape.window.dilation + 1, o->dilation, sizeof o->dilation);
  gf__window_pad(&shape.window, o->padding);
  if (gf__window_infer(&shape.window) != GF_OK)
    return gf__node_fail(node, "%s", gf_error_message());
  return finish_conv_setup(node, &shape, o->bias, 4,
                           (int[]){o->filters, x->c / o->groups, o->kernel[0], o->kernel[1]});
}

static gf_status conv3d_setup(gf_node *node) {
  const conv3d_options *o = node->options;
  const gf__tensor *x = node->in[0];
  gf__conv_shape shape = shape_over(x, o->filters);
  int *kernel = shape.window.kernel;
  for (int a = 0; a < 3; a++) kernel[a] = o->kernel[a] ? o->kernel[a] : shape.window.size[a];
  memcpy(shape.window.stride, o->stride, sizeof o->stride);
  memcpy(shape.window.padding, o->padding, sizeof o->padding);
  if (gf__window_infer(&shape.window) != GF_OK)
    return gf__node_fail(node, "%s", gf_error_message());
  return finish_conv_setup(node, &shape, o->bias, 5,
                           (int[]){o->filters, x->c, kernel[0], kernel[1], kernel[2]});
}

static gf_status linear_setup(gf_node *node) {
  const linear_options *o = node->options;
  const gf__tensor *x = node->in[0];
  if (!gf__tensor_is_vector(x))
    return gf__node_fail(node, "it takes vectors; put a flatten or a global_avg_pool before it");
  gf__conv_shape shape = shape_over(x, o->outputs);
  return finish_conv_setup(node, &shape, o->bias, 2, (int[]){o->outputs, x->c});
}

static gf_status conv_open(gf_node *node, gf__tuning *tuning, int batch) {
  return gf__conv_tune(node->state, tuning, batch);
}

static size_t conv_workspace(const gf_node *node, const gf_device *device, int batch) {
  return gf__conv_workspace(node->state, device, batch);
}

static const gf_buffer *conv_bias(const gf_node *node) {
  return node->parameter_count > 1 ? node->parameters[1].data : NULL;
}

/* The convolution and its norm as one: Ioffe and Szegedy, 2015, algorithm 2. */
static gf_status conv_forward_folded(gf_node *node, const gf__pass *pass) {
  gf__batch_norm norm = gf__node_batch_norm(node->norm);
  const gf__parameter *weight = &node->parameters[0];
  gf__conv_operands operands = {.n = pass->n,
                                .x = node->in[0]->data,
                                .w = pass->folded[0],
                                .out = node->norm->out.data,
                                .epilogue = gf__node_epilogue(node->norm, pass->folded[1]),
                                .workspace = pass->workspace};
  GF_TRY(gf__batch_norm_fold(pass->device, &norm, weight->count, weight->data, conv_bias(node),
                             pass->folded[0], pass->folded[1]));
  return gf__conv_run(node->state, pass->device, GF__CONV_FORWARD, &operands);
}

static gf_status conv_forward(gf_node *node, const gf__pass *pass) {
  if (node->norm && pass->folded[0]) return conv_forward_folded(node, pass);
  gf__conv_operands operands = {.n = pass->n,
                                .x = node->in[0]->data,
                                .w = node->parameters[0].data,
                                .out = node->out.data,
                                .epilogue = gf__node_epilogue(node, conv_bias(node)),
                                .workspace = pass->workspace};
  return gf__conv_run(node->state, pass->device, GF__CONV_FORWARD, &operands);
}

static gf_status conv_backward(gf_node *node, const gf__pass *pass) {
  gf__conv_operands operands = {.n = pass->n,
                                .x = node->in[0]->data,
                                .w = node->parameters[0].data,
                                .dy = node->out.grad,
                                .out = node->parameters[0].grad,
                                .bias_out = conv_bias(node) ? node->parameters[1].grad : NULL,
                                .workspace = pass->workspace};
  GF_TRY(gf__conv_run(node->state, pass->device, GF__CONV_BACKWARD_WEIGHT, &operands));
  GF_TRY(gf__node_backward_residual(node, pass));
  if (!node->input_gradients[0].grad) return GF_OK;
  operands.out = node->input_gradients[0].grad;
  operands.epilogue = node->input_gradients[0].epilogue;
  return gf__conv_run(node->state, pass->device, GF__CONV_BACKWARD_DATA, &operands);
}

static double conv_flops(const gf_node *node) {
  return 2.0 * (double)gf__tensor_pixels(&node->out) * (double)node->parameters[0].count;
}

/* What the rows have in common. */
#define CONV_FLAGS (GF__LAYER_BACKWARD_READS_INPUT | GF__LAYER_HAS_EPILOGUE)
#define CONV                                                                              \
  .state_size = sizeof(gf__conv), .least_inputs = 1, .most_inputs = 1, .open = conv_open, \
  .workspace = conv_workspace, .forward = conv_forward, .backward = conv_backward,        \
  .flops = conv_flops

const gf__layer gf__layer_conv2d = {
    .name = "conv2d",
    .help = "2-D convolution",
    .keys = conv2d_keys,
    .key_count = sizeof conv2d_keys / sizeof *conv2d_keys,
    .options_size = sizeof(conv2d_options),
    .flags = CONV_FLAGS | GF__LAYER_IS_CONVOLUTION | GF__LAYER_FOLDS_NORM,
    .of_volumes = "conv3d",
    .setup = conv2d_setup,
    CONV,
};

const gf__layer gf__layer_conv3d = {
    .name = "conv3d",
    .help = "3-D convolution of volumes",
    .keys = conv3d_keys,
    .key_count = sizeof conv3d_keys / sizeof *conv3d_keys,
    .options_size = sizeof(conv3d_options),
    .flags = CONV_FLAGS | GF__LAYER_IS_CONVOLUTION,
    .setup = conv3d_setup,
    CONV,
};

const gf__layer gf__layer_linear = {
    .name = "linear",
    .help = "fully connected layer",
    .keys = linear_keys,
    .key_count = sizeof linear_keys / sizeof *linear_keys,
    .options_size = sizeof(linear_options),
    .flags = CONV_FLAGS,
    .setup = linear_setup,
    CONV,
};
