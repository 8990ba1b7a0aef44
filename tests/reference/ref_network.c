#include "ref_network.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reference.h"

typedef struct node node;

/* A backward adds to its inputs' dy, which are cleared before the pass. */
typedef struct kind {
  void (*forward)(ref_network *network, node *self);
  void (*backward)(ref_network *network, node *self);
} kind;

struct node {
  const kind *kind; /* NULL: the images */
  node *inputs[2];
  int h, w, c;
  double *y, *dy;                                              /* (batch, h, w, c) */
  ref_tensor *weight, *bias, *running_mean, *running_variance; /* NULL where it has none */
};

struct ref_network {
  ref_network_options options;
  node *nodes;
  int node_count;
  ref_tensor *tensors, *running;
  double **moments; /* Adam's m and v of tensor i at 2i and 2i + 1 */
  int tensor_count, running_count;
  double *scratch; /* as large as the largest activation */
  int n, step;
  bool training, failed;
};

static const double eps_ = 1e-5, momentum_ = 0.1;

static size_t count_of(const ref_network *network, const node *at) {
  return (size_t)network->n * at->h * at->w * at->c;
}

static void add_gradient(ref_network *network, node *to) {
  ref_add_forward(count_of(network, to), to->dy, network->scratch, to->dy);
}

static ref_conv2d conv_of(const ref_network *network, const node *self) {
  const node *x = self->inputs[0];
  return (ref_conv2d){network->n, x->h, x->w, x->c, self->c, {3, 3}, {1, 1}, {1, 1}, {1, 1}};
}

static void conv_forward(ref_network *network, node *self) {
  ref_conv2d conv = conv_of(network, self);
  ref_conv2d_forward(&conv, self->inputs[0]->y, self->weight->value,
                     self->bias ? self->bias->value : NULL, self->y);
}

static void conv_backward(ref_network *network, node *self) {
  ref_conv2d conv = conv_of(network, self);
  ref_conv2d_backward(&conv, self->inputs[0]->y, self->weight->value, self->dy, network->scratch,
                      self->weight->gradient, self->bias ? self->bias->gradient : NULL);
  add_gradient(network, self->inputs[0]);
}

static void norm_forward(ref_network *network, node *self) {
  int rows = network->n * self->h * self->w;
  const double *x = self->inputs[0]->y, *gamma = self->weight->value, *beta = self->bias->value;
  double *mean = self->running_mean->value, *variance = self->running_variance->value;
  if (network->training)
    ref_batch_norm_forward(rows, self->c, eps_, momentum_, x, gamma, beta, mean, variance, self->y);
  else
    ref_batch_norm_inference(rows, self->c, eps_, x, gamma, beta, mean, variance, self->y);
}

static void norm_backward(ref_network *network, node *self) {
  ref_batch_norm_backward(network->n * self->h * self->w, self->c, eps_, self->inputs[0]->y,
                          self->weight->value, self->dy, network->scratch, self->weight->gradient,
                          self->bias->gradient);
  add_gradient(network, self->inputs[0]);
}

static void activation_forward(ref_network *network, node *self) {
  ref_activation_forward(ref_activation_find("leaky_relu"), network->options.slope,
                         count_of(network, self), self->inputs[0]->y, self->y);
}

static void activation_backward(ref_network *network, node *self) {
  ref_activation_backward(ref_activation_find("leaky_relu"), network->options.slope,
                          count_of(network, self), self->inputs[0]->y, self->dy, network->scratch);
  add_gradient(network, self->inputs[0]);
}

static ref_pool pool_of(const ref_network *network, const node *self) {
  const node *x = self->inputs[0];
  return (ref_pool){network->n, x->h, x->w, x->c, {2, 2}, {2, 2}, {0, 0}};
}

static void pool_forward(ref_network *network, node *self) {
  ref_pool pool = pool_of(network, self);
  ref_avg_pool_forward(&pool, self->inputs[0]->y, self->y);
}

static void pool_backward(ref_network *network, node *self) {
  ref_pool pool = pool_of(network, self);
  ref_avg_pool_backward(&pool, self->dy, network->scratch);
  add_gradient(network, self->inputs[0]);
}

static void sum_forward(ref_network *network, node *self) {
  ref_add_forward(count_of(network, self), self->inputs[0]->y, self->inputs[1]->y, self->y);
}

static void sum_backward(ref_network *network, node *self) {
  for (int i = 0; i < 2; i++)
    ref_add_forward(count_of(network, self), self->inputs[i]->dy, self->dy, self->inputs[i]->dy);
}

static void global_pool_forward(ref_network *network, node *self) {
  const node *x = self->inputs[0];
  ref_global_avg_pool_forward(network->n, x->h, x->w, x->c, x->y, self->y);
}

static void global_pool_backward(ref_network *network, node *self) {
  const node *x = self->inputs[0];
  ref_global_avg_pool_backward(network->n, x->h, x->w, x->c, self->dy, network->scratch);
  add_gradient(network, self->inputs[0]);
}

static void linear_forward(ref_network *network, node *self) {
  ref_linear_forward(network->n, self->inputs[0]->c, self->c, self->inputs[0]->y,
                     self->weight->value, self->bias->value, self->y);
}

static void linear_backward(ref_network *network, node *self) {
  ref_linear_backward(network->n, self->inputs[0]->c, self->c, self->inputs[0]->y,
                      self->weight->value, self->dy, network->scratch, self->weight->gradient,
                      self->bias->gradient);
  add_gradient(network, self->inputs[0]);
}

static const kind conv_ = {conv_forward, conv_backward};
static const kind norm_ = {norm_forward, norm_backward};
static const kind activation_ = {activation_forward, activation_backward};
static const kind pool_ = {pool_forward, pool_backward};
static const kind sum_ = {sum_forward, sum_backward};
static const kind global_pool_ = {global_pool_forward, global_pool_backward};
static const kind linear_ = {linear_forward, linear_backward};

/* Building. A failed allocation is remembered and ends in ref_network_new. */

static void *allocate(ref_network *network, size_t count, size_t size) {
  void *memory = calloc(count, size);
  if (!memory) network->failed = true;
  return memory;
}

static node *add_node(ref_network *network, const kind *of, node *x, int h, int w, int c) {
  node *self = &network->nodes[network->node_count++];
  *self = (node){.kind = of, .inputs = {x}, .h = h, .w = w, .c = c};
  size_t count = (size_t)network->options.batch * h * w * c;
  self->y = allocate(network, count, sizeof(double));
  self->dy = allocate(network, count, sizeof(double));
  return self;
}

static ref_tensor *add_tensor(ref_network *network, bool trainable, int dim_count, const int *dims,
                              double value, const char *format, ...) {
  ref_tensor *tensor = trainable ? &network->tensors[network->tensor_count]
                                 : &network->running[network->running_count++];
  tensor->trainable = trainable;
  tensor->dim_count = dim_count;
  tensor->count = 1;
  for (int i = 0; i < dim_count; i++) tensor->count *= (size_t)(tensor->dims[i] = dims[i]);
  va_list args;
  va_start(args, format);
  vsnprintf(tensor->name, sizeof tensor->name, format, args);
  va_end(args);
  tensor->value = allocate(network, tensor->count, sizeof(double));
  for (size_t i = 0; tensor->value && i < tensor->count; i++) tensor->value[i] = value;
  if (!trainable) return tensor;
  tensor->gradient = allocate(network, tensor->count, sizeof(double));
  for (int i = 0; i < 2; i++)
    network->moments[2 * network->tensor_count + i] =
        allocate(network, tensor->count, sizeof(double));
  network->tensor_count++;
  return tensor;
}

static node *add_conv(ref_network *network, node *x, bool bias, const char *name) {
  int k = network->options.filters;
  node *self = add_node(network, &conv_, x, x->h, x->w, k);
  self->weight = add_tensor(network, true, 4, (int[]){k, x->c, 3, 3}, 0, "%s.weight", name);
  if (bias) self->bias = add_tensor(network, true, 1, &k, 0, "%s.bias", name);
  return self;
}

static node *add_norm(ref_network *network, node *x, const char *name) {
  node *self = add_node(network, &norm_, x, x->h, x->w, x->c);
  self->weight = add_tensor(network, true, 1, &x->c, 1, "%s.weight", name);
  self->bias = add_tensor(network, true, 1, &x->c, 0, "%s.bias", name);
  self->running_mean = add_tensor(network, false, 1, &x->c, 0, "%s.running_mean", name);
  self->running_variance = add_tensor(network, false, 1, &x->c, 1, "%s.running_var", name);
  return self;
}

static node *add_activation(ref_network *network, node *x) {
  return add_node(network, &activation_, x, x->h, x->w, x->c);
}

static node *add_pool(ref_network *network, node *x) {
  return add_node(network, &pool_, x, x->h / 2, x->w / 2, x->c);
}

static node *add_sum(ref_network *network, node *a, node *b) {
  node *self = add_node(network, &sum_, a, a->h, a->w, a->c);
  self->inputs[1] = b;
  return self;
}

/* Convolution i of the block called name, and its norm if every one has a norm. */
static node *add_block_conv(ref_network *network, node *x, bool bias, const char *name, int i) {
  char full[48];
  snprintf(full, sizeof full, "%s_conv_%d", name, i);
  node *y = add_conv(network, x, bias, full);
  if (!network->options.norm_every) return y;
  snprintf(full, sizeof full, "%s_norm_%d", name, i);
  return add_norm(network, y, full);
}

static node *add_block(ref_network *network, node *x, bool reduction, const char *name) {
  node *x1 = add_activation(network, add_block_conv(network, x, reduction, name, 0));
  if (reduction) x1 = add_pool(network, x1);
  node *y = add_block_conv(network, x1, reduction, name, 1);
  if (network->options.shortcut) y = add_sum(network, y, reduction ? add_pool(network, x) : x);
  return add_activation(network, y);
}

static void build(ref_network *network) {
  const ref_network_options *o = &network->options;
  node *x = add_node(network, NULL, NULL, o->height, o->width, o->channels);
  x = add_conv(network, x, false, "input_conv");
  x = add_activation(network, add_norm(network, x, "input_norm"));
  char name[32];
  for (int stage = 0; stage < o->stages; stage++) {
    for (int block = 0; block < o->blocks_per_stage; block++) {
      snprintf(name, sizeof name, "block_%d_%d", stage, block);
      x = add_block(network, x, false, name);
    }
    snprintf(name, sizeof name, "reduction_%d", stage);
    x = add_block(network, x, true, name);
  }
  x = add_node(network, &global_pool_, x, 1, 1, x->c);
  node *logits = add_node(network, &linear_, x, 1, 1, o->classes);
  logits->weight =
      add_tensor(network, true, 2, (int[]){o->classes, x->c}, 0, "logit_linear.weight");
  logits->bias = add_tensor(network, true, 1, &o->classes, 0, "logit_linear.bias");
}

ref_network *ref_network_new(const ref_network_options *options) {
  if (options->height >> options->stages < 1 || options->width >> options->stages < 1) return NULL;
  ref_network *network = calloc(1, sizeof *network);
  if (!network) return NULL;
  network->options = *options;
  int blocks = options->stages * (options->blocks_per_stage + 1), convs = 1 + 2 * blocks;
  size_t nodes = 6 + 9 * (size_t)blocks, tensors = 2 + 4 * (size_t)convs;
  network->nodes = allocate(network, nodes, sizeof *network->nodes);
  network->tensors = allocate(network, tensors, sizeof *network->tensors);
  network->moments = allocate(network, 2 * tensors, sizeof *network->moments);
  network->running = allocate(network, 2 * (size_t)convs, sizeof *network->running);
  int widest = options->channels > options->filters ? options->channels : options->filters;
  size_t largest = (size_t)options->batch * options->height * options->width * widest;
  network->scratch = allocate(network, largest, sizeof(double));
  if (!network->failed) build(network);
  if (network->failed) ref_network_free(&network);
  return network;
}

void ref_network_free(ref_network **network) {
  ref_network *old = *network;
  if (!old) return;
  for (int i = 0; i < old->node_count; i++) {
    free(old->nodes[i].y);
    free(old->nodes[i].dy);
  }
  for (int i = 0; i < old->tensor_count; i++) {
    free(old->tensors[i].value);
    free(old->tensors[i].gradient);
    free(old->moments[2 * i]);
    free(old->moments[2 * i + 1]);
  }
  for (int i = 0; i < old->running_count; i++) free(old->running[i].value);
  free(old->nodes);
  free(old->tensors);
  free(old->moments);
  free(old->running);
  free(old->scratch);
  free(old);
  *network = NULL;
}

int ref_network_tensor_count(const ref_network *network) {
  return network->tensor_count + network->running_count;
}

const ref_tensor *ref_network_tensor(const ref_network *network, int index) {
  return index < network->tensor_count ? &network->tensors[index]
                                       : &network->running[index - network->tensor_count];
}

const ref_tensor *ref_network_find(const ref_network *network, const char *name) {
  for (int i = 0; i < ref_network_tensor_count(network); i++)
    if (strcmp(ref_network_tensor(network, i)->name, name) == 0)
      return ref_network_tensor(network, i);
  return NULL;
}

size_t ref_network_parameter_total(const ref_network *network) {
  size_t total = 0;
  for (int i = 0; i < network->tensor_count; i++) total += network->tensors[i].count;
  return total;
}

void ref_network_set(const ref_tensor *tensor, const float *values) {
  for (size_t i = 0; i < tensor->count; i++) tensor->value[i] = values[i];
}

double ref_network_forward(ref_network *network, const double *images, const int *labels, int n,
                           bool training, int *correct) {
  network->n = n;
  network->training = training;
  memcpy(network->nodes[0].y, images, count_of(network, &network->nodes[0]) * sizeof *images);
  for (int i = 1; i < network->node_count; i++)
    network->nodes[i].kind->forward(network, &network->nodes[i]);
  const node *logits = &network->nodes[network->node_count - 1];
  return ref_softmax_cross_entropy(n, logits->c, logits->y, labels, correct, logits->dy);
}

void ref_network_backward(ref_network *network) {
  for (int i = 0; i < network->node_count - 1; i++)
    memset(network->nodes[i].dy, 0, count_of(network, &network->nodes[i]) * sizeof(double));
  for (int i = network->node_count - 1; i > 0; i--)
    network->nodes[i].kind->backward(network, &network->nodes[i]);
}

void ref_network_adam(ref_network *network, double lr, double weight_decay) {
  const ref_adam adam = {lr, 0.9, 0.999, 1e-8, weight_decay};
  network->step++;
  for (int i = 0; i < network->tensor_count; i++) {
    const ref_tensor *tensor = &network->tensors[i];
    ref_adam_step(&adam, network->step, tensor->count, tensor->gradient, tensor->value,
                  network->moments[2 * i], network->moments[2 * i + 1]);
  }
}

double ref_network_step(ref_network *network, const double *images, const int *labels, int n,
                        double lr, double weight_decay) {
  double loss = ref_network_forward(network, images, labels, n, true, NULL);
  ref_network_backward(network);
  ref_network_adam(network, lr, weight_decay);
  return loss;
}

const double *ref_network_logits(const ref_network *network) {
  return network->nodes[network->node_count - 1].y;
}
