#include "ops/softmax_cross_entropy.h"

#include "layers/layer.h"

static gf_status softmax_cross_entropy_setup(gf_node *node) {
  const gf__tensor *x = node->in[0];
  if (!gf__tensor_is_vector(x))
    return gf__node_fail(node, "it takes vectors; put a flatten or a global_avg_pool before it");
  node->out.h = node->out.w = node->out.c = 1;
  return GF_OK;
}

static size_t softmax_cross_entropy_saved(const gf_node *node, int batch) {
  (void)node;
  return 2 * (size_t)batch * sizeof(float);
}

/* Validation and tests measure the plain cross-entropy. */
static gf__target softmax_target(const gf__pass *pass) {
  return (gf__target){pass->labels, pass->mix, pass->training ? pass->label_smoothing : 0};
}

static gf_status softmax_cross_entropy_forward(gf_node *node, const gf__pass *pass) {
  const gf__tensor *x = node->in[0];
  if (!pass->labels) return GF_OK;
  return gf__softmax_cross_entropy(pass->device, pass->n, x->c, x->data, softmax_target(pass),
                                   node->saved, pass->results, pass->row);
}

static gf_status softmax_cross_entropy_backward(gf_node *node, const gf__pass *pass) {
  const gf__tensor *x = node->in[0];
  const gf__input_gradient *input_gradient = &node->input_gradients[0];
  if (!input_gradient->grad) return GF_OK;
  return gf__softmax_cross_entropy_backward(pass->device, pass->n, x->c, x->data,
                                            softmax_target(pass), input_gradient->grad,
                                            &input_gradient->epilogue);
}

const gf__layer gf__layer_softmax_cross_entropy = {
    .name = "softmax_cross_entropy",
    .help = "mean cross-entropy of the softmax; ends the graph",
    .least_inputs = 1,
    .most_inputs = 1,
    .flags = GF__LAYER_BACKWARD_READS_INPUT | GF__LAYER_IS_LOSS,
    .setup = softmax_cross_entropy_setup,
    .saved = softmax_cross_entropy_saved,
    .forward = softmax_cross_entropy_forward,
    .backward = softmax_cross_entropy_backward,
};
