#include "model/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/numbers.h"

/* The time for which a tensor's data or gradient is needed. Node i of N runs
 * forward at time i and backward at 2N - 1 - i. */
typedef struct life {
  size_t floats; /* per image; 0: not needed */
  int start, end;
  int *buffer;       /* where the index of its buffer goes */
  gf__tensor *owner; /* whose storage it is: the tensor itself or, of a gradient, an alias */
} life;

typedef struct planner {
  gf__graph *graph;
  life *data, *grad;  /* by the tensors' index */
  bool *is_wanted;    /* the gradient */
  int *contributions; /* to the gradient, still to come in backward */
} planner;

static int backward_time(const planner *p, int node) { return 2 * p->graph->count - 1 - node; }

static gf__tensor *tensor_at(gf__graph *graph, int index) {
  return index == 0 ? &graph->input : &graph->nodes[index - 1]->out;
}

static void extend(life *l, int time) {
  if (time > l->end) l->end = time;
}

/* Where backward of node reads data: its own, and its inputs'. */
static void plan_data(planner *p) {
  gf__graph *graph = p->graph;
  int last = 2 * graph->count;
  for (int i = 0; i < graph->count; i++) {
    gf_node *node = graph->nodes[i];
    life *own = &p->data[node->out.index];
    *own = (life){.floats = gf__node_is_loss(node) ? 0 : gf__tensor_size(&node->out),
                  /* In inference the convolution before it stores what a folded norm would. */
                  .start = node->is_folded ? node->in[0]->index - 1 : i,
                  .end = i,
                  .buffer = &node->out.data_buffer,
                  .owner = &node->out};
    /* The network's output can be read after a pass. */
    if (i + 1 == graph->count) own->end = last;
    if (gf__layer_has(node->layer, GF__LAYER_BACKWARD_READS_OUTPUT))
      extend(own, backward_time(p, i));
    for (int k = 0; k < node->in_count; k++) {
      life *in = &p->data[node->in[k]->index];
      extend(in, i);
      if (gf__node_is_loss(node) && i + 1 == graph->count) in->end = last;
      bool is_residual = node->has_residual && k == node->in_count - 1;
      if (gf__layer_has(node->layer, GF__LAYER_BACKWARD_READS_INPUT) && !is_residual)
        extend(in, backward_time(p, i));
      /* The last contribution to the gradient is masked by the activation's output. */
      const gf_node *producer = node->in[k]->producer;
      if (producer && producer->activation.kind != GF__ACTIVATION_NONE)
        extend(in, backward_time(p, i));
    }
  }
}

static void plan_wanted(planner *p, bool input_gradient) {
  p->is_wanted[0] = input_gradient;
  for (int i = 0; i < p->graph->count; i++) {
    const gf_node *node = p->graph->nodes[i];
    bool *wanted = &p->is_wanted[node->out.index];
    for (int k = 0; k < node->parameter_count; k++) *wanted |= node->parameters[k].trainable;
    for (int k = 0; k < node->in_count; k++) {
      *wanted |= p->is_wanted[node->in[k]->index];
      p->contributions[node->in[k]->index]++;
    }
  }
}

/* A residual's gradient is the output's own: where it is the first contribution, it needs no copy
 * if another node adds the next contribution in place. */
static bool can_alias(const planner *p, const gf_node *node, const gf__tensor *t) {
  for (int k = 0; k + 1 < node->in_count; k++)
    if (node->in[k] == t) return false;
  return p->contributions[t->index] > 1;
}

/* The gradient of input k of node i, in the order in which backward runs. */
static void plan_input_gradient(planner *p, int i, int k) {
  gf_node *node = p->graph->nodes[i];
  gf__tensor *t = node->in[k];
  gf__input_gradient *input_gradient = &node->input_gradients[k];
  life *l = &p->grad[t->index];
  *input_gradient = (gf__input_gradient){.is_wanted = p->is_wanted[t->index]};
  bool is_residual = node->has_residual && k == node->in_count - 1;
  if (input_gradient->is_wanted) {
    bool is_first = l->floats == 0;
    const gf_node *producer = t->producer;
    input_gradient->accumulates = !is_first;
    input_gradient->masks = p->contributions[t->index] == 1 && producer &&
                            producer->activation.kind != GF__ACTIVATION_NONE;
    if (is_first) {
      int end = producer ? backward_time(p, t->index - 1) : 2 * p->graph->count;
      *l = (life){.floats = gf__tensor_size(t),
                  .start = backward_time(p, i),
                  .end = end,
                  .buffer = &t->grad_buffer,
                  .owner = t};
      if (is_residual && can_alias(p, node, t)) {
        l->owner = p->grad[node->out.index].owner;
        extend(&p->grad[l->owner->index], end);
      }
    }
  }
  p->contributions[t->index]--;
}

static void plan_gradients(planner *p) {
  gf__graph *graph = p->graph;
  gf_node *last = graph->nodes[graph->count - 1];
  /* Without a loss the gradient of the output comes from outside. */
  if (!gf__node_is_loss(last))
    p->grad[last->out.index] = (life){.floats = gf__tensor_size(&last->out),
                                      .start = graph->count,
                                      .end = 2 * graph->count,
                                      .buffer = &last->out.grad_buffer,
                                      .owner = &last->out};
  for (int i = graph->count - 1; i >= 0; i--) {
    gf_node *node = graph->nodes[i];
    int k = node->in_count - 1;
    if (node->has_residual)
      plan_input_gradient(p, i, k--); /* backward contributes to the residual first */
    for (int j = 0; j <= k; j++) plan_input_gradient(p, i, j);
  }
}

static int by_start(const void *a, const void *b) {
  const life *x = *(life *const *)a, *y = *(life *const *)b;
  if (x->start != y->start) return x->start < y->start ? -1 : 1;
  return x->owner->index - y->owner->index;
}

/* The free buffer that wastes least: the smallest that is large enough, else the largest; -1 where
 * none is free. */
static int pick_buffer(const gf__plan *plan, const life *l) {
  int best = -1;
  for (int b = 0; b < plan->count; b++) {
    if (plan->buffers[b].free_after >= l->start) continue;
    if (best < 0) {
      best = b;
      continue;
    }
    size_t have = plan->buffers[best].floats, new = plan->buffers[b].floats;
    bool fits = new >= l->floats, had = have >= l->floats;
    if (had ? fits && new < have : new > have) best = b;
  }
  return best;
}

static void assign_buffers(gf__plan *plan, life **lives, size_t count) {
  qsort(lives, count, sizeof *lives, by_start);
  for (size_t i = 0; i < count; i++) {
    life *l = lives[i];
    int b = pick_buffer(plan, l);
    if (b < 0) b = plan->count++;
    gf__plan_buffer *buffer = &plan->buffers[b];
    buffer->floats = GF__MAX(buffer->floats, l->floats);
    buffer->free_after = l->end;
    *l->buffer = b;
  }
}

static gf_status plan_graph(planner *p, gf__plan *plan, bool input_gradient, life **lives) {
  gf__graph *graph = p->graph;
  size_t tensors = (size_t)graph->count + 1, count = 0;
  plan_wanted(p, input_gradient);
  plan_data(p);
  plan_gradients(p);
  for (size_t t = 1; t < tensors; t++) /* the input's data has a buffer of its own */
    if (p->data[t].floats) lives[count++] = &p->data[t];
  for (size_t t = 0; t < tensors; t++)
    if (p->grad[t].floats && p->grad[t].owner->index == (int)t) lives[count++] = &p->grad[t];
  plan->buffers = calloc(count ? count : 1, sizeof *plan->buffers);
  if (!plan->buffers) return gf__fail_host_memory(count * sizeof *plan->buffers);
  assign_buffers(plan, lives, count);
  for (size_t t = 0; t < tensors; t++) /* owners have theirs */
    if (p->grad[t].floats) *p->grad[t].buffer = p->grad[t].owner->grad_buffer;
  return GF_OK;
}

gf_status gf__plan_make(gf__plan *plan, gf__graph *graph, bool input_gradient) {
  size_t tensors = (size_t)graph->count + 1;
  for (size_t t = 0; t < tensors; t++) {
    gf__tensor *tensor = tensor_at(graph, (int)t);
    tensor->index = (int)t;
    tensor->data_buffer = tensor->grad_buffer = -1;
  }
  planner p = {.graph = graph,
               .data = calloc(tensors, sizeof *p.data),
               .grad = calloc(tensors, sizeof *p.grad),
               .is_wanted = calloc(tensors, sizeof *p.is_wanted),
               .contributions = calloc(tensors, sizeof *p.contributions)};
  life **lives = calloc(2 * tensors, sizeof *lives);
  gf_status status = p.data && p.grad && p.is_wanted && p.contributions && lives
                         ? plan_graph(&p, plan, input_gradient, lives)
                         : gf__fail_host_memory(tensors * sizeof *p.data);
  free(p.data);
  free(p.grad);
  free(p.is_wanted);
  free(p.contributions);
  free(lives);
  return status;
}

size_t gf__plan_floats(const gf__plan *plan) {
  size_t floats = 0;
  for (int b = 0; b < plan->count; b++) floats += plan->buffers[b].floats;
  return floats;
}

gf_status gf__plan_allocate(gf__plan *plan, gf__graph *graph, gf_device *device, int batch) {
  for (int b = 0; b < plan->count; b++)
    GF_TRY(gf__buffer_new(&plan->buffers[b].memory, device,
                          plan->buffers[b].floats * (size_t)batch * sizeof(float),
                          "activations and their gradients"));
  for (int t = 0; t <= graph->count; t++) {
    gf__tensor *tensor = tensor_at(graph, t);
    if (tensor->data_buffer >= 0) tensor->data = plan->buffers[tensor->data_buffer].memory;
    if (tensor->grad_buffer >= 0) tensor->grad = plan->buffers[tensor->grad_buffer].memory;
  }
  for (int i = 0; i < graph->count; i++)
    for (int k = 0; k < graph->nodes[i]->in_count; k++) {
      gf__input_gradient *input_gradient = &graph->nodes[i]->input_gradients[k];
      gf__tensor *t = graph->nodes[i]->in[k];
      if (!input_gradient->is_wanted) continue;
      input_gradient->grad = t->grad;
      if (input_gradient->accumulates) input_gradient->epilogue.residual = t->grad;
      if (!input_gradient->masks) continue;
      input_gradient->epilogue.mask = t->data;
      input_gradient->epilogue.activation = t->producer->activation;
    }
  return GF_OK;
}

void gf__plan_free(gf__plan *plan) {
  for (int b = 0; b < plan->count; b++) gf__buffer_free(&plan->buffers[b].memory);
  free(plan->buffers);
  *plan = (gf__plan){0};
}
