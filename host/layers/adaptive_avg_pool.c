/* Means of bins of which every image has the same number, whatever its size. */
#include "ops/adaptive_avg_pool.h"

#include "layers/layer.h"

typedef struct adaptive_options {
  int size[2];
} adaptive_options;

static const gf__key keys[] = {
    {"size", GF__KEY_PAIR, offsetof(adaptive_options, size), NULL, 1, 1024, NULL,
     "size of the output: one number, or [vertical, horizontal]"},
};

static gf_status adaptive_avg_pool_setup(gf_node *node) {
  const adaptive_options *o = node->options;
  GF_TRY(gf__node_check_image(node));
  GF_TRY(gf__node_keep_shape(node));
  node->out.h = o->size[0];
  node->out.w = o->size[1];
  return GF_OK;
}

static gf__adaptive_pool adaptive_pool_of(const gf_node *node) {
  const gf__tensor *x = node->in[0], *y = &node->out;
  return (gf__adaptive_pool){x->h, x->w, x->c, y->h, y->w};
}

static gf_status adaptive_avg_pool_forward(gf_node *node, const gf__pass *pass) {
  gf__adaptive_pool pool = adaptive_pool_of(node);
  return gf__adaptive_avg_pool(pass->device, &pool, pass->n, node->in[0]->data, node->out.data);
}

static gf_status adaptive_avg_pool_backward(gf_node *node, const gf__pass *pass) {
  gf__adaptive_pool pool = adaptive_pool_of(node);
  const gf__input_gradient *of_x = &node->input_gradients[0];
  if (!of_x->grad) return GF_OK;
  return gf__adaptive_avg_pool_backward(pass->device, &pool, pass->n, node->out.grad, of_x->grad,
                                        &of_x->epilogue);
}

const gf__layer gf__layer_adaptive_avg_pool = {
    .name = "adaptive_avg_pool",
    .help =
        "means of as many bins as the output has pixels, for images of any size, as at the end "
        "of AlexNet and VGG; bins overlap where their number does not divide the image's size",
    .keys = keys,
    .key_count = sizeof keys / sizeof *keys,
    .options_size = sizeof(adaptive_options),
    .least_inputs = 1,
    .most_inputs = 1,
    .setup = adaptive_avg_pool_setup,
    .forward = adaptive_avg_pool_forward,
    .backward = adaptive_avg_pool_backward,
};
