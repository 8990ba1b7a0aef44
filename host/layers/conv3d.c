/* conv3d, of volumes; an image is one of depth 1. */
#include "ops/conv3d.h"

#include <string.h>

#include "layers/layer.h"

typedef struct conv3d_options {
  int filters;
  int kernel[3], stride[3], padding[3];
  bool bias;
} conv3d_options;

static const gf__key keys[] = {
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

static gf_status setup(gf_node *node) {
  const conv3d_options *o = node->options;
  const gf__tensor *x = node->in[0];
  gf__conv3d_shape shape = {.size = {x->d, x->h, x->w}, .c = x->c, .filters = o->filters};
  const int *kernel = shape.kernel;
  for (int a = 0; a < 3; a++) shape.kernel[a] = o->kernel[a] ? o->kernel[a] : shape.size[a];
  memcpy(shape.stride, o->stride, sizeof shape.stride);
  memcpy(shape.padding, o->padding, sizeof shape.padding);
  if (gf__conv3d_infer(&shape) != GF_OK) return gf__node_fail(node, "%s", gf_error_message());
  double floats = (double)kernel[0] * kernel[1] * kernel[2] * x->c * o->filters;
  if (floats > GF__MOST_FLOATS)
    return gf__node_fail(node, "its weight would have %.0f elements; at most %d are possible",
                         floats, GF__MOST_FLOATS);
  node->out.d = shape.out[0];
  node->out.h = shape.out[1];
  node->out.w = shape.out[2];
  node->out.c = o->filters;
  *(gf__conv3d_shape *)node->state = shape;
  int taps = kernel[0] * kernel[1] * kernel[2];
  int fan_in = taps * x->c, fan_out = taps * o->filters;
  gf__node_add_parameter(node, "weight", GF__FILL_RANDOM, 5,
                         (int[]){o->filters, x->c, kernel[0], kernel[1], kernel[2]}, fan_in,
                         fan_out);
  if (o->bias)
    gf__node_add_parameter(node, "bias", GF__FILL_FAN_IN, 1, &o->filters, fan_in, fan_out);
  return GF_OK;
}

static size_t workspace(const gf_node *node, const gf_device *device, int batch) {
  (void)batch;
  return gf__conv3d_workspace(device, node->state);
}

static bool has_bias(const gf_node *node) { return node->parameter_count > 1; }

static gf_status forward(gf_node *node, const gf__pass *pass) {
  const gf_buffer *bias = has_bias(node) ? node->parameters[1].data : NULL;
  gf__conv3d_run run = {.n = pass->n,
                        .x = node->in[0]->data,
                        .w = node->parameters[0].data,
                        .out = node->out.data,
                        .epilogue = gf__node_epilogue(node, bias)};
  return gf__conv3d(pass->device, node->state, &run);
}

static gf_status backward(gf_node *node, const gf__pass *pass) {
  gf__conv3d_run run = {.n = pass->n,
                        .x = node->in[0]->data,
                        .w = node->parameters[0].data,
                        .dy = node->out.grad,
                        .out = node->parameters[0].grad,
                        .bias_out = has_bias(node) ? node->parameters[1].grad : NULL,
                        .workspace = pass->workspace};
  GF_TRY(gf__conv3d_backward_weight(pass->device, node->state, &run));
  GF_TRY(gf__node_backward_residual(node, pass));
  if (!node->input_gradients[0].grad) return GF_OK;
  run.out = node->input_gradients[0].grad;
  run.epilogue = node->input_gradients[0].epilogue;
  return gf__conv3d_backward_data(pass->device, node->state, &run);
}

static double flops(const gf_node *node) { return gf__conv3d_flops(node->state); }

const gf__layer gf__layer_conv3d = {
    .name = "conv3d",
    .help = "3-D convolution of volumes",
    .keys = keys,
    .key_count = sizeof keys / sizeof *keys,
    .options_size = sizeof(conv3d_options),
    .state_size = sizeof(gf__conv3d_shape),
    .least_inputs = 1,
    .most_inputs = 1,
    .backward_reads_input = true,
    .has_epilogue = true,
    .setup = setup,
    .workspace = workspace,
    .forward = forward,
    .backward = backward,
    .flops = flops,
};
