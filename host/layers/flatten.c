#include "ops/flatten.h"

#include "layers/layer.h"

static gf_status flatten_setup(gf_node *node) {
  node->out.h = node->out.w = 1;
  node->out.c = (int)gf__tensor_size(node->in[0]);
  return GF_OK;
}

static gf_status flatten_forward(gf_node *node, const gf__pass *pass) {
  const gf__tensor *x = node->in[0];
  return gf__flatten(pass->device, pass->n, x->d * x->h, x->w, x->c, x->data, node->out.data);
}

static gf_status flatten_backward(gf_node *node, const gf__pass *pass) {
  const gf__tensor *x = node->in[0];
  const gf__input_gradient *input_gradient = &node->input_gradients[0];
  if (!input_gradient->grad) return GF_OK;
  return gf__flatten_backward(pass->device, pass->n, x->d * x->h, x->w, x->c, node->out.grad,
                              input_gradient->grad, &input_gradient->epilogue);
}

const gf__layer gf__layer_flatten = {
    .name = "flatten",
    .help = "an image or a volume as a vector, in PyTorch's order",
    .least_inputs = 1,
    .most_inputs = 1,
    .setup = flatten_setup,
    .forward = flatten_forward,
    .backward = flatten_backward,
};
