/* avg_pool3d and max_pool3d, of volumes. */
#include "ops/pool3d.h"

#include <string.h>

#include "layers/layer.h"

typedef struct pool3d_options {
  int kernel[3], stride[3], padding[3];
} pool3d_options;

static const gf__key keys[] = {
    {"kernel", GF__KEY_TRIPLE, offsetof(pool3d_options, kernel), "2", 1, 1024, NULL,
     "window size: one number, or [depth, vertical, horizontal]"},
    {"stride", GF__KEY_TRIPLE, offsetof(pool3d_options, stride), "0", 0, 1024, NULL,
     "voxels from one window to the next; 0: the window's size"},
    {"padding", GF__KEY_TRIPLE, offsetof(pool3d_options, padding), "0", 0, 512, NULL,
     "planes, rows and columns around the volume; at most half a window"},
};

static gf_status setup(gf_node *node) {
  const pool3d_options *o = node->options;
  const gf__tensor *x = node->in[0];
  gf__pool3d_shape shape = {.size = {x->d, x->h, x->w}, .c = x->c};
  memcpy(shape.kernel, o->kernel, sizeof shape.kernel);
  memcpy(shape.padding, o->padding, sizeof shape.padding);
  for (int a = 0; a < 3; a++) shape.stride[a] = o->stride[a] ? o->stride[a] : o->kernel[a];
  if (gf__pool3d_infer(&shape) != GF_OK) return gf__node_fail(node, "%s", gf_error_message());
  node->out.d = shape.out[0];
  node->out.h = shape.out[1];
  node->out.w = shape.out[2];
  node->out.c = x->c;
  *(gf__pool3d_shape *)node->state = shape;
  return GF_OK;
}

static gf_status avg_forward(gf_node *node, const gf__pass *pass) {
  return gf__avg_pool3d(pass->device, node->state, pass->n, node->in[0]->data, node->out.data);
}

static gf_status avg_backward(gf_node *node, const gf__pass *pass) {
  const gf__input_gradient *input_gradient = &node->input_gradients[0];
  if (!input_gradient->grad) return GF_OK;
  return gf__avg_pool3d_backward(pass->device, node->state, pass->n, node->out.grad,
                                 input_gradient->grad, &input_gradient->epilogue);
}

static size_t max_saved(const gf_node *node, int batch) {
  return (size_t)batch * gf__tensor_size(&node->out) * sizeof(int);
}

static gf_status max_forward(gf_node *node, const gf__pass *pass) {
  return gf__max_pool3d(pass->device, node->state, pass->n, node->in[0]->data, node->out.data,
                        node->saved);
}

static gf_status max_backward(gf_node *node, const gf__pass *pass) {
  const gf__input_gradient *input_gradient = &node->input_gradients[0];
  if (!input_gradient->grad) return GF_OK;
  return gf__max_pool3d_backward(pass->device, node->state, pass->n, node->out.grad, node->saved,
                                 input_gradient->grad, &input_gradient->epilogue);
}

#define POOL                                                                                     \
  .keys = keys, .key_count = sizeof keys / sizeof *keys, .options_size = sizeof(pool3d_options), \
  .state_size = sizeof(gf__pool3d_shape), .least_inputs = 1, .most_inputs = 1, .setup = setup

const gf__layer gf__layer_avg_pool3d = {
    .name = "avg_pool3d",
    .help = "means of windows of volumes; padding counts as zeros",
    .forward = avg_forward,
    .backward = avg_backward,
    POOL,
};

const gf__layer gf__layer_max_pool3d = {
    .name = "max_pool3d",
    .help = "largest values of windows of volumes",
    .saved = max_saved,
    .forward = max_forward,
    .backward = max_backward,
    POOL,
};
