/* The sum of a residual block; fusion moves it into the store of the layer before where it can. */
#include "layers/layer.h"
#include "ops/elementwise.h"

static gf_status add_setup(gf_node *node) {
  const gf__tensor *a = node->in[0], *b = node->in[1];
  if (a->d != b->d || a->h != b->h || a->w != b->w || a->c != b->c)
    return gf__node_fail(node, "the shapes differ");
  return gf__node_keep_shape(node);
}

static gf_status add_forward(gf_node *node, const gf__pass *pass) {
  gf__epilogue epilogue = {.residual = node->in[1]->data};
  return gf__apply(pass->device, gf__node_rows(node, pass), node->out.c, node->in[0]->data,
                   node->out.data, &epilogue);
}

static gf_status add_backward(gf_node *node, const gf__pass *pass) {
  for (int i = 0; i < 2; i++) {
    const gf__input_gradient *input_gradient = &node->input_gradients[i];
    if (!input_gradient->grad) continue;
    GF_TRY(gf__apply(pass->device, gf__node_rows(node, pass), node->out.c, node->out.grad,
                     input_gradient->grad, &input_gradient->epilogue));
  }
  return GF_OK;
}

const gf__layer gf__layer_add = {
    .name = "add",
    .help = "sum of two inputs of one shape, as in residual blocks",
    .least_inputs = 2,
    .most_inputs = 2,
    .flags = GF__LAYER_IS_SUM,
    .setup = add_setup,
    .forward = add_forward,
    .backward = add_backward,
};
