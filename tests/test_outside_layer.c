/* Layers of the library's user: gradients against plain double-precision loops, alone and where the
 * plan adds shares and masks by fused activations. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <gradflow/layer.h>

#include "model/model.h"
#include "reference.h"
#include "support/operations.h"
#include "support/test.h"

/* The example's layer, but for its program. */
int example_main(int argc, char **argv);
#define main example_main
#include "../examples/c/own_layer.c"
#undef main

enum { N = 4, OPENED = 5, SIDE = 6, C = 3, ROWS = N * SIDE * SIDE, COUNT = ROWS * C };

/* ---- product: y = scale gain[c] a b, which keeps a b ---- */

static const char product_source[] =
    "kernel void product(global const float *a, global const float *b, global const float *gain,\n"
    "                    global float *y, global float *kept, float scale, int c, int count) {\n"
    "  int i = get_global_id(0);\n"
    "  if (i >= count) return;\n"
    "  kept[i] = a[i] * b[i];\n"
    "  y[i] = scale * gain[i % c] * kept[i];\n"
    "}\n"
    "kernel void product_backward(global const float *a, global const float *b,\n"
    "                             global const float *gain, global const float *dy,\n"
    "                             global float *da, global float *db, float scale, int c,\n"
    "                             int count) {\n"
    "  int i = get_global_id(0);\n"
    "  if (i >= count) return;\n"
    "  float d = scale * gain[i % c] * dy[i];\n"
    "  if (da) da[i] = d * b[i];\n"
    "  if (db) db[i] = d * a[i];\n"
    "}\n"
    "kernel void product_dgain(global const float *kept, global const float *dy,\n"
    "                          global float *dgain, float scale, int c, int count) {\n"
    "  float sum = 0.0f;\n"
    "  int i = get_global_id(0);\n"
    "  if (i >= c) return;\n"
    "  for (int k = i; k < count; k += c) sum += dy[k] * kept[k];\n"
    "  dgain[i] = scale * sum;\n"
    "}\n";

static const gf_layer_key product_keys[] = {{"scale", 0, "1", 0, 0, "of the product"}};

static gf_status product_setup(gf_layer_node *node) {
  if (node->in[0].channels != node->in[1].channels)
    return gf_layer_fail(node, "its inputs must have as many channels");
  gf_layer_parameter gain = {.name = "gain",
                             .fill = GF_LAYER_FILL_RANDOM,
                             .dims = {node->in[0].channels},
                             .dim_count = 1,
                             .fan_in = 1,
                             .fan_out = 1};
  return gf_layer_add_parameter(node, &gain);
}

static int count_of(const gf_layer_node *node, const gf_layer_pass *pass) {
  return pass->images * node->out.height * node->out.width * node->out.channels;
}

static size_t product_saved(const gf_layer_node *node, int images) {
  gf_layer_pass pass = {.images = images};
  return sizeof(float) * (size_t)count_of(node, &pass);
}

static gf_status product_forward(const gf_layer_node *node, const gf_layer_pass *pass) {
  int count = count_of(node, pass);
  assert_null(pass->workspace);
  assert_null(pass->out_gradient);
  const gf_argument arguments[] = {
      gf_argument_buffer(pass->in[0]),        gf_argument_buffer(pass->in[1]),
      gf_argument_buffer(pass->parameter[0]), gf_argument_buffer(pass->out),
      gf_argument_buffer(pass->saved),        gf_argument_float((float)node->options[0]),
      gf_argument_int(node->out.channels),    gf_argument_int(count)};
  return gf_layer_launch(node, pass, "product", (size_t)count, arguments, 8);
}

static gf_status product_backward(const gf_layer_node *node, const gf_layer_pass *pass) {
  int count = count_of(node, pass), c = node->out.channels;
  assert_null(pass->out); /* is not asked for */
  const gf_argument inputs[] = {gf_argument_buffer(pass->in[0]),
                                gf_argument_buffer(pass->in[1]),
                                gf_argument_buffer(pass->parameter[0]),
                                gf_argument_buffer(pass->out_gradient),
                                gf_argument_buffer(pass->in_gradient[0]),
                                gf_argument_buffer(pass->in_gradient[1]),
                                gf_argument_float((float)node->options[0]),
                                gf_argument_int(c),
                                gf_argument_int(count)};
  const gf_argument gain[] = {gf_argument_buffer(pass->saved),
                              gf_argument_buffer(pass->out_gradient),
                              gf_argument_buffer(pass->parameter_gradient[0]),
                              gf_argument_float((float)node->options[0]),
                              gf_argument_int(c),
                              gf_argument_int(count)};
  GF_TRY(gf_layer_launch(node, pass, "product_backward", (size_t)count, inputs, 9));
  return gf_layer_launch(node, pass, "product_dgain", (size_t)c, gain, 6);
}

static const gf_layer_type product_ = {.name = "product",
                                       .help = "of two",
                                       .keys = product_keys,
                                       .key_count = 1,
                                       .least_inputs = 2,
                                       .most_inputs = 2,
                                       .source = product_source,
                                       .backward_reads_in = 1,
                                       .setup = product_setup,
                                       .saved = product_saved,
                                       .forward = product_forward,
                                       .backward = product_backward};

/* ---- spread: y[row, k c + i] = exp(x[row, i] / (k + 1)) for k < copies ---- */

static const char spread_source[] =
    "kernel void spread(global const float *x, global float *y, int c, int copies, int count) {\n"
    "  int i = get_global_id(0), k = i % (c * copies) / c;\n"
    "  if (i < count) y[i] = exp(x[i / (c * copies) * c + i % c] / (k + 1));\n"
    "}\n"
    "kernel void spread_backward(global const float *y, global const float *dy,\n"
    "                            global float *dx, int c, int copies, int count) {\n"
    "  int i = get_global_id(0), row = i / c;\n"
    "  if (i >= count) return;\n"
    "  float sum = 0.0f;\n"
    "  for (int k = 0; k < copies; k++) {\n"
    "    int at = (row * copies + k) * c + i % c;\n"
    "    sum += dy[at] * y[at] / (k + 1);\n"
    "  }\n"
    "  dx[i] = sum;\n"
    "}\n";

static const gf_layer_key spread_keys[] = {{"copies", 1, NULL, 1, 4, "of each channel"}};

static gf_status spread_setup(gf_layer_node *node) {
  node->out.channels *= (int)node->options[0];
  return GF_OK;
}

static gf_status spread_forward(const gf_layer_node *node, const gf_layer_pass *pass) {
  int count = count_of(node, pass);
  const gf_argument arguments[] = {gf_argument_buffer(pass->in[0]), gf_argument_buffer(pass->out),
                                   gf_argument_int(node->in[0].channels),
                                   gf_argument_int((int)node->options[0]), gf_argument_int(count)};
  return gf_layer_launch(node, pass, "spread", (size_t)count, arguments, 5);
}

static gf_status spread_backward(const gf_layer_node *node, const gf_layer_pass *pass) {
  int copies = (int)node->options[0], count = count_of(node, pass) / copies;
  assert_null(pass->in[0]); /* is not asked for */
  const gf_argument arguments[] = {gf_argument_buffer(pass->out),
                                   gf_argument_buffer(pass->out_gradient),
                                   gf_argument_buffer(pass->in_gradient[0]),
                                   gf_argument_int(node->in[0].channels),
                                   gf_argument_int(copies),
                                   gf_argument_int(count)};
  return gf_layer_launch(node, pass, "spread_backward", (size_t)count, arguments, 6);
}

static const gf_layer_type spread_ = {.name = "spread",
                                      .help = "exponentials side by side",
                                      .keys = spread_keys,
                                      .key_count = 1,
                                      .least_inputs = 1,
                                      .most_inputs = 1,
                                      .source = spread_source,
                                      .backward_reads_out = 1,
                                      .setup = spread_setup,
                                      .forward = spread_forward,
                                      .backward = spread_backward};

/* ---- the network on the device ---- */

static float noise(uint32_t *state) { /* Marsaglia's xorshift, 2003; in [-1, 1) */
  *state ^= *state << 13;
  *state ^= *state >> 17;
  *state ^= *state << 5;
  return (float)(*state >> 8) / (1 << 23) - 1;
}

static float *noises(size_t count, uint32_t seed) {
  float *values = floats_new(count);
  for (size_t i = 0; i < count; i++) values[i] = noise(&seed);
  return values;
}

static gf_status open_model(gf_model **out, const char *yaml) {
  gf_config *config;
  *out = NULL;
  GF_TRY(gf_config_parse(&config, "net", yaml));
  gf_status status =
      gf__model_open_with(out, device_test_device(), config, (gf_image_shape){SIDE, SIDE, C}, 10,
                          OPENED, 1, &(gf__model_options){.no_loss = true, .input_gradient = true});
  gf_config_free(&config);
  return status;
}

static int parameter(const gf_model *model, const char *name) {
  for (int i = 0; i < gf_model_parameter_count(model); i++)
    if (!strcmp(gf_model_parameter(model, i).name, name)) return i;
  fail_msg("there is no parameter %s", name);
  return -1;
}

/* What a layer does not write stays a NaN. */
static void poison_all(gf_model *model) {
  for (int s = 0; s < model->plan.count; s++) poison(model->plan.buffers[s].memory);
  for (int i = 0; i < model->graph.count; i++)
    if (model->graph.nodes[i]->saved) poison(model->graph.nodes[i]->saved);
  poison(model->workspace);
  poison(model->gradients);
}

static void run(gf_model *model, const float *x, const float *dy, size_t dy_count) {
  gf__tensor *out = &model->graph.nodes[model->graph.count - 1]->out;
  poison_all(model);
  assert_ok(gf__model_upload(model, x, NULL, N));
  assert_ok(gf__model_queue_forward(model, true, 0));
  buffer_set(out->grad, dy, dy_count);
  assert_ok(gf__model_queue_backward(model));
}

static void compare(const char *text, const char *what, size_t count, const float *got,
                    const double *expected, double terms) {
  assert_close(&(subject){"outside", text}, what, count, got, expected,
               &(gf__tolerance){NULL, terms, 1});
}

static void compare_gradient(gf_model *model, const char *text, const char *name, size_t count,
                             const double *expected, double terms) {
  float *got = floats_new(count);
  assert_ok(gf_model_read_gradient(model, parameter(model, name), got));
  compare(text, name, count, got, expected, terms);
}

/* ---- tests ---- */

static void types_are_registered(void **state) {
  (void)state;
  assert_ok(gf_layer_register(&swish));
  assert_ok(gf_layer_register(&product_));
  assert_ok(gf_layer_register(&spread_));
}

typedef struct factors {
  const double *a, *b;
  double scale, gain[C], dgain[C];
} factors;

static double *multiply(factors *f, const double *a, const double *b, double scale,
                        const double *gain) {
  double *y = doubles_new(COUNT);
  *f = (factors){.a = a, .b = b, .scale = scale};
  memcpy(f->gain, gain, sizeof f->gain);
  for (int i = 0; i < COUNT; i++) y[i] = scale * gain[i % C] * a[i] * b[i];
  return y;
}

/* Adds to da and db. */
static void multiply_backward(factors *f, const double *dy, double *da, double *db) {
  for (int i = 0; i < COUNT; i++) {
    da[i] += f->scale * f->gain[i % C] * dy[i] * f->b[i];
    db[i] += f->scale * f->gain[i % C] * dy[i] * f->a[i];
    f->dgain[i % C] += f->scale * dy[i] * f->a[i] * f->b[i];
  }
}

static void copy_parameter(gf_model *model, const char *name, size_t count, double *out) {
  float values[2 * C * C];
  assert_ok(gf_model_read_parameter(model, parameter(model, name), values));
  for (size_t i = 0; i < count; i++) out[i] = values[i];
}

/* dx and dbeta are added to. */
static void swish_reference(const double *x, const float *beta, const double *dy, double *dx,
                            double *dbeta, double *y) {
  const double sharpness = 1.75;
  for (int i = 0; i < COUNT; i++) {
    double b = sharpness * (double)beta[i % C], s = 1 / (1 + exp(-b * x[i]));
    y[i] = x[i] * s;
    dx[i] += dy[i] * (s + b * x[i] * s * (1 - s));
    dbeta[i % C] += dy[i] * sharpness * x[i] * x[i] * s * (1 - s);
  }
}

/* Alone, and where it adds to a gradient beside its own use of the workspace. */
static void check_example(const char *text, bool is_joined, const char *yaml) {
  gf_model *model;
  assert_ok(open_model(&model, yaml));
  float beta[C];
  double dbeta[C] = {0}, gain[C], unused[C] = {0};
  int index = parameter(model, "a.beta");
  assert_ok(gf_model_read_parameter(model, index, beta));
  for (int c = 0; c < C; c++) assert_true(beta[c] == 1);
  for (int c = 0; c < C; c++) beta[c] = 2 * (float)c - 1.5F;
  assert_ok(gf_model_write_parameter(model, index, beta));
  const float *x = noises(COUNT, 3), *dy = noises(COUNT, 4);
  run(model, x, dy, COUNT);
  double *in = doubles_from(x, COUNT), *dout = doubles_from(dy, COUNT), *y = doubles_new(COUNT);
  double *dx = doubles_new(COUNT), *da = dout;
  if (is_joined) {
    factors f;
    swish_reference(in, beta, dout, doubles_new(COUNT), unused, y);
    copy_parameter(model, "b.gain", C, gain);
    double *product = multiply(&f, y, in, 1, gain);
    da = doubles_new(COUNT);
    multiply_backward(&f, dout, da, dx);
    swish_reference(in, beta, da, dx, dbeta, y);
    y = product;
  } else {
    swish_reference(in, beta, da, dx, dbeta, y);
  }
  gf_buffer *out = model->graph.nodes[model->graph.count - 1]->out.data;
  compare(text, "y", COUNT, buffer_get(out, COUNT), y, 2);
  compare(text, "dx", COUNT, buffer_get(model->graph.input.grad, COUNT), dx, 4);
  compare_gradient(model, text, "a.beta", C, dbeta, ROWS);
  gf_model_free(&model);
  arrays_free();
}

static void the_examples_gradient_is_right(void **state) {
  (void)state;
#define SWISH "{name: a, type: swish, sharpness: 1.75}"
  check_example("alone", false, "model: {graph: [" SWISH "]}");
  check_example("joined", true,
                "model: {graph: [" SWISH ", {name: b, type: product, input: [a, input]}]}");
}

/* A convolution of 1x1 on the device and in doubles. */
typedef struct projection {
  char weight[16], bias[16];
  ref_conv2d conv;
  double w[2 * C * C], b[C], dw[2 * C * C], db[C];
} projection;

static void open_projection(projection *p, gf_model *model, const char *name, int channels) {
  *p = (projection){.conv = {.n = N,
                             .h = SIDE,
                             .w = SIDE,
                             .c = channels,
                             .filters = C,
                             .kernel = {1, 1},
                             .stride = {1, 1},
                             .dilation = {1, 1},
                             .groups = 1}};
  snprintf(p->weight, sizeof p->weight, "%s.weight", name);
  snprintf(p->bias, sizeof p->bias, "%s.bias", name);
  copy_parameter(model, p->weight, (size_t)channels * C, p->w);
  copy_parameter(model, p->bias, C, p->b);
}

static const double chain_ = 64; /* roundings of the layers before */

static void compare_projection(gf_model *model, const char *text, const projection *p) {
  compare_gradient(model, text, p->weight, (size_t)p->conv.c * C, p->dw, ROWS + chain_);
  compare_gradient(model, text, p->bias, C, p->db, ROWS + chain_);
}

static double *project(const projection *p, const double *x) {
  double *y = doubles_new(COUNT);
  ref_conv2d_forward(&p->conv, x, p->w, p->b, y);
  return y;
}

static double *project_backward(projection *p, const double *x, const double *dy) {
  double *dx = doubles_new((size_t)ROWS * (size_t)p->conv.c);
  ref_conv2d_backward(&p->conv, x, p->w, dy, dx, p->dw, p->db);
  return dx;
}

static double *bend(double slope, const double *x) {
  double *y = doubles_new(COUNT);
  ref_activation_forward(ref_activation_find("leaky_relu"), slope, COUNT, x, y);
  return y;
}

static void bend_backward(double slope, const double *x, double *d) {
  ref_activation_backward(ref_activation_find("leaky_relu"), slope, COUNT, x, d, d);
}

enum { SPREAD = 2 * COUNT };

/* Where value i of spread comes from, and what its exponent is divided by. */
static int spread_from(int i) { return i / (2 * C) * C + i % C; }
static int spread_by(int i) { return i % (2 * C) / C + 1; }

/* In backward w is the first to write the gradients of g and r; s adds to both; g adds to that of r
 * and masks it; t has s twice; e alone reads an activation, and is the last to need what it makes.
 */
static const char network_[] =
    "model:\n"
    "  fuse: %s\n"
    "  graph:\n"
    "    - {name: p, type: conv2d, filters: 3, kernel: 1}\n"
    "    - {name: r, type: leaky_relu, slope: 0.25}\n"
    "    - {name: g, type: product, input: [r, input], scale: 1.5}\n"
    "    - {name: s, type: product, input: [g, r]}\n"
    "    - {name: t, type: product, input: [s, s], scale: -2}\n"
    "    - {name: w, type: product, input: [g, r], scale: 0.5}\n"
    "    - {name: z, type: add, input: [t, w]}\n"
    "    - {name: q, type: conv2d, filters: 3, kernel: 1}\n"
    "    - {name: u, type: leaky_relu, slope: 0.5}\n"
    "    - {name: e, type: spread, copies: 2}\n"
    "    - {type: avg_pool, kernel: 1}\n"
    "    - {name: o, type: conv2d, filters: 3, kernel: 1}\n";

static void check_network(const char *fuse) {
  char yaml[sizeof network_ + 8];
  gf_model *model;
  snprintf(yaml, sizeof yaml, network_, fuse);
  assert_ok(open_model(&model, yaml));
  const float *x = noises(COUNT, 5), *dy = noises(COUNT, 6);
  run(model, x, dy, COUNT);

  static const char *const gains[] = {"g.gain", "s.gain", "t.gain", "w.gain"};
  projection P, Q, O;
  factors G, S, T, W;
  factors *const products[] = {&G, &S, &T, &W};
  double gain[4][C];
  open_projection(&P, model, "p", C);
  open_projection(&Q, model, "q", C);
  open_projection(&O, model, "o", 2 * C);
  for (int k = 0; k < 4; k++) copy_parameter(model, gains[k], C, gain[k]);

  double *in = doubles_from(x, COUNT), *p = project(&P, in), *r = bend(0.25, p);
  double *g = multiply(&G, r, in, 1.5, gain[0]), *s = multiply(&S, g, r, 1, gain[1]);
  double *t = multiply(&T, s, s, -2, gain[2]), *w = multiply(&W, g, r, 0.5, gain[3]);
  double *z = doubles_new(COUNT), *e = doubles_new(SPREAD);
  for (int i = 0; i < COUNT; i++) z[i] = t[i] + w[i];
  double *q = project(&Q, z), *u = bend(0.5, q);
  for (int i = 0; i < SPREAD; i++) e[i] = exp(u[spread_from(i)] / spread_by(i));
  double *o = project(&O, e);

  double *ds = doubles_new(COUNT), *dg = doubles_new(COUNT), *dr = doubles_new(COUNT);
  double *din = doubles_new(COUNT), *du = doubles_new(COUNT);
  double *de = project_backward(&O, e, doubles_from(dy, COUNT));
  for (int i = 0; i < SPREAD; i++) du[spread_from(i)] += de[i] * e[i] / spread_by(i);
  bend_backward(0.5, q, du);
  double *dz = project_backward(&Q, z, du);
  multiply_backward(&W, dz, dg, dr);
  multiply_backward(&T, dz, ds, ds);
  multiply_backward(&S, ds, dg, dr);
  multiply_backward(&G, dg, dr, din);
  bend_backward(0.25, p, dr);
  double *through = project_backward(&P, in, dr);
  for (int i = 0; i < COUNT; i++) din[i] += through[i];

  gf_buffer *out = model->graph.nodes[model->graph.count - 1]->out.data;
  compare(fuse, "o", COUNT, buffer_get(out, COUNT), o, chain_);
  compare(fuse, "dx", COUNT, buffer_get(model->graph.input.grad, COUNT), din, chain_);
  compare_projection(model, fuse, &P);
  compare_projection(model, fuse, &Q);
  compare_projection(model, fuse, &O);
  for (int k = 0; k < 4; k++)
    compare_gradient(model, fuse, gains[k], C, products[k]->dgain, ROWS + chain_);
  gf_model_free(&model);
  arrays_free();
}

static void gradients_join_those_of_other_layers(void **state) {
  (void)state;
  check_network("on");
  check_network("off");
}

/* ---- what is refused ---- */

static void assert_refused(gf_status status, gf_status expected, const char *message) {
  assert_int_equal(status, expected);
  assert_string_equal(gf_error_message(), message);
}

static void networks_that_do_not_fit_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *graph;
    gf_status status;
    const char *message;
  } rows[] = {
      {"[{type: swish, sharpness: 0}]", GF_ERROR_CONFIG,
       "net:1:31: swish_0.sharpness must be a number from 0.01 to 100, not '0'"},
      {"[{type: spread}]", GF_ERROR_CONFIG,
       "net:1:17: spread_0.copies is missing and has no default (of each channel)"},
      {"[{type: spread, copies: 1.5}]", GF_ERROR_CONFIG,
       "net:1:32: spread_0.copies must be a whole number from 1 to 4, not '1.5'"},
      {"[{type: swish, slope: 1}]", GF_ERROR_CONFIG,
       "net:1:31: unknown key 'slope' in swish_0; known keys: name, type, input, sharpness"},
      {"[{name: a, type: product}]", GF_ERROR_CONFIG,
       "net:1:17: product 'a' takes 2 inputs, not 1"},
      {"[{name: a, type: conv2d, filters: 5, kernel: 1}, "
       "{name: b, type: product, input: [a, input]}]",
       GF_ERROR_SHAPE,
       "net:1:65: product 'b' with input 'a' (6x6x5) and 'input' (6x6x3): its inputs must have as "
       "many channels"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char yaml[256];
    gf_model *model;
    snprintf(yaml, sizeof yaml, "model: {graph: %s}", rows[i].graph);
    assert_refused(open_model(&model, yaml), rows[i].status, rows[i].message);
    assert_null(model);
  }
}

static void a_misspelt_name_is_known(void **state) {
  (void)state;
  gf_model *model;
  const char *start = "net:1:18: there is no layer 'swich'; did you mean 'swish'? known layers: ",
             *end = ", swish, product, spread";
  assert_int_equal(open_model(&model, "model: {graph: [{type: swich}]}"), GF_ERROR_CONFIG);
  const char *message = gf_error_message();
  assert_memory_equal(message, start, strlen(start));
  assert_string_equal(message + strlen(message) - strlen(end), end);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(types_are_registered),
      cmocka_unit_test(the_examples_gradient_is_right),
      cmocka_unit_test(gradients_join_those_of_other_layers),
      cmocka_unit_test(networks_that_do_not_fit_are_refused),
      cmocka_unit_test(a_misspelt_name_is_known),
  };
  return cmocka_run_group_tests_name("outside_layer", tests, device_test_open, device_test_close);
}
