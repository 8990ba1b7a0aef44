/* conv_transpose2d: the transpose of a convolution, whose forward is that one's data gradient. */
#include <string.h>

#include "layers/conv.h"
#include "ops/conv/tuning.h"
#include "ops/reduce.h"

typedef struct conv_transpose_options {
  int filters;
  int kernel[2], stride[2], padding[4], output_padding[2], dilation[2];
  int groups;
  bool bias;
} conv_transpose_options;

#define KEY(name, type, ...) \
  { #name, GF__KEY_##type, offsetof(conv_transpose_options, name), __VA_ARGS__ }

static const gf__key conv_transpose_keys[] = {
    KEY(filters, INT, NULL, 1, 65536, NULL, "number of filters, which are the output's channels"),
    KEY(kernel, PAIR, "3", 1, 1024, NULL, "kernel size: one number, or [vertical, horizontal]"),
    KEY(stride, PAIR, "1", 1, 1024, NULL,
        "pixels of the output from where one pixel of the input is spread to where the next is"),
    KEY(padding, SIDES, "0", 0, 1024, NULL,
        "rows and columns that are cut off the output: one number, [vertical, horizontal], [top, "
        "bottom, left, right], or same: as many as leave size * stride"),
    KEY(output_padding, PAIR, "0", 0, 1023, NULL,
        "rows and columns that are added at the bottom and the right of the output; less than the "
        "stride or the dilation"),
    KEY(dilation, PAIR, "1", 1, 1024, NULL, "pixels from one tap of the kernel to the next"),
    KEY(groups, INT, "1", 1, 65536, NULL,
        "groups that channels and filters are divided into, each convolved by itself"),
    KEY(bias, BOOL, "true", 0, 0, NULL, "add a trainable number to each channel"),
};

static gf_status check_output_padding(const gf_node *node, const conv_transpose_options *o) {
  for (int i = 0; i < 2; i++) {
    int most = o->stride[i] > o->dilation[i] ? o->stride[i] : o->dilation[i];
    if (o->output_padding[i] >= most)
      return gf__node_fail(node,
                           "output_padding %d is not less than the stride %d or the dilation %d",
                           o->output_padding[i], o->stride[i], o->dilation[i]);
  }
  return GF_OK;
}

/* The window of the convolution that is transposed, along one axis: its output is our input. */
static gf_status infer_axis(const gf_node *node, const conv_transpose_options *o, int i,
                            gf__window *w) {
  int a = GF__WINDOW_HEIGHT + i, inputs = w->out[a];
  int covered = o->dilation[i] * (o->kernel[i] - 1) + 1;
  int begin = o->padding[2 * i], end = o->padding[2 * i + 1], added = o->output_padding[i];
  if (begin == GF__SIDES_SAME) {
    int cut = covered > o->stride[i] ? covered - o->stride[i] : 0;
    begin = cut / 2;
    end = cut - begin;
    added += covered < o->stride[i] ? o->stride[i] - covered : 0;
  }
  double size = (double)(inputs - 1) * o->stride[i] + covered + added - begin - end;
  if (size < 1)
    return gf__node_fail(node, "a padding of %d and %d leaves nothing of the %.0f rows or columns",
                         begin, end, size + begin + end);
  if (size > GF__MOST_FLOATS)
    return gf__node_fail(node, "its output would have %.0f rows or columns", size);
  w->size[a] = (int)size;
  w->kernel[a] = o->kernel[i];
  w->stride[a] = o->stride[i];
  w->dilation[a] = o->dilation[i];
  w->padding[a] = begin;
  w->extra[a] = end - begin;
  return GF_OK;
}

/* Each output is a sum over kernel / stride taps along an axis, on average, of the channels of its
 * group. PyTorch's fan_in is taps * filters / groups, whatever the stride, by which a signal would
 * change its size. */
static void add_weight(gf_node *node, const gf__conv_shape *s) {
  const gf__window *w = &s->window;
  int taps = (int)gf__window_taps(w), strides = w->stride[1] * w->stride[2];
  int fan_in = taps * (s->filters / s->groups) / strides;
  int fan_out = taps * gf__conv_group_channels(s);
  if (fan_in < 1) fan_in = 1;
  int dims[] = {s->filters, gf__conv_group_channels(s), w->kernel[1], w->kernel[2]};
  gf__node_add_parameter(node, "weight", GF__FILL_RANDOM, 4, dims, fan_in, fan_out)->groups =
      s->groups;
  if (((const conv_transpose_options *)node->options)->bias)
    gf__node_add_parameter(node, "bias", GF__FILL_FAN_IN, 1, &s->c, fan_in, fan_out);
}

static gf_status conv_transpose_setup(gf_node *node) {
  const conv_transpose_options *o = node->options;
  const gf__tensor *x = node->in[0];
  gf__conv_shape *s = &((gf__conv *)node->state)->shape;
  GF_TRY(gf__node_check_image(node));
  GF_TRY(gf__conv_check_groups(node, o->filters, o->groups));
  GF_TRY(check_output_padding(node, o));
  *s = (gf__conv_shape){gf__window_of((int[]){1, x->h, x->w}), o->filters, x->c, o->groups};
  for (int i = 0; i < 2; i++) GF_TRY(infer_axis(node, o, i, &s->window));
  GF_TRY(gf__conv_check_weight(node, s));
  node->out.d = 1;
  node->out.h = s->window.size[GF__WINDOW_HEIGHT];
  node->out.w = s->window.size[GF__WINDOW_WIDTH];
  node->out.c = o->filters;
  add_weight(node, s);
  return GF_OK;
}

static gf_status conv_transpose_open(gf_node *node, gf__tuning *tuning, int batch) {
  return gf__conv_tune(node->state, tuning, batch);
}

static size_t conv_transpose_workspace(const gf_node *node, const gf_device *device, int batch) {
  size_t convolution = gf__conv_workspace(node->state, device, batch);
  size_t bias = gf__column_sums_workspace(device, node->out.c);
  return convolution > bias ? convolution : bias;
}

static const gf_buffer *bias_of(const gf_node *node) {
  return node->parameter_count > 1 ? node->parameters[1].data : NULL;
}

static gf_status conv_transpose_forward(gf_node *node, const gf__pass *pass) {
  gf__conv_operands operands = {.n = pass->n,
                                .dy = node->in[0]->data,
                                .w = node->parameters[0].data,
                                .out = node->out.data,
                                .epilogue = gf__node_epilogue(node, bias_of(node)),
                                .workspace = pass->workspace};
  return gf__conv_run(node->state, pass->device, GF__CONV_BACKWARD_DATA, &operands);
}

static gf_status conv_transpose_backward(gf_node *node, const gf__pass *pass) {
  gf__conv_operands operands = {.n = pass->n,
                                .x = node->out.grad,
                                .w = node->parameters[0].data,
                                .dy = node->in[0]->data,
                                .out = node->parameters[0].grad,
                                .workspace = pass->workspace};
  GF_TRY(gf__conv_run(node->state, pass->device, GF__CONV_BACKWARD_WEIGHT, &operands));
  if (bias_of(node))
    GF_TRY(gf__column_sums(pass->device, (int)gf__node_rows(node, pass), node->out.c,
                           node->out.grad, node->parameters[1].grad, pass->workspace));
  GF_TRY(gf__node_backward_residual(node, pass));
  if (!node->input_gradients[0].grad) return GF_OK;
  operands.out = node->input_gradients[0].grad;
  operands.epilogue = node->input_gradients[0].epilogue;
  return gf__conv_run(node->state, pass->device, GF__CONV_FORWARD, &operands);
}

/* Each pixel of the input is multiplied by each weight. */
static double conv_transpose_flops(const gf_node *node) {
  return 2.0 * (double)gf__tensor_pixels(node->in[0]) * (double)node->parameters[0].count;
}

const gf__layer gf__layer_conv_transpose2d = {
    .name = "conv_transpose2d",
    .help = "transposed 2-D convolution, also called deconvolution",
    .keys = conv_transpose_keys,
    .key_count = sizeof conv_transpose_keys / sizeof *conv_transpose_keys,
    .options_size = sizeof(conv_transpose_options),
    .state_size = sizeof(gf__conv),
    .least_inputs = 1,
    .most_inputs = 1,
    .flags = GF__LAYER_BACKWARD_READS_INPUT | GF__LAYER_HAS_EPILOGUE,
    .setup = conv_transpose_setup,
    .open = conv_transpose_open,
    .workspace = conv_transpose_workspace,
    .forward = conv_transpose_forward,
    .backward = conv_transpose_backward,
    .flops = conv_transpose_flops,
};
