#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "layers/layer.h"
#include "ops/elementwise.h"

#define ROW(name) &gf__layer_##name,
const gf__layer *const gf__layers[] = {GF__LAYERS(ROW) NULL};
#undef ROW

const gf__layer *gf__layer_at(int index) {
  enum { OWN = sizeof gf__layers / sizeof *gf__layers - 1 };
  return index < OWN ? gf__layers[index] : gf__layer_outside(index - OWN);
}

const gf__layer *gf__layer_find(const char *name) {
  const gf__layer *layer;
  for (int i = 0; (layer = gf__layer_at(i)); i++)
    if (!strcmp(layer->name, name)) return layer;
  return NULL;
}

gf__parameter *gf__node_add_parameter(gf_node *node, const char *suffix, gf__fill fill,
                                      int dim_count, const int *dims, int fan_in, int fan_out) {
  gf__parameter *p = &node->parameters[node->parameter_count++];
  *p = (gf__parameter){.layer = node->name,
                       .dim_count = dim_count,
                       .count = 1,
                       .is_weight = !strcmp(suffix, "weight"),
                       .trainable = true,
                       .fill = fill,
                       .fan_in = fan_in,
                       .fan_out = fan_out,
                       .groups = 1};
  snprintf(p->name, sizeof p->name, "%s.%s", node->name, suffix);
  for (int d = 0; d < dim_count; d++) {
    p->dims[d] = dims[d];
    p->count *= (size_t)dims[d];
  }
  return p;
}

gf_status gf__node_keep_shape(gf_node *node) {
  const gf__tensor *x = node->in[0];
  node->out.d = x->d;
  node->out.h = x->h;
  node->out.w = x->w;
  node->out.c = x->c;
  return GF_OK;
}

size_t gf__node_rows(const gf_node *node, const gf__pass *pass) {
  return (size_t)pass->n * gf__tensor_pixels(&node->out);
}

gf__epilogue gf__node_epilogue(const gf_node *node, const gf_buffer *bias) {
  return (gf__epilogue){.bias = bias,
                        .residual = node->has_residual ? node->in[node->in_count - 1]->data : NULL,
                        .activation = node->activation};
}

gf_status gf__node_backward_residual(gf_node *node, const gf__pass *pass) {
  if (!node->has_residual) return GF_OK;
  const gf__input_gradient *input_gradient = &node->input_gradients[node->in_count - 1];
  /* The planner lets the residual's gradient be the output's where it can. */
  if (!input_gradient->grad || input_gradient->grad == node->out.grad) return GF_OK;
  return gf__apply(pass->device, gf__node_rows(node, pass), node->out.c, node->out.grad,
                   input_gradient->grad, &input_gradient->epilogue);
}

gf_status gf__node_check_image(const gf_node *node) {
  if (node->in[0]->d == 1) return GF_OK;
  const char *other = node->layer->of_volumes;
  return gf__node_fail(node, "it takes images, not volumes; put a to_image before it%s%s",
                       other ? ", or use " : "", other ? other : "");
}

gf_status gf__node_fail(const gf_node *node, const char *format, ...) {
  char text[512], inputs[512] = "";
  size_t used = 0;
  for (int i = 0; i < node->in_count && used < sizeof inputs; i++) {
    const gf__tensor *t = node->in[i];
    char depth[16] = "";
    if (t->d > 1) snprintf(depth, sizeof depth, "%dx", t->d);
    used += (size_t)snprintf(inputs + used, sizeof inputs - used, "%s'%s' (%s%dx%dx%d)",
                             i ? " and " : "", t->name, depth, t->h, t->w, t->c);
  }
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  return gf__fail(GF_ERROR_SHAPE, "%s '%s' with input %s: %s", node->layer->name, node->name,
                  inputs, text);
}
