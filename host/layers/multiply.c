/* The product of two inputs, the second of which may have one factor per channel, as in
 * squeeze-and-excitation (Hu et al., 2018). */
#include "ops/multiply.h"

#include "layers/layer.h"

static bool is_single_pixel(const gf__tensor *t) { return t->d == 1 && t->h == 1 && t->w == 1; }

static gf_status multiply_setup(gf_node *node) {
  const gf__tensor *x = node->in[0], *factor = node->in[1];
  bool is_same = x->d == factor->d && x->h == factor->h && x->w == factor->w;
  if (x->c != factor->c || !(is_same || is_single_pixel(factor)))
    return gf__node_fail(
        node, "the shapes differ, and the second is not one pixel with as many channels");
  return gf__node_keep_shape(node);
}

static gf__product product_of(const gf_node *node, const gf__pass *pass) {
  const gf__tensor *x = node->in[0];
  size_t rows = gf__node_rows(node, pass);
  if (!is_single_pixel(node->in[1])) return (gf__product){rows, 1, x->c};
  int pixels = x->d * x->h * x->w;
  return (gf__product){rows / (size_t)pixels, pixels, x->c};
}

static gf_status multiply_forward(gf_node *node, const gf__pass *pass) {
  gf__product product = product_of(node, pass);
  return gf__multiply(pass->device, &product, node->in[0]->data, node->in[1]->data, node->out.data,
                      &(gf__epilogue){0});
}

static gf_status multiply_backward(gf_node *node, const gf__pass *pass) {
  gf__product product = product_of(node, pass);
  const gf__input_gradient *of_x = &node->input_gradients[0], *of_factor = of_x + 1;
  if (of_x->grad)
    GF_TRY(gf__multiply(pass->device, &product, node->out.grad, node->in[1]->data, of_x->grad,
                        &of_x->epilogue));
  if (!of_factor->grad) return GF_OK;
  return gf__multiply_backward_factor(pass->device, &product, node->out.grad, node->in[0]->data,
                                      of_factor->grad, &of_factor->epilogue);
}

const gf__layer gf__layer_multiply = {
    .name = "multiply",
    .help =
        "product of two inputs, of one shape, or the second with one pixel, whose channels are "
        "factors of the first's",
    .least_inputs = 2,
    .most_inputs = 2,
    .flags = GF__LAYER_BACKWARD_READS_INPUT,
    .setup = multiply_setup,
    .forward = multiply_forward,
    .backward = multiply_backward,
};
