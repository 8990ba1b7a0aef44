/* avg_pool, max_pool, and global_avg_pool, whose window is the whole image. */
#include "ops/pool.h"

#include "layers/layer.h"

typedef struct pool_options {
  int kernel[2], stride[2], padding[2];
} pool_options;

static const gf__key keys[] = {
    {"kernel", GF__KEY_PAIR, offsetof(pool_options, kernel), "2", 1, 1024, NULL,
     "window size: one number, or [vertical, horizontal]"},
    {"stride", GF__KEY_PAIR, offsetof(pool_options, stride), "0", 0, 1024, NULL,
     "pixels from one window to the next; 0: the window's size"},
    {"padding", GF__KEY_PAIR, offsetof(pool_options, padding), "0", 0, 512, NULL,
     "rows and columns around the image; at most half a window"},
};

static gf_status finish_setup(gf_node *node, gf__pool_shape shape) {
  if (gf__pool_infer(&shape) != GF_OK) return gf__node_fail(node, "%s", gf_error_message());
  node->out.h = shape.out_h;
  node->out.w = shape.out_w;
  node->out.c = shape.c;
  *(gf__pool_shape *)node->state = shape;
  return GF_OK;
}

static gf_status setup(gf_node *node) {
  const pool_options *o = node->options;
  const gf__tensor *x = node->in[0];
  GF_TRY(gf__node_check_image(node));
  gf__pool_shape shape = {.h = x->h, .w = x->w, .c = x->c};
  for (int d = 0; d < 2; d++) {
    shape.kernel[d] = o->kernel[d];
    shape.stride[d] = o->stride[d] ? o->stride[d] : o->kernel[d];
    shape.padding[d] = o->padding[d];
  }
  return finish_setup(node, shape);
}

static gf_status global_setup(gf_node *node) {
  const gf__tensor *x = node->in[0];
  int h = x->d * x->h; /* the planes of a volume one below the other */
  return finish_setup(
      node,
      (gf__pool_shape){.h = h, .w = x->w, .c = x->c, .kernel = {h, x->w}, .stride = {h, x->w}});
}

static gf_status avg_forward(gf_node *node, const gf__pass *pass) {
  return gf__avg_pool(pass->device, node->state, pass->n, node->in[0]->data, node->out.data);
}

static gf_status avg_backward(gf_node *node, const gf__pass *pass) {
  const gf__input_gradient *input_gradient = &node->input_gradients[0];
  if (!input_gradient->grad) return GF_OK;
  return gf__avg_pool_backward(pass->device, node->state, pass->n, node->out.grad,
                               input_gradient->grad, &input_gradient->epilogue);
}

static size_t max_saved(const gf_node *node, int batch) {
  return (size_t)batch * gf__tensor_size(&node->out) * sizeof(int);
}

static gf_status max_forward(gf_node *node, const gf__pass *pass) {
  return gf__max_pool(pass->device, node->state, pass->n, node->in[0]->data, node->out.data,
                      node->saved);
}

static gf_status max_backward(gf_node *node, const gf__pass *pass) {
  const gf__input_gradient *input_gradient = &node->input_gradients[0];
  if (!input_gradient->grad) return GF_OK;
  return gf__max_pool_backward(pass->device, node->state, pass->n, node->out.grad, node->saved,
                               input_gradient->grad, &input_gradient->epilogue);
}

#define POOL .state_size = sizeof(gf__pool_shape), .least_inputs = 1, .most_inputs = 1

const gf__layer gf__layer_avg_pool = {
    .name = "avg_pool",
    .help = "means of windows; padding counts as zeros",
    .keys = keys,
    .key_count = sizeof keys / sizeof *keys,
    .options_size = sizeof(pool_options),
    .setup = setup,
    .forward = avg_forward,
    .backward = avg_backward,
    POOL,
};

const gf__layer gf__layer_max_pool = {
    .name = "max_pool",
    .help = "largest values of windows",
    .keys = keys,
    .key_count = sizeof keys / sizeof *keys,
    .options_size = sizeof(pool_options),
    .setup = setup,
    .saved = max_saved,
    .forward = max_forward,
    .backward = max_backward,
    POOL,
};

const gf__layer gf__layer_global_avg_pool = {
    .name = "global_avg_pool",
    .help = "the mean of each channel",
    .setup = global_setup,
    .forward = avg_forward,
    .backward = avg_backward,
    POOL,
};
