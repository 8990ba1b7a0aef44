#include "ref_network_nodes.h"

#include "reference.h"

static const double eps_ = 1e-5, momentum_ = 0.1;

size_t ref_node_size(const ref_network *network, const node *at) {
  return (size_t)network->n * at->d * at->h * at->w * at->c;
}

static void add_gradient(ref_network *network, node *to) {
  ref_add_forward(ref_node_size(network, to), to->dy, network->scratch[0], to->dy);
}

static ref_conv2d conv_of(const ref_network *network, const node *self) {
  const node *x = self->inputs[0];
  return (ref_conv2d){.n = network->n,
                      .h = x->h,
                      .w = x->w,
                      .c = x->c,
                      .filters = self->c,
                      .kernel = {self->kernel, self->kernel},
                      .stride = {self->stride, self->stride},
                      .padding = {self->padding, self->padding},
                      .dilation = {1, 1},
                      .groups = 1};
}

static void conv_forward(ref_network *network, node *self) {
  ref_conv2d conv = conv_of(network, self);
  ref_conv2d_forward(&conv, self->inputs[0]->y, self->weight->value,
                     self->bias ? self->bias->value : NULL, self->y);
}

static void conv_backward(ref_network *network, node *self) {
  ref_conv2d conv = conv_of(network, self);
  ref_conv2d_backward(&conv, self->inputs[0]->y, self->weight->value, self->dy, network->scratch[0],
                      self->weight->gradient, self->bias ? self->bias->gradient : NULL);
  add_gradient(network, self->inputs[0]);
}

static void norm_forward(ref_network *network, node *self) {
  int rows = network->n * self->d * self->h * self->w;
  const double *x = self->inputs[0]->y, *gamma = self->weight->value, *beta = self->bias->value;
  double *mean = self->running_mean->value, *variance = self->running_variance->value;
  if (network->training)
    ref_batch_norm_forward(rows, self->c, eps_, momentum_, x, gamma, beta, mean, variance, self->y);
  else
    ref_batch_norm_inference(rows, self->c, eps_, x, gamma, beta, mean, variance, self->y);
}

static void norm_backward(ref_network *network, node *self) {
  ref_batch_norm_backward(network->n * self->d * self->h * self->w, self->c, eps_,
                          self->inputs[0]->y, self->weight->value, self->dy, network->scratch[0],
                          self->weight->gradient, self->bias->gradient);
  add_gradient(network, self->inputs[0]);
}

static const ref_activation *activation_of(const ref_network *network) {
  const char *name = network->options.activation;
  return ref_activation_find(name ? name : "leaky_relu");
}

static void activation_forward(ref_network *network, node *self) {
  ref_activation_forward(activation_of(network), network->options.slope,
                         ref_node_size(network, self), self->inputs[0]->y, self->y);
}

static void activation_backward(ref_network *network, node *self) {
  ref_activation_backward(activation_of(network), network->options.slope,
                          ref_node_size(network, self), self->inputs[0]->y, self->dy,
                          network->scratch[0]);
  add_gradient(network, self->inputs[0]);
}

static ref_pool pool_of(const ref_network *network, const node *self) {
  const node *x = self->inputs[0];
  return (ref_pool){
      .n = network->n, .h = x->h, .w = x->w, .c = x->c, .kernel = {2, 2}, .stride = {2, 2}};
}

static void avg_pool_forward(ref_network *network, node *self) {
  ref_pool pool = pool_of(network, self);
  ref_avg_pool_forward(&pool, self->inputs[0]->y, self->y);
}

static void avg_pool_backward(ref_network *network, node *self) {
  ref_pool pool = pool_of(network, self);
  ref_avg_pool_backward(&pool, self->dy, network->scratch[0]);
  add_gradient(network, self->inputs[0]);
}

static void max_pool_forward(ref_network *network, node *self) {
  ref_pool pool = pool_of(network, self);
  ref_max_pool_forward(&pool, self->inputs[0]->y, self->y);
}

static void max_pool_backward(ref_network *network, node *self) {
  ref_pool pool = pool_of(network, self);
  ref_max_pool_backward(&pool, self->inputs[0]->y, self->dy, network->scratch[0]);
  add_gradient(network, self->inputs[0]);
}

static void concat_forward(ref_network *network, node *self) {
  ref_concat_forward(network->n * self->h * self->w, self->inputs[0]->c, self->inputs[1]->c,
                     self->inputs[0]->y, self->inputs[1]->y, self->y);
}

static void concat_backward(ref_network *network, node *self) {
  ref_concat_backward(network->n * self->h * self->w, self->inputs[0]->c, self->inputs[1]->c,
                      self->dy, network->scratch[0], network->scratch[1]);
  for (int i = 0; i < 2; i++) {
    node *x = self->inputs[i];
    ref_add_forward(ref_node_size(network, x), x->dy, network->scratch[i], x->dy);
  }
}

static void pad_forward(ref_network *network, node *self) {
  const node *x = self->inputs[0];
  ref_pad_shortcut_forward(network->n, x->h, x->w, x->c, self->stride, self->c, x->y, self->y);
}

static void pad_backward(ref_network *network, node *self) {
  const node *x = self->inputs[0];
  ref_pad_shortcut_backward(network->n, x->h, x->w, x->c, self->stride, self->c, self->dy,
                            network->scratch[0]);
  add_gradient(network, self->inputs[0]);
}

static void sum_forward(ref_network *network, node *self) {
  ref_add_forward(ref_node_size(network, self), self->inputs[0]->y, self->inputs[1]->y, self->y);
}

static void sum_backward(ref_network *network, node *self) {
  for (int i = 0; i < 2; i++)
    ref_add_forward(ref_node_size(network, self), self->inputs[i]->dy, self->dy,
                    self->inputs[i]->dy);
}

static void global_pool_forward(ref_network *network, node *self) {
  const node *x = self->inputs[0];
  ref_global_avg_pool_forward(network->n, x->h, x->w, x->c, x->y, self->y);
}

static void global_pool_backward(ref_network *network, node *self) {
  const node *x = self->inputs[0];
  ref_global_avg_pool_backward(network->n, x->h, x->w, x->c, self->dy, network->scratch[0]);
  add_gradient(network, self->inputs[0]);
}

static void linear_forward(ref_network *network, node *self) {
  ref_linear_forward(network->n, self->inputs[0]->c, self->c, self->inputs[0]->y,
                     self->weight->value, self->bias->value, self->y);
}

static void linear_backward(ref_network *network, node *self) {
  ref_linear_backward(network->n, self->inputs[0]->c, self->c, self->inputs[0]->y,
                      self->weight->value, self->dy, network->scratch[0], self->weight->gradient,
                      self->bias->gradient);
  add_gradient(network, self->inputs[0]);
}

static ref_conv3d conv3d_of(const ref_network *network, const node *self) {
  const node *x = self->inputs[0];
  return (ref_conv3d){.n = network->n,
                      .size = {x->d, x->h, x->w},
                      .c = x->c,
                      .filters = self->c,
                      .kernel = {self->kernel_depth, 1, 1},
                      .stride = {self->depth_stride, 1, 1},
                      .padding = {self->depth_padding, 0, 0}};
}

static void conv3d_forward(ref_network *network, node *self) {
  ref_conv3d conv = conv3d_of(network, self);
  ref_conv3d_forward(&conv, self->inputs[0]->y, self->weight->value, self->bias->value, self->y);
}

static void conv3d_backward(ref_network *network, node *self) {
  ref_conv3d conv = conv3d_of(network, self);
  ref_conv3d_backward(&conv, self->inputs[0]->y, self->weight->value, self->dy, network->scratch[0],
                      self->weight->gradient, self->bias->gradient);
  add_gradient(network, self->inputs[0]);
}

static void volume_forward(ref_network *network, node *self) {
  ref_to_volume(network->n, self->h * self->w, self->d, 1, self->inputs[0]->y, self->y);
}

static void volume_backward(ref_network *network, node *self) {
  ref_to_image(network->n, self->h * self->w, self->d, 1, self->dy, network->scratch[0]);
  add_gradient(network, self->inputs[0]);
}

const kind ref_conv3d_node = {conv3d_forward, conv3d_backward};
const kind ref_to_volume_node = {volume_forward, volume_backward};
const kind ref_conv_node = {conv_forward, conv_backward};
const kind ref_norm_node = {norm_forward, norm_backward};
const kind ref_activation_node = {activation_forward, activation_backward};
const kind ref_avg_pool_node = {avg_pool_forward, avg_pool_backward};
const kind ref_max_pool_node = {max_pool_forward, max_pool_backward};
const kind ref_sum_node = {sum_forward, sum_backward};
const kind ref_concat_node = {concat_forward, concat_backward};
const kind ref_pad_node = {pad_forward, pad_backward};
const kind ref_global_pool_node = {global_pool_forward, global_pool_backward};
const kind ref_linear_node = {linear_forward, linear_backward};
