/* dropout, of values, and stochastic_depth, of whole images. */
#include "ops/dropout.h"

#include "layers/layer.h"
#include "ops/elementwise.h"

typedef struct dropout_options {
  double p;
} dropout_options;

static const gf__key dropout_keys[] = {
    {"p", GF__KEY_FLOAT, offsetof(dropout_options, p), "0.5", 0, 0.99, NULL,
     "probability that a value is dropped in training"},
};

static const gf__key stochastic_depth_keys[] = {
    {"p", GF__KEY_FLOAT, offsetof(dropout_options, p), "0.1", 0, 0.99, NULL,
     "probability that an image is dropped in training"},
};

/* What the two draw: to = epilogue(from where it is kept). */
typedef gf_status draw(gf_node *node, const gf__pass *pass, const gf_buffer *from, gf_buffer *to,
                       const gf__epilogue *epilogue);

static gf_status draw_values(gf_node *node, const gf__pass *pass, const gf_buffer *from,
                             gf_buffer *to, const gf__epilogue *epilogue) {
  const dropout_options *o = node->options;
  size_t size = gf__tensor_size(&node->out), first = (size_t)pass->first_image * size;
  return gf__dropout(pass->device, pass->n * (int)size, (float)o->p, pass->dropout_key, pass->step,
                     node->number, first, from, to, epilogue);
}

static gf_status draw_images(gf_node *node, const gf__pass *pass, const gf_buffer *from,
                             gf_buffer *to, const gf__epilogue *epilogue) {
  const dropout_options *o = node->options;
  return gf__stochastic_depth(pass->device, pass->n, (int)gf__tensor_size(&node->out), (float)o->p,
                              pass->dropout_key, pass->step, node->number, (int)pass->first_image,
                              from, to, epilogue);
}

static gf_status drop_forward(gf_node *node, const gf__pass *pass, draw *drop) {
  gf__epilogue none = {0};
  if (pass->training) return drop(node, pass, node->in[0]->data, node->out.data, &none);
  return gf__apply(pass->device, gf__node_rows(node, pass), node->out.c, node->in[0]->data,
                   node->out.data, &none);
}

static gf_status drop_backward(gf_node *node, const gf__pass *pass, draw *drop) {
  const gf__input_gradient *input_gradient = &node->input_gradients[0];
  if (!input_gradient->grad) return GF_OK;
  if (pass->training)
    return drop(node, pass, node->out.grad, input_gradient->grad, &input_gradient->epilogue);
  return gf__apply(pass->device, gf__node_rows(node, pass), node->out.c, node->out.grad,
                   input_gradient->grad, &input_gradient->epilogue);
}

static gf_status dropout_forward(gf_node *node, const gf__pass *pass) {
  return drop_forward(node, pass, draw_values);
}

static gf_status dropout_backward(gf_node *node, const gf__pass *pass) {
  return drop_backward(node, pass, draw_values);
}

static gf_status stochastic_depth_forward(gf_node *node, const gf__pass *pass) {
  return drop_forward(node, pass, draw_images);
}

static gf_status stochastic_depth_backward(gf_node *node, const gf__pass *pass) {
  return drop_backward(node, pass, draw_images);
}

#define DROP(KEYS)                                                              \
  .keys = (KEYS), .key_count = sizeof(KEYS) / sizeof *(KEYS),                   \
  .options_size = sizeof(dropout_options), .least_inputs = 1, .most_inputs = 1, \
  .setup = gf__node_keep_shape

const gf__layer gf__layer_dropout = {
    .name = "dropout",
    .help = "zeros at random in training (Srivastava et al., 2014)",
    DROP(dropout_keys),
    .forward = dropout_forward,
    .backward = dropout_backward,
};

const gf__layer gf__layer_stochastic_depth = {
    .name = "stochastic_depth",
    .help =
        "zeros for whole images at random in training (Huang et al., 2016), before the addition "
        "of a shortcut",
    DROP(stochastic_depth_keys),
    .forward = stochastic_depth_forward,
    .backward = stochastic_depth_backward,
};
