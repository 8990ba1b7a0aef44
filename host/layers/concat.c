#include "ops/concat.h"

#include "layers/layer.h"

static gf_status concat_setup(gf_node *node) {
  const gf__tensor *first = node->in[0];
  node->out.d = first->d;
  node->out.h = first->h;
  node->out.w = first->w;
  for (int i = 0; i < node->in_count; i++) {
    const gf__tensor *x = node->in[i];
    if (x->d != first->d) return gf__node_fail(node, "the depths differ");
    if (x->h != first->h || x->w != first->w)
      return gf__node_fail(node, "the heights or widths differ");
    node->out.c += x->c;
  }
  return GF_OK;
}

static gf_status concat_forward(gf_node *node, const gf__pass *pass) {
  gf__concat_range range = {.width = node->out.c};
  for (int i = 0; i < node->in_count; i++, range.first += range.channels) {
    range.channels = node->in[i]->c;
    GF_TRY(gf__concat(pass->device, gf__node_rows(node, pass), range, node->in[i]->data,
                      node->out.data));
  }
  return GF_OK;
}

static gf_status concat_backward(gf_node *node, const gf__pass *pass) {
  gf__concat_range range = {.width = node->out.c};
  for (int i = 0; i < node->in_count; i++, range.first += range.channels) {
    const gf__input_gradient *input_gradient = &node->input_gradients[i];
    range.channels = node->in[i]->c;
    if (!input_gradient->grad) continue;
    GF_TRY(gf__concat_backward(pass->device, gf__node_rows(node, pass), range, node->out.grad,
                               input_gradient->grad, &input_gradient->epilogue));
  }
  return GF_OK;
}

const gf__layer gf__layer_concat = {
    .name = "concat",
    .help = "the channels of its inputs one after the other",
    .least_inputs = 2,
    .most_inputs = GF__MOST_INPUTS - 1,
    .setup = concat_setup,
    .forward = concat_forward,
    .backward = concat_backward,
};
