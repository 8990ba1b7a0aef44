/* Every layer of the table on the device, over its case list, against its
 * reference in double precision. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "device_test.h"
#include "layer_problems.h"
#include "model/model.h"

static const char *const folder = SOURCE_FOLDER "/tests/cases";

/* ---- models of one layer ---- */

/* Appends a text of the table with source in place of each %s. */
static void add_with_source(gf__text *text, const char *from, const char *source) {
  for (const char *at; (at = strstr(from, "%s")); from = at + 2)
    gf__text_add(text, "%.*s%s", (int)(at - from), from, source);
  gf__text_add(text, "%s", from);
}

static void add_before(gf__text *text, const problem *p, const char *source) {
  if (!*p->before) return;
  gf__text_add(text, "    - ");
  add_with_source(text, p->before, source);
  gf__text_add(text, "\n");
}

static void add_layer(gf__text *text, const problem *p, const char *name, const char *source) {
  gf__text_add(text, "    - {name: %s, type: %s, input: ", name, p->type->layer);
  add_with_source(text, p->type->inputs ? p->type->inputs : "%s", source);
  gf__text_add(text, "%s}\n", p->keys);
}

/* The layer alone, as "a"; or, with branches, "a" and "b" that read one tensor,
 * which is what the nodes of first make of the input, and their sum. */
static gf_model *open_model(const problem *p, const char *first, bool branches, const char *fuse) {
  gf__text text = {0};
  gf_config *config;
  gf_model *model;
  const char *source = *first ? "source" : "input";
  /* The algorithm that rounds least; test_conv2d.c has them all. */
  gf__text_add(&text, "model:\n  algorithm: im2col\n  fuse: %s\n  companion_weight: %g\n", fuse,
               PROBLEM_COMPANION_WEIGHT);
  gf__text_add(&text, "  graph:\n%s", first);
  add_before(&text, p, source);
  add_layer(&text, p, "a", source);
  if (branches) {
    add_layer(&text, p, "b", source);
    gf__text_add(&text, "    - {name: sum, type: add, input: [a, b]}\n");
  }
  assert_ok(gf__text_status(&text));
  assert_ok(gf_config_parse(&config, "test", text.data));
  gf__text_free(&text);
  /* Room for one image more than there are: what lies behind the images must stay as it is. */
  assert_ok(gf__model_open(&model, device_test_device(), config, p->image, p->image.channels,
                           p->n + 1, PROBLEM_SEED,
                           &(gf__model_options){.no_loss = true, .input_gradient = true}));
  gf_config_free(&config);
  return model;
}

static gf__node *node_of(const gf_model *model, const char *name) {
  for (int i = 0; i < model->graph.count; i++)
    if (strcmp(model->graph.nodes[i]->name, name) == 0) return model->graph.nodes[i];
  fail_msg("there is no node '%s'", name);
  return NULL;
}

static gf__node *last_of(const gf_model *model) {
  return model->graph.nodes[model->graph.count - 1];
}

static int index_of(const gf_model *model, const gf__parameter *parameter) {
  int index = 0;
  while (model->parameters[index] != parameter) index++;
  return index;
}

static void write_parameters(gf_model *model, const char *name, const problem *p,
                             const problem_values *v) {
  gf__node *node = node_of(model, name);
  assert_int_equal(node->parameter_count, p->parameter_count);
  for (int k = 0; k < p->parameter_count; k++) {
    assert_int_equal(node->parameters[k].count, p->parameter_size[k]);
    float *values = floats_new(p->parameter_size[k]);
    for (size_t i = 0; i < p->parameter_size[k]; i++) values[i] = (float)v->parameter[k][i];
    assert_ok(gf_model_write_parameter(model, index_of(model, &node->parameters[k]), values));
  }
}

/* The gradient of parameter k of a node, or its value if it is not trainable. */
static float *read_result(gf_model *model, const gf__node *node, int k) {
  const gf__parameter *parameter = &node->parameters[k];
  float *out = floats_new(parameter->count);
  int index = index_of(model, parameter);
  if (parameter->trainable)
    assert_ok(gf_model_read_gradient(model, index, out));
  else
    assert_ok(gf_model_read_parameter(model, index, out));
  return out;
}

static void poison_model(gf_model *model) {
  for (int s = 0; s < model->plan.count; s++) poison(model->plan.slots[s].buffer);
  for (int i = 0; i < model->graph.count; i++)
    if (model->graph.nodes[i]->saved) poison(model->graph.nodes[i]->saved);
  poison(model->workspace);
  if (model->gradients) poison(model->gradients);
}

static float *narrow(const double *values, size_t count) {
  float *out = floats_new(count);
  for (size_t i = 0; i < count; i++) out[i] = (float)values[i];
  return out;
}

/* The input's gradient; whatever lies behind it must be as it was, unless another tensor has had
 * its buffer. */
static float *read_dx(const gf_model *model, const problem *p) {
  const gf__tensor *x = &model->graph.input;
  bool shared = false;
  for (int i = 0; i < model->graph.count; i++)
    shared |=
        model->graph.nodes[i]->out.data == x->grad || model->graph.nodes[i]->out.grad == x->grad;
  return shared ? buffer_get(x->grad, p->x_count) : guarded_read(x->grad, p->x_count, "dx");
}

static void run_forward(gf_model *model, const problem *p, const double *x, bool training) {
  assert_ok(gf__model_upload(model, narrow(x, p->x_count), p->labels, p->n));
  assert_ok(gf__model_queue_forward(model, training, 0));
}

static void run_backward(gf_model *model, const problem *p, const double *dy) {
  if (!p->type->ends_graph)
    buffer_set(last_of(model)->out.grad, narrow(dy, p->y_count), p->y_count);
  assert_ok(gf__model_queue_backward(model));
}

/* ---- every case of every layer ---- */

typedef void case_test(const problem *p, const subject *s);

static void run_case(const problem_type *type, cases *list, case_test *test) {
  problem p;
  problem_read(&p, type, list);
  if (list->error[0]) return;
  subject s = {type->layer, list->text};
  test(&p, &s);
  arrays_free();
}

/* Runs the first cases of each list, all of them if most is 0. */
static void for_each_case(case_test *test, int most) {
  for (const gf__layer *const *layer = gf__layers; *layer; layer++) {
    const problem_type *type = problem_type_find((*layer)->name);
    if (!type) fail_msg("%s has no reference in tests/layer_problems.c", (*layer)->name);
    cases list = {0};
    cases_open(&list, folder, (*layer)->name);
    while ((most == 0 || list.count < most) && cases_next(&list)) run_case(type, &list, test);
    cases_close(&list);
    if (list.error[0]) fail_msg("%s", list.error);
  }
}

static const char *const result_names[] = {"dparameter 0", "dparameter 1", "parameter 2",
                                           "parameter 3"};

static void check_loss(gf_model *model, const problem *p, const subject *s,
                       const problem_values *expected, const problem_values *magnitude) {
  float sums[2];
  int hits;
  if (p->type->has_no_result) return;
  assert_ok(gf__model_read_results(model, 0, 1, sums));
  assert_close(s, "loss", 1, sums, expected->loss, &(tolerance){magnitude->loss, p->y_terms, 1});
  ref_softmax_cross_entropy(p->n, p->image.channels, expected->x, p->labels, &hits, NULL);
  assert_true(sums[1] == (float)hits);
}

static void test_against_reference(const problem *p, const subject *s) {
  problem_values v = problem_values_new(p, 0), magnitude = problem_magnitudes(p, &v);
  p->type->run(p, &v, &v);
  gf_model *model = open_model(p, "", false, "on");
  gf__node *node = node_of(model, "a");
  write_parameters(model, "a", p, &v);
  poison_model(model);
  run_forward(model, p, v.x, true);
  run_backward(model, p, v.dy);
  float *y = NULL, *dx = read_dx(model, p);
  if (p->type->ends_graph) {
    check_loss(model, p, s, &v, &magnitude);
  } else {
    y = guarded_read(node->out.data, p->y_count, "y");
    assert_close(s, "y", p->y_count, y, v.y, &(tolerance){magnitude.y, p->y_terms, 1});
  }
  assert_close(s, "dx", p->x_count, dx, v.dx, &(tolerance){magnitude.dx, p->dx_terms, 1});
  for (int k = 0; k < p->parameter_count; k++)
    assert_close(s, result_names[k], p->parameter_size[k], read_result(model, node, k), v.d[k],
                 &(tolerance){magnitude.d[k], p->d_terms, 1});
  gf_model_free(&model);
}

/* Two passes over the same numbers give the same bits. */
static void test_twice(const problem *p, const subject *s) {
  problem_values v = problem_values_new(p, 0);
  float *y[2], *dx[2], *d[2][PROBLEM_PARAMETERS];
  gf_model *model = open_model(p, "", false, "on");
  gf__node *node = node_of(model, "a");
  for (int pass = 0; pass < 2; pass++) {
    write_parameters(model, "a", p, &v);
    poison_model(model);
    model->pass.step = 0;
    run_forward(model, p, v.x, true);
    run_backward(model, p, v.dy);
    y[pass] = p->type->ends_graph ? NULL : buffer_get(node->out.data, p->y_count);
    dx[pass] = buffer_get(model->graph.input.grad, p->x_count);
    for (int k = 0; k < p->parameter_count; k++) d[pass][k] = read_result(model, node, k);
  }
  if (y[0]) assert_same(s, "y", p->y_count, y[1], y[0]);
  assert_same(s, "dx", p->x_count, dx[1], dx[0]);
  for (int k = 0; k < p->parameter_count; k++)
    assert_same(s, result_names[k], p->parameter_size[k], d[1][k], d[0][k]);
  gf_model_free(&model);
}

static void sum_into(double *sum, const double *other, size_t count) {
  for (size_t i = 0; i < count; i++) sum[i] += other[i];
}

/* A tensor that two layers read: the second adds its share of the gradient. */
static void test_branches(const problem *p, const subject *s) {
  if (p->type->ends_graph) return;
  problem other = *p;
  other.node = *p->before ? 2 : 1;
  problem_values a = problem_values_new(p, 0), b = problem_values_new(&other, 1);
  problem_values a_magnitude = problem_magnitudes(p, &a);
  problem_values b_magnitude = problem_magnitudes(&other, &b);
  p->type->run(p, &a, &a);
  p->type->run(&other, &b, &b);
  sum_into(a.y, b.y, p->y_count);
  sum_into(a.dx, b.dx, p->x_count);
  sum_into(a_magnitude.y, b_magnitude.y, p->y_count);
  sum_into(a_magnitude.dx, b_magnitude.dx, p->x_count);
  gf_model *model = open_model(p, "", true, "off");
  write_parameters(model, "a", p, &a);
  write_parameters(model, "b", p, &b);
  poison_model(model);
  run_forward(model, p, a.x, true);
  float *y = buffer_get(last_of(model)->out.data, p->y_count);
  run_backward(model, p, a.dy);
  float *dx = buffer_get(model->graph.input.grad, p->x_count);
  assert_close(s, "y of two branches", p->y_count, y, a.y,
               &(tolerance){a_magnitude.y, p->y_terms, 1});
  assert_close(s, "dx of two branches", p->x_count, dx, a.dx,
               &(tolerance){a_magnitude.dx, p->dx_terms, 1});
  for (int k = 0; k < p->parameter_count; k++) {
    const problem_values *branch[] = {&a, &b}, *magnitude[] = {&a_magnitude, &b_magnitude};
    for (int j = 0; j < 2; j++)
      assert_close(s, result_names[k], p->parameter_size[k],
                   read_result(model, node_of(model, j ? "b" : "a"), k), branch[j]->d[k],
                   &(tolerance){magnitude[j]->d[k], p->d_terms, 1});
  }
  gf_model_free(&model);
}

/* Behind an activation that is fused into the node before, a layer's backward
 * also takes that activation's derivative. */
static void test_behind_fused_activation(const problem *p, const subject *s) {
  static const char *const activations[] = {"leaky_relu", "relu", "tanh", "sigmoid"};
  static const char *const words[] = {"off", "on"};
  if (p->type->ends_graph) return;
  problem_values v = problem_values_new(p, 0);
  for (int k = 0; k < 4; k++) {
    char first[256];
    float *dx[2], *dw[2];
    size_t weights = 0;
    snprintf(first, sizeof first,
             "    - {name: before, type: conv2d, filters: %d, kernel: 1, bias: false}\n"
             "    - {name: source, type: %s}\n",
             p->image.channels, activations[k]);
    for (int fused = 0; fused < 2; fused++) {
      gf_model *model = open_model(p, first, true, words[fused]);
      assert_int_equal(node_of(model, "before")->activation.kind != GF__ACTIVATION_NONE, fused);
      poison_model(model);
      run_forward(model, p, v.x, true);
      run_backward(model, p, v.dy);
      weights = node_of(model, "before")->parameters[0].count;
      dx[fused] = buffer_get(model->graph.input.grad, p->x_count);
      dw[fused] = read_result(model, node_of(model, "before"), 0);
      gf_model_free(&model);
    }
    const tolerance rounding = {NULL, p->image.channels, 1};
    assert_close(s, "dx behind a fused activation", p->x_count, dx[1],
                 doubles_from(dx[0], p->x_count), &rounding);
    assert_close(s, "dweight before a fused activation", weights, dw[1],
                 doubles_from(dw[0], weights), &rounding);
  }
}

static void test_inference_of(const problem *p, const subject *s) {
  problem_values v = problem_values_new(p, 0), magnitude = problem_magnitudes(p, &v);
  double *expected = v.y;
  if (p->type->inference)
    p->type->inference(p, &v, expected);
  else
    p->type->run(p, &v, &v);
  if (p->type->random) memcpy(magnitude.y, v.x, p->y_count * sizeof *v.x);
  gf_model *model = open_model(p, "", false, "on");
  gf__node *node = node_of(model, "a");
  write_parameters(model, "a", p, &v);
  poison_model(model);
  run_forward(model, p, v.x, false);
  if (p->type->ends_graph)
    check_loss(model, p, s, &v, &magnitude);
  else
    assert_close(s, "y in inference", p->y_count, buffer_get(node->out.data, p->y_count), expected,
                 &(tolerance){p->type->inference ? NULL : magnitude.y, p->y_terms, 1});
  for (int k = 0; k < p->parameter_count; k++)
    if (!node->parameters[k].trainable)
      assert_same(s, result_names[k], p->parameter_size[k], read_result(model, node, k),
                  narrow(v.parameter[k], p->parameter_size[k]));
  gf_model_free(&model);
}

static void test_layers(void **unused) {
  (void)unused;
  for_each_case(test_against_reference, 0);
}

static void test_same_bits(void **unused) {
  (void)unused;
  for_each_case(test_twice, 0);
}

static void test_accumulation(void **unused) {
  (void)unused;
  for_each_case(test_branches, 0);
}

static void test_masks(void **unused) {
  (void)unused;
  for_each_case(test_behind_fused_activation, 1);
}

static void test_inference(void **unused) {
  (void)unused;
  for_each_case(test_inference_of, 0);
}

/* ---- dropout ---- */

enum { SIDE = 64, CHANNELS = 16, VALUES = SIDE * SIDE * CHANNELS };

static void read_dropout_mask(gf_model *model, const problem *p, const float *x, char *mask) {
  assert_ok(gf__model_upload(model, x, NULL, p->n));
  assert_ok(gf__model_queue_forward(model, true, 0));
  float *y = buffer_get(last_of(model)->out.data, VALUES);
  for (size_t i = 0; i < VALUES; i++) {
    mask[i] = y[i] != 0;
    if (!mask[i]) continue;
    float kept = x[i] / (1 - (float)p->p);
    if (!(fabsf(y[i] - kept) <= 4e-7f * kept))
      fail_msg("%.9g was kept as %.9g and not as %.9g", (double)x[i], (double)y[i], (double)kept);
  }
}

static void check_share(const char *mask, double p) {
  long kept = 0;
  for (size_t i = 0; i < VALUES; i++) kept += mask[i];
  /* Six standard deviations of a binomial count. */
  if (!(fabs(kept - VALUES * (1 - p)) <= 6 * sqrt(VALUES * p * (1 - p))))
    fail_msg("%ld of %d values were kept with p=%g", kept, VALUES, p);
}

static void test_dropout(void **unused) {
  (void)unused;
  const double parts[] = {0.1, 0.5, 0.9};
  float *x = floats_new(VALUES);
  char *mask = array_new(VALUES), *again = array_new(VALUES);
  fill_uniform(x, VALUES, 0, 0.5, 1.5);
  for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) {
    problem p = {.type = problem_type_find("dropout"),
                 .n = 1,
                 .image = {SIDE, SIDE, CHANNELS},
                 .x_count = VALUES,
                 .y_count = VALUES,
                 .p = parts[k]};
    snprintf(p.keys, sizeof p.keys, ", p: %g", p.p);
    gf_model *model = open_model(&p, "", false, "on");
    read_dropout_mask(model, &p, x, mask);
    check_share(mask, p.p);
    const unsigned char *expected = problem_dropout_mask(&p, VALUES);
    for (size_t i = 0; i < VALUES; i++) assert_int_equal(mask[i], expected[i]);
    read_dropout_mask(model, &p, x, again);
    assert_memory_equal(mask, again, VALUES);
    model->pass.step = p.step = 1;
    read_dropout_mask(model, &p, x, again);
    expected = problem_dropout_mask(&p, VALUES);
    for (size_t i = 0; i < VALUES; i++) assert_int_equal(again[i], expected[i]);
    check_share(again, p.p);
    long differ = 0;
    for (size_t i = 0; i < VALUES; i++) differ += mask[i] != again[i];
    /* Two independent draws differ with a probability of 2 p (1 - p). */
    assert_true(differ > VALUES * p.p * (1 - p.p));
    gf_model_free(&model);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_layers),       cmocka_unit_test(test_same_bits),
      cmocka_unit_test(test_accumulation), cmocka_unit_test(test_masks),
      cmocka_unit_test(test_inference),    cmocka_unit_test(test_dropout),
  };
  return cmocka_run_group_tests(tests, device_test_open, device_test_close);
}
