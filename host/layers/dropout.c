#include "ops/dropout.h"

#include "layers/layer.h"
#include "ops/elementwise.h"

typedef struct dropout_options {
  double p;
} dropout_options;

static const gf__key keys[] = {
    {"p", GF__KEY_FLOAT, offsetof(dropout_options, p), "0.5", 0, 0.99, NULL,
     "probability that a value is dropped in training"},
};

static gf_status dropout_draw(gf_node *node, const gf__pass *pass, const gf_buffer *from,
                              gf_buffer *to, const gf__epilogue *epilogue) {
  const dropout_options *o = node->options;
  size_t size = gf__tensor_size(&node->out), first = (size_t)pass->first_image * size;
  return gf__dropout(pass->device, pass->n * (int)size, (float)o->p, pass->dropout_key, pass->step,
                     node->number, first, from, to, epilogue);
}

static gf_status dropout_forward(gf_node *node, const gf__pass *pass) {
  gf__epilogue none = {0};
  if (pass->training) return dropout_draw(node, pass, node->in[0]->data, node->out.data, &none);
  return gf__apply(pass->device, gf__node_rows(node, pass), node->out.c, node->in[0]->data,
                   node->out.data, &none);
}

static gf_status dropout_backward(gf_node *node, const gf__pass *pass) {
  const gf__input_gradient *input_gradient = &node->input_gradients[0];
  if (!input_gradient->grad) return GF_OK;
  if (pass->training)
    return dropout_draw(node, pass, node->out.grad, input_gradient->grad,
                        &input_gradient->epilogue);
  return gf__apply(pass->device, gf__node_rows(node, pass), node->out.c, node->out.grad,
                   input_gradient->grad, &input_gradient->epilogue);
}

const gf__layer gf__layer_dropout = {
    .name = "dropout",
    .help = "zeros at random in training (Srivastava et al., 2014)",
    .keys = keys,
    .key_count = sizeof keys / sizeof *keys,
    .options_size = sizeof(dropout_options),
    .least_inputs = 1,
    .most_inputs = 1,
    .setup = gf__node_keep_shape,
    .forward = dropout_forward,
    .backward = dropout_backward,
};
