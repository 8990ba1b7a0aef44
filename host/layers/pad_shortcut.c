#include "ops/pad_shortcut.h"

#include "layers/layer.h"

typedef struct pad_options {
  int channels, stride;
} pad_options;

static const gf__key keys[] = {
    {"channels", GF__KEY_INT, offsetof(pad_options, channels), NULL, 1, 65536, NULL,
     "channels of the output; those that the input lacks are zeros"},
    {"stride", GF__KEY_INT, offsetof(pad_options, stride), "2", 1, 1024, NULL,
     "pixels from one that is kept to the next"},
};

static gf_status pad_shortcut_setup(gf_node *node) {
  const pad_options *o = node->options;
  const gf__tensor *x = node->in[0];
  GF_TRY(gf__node_check_image(node));
  if (o->channels < x->c)
    return gf__node_fail(node, "%d channels are fewer than the input's", o->channels);
  node->out.h = (x->h - 1) / o->stride + 1;
  node->out.w = (x->w - 1) / o->stride + 1;
  node->out.c = o->channels;
  return GF_OK;
}

static gf__pad_shape pad_shortcut_shape(const gf_node *node) {
  const gf__tensor *x = node->in[0], *y = &node->out;
  const pad_options *o = node->options;
  return (gf__pad_shape){x->h, x->w, x->c, o->stride, y->h, y->w, y->c};
}

static gf_status pad_shortcut_forward(gf_node *node, const gf__pass *pass) {
  gf__pad_shape shape = pad_shortcut_shape(node);
  return gf__pad_shortcut(pass->device, &shape, pass->n, node->in[0]->data, node->out.data);
}

static gf_status pad_shortcut_backward(gf_node *node, const gf__pass *pass) {
  gf__pad_shape shape = pad_shortcut_shape(node);
  const gf__input_gradient *input_gradient = &node->input_gradients[0];
  if (!input_gradient->grad) return GF_OK;
  return gf__pad_shortcut_backward(pass->device, &shape, pass->n, node->out.grad,
                                   input_gradient->grad, &input_gradient->epilogue);
}

const gf__layer gf__layer_pad_shortcut = {
    .name = "pad_shortcut",
    .help = "shortcut without parameters to a smaller image of more channels (He et al., 2015)",
    .keys = keys,
    .key_count = sizeof keys / sizeof *keys,
    .options_size = sizeof(pad_options),
    .least_inputs = 1,
    .most_inputs = 1,
    .setup = pad_shortcut_setup,
    .forward = pad_shortcut_forward,
    .backward = pad_shortcut_backward,
};
