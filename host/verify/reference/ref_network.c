#include "ref_network.h"

#include <stdlib.h>
#include <string.h>

#include "ref_network_nodes.h"
#include "reference.h"

ref_network *ref_network_new(const ref_network_options *options) {
  if (options->height >> options->stages < 1 || options->width >> options->stages < 1) return NULL;
  ref_network *network = calloc(1, sizeof *network);
  if (!network) return NULL;
  network->options = *options;
  network->nodes = ref_allocate(network, REF_MOST_NODES, sizeof *network->nodes);
  network->tensors = ref_allocate(network, REF_MOST_TENSORS, sizeof *network->tensors);
  network->moments = ref_allocate(network, 2 * REF_MOST_TENSORS, sizeof *network->moments);
  network->running = ref_allocate(network, REF_MOST_TENSORS, sizeof *network->running);
  /* The widest activation is that of multi_scale's second round. */
  size_t widest = (size_t)options->channels + 4 * (size_t)options->filters;
  if (options->family == REF_SPECTRAL_SPATIAL) widest *= (size_t)options->channels;
  size_t largest = (size_t)options->batch * options->height * options->width * widest;
  for (int i = 0; i < 2; i++) network->scratch[i] = ref_allocate(network, largest, sizeof(double));
  if (!network->failed) ref_network_build(network);
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
  free(old->scratch[0]);
  free(old->scratch[1]);
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
  memcpy(network->nodes[0].y, images, ref_node_size(network, &network->nodes[0]) * sizeof *images);
  for (int i = 1; i < network->node_count; i++)
    network->nodes[i].kind->forward(network, &network->nodes[i]);
  const node *logits = &network->nodes[network->node_count - 1];
  return ref_softmax_cross_entropy(n, logits->c, logits->y, labels, correct, logits->dy);
}

void ref_network_backward(ref_network *network) {
  for (int i = 0; i < network->node_count - 1; i++)
    memset(network->nodes[i].dy, 0, ref_node_size(network, &network->nodes[i]) * sizeof(double));
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
