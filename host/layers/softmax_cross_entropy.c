#include "ops/softmax_cross_entropy.h"

#include "layers/layer.h"

static gf_status setup(gf_node *node) {
  const gf__tensor *x = node->in[0];
  if (!gf__tensor_is_vector(x))
    return gf__node_fail(node, "it takes vectors; put a flatten or a global_avg_pool before it");
  node->out.h = node->out.w = node->out.c = 1;
  return GF_OK;
}

static size_t saved(const gf_node *node, int batch) {
  (void)node;
  return 2 * (size_t)batch * sizeof(float);
}

/* Validation and tests measure the plain cross-entropy. */
static gf__target target_of(const gf__pass *pass) {
  return (gf__target){pass->labels, pass->label_share, pass->training ? pass->label_smoothing : 0};
}

static gf_status forward(gf_node *node, const gf__pass *pass) {
  const gf__tensor *x = node->in[0];
  if (!pass->labels) return GF_OK;
  return gf__softmax_cross_entropy(pass->device, pass->n, x->c, x->data, target_of(pass),
                                   node->saved, pass->results, pass->row);
}

static gf_status backward(gf_node *node, const gf__pass *pass) {
  const gf__tensor *x = node->in[0];
  const gf__input_gradient *input_gradient = &node->input_gradients[0];
  if (!input_gradient->grad) return GF_OK;
  return gf__softmax_cross_entropy_backward(pass->device, pass->n, x->c, x->data, target_of(pass),
                                            input_gradient->grad, &input_gradient->epilogue);
}

const gf__layer gf__layer_softmax_cross_entropy = {
    .name = "softmax_cross_entropy",
    .help = "mean cross-entropy of the softmax; ends the graph",
    .least_inputs = 1,
    .most_inputs = 1,
    .backward_reads_input = true,
    .setup = setup,
    .saved = saved,
    .forward = forward,
    .backward = backward,
};
