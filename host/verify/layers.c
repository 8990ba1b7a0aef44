/* Every layer of the table in networks of its own, against its reference. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "model/model.h"
#include "ops/conv/conv.h"
#include "verify/problems.h"
#include "verify/subjects.h"

/* ---- models of one layer ---- */

/* Appends a text of the table with source in place of each %s. */
static void add_with_source(gf__text *text, const char *from, const char *source) {
  for (const char *at; (at = strstr(from, "%s")); from = at + 2)
    gf__text_add(text, "%.*s%s", (int)(at - from), from, source);
  gf__text_add(text, "%s", from);
}

static void add_layer(gf__text *text, const gf__problem *p, const char *name, const char *source) {
  gf__text_add(text, "    - {name: %s, type: %s, input: ", name, p->type->layer);
  add_with_source(text, p->type->inputs ? p->type->inputs : "%s", source);
  gf__text_add(text, "%s}\n", p->keys);
}

/* The layer alone, as "a"; or, with branches, "a" and "b" that read one tensor,
 * which is what the nodes of first make of the input, and their sum. */
typedef struct network {
  const char *first;
  bool branches, fuse;
} network;

static void write_network(gf__text *text, const gf__problem *p, network net) {
  const char *source = *net.first ? "source" : "input";
  /* im2col rounds least; conv2d.c has all algorithms of images. */
  gf__text_add(text, "model:\n  algorithm: %s\n  fuse: %s\n  auxiliary_weight: %g\n",
               p->algorithm ? p->algorithm : "im2col", net.fuse ? "on" : "off",
               GF__PROBLEM_AUXILIARY_WEIGHT);
  gf__text_add(text, "  graph:\n%s", net.first);
  if (*p->before) {
    gf__text_add(text, "    - ");
    add_with_source(text, p->before, source);
    gf__text_add(text, "\n");
  }
  add_layer(text, p, "a", source);
  if (!net.branches) return;
  add_layer(text, p, "b", source);
  gf__text_add(text, "    - {name: sum, type: add, input: [a, b]}\n");
}

/* Opens check->model in place of the one before. */
static gf_status open_model(gf__check *check, const gf__problem *p, network net) {
  gf__text text = {0};
  gf_config *config = NULL;
  gf_model_free(&check->model);
  write_network(&text, p, net);
  gf_status status = gf__text_status(&text);
  if (status == GF_OK) status = gf_config_parse(&config, p->type->layer, text.data);
  gf__text_free(&text);
  /* Room for one image more than there are: what lies after the images must stay as it is. */
  if (status == GF_OK)
    status = gf__model_open_with(&check->model, check->device, config, p->image, p->image.channels,
                                 p->n + 1, GF__PROBLEM_SEED,
                                 &(gf__model_options){.no_loss = true, .input_gradient = true});
  gf_config_free(&config);
  return status;
}

static gf_node *node_of(const gf_model *model, const char *name) {
  int i = 0;
  while (strcmp(model->graph.nodes[i]->name, name) != 0) i++;
  return model->graph.nodes[i];
}

static gf_node *last_of(const gf_model *model) {
  return model->graph.nodes[model->graph.count - 1];
}

static int index_of(const gf_model *model, const gf__parameter *parameter) {
  int index = 0;
  while (model->parameters[index] != parameter) index++;
  return index;
}

static gf_status write_parameters(gf__check *check, const char *name, const gf__problem *p,
                                  const gf__problem_values *v) {
  gf_node *node = node_of(check->model, name);
  for (int k = 0; k < p->parameter_count; k++)
    GF_TRY(gf_model_write_parameter(check->model, index_of(check->model, &node->parameters[k]),
                                    gf__narrow(p->arena, v->parameter[k], p->parameter_size[k])));
  return GF_OK;
}

/* The gradient of parameter k of a node, or its value if it is not trainable. */
static gf_status read_result(gf__check *check, const gf_node *node, int k, float **out) {
  const gf__parameter *parameter = &node->parameters[k];
  int index = index_of(check->model, parameter);
  *out = gf__new_floats(check->arena, parameter->count);
  return parameter->trainable ? gf_model_read_gradient(check->model, index, *out)
                              : gf_model_read_parameter(check->model, index, *out);
}

/* "dweight", or "running_mean" of what has no gradient. */
static const char *result_name(const gf_node *node, int k, char out[GF__NAME_SIZE]) {
  const gf__parameter *parameter = &node->parameters[k];
  snprintf(out, GF__NAME_SIZE, "%s%s", parameter->trainable ? "d" : "",
           strrchr(parameter->name, '.') + 1);
  return out;
}

static gf_status poison_buffer(gf__check *check, gf_buffer *buffer) {
  return buffer ? gf__poison(check->arena, buffer, gf__buffer_size(buffer) / sizeof(float)) : GF_OK;
}

static gf_status poison_model(gf__check *check) {
  gf_model *model = check->model;
  for (int s = 0; s < model->plan.count; s++)
    GF_TRY(poison_buffer(check, model->plan.buffers[s].memory));
  for (int i = 0; i < model->graph.count; i++)
    GF_TRY(poison_buffer(check, model->graph.nodes[i]->saved));
  GF_TRY(poison_buffer(check, model->workspace));
  return poison_buffer(check, model->gradients);
}

/* ---- forward and backward ---- */

static gf_status layer_forward(gf__check *check, const gf__problem *p, const double *x,
                               bool training) {
  GF_TRY(gf__model_upload(check->model, gf__narrow(p->arena, x, p->x_count), p->labels, p->n));
  return gf__model_queue_forward(check->model, training, 0);
}

static gf_status layer_backward(gf__check *check, const gf__problem *p, const double *dy) {
  if (!p->type->ends_graph)
    GF_TRY(gf__write(last_of(check->model)->out.grad, gf__narrow(p->arena, dy, p->y_count),
                     p->y_count));
  return gf__model_queue_backward(check->model);
}

/* The first count floats; whatever lies after them must be as it was. */
static gf_status read_tensor(gf__check *check, gf_buffer *buffer, const char *what, size_t count,
                             float **out) {
  size_t whole = gf__buffer_size(buffer) / sizeof(float);
  GF_TRY(gf__read(check->arena, buffer, whole, out));
  for (size_t i = count; i < whole; i++)
    if (!gf__is_poison((*out)[i]))
      gf__check_fault(check, "%s: a write out of bounds, to the float at %zu of %zu: %.9g", what, i,
                      count, (double)(*out)[i]);
  return GF_OK;
}

static gf_status read_dx(gf__check *check, const gf__problem *p, float **out) {
  const gf_model *model = check->model;
  const gf__tensor *x = &model->graph.input;
  bool shared = false; /* another tensor has had the buffer */
  for (int i = 0; i < model->graph.count; i++)
    shared |=
        model->graph.nodes[i]->out.data == x->grad || model->graph.nodes[i]->out.grad == x->grad;
  return shared ? gf__read(check->arena, x->grad, p->x_count, out)
                : read_tensor(check, x->grad, "dx", p->x_count, out);
}

/* What lies between the gradients in their buffer must be as it was. */
static gf_status check_gaps(gf__check *check) {
  const gf_model *model = check->model;
  float *all;
  if (!model->gradients) return GF_OK;
  size_t count = gf__buffer_size(model->gradients) / sizeof(float);
  GF_TRY(gf__read(check->arena, model->gradients, count, &all));
  size_t end = 0;
  for (int k = 0; k <= model->trainable_count; k++) {
    bool is_last = k == model->trainable_count;
    size_t next = is_last ? count : model->parameters[k]->offset;
    for (size_t i = end; i < next; i++)
      if (!gf__is_poison(all[i]))
        gf__check_fault(check, "gradients: a write out of bounds, to the float %zu after %s",
                        i - end, k > 0 ? model->parameters[k - 1]->name : "none");
    if (!is_last) end = next + model->parameters[k]->count;
  }
  return GF_OK;
}

/* ---- the checks ---- */

static gf_status check_loss(gf__check *check, const gf__problem *p,
                            const gf__problem_values *expected,
                            const gf__problem_values *magnitude) {
  float sums[2];
  int correct;
  if (p->type->has_no_result) return GF_OK;
  GF_TRY(gf__model_read_results(check->model, 0, 1, sums));
  gf__check_values(check, "loss", 1, sums, expected->loss,
                   &(gf__tolerance){magnitude->loss, p->y_terms, 1});
  ref_softmax_cross_entropy(p->n, p->image.channels, expected->x, p->labels, &correct, NULL);
  if (!(sums[1] == (float)correct))
    gf__check_fault(check, "%g images are counted as correct, and %d are", (double)sums[1],
                    correct);
  return GF_OK;
}

/* What forward and backward leave. */
typedef struct answer {
  float *y, *dx, *d[GF__PROBLEM_PARAMETERS];
} answer;

static gf_status layer_train(gf__check *check, const gf__problem *p, const gf__problem_values *v,
                             answer *out) {
  gf_node *node = node_of(check->model, "a");
  GF_TRY(write_parameters(check, "a", p, v));
  GF_TRY(poison_model(check));
  check->model->pass.step = 0;
  GF_TRY(layer_forward(check, p, v->x, true));
  GF_TRY(layer_backward(check, p, v->dy));
  GF_TRY(read_dx(check, p, &out->dx));
  if (!p->type->ends_graph) GF_TRY(read_tensor(check, node->out.data, "y", p->y_count, &out->y));
  for (int k = 0; k < p->parameter_count; k++) GF_TRY(read_result(check, node, k, &out->d[k]));
  return check_gaps(check);
}

static gf_status check_training(gf__check *check, const gf__problem *p) {
  gf__problem_values v = gf__problem_values_new(p, 0), magnitude = gf__problem_magnitudes(p, &v);
  char name[GF__NAME_SIZE];
  answer got = {0}, again = {0};
  p->type->reference(p, &v, &v);
  GF_TRY(open_model(check, p, (network){"", false, true}));
  const gf_node *node = node_of(check->model, "a");
  GF_TRY(layer_train(check, p, &v, &got));
  if (p->type->ends_graph)
    GF_TRY(check_loss(check, p, &v, &magnitude));
  else
    gf__check_values(check, "y", p->y_count, got.y, v.y,
                     &(gf__tolerance){magnitude.y, p->y_terms, 1});
  gf__check_values(check, "dx", p->x_count, got.dx, v.dx,
                   &(gf__tolerance){magnitude.dx, p->dx_terms, 1});
  for (int k = 0; k < p->parameter_count; k++)
    gf__check_values(check, result_name(node, k, name), p->parameter_size[k], got.d[k], v.d[k],
                     &(gf__tolerance){magnitude.d[k], p->d_terms, 1});
  GF_TRY(layer_train(check, p, &v, &again));
  if (got.y) gf__check_same(check, "y", p->y_count, again.y, got.y);
  gf__check_same(check, "dx", p->x_count, again.dx, got.dx);
  for (int k = 0; k < p->parameter_count; k++)
    gf__check_same(check, result_name(node, k, name), p->parameter_size[k], again.d[k], got.d[k]);
  return GF_OK;
}

static gf_status check_inference(gf__check *check, const gf__problem *p) {
  gf__problem_values v = gf__problem_values_new(p, 0), magnitude = gf__problem_magnitudes(p, &v);
  char name[GF__NAME_SIZE];
  float *got;
  if (p->type->inference)
    p->type->inference(p, &v, v.y);
  else
    p->type->reference(p, &v, &v);
  GF_TRY(open_model(check, p, (network){"", false, true}));
  gf_node *node = node_of(check->model, "a");
  GF_TRY(write_parameters(check, "a", p, &v));
  GF_TRY(poison_model(check));
  GF_TRY(layer_forward(check, p, v.x, false));
  if (p->type->ends_graph) {
    GF_TRY(check_loss(check, p, &v, &magnitude));
  } else {
    GF_TRY(gf__read(check->arena, node->out.data, p->y_count, &got));
    gf__check_values(check, "y in inference", p->y_count, got, v.y,
                     &(gf__tolerance){p->type->inference ? NULL : magnitude.y, p->y_terms, 1});
  }
  for (int k = 0; k < p->parameter_count; k++) {
    if (node->parameters[k].trainable) continue;
    GF_TRY(read_result(check, node, k, &got));
    gf__check_same(check, result_name(node, k, name), p->parameter_size[k], got,
                   gf__narrow(p->arena, v.parameter[k], p->parameter_size[k]));
  }
  return GF_OK;
}

static void sum_into(double *sum, const double *other, size_t count) {
  for (size_t i = 0; i < count; i++) sum[i] += other[i];
}

/* A tensor that two layers read: the second one accumulates into the gradient. */
static gf_status check_branches(gf__check *check, const gf__problem *p) {
  gf__problem other = *p;
  other.node = *p->before ? 2 : 1;
  gf__problem_values a = gf__problem_values_new(p, 0), b = gf__problem_values_new(&other, 1);
  gf__problem_values a_magnitude = gf__problem_magnitudes(p, &a);
  gf__problem_values b_magnitude = gf__problem_magnitudes(&other, &b);
  float *y, *dx, *d;
  p->type->reference(p, &a, &a);
  p->type->reference(&other, &b, &b);
  sum_into(a.y, b.y, p->y_count);
  sum_into(a.dx, b.dx, p->x_count);
  sum_into(a_magnitude.y, b_magnitude.y, p->y_count);
  sum_into(a_magnitude.dx, b_magnitude.dx, p->x_count);
  GF_TRY(open_model(check, p, (network){"", true, false}));
  GF_TRY(write_parameters(check, "a", p, &a));
  GF_TRY(write_parameters(check, "b", p, &b));
  GF_TRY(poison_model(check));
  GF_TRY(layer_forward(check, p, a.x, true));
  GF_TRY(gf__read(check->arena, last_of(check->model)->out.data, p->y_count, &y));
  GF_TRY(layer_backward(check, p, a.dy));
  GF_TRY(gf__read(check->arena, check->model->graph.input.grad, p->x_count, &dx));
  gf__check_values(check, "y of two branches", p->y_count, y, a.y,
                   &(gf__tolerance){a_magnitude.y, p->y_terms, 1});
  gf__check_values(check, "dx of two branches", p->x_count, dx, a.dx,
                   &(gf__tolerance){a_magnitude.dx, p->dx_terms, 1});
  const gf__problem_values *branch[] = {&a, &b}, *magnitude[] = {&a_magnitude, &b_magnitude};
  for (int j = 0; j < 2; j++)
    for (int k = 0; k < p->parameter_count; k++) {
      char name[GF__NAME_SIZE];
      const gf_node *node = node_of(check->model, j ? "b" : "a");
      GF_TRY(read_result(check, node, k, &d));
      gf__check_values(check, result_name(node, k, name), p->parameter_size[k], d, branch[j]->d[k],
                       &(gf__tolerance){magnitude[j]->d[k], p->d_terms, 1});
    }
  return check_gaps(check);
}

/* After an activation that is fused into the node before, a layer's backward also multiplies by
 * that activation's derivative: the result is that of a network where nothing is fused. */
static gf_status check_after_activation(gf__check *check, const gf__problem *p,
                                        const char *activation) {
  gf__problem_values v = gf__problem_values_new(p, 0);
  const gf__tolerance rounding = {NULL, p->image.channels, 1};
  char first[256];
  float *dx[2], *dw[2];
  size_t weights = 0;
  snprintf(first, sizeof first,
           "    - {name: before, type: conv2d, filters: %d, kernel: 1, bias: false}\n"
           "    - {name: source, type: %s}\n",
           p->image.channels, activation);
  for (int fused = 0; fused < 2; fused++) {
    GF_TRY(open_model(check, p, (network){first, true, fused}));
    gf_node *before = node_of(check->model, "before");
    if ((before->activation.kind != GF__ACTIVATION_NONE) != fused)
      gf__check_fault(check, "%s was%s fused", activation, fused ? " not" : "");
    GF_TRY(poison_model(check));
    GF_TRY(layer_forward(check, p, v.x, true));
    GF_TRY(layer_backward(check, p, v.dy));
    weights = before->parameters[0].count;
    GF_TRY(gf__read(check->arena, check->model->graph.input.grad, p->x_count, &dx[fused]));
    GF_TRY(read_result(check, before, 0, &dw[fused]));
  }
  gf__check_values(check, "dx after a fused activation", p->x_count, dx[1],
                   gf__widen(p->arena, dx[0], p->x_count), &rounding);
  gf__check_values(check, "dweight before a fused activation", weights, dw[1],
                   gf__widen(p->arena, dw[0], weights), &rounding);
  return GF_OK;
}

static int index_of_type(const gf__problem_type *type) {
  int index = 0;
  while (gf__problem_types[index] != type) index++;
  return index;
}

static gf_status check_layer(gf__check *check, const gf__problem *p, const gf__cases *list) {
  enum { ACTIVATIONS = 4 };
  static const char *const activations[ACTIVATIONS] = {"leaky_relu", "relu", "tanh", "sigmoid"};
  GF_TRY(check_training(check, p));
  GF_TRY(check_inference(check, p));
  if (p->type->ends_graph) return GF_OK;
  GF_TRY(check_branches(check, p));
  /* What is masked does not depend on the shape: each of the first cases has one activation,
   * and the first cases of all layers, which are the quick form, have all of them. */
  if (list->count > ACTIVATIONS) return GF_OK;
  return check_after_activation(check, p,
                                activations[(index_of_type(p->type) + list->count) % ACTIVATIONS]);
}

static gf_status verify_layer(const gf__subject *subject, gf__check *check, gf__cases *list) {
  gf__problem p;
  GF_TRY(gf__problem_read(&p, check->arena, subject->what, list));
  return check_layer(check, &p, list);
}

/* ---- algorithms of volumes ---- */

static bool conv3d_accepts(const gf__subject *subject, gf__check *check, gf__cases *list) {
  const gf__conv_algorithm *algorithm = subject->what;
  gf__problem p;
  if (gf__problem_read(&p, check->arena, &gf__problem_conv3d, list) != GF_OK) return false;
  gf__conv_shape shape = {gf__window_of(p.conv3d.size), p.conv3d.c, p.conv3d.filters, 1};
  memcpy(shape.window.kernel, p.conv3d.kernel, sizeof p.conv3d.kernel);
  memcpy(shape.window.stride, p.conv3d.stride, sizeof p.conv3d.stride);
  memcpy(shape.window.padding, p.conv3d.padding, sizeof p.conv3d.padding);
  return gf__window_infer(&shape.window) == GF_OK && !gf__window_is_flat(&shape.window) &&
         algorithm->accepts(algorithm, check->device, &shape, GF__CONV_FORWARD);
}

static gf_status verify_conv3d(const gf__subject *subject, gf__check *check, gf__cases *list) {
  const gf__conv_algorithm *algorithm = subject->what;
  gf__problem p;
  GF_TRY(gf__problem_read(&p, check->arena, &gf__problem_conv3d, list));
  p.algorithm = algorithm->name;
  return check_layer(check, &p, list);
}

/* Those that accept volumes; conv2d.c has the images. */
static void add_conv3d_subjects(gf__subject_add *add, void *user) {
  static const gf__conv_algorithm *const of_volumes[] = {&gf__conv_im2col, &gf__conv_direct3d};
  for (size_t i = 0; i < sizeof of_volumes / sizeof *of_volumes; i++) {
    gf__subject subject = {.operation = "conv3d",
                           .list = "conv3d",
                           .what = of_volumes[i],
                           .accepts = conv3d_accepts,
                           .run = verify_conv3d};
    snprintf(subject.algorithm, sizeof subject.algorithm, "%s", of_volumes[i]->name);
    add(user, &subject);
  }
}

void gf__layer_subjects(gf__subject_add *add, void *user) {
  for (int i = 0; gf__problem_types[i]; i++) {
    const gf__problem_type *type = gf__problem_types[i];
    gf__subject subject = {.algorithm = "layer", .what = type, .run = verify_layer};
    snprintf(subject.operation, sizeof subject.operation, "%s", type->layer);
    snprintf(subject.list, sizeof subject.list, "%s", type->layer);
    add(user, &subject);
    if (type == &gf__problem_conv3d) add_conv3d_subjects(add, user);
  }
}
